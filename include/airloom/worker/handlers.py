"""What is done with each kind of event, and in which lane: a slow handler holds up those of its own lane alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from airloom.store.store import Store
from airloom.worker import clean_up, connections, containers, descriptions, examination, failures, previews, questions
from airloom.worker.runs import keep_ended_run, keep_started_run

LANES = {"starts": 2, "answers": 8, "previews": 2, "delivery": 4, "housekeeping": 2}
"""The threads of each lane, in each worker: what lets runs begin, what somebody waits for, what runs nodes for somebody
who waits, what else talks to other systems, and the rest."""

HandlerFunction = Callable[[Store, dict[str, Any]], None]


@dataclass(frozen=True)
class Handler:
    """Name the lane of a kind of event, and what handles one by its payload.

    An event is handled again where its worker died or its handler failed, so a handler does its work under a key.
    """

    lane: str
    function: HandlerFunction


def handlers() -> dict[str, Handler]:
    """Return the handler of each kind of event; `airloom.dags.platform.load` comes before."""
    from airloom.dags.connections import connection
    from airloom.dags.publishing import unpause
    from airloom.dags.roles import keep_grants

    return {
        "unpause": Handler("starts", unpause),
        failures.KIND: Handler("starts", failures.handle_failure),
        descriptions.KIND: Handler("answers", partial(descriptions.answer, connection=connection)),
        connections.KIND: Handler("answers", partial(questions.answer, function=connections.answer)),
        examination.KIND: Handler("answers", partial(questions.answer, function=examination.answer)),
        clean_up.KIND: Handler("answers", clean_up.answer),
        previews.KIND: Handler("previews", partial(questions.answer, function=previews.answer)),
        containers.KIND: Handler("delivery", containers.remove_containers),
        "grants": Handler("housekeeping", keep_grants),
        "run_started": Handler("housekeeping", keep_started_run),
        "run_ended": Handler("housekeeping", keep_ended_run),
    }
