"""Connections for a process that opens none: a worker lists them, without their secrets, and tries them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from airloom.dags import connections
from airloom.dags.connections import ListedConnection
from airloom.store.store import Store
from airloom.worker.questions import ask

KIND = "connections"
WORKER_SECONDS = 10.0
"""How long a worker may take beyond what a Connection takes."""


def list_connections(store: Store) -> list[ListedConnection]:
    """Return the Connections that a worker knows, by name."""
    return [ListedConnection(**one) for one in ask(store, KIND, {}, timeout=WORKER_SECONDS)]


def probe(store: Store, name: str, timeout: float) -> tuple[bool, str]:
    """Let a worker connect once; return whether it works, and what was answered, without secrets.

    Raises an AirloomError as `airloom.dags.connections.probe` does.
    """
    question = {"name": name, "timeout": timeout}
    works, message = ask(store, KIND, question, timeout=timeout + WORKER_SECONDS)
    return bool(works), str(message)


def answer(question: dict[str, Any]) -> Any:
    """Answer what `probe`, or `list_connections`, asks."""
    if "name" in question:
        return connections.probe(question["name"], question["timeout"])
    return [asdict(one) for one in connections.list_connections()]
