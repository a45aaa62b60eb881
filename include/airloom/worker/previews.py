"""Previews of a node for a process that opens no Connection: a worker runs what leads to it, and writes nothing."""

from __future__ import annotations

from typing import Any

from airloom.dags.connections import connection
from airloom.runtime.pinned import read_pins
from airloom.runtime.preview import SECONDS, preview
from airloom.spec.configuration import configuration
from airloom.store.store import Store
from airloom.worker.questions import ask

KIND = "preview"
WORKER_SECONDS = 15.0
"""How long a worker may take beyond the preview itself, others before it in the lane included."""


def run_preview(store: Store, document: dict[str, Any], node: str, **options: Any) -> dict[str, Any]:
    """Return what a worker's preview gives: `nodes`, `problems`, and `held_back`, the nodes that would have written.

    `options` are the params as texts, `rows` of each source, `sample` of what is shown, and `pins`. Raises
    AirloomError for what is not a fault of the document.
    """
    question = {"document": document, "node": node, **options}
    answer: dict[str, Any] = ask(store, KIND, question, timeout=SECONDS + WORKER_SECONDS)
    return answer


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Answer what `run_preview` asks."""
    trial = preview(
        question["document"],
        question["node"],
        configuration(),
        params=question["params"],
        rows=question["rows"],
        sample=question["sample"],
        pinned=read_pins(question["pins"]),
        connections=connection,
    )
    return {**trial.to_json(), "held_back": trial.held_back}
