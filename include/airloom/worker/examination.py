"""The examination of an installation for a process that holds no secrets: a worker sees Airflow and the machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from airloom.doctor.examination import examine
from airloom.doctor.finding import Finding
from airloom.store.store import Store
from airloom.worker.questions import ask, require_worker

KIND = "examination"
SECONDS = 45.0
"""How long a worker may take: three databases may each let it wait for ten, and all pipelines are looked through."""


def request_examination(store: Store) -> list[Finding]:
    """Return what a worker finds on its machine; raise TransientError where none answers, at once where none runs."""
    require_worker(store, "examine")
    return [Finding(**finding) for finding in ask(store, KIND, {}, timeout=SECONDS)]


def answer(question: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer what `request_examination` asks."""
    return [asdict(finding) for finding in examine()]
