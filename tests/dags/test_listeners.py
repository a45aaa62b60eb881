"""What the scheduler tells of runs, and that it never suffers from telling it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airloom.dags import listeners
from airloom.store.store import Store

EVENTS: list[tuple[Callable[..., None], str, str]] = [
    (listeners.on_dag_run_running, "run_started", "running"),
    (listeners.on_dag_run_success, "run_ended", "success"),
    (listeners.on_dag_run_failed, "run_ended", "failed"),
]


def run(bundle: str | None = "airloom") -> Any:
    model = bundle and SimpleNamespace(bundle_name=bundle)
    return SimpleNamespace(dag_id="sales", run_id="r1", dag_model=model)


@pytest.mark.parametrize(("told", "kind", "state"), EVENTS)
def test_starts_and_ends_of_our_runs_are_noted(
    airflow_database: str, store: Store, store_url: str, settings: pytest.MonkeyPatch, told: Any, kind: str, state: str
) -> None:
    settings.setenv("AIRLOOM_TASK_DATABASE_URL", store_url)
    for bundle in ("airloom", "another", None):
        told(dag_run=run(bundle), msg="")
    assert [(event.kind, event.payload) for event in store.outbox.events()] == [
        (kind, {"dag_id": "sales", "run_id": "r1", "state": state})
    ]


@pytest.mark.parametrize("told", [told for told, _, _ in EVENTS])
def test_a_store_that_is_away_is_only_logged(
    airflow_database: str, settings: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, told: Any
) -> None:
    settings.setenv("AIRLOOM_TASK_DATABASE_URL", "postgresql://ann:s3cret@127.0.0.1:1/airloom")
    told(dag_run=run(), msg="")
    assert "of run r1 of pipeline sales was not noted" in caplog.text
    assert "s3cret" not in caplog.text
