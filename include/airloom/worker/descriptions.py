"""Columns behind Connections, for a process that holds none: it asks by the store, and a worker answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from airloom.checks.columns import NoAnswer
from airloom.checks.facts import Describe, Description, Question
from airloom.runtime.descriptions import ANSWER_SECONDS, describer
from airloom.store.store import Store

KIND = "describe"
WORKER_SECONDS = 5.0
"""How long a worker may take beyond what the Connections take."""
MOST_SECONDS = 30.0


def worker_describer(store: Store, may_use: Callable[[str], bool]) -> Describe:
    """Return what lets a worker answer questions; those about Connections that may not be used stay unanswered."""

    def describe(questions: Sequence[Question]) -> dict[str, Description]:
        asked = [question for question in questions if all(may_use(name) for name in question.connections)]
        connections = {name for question in asked for name in question.connections}
        if not asked:
            return {}
        timeout = min(WORKER_SECONDS + ANSWER_SECONDS * len(connections), MOST_SECONDS)
        answer = store.questions.ask(KIND, [asdict(question) for question in asked], timeout=timeout)
        if answer is None:
            return {question.node: Description(error=_no_worker(question, timeout)) for question in asked}
        return {node: Description.from_json(described) for node, described in answer.items()}

    return describe


def answer(store: Store, payload: dict[str, Any], connection: Callable[[str], Any]) -> None:
    """Answer the `question` of an event."""
    asked = store.questions.get(payload["question"])
    if asked is not None:
        descriptions = describer(connection)([Question(**question) for question in asked])
        store.questions.answer(
            payload["question"], {node: described.to_json() for node, described in descriptions.items()}
        )


def _no_worker(question: Question, timeout: float) -> NoAnswer:
    names = ", ".join(repr(name) for name in question.connections)
    return NoAnswer(
        f"no worker has asked the Connection {names} within {timeout:g} s, so that its columns are unknown",
        hint="does airloom worker run? see airloom doctor; publishing checks it again",
    )
