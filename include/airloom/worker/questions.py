"""What is asked of a worker, for a process that opens no Connection: the answer, or the error that came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from airloom.spec.error import AirloomError, SystemFault, TransientError
from airloom.store.store import Store

log = logging.getLogger(__name__)

Answer = Callable[[Any], Any]
"""Takes a question and gives its answer, both JSON."""


def ask(store: Store, kind: str, question: Any, *, timeout: float) -> Any:
    """Return a worker's answer to a question of a kind.

    Raises the AirloomError that the worker met, TransientError where no worker answers within `timeout` seconds.
    """
    reply = store.questions.ask(kind, question, timeout=timeout)
    if reply is None:
        hint = "does airloom worker run? see airloom doctor"
        raise TransientError(f"no worker has answered within {timeout:g} s", hint=hint)
    if "error" in reply:
        raise AirloomError.from_json(reply["error"])
    return reply["answer"]


def require_worker(store: Store, work: str) -> None:
    """Raise TransientError where no worker runs, which alone can do this work."""
    if not store.outbox.workers():
        raise TransientError(f"no worker runs, and only a worker can {work}", hint="start one: airloom worker")


def answer(store: Store, payload: dict[str, Any], function: Answer) -> None:
    """Answer the `question` of an event by a function, once: whoever asks again puts another question."""
    asked = store.questions.get(payload["question"])
    if asked is None:
        return
    try:
        reply = {"answer": function(asked)}
    except AirloomError as error:
        reply = {"error": error.to_json()}
    except Exception:
        log.exception("A question was not answered")
        reply = {"error": SystemFault("the worker could not answer; its log says more").to_json()}
    store.questions.answer(payload["question"], reply)
