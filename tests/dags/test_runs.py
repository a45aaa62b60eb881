"""Starting a run: nothing is lost, and nothing is left of what Airflow refuses."""

from __future__ import annotations

from typing import Any

import pytest

from airloom.dags import parsing, runs
from airloom.dags.runs import start_run
from airloom.spec.error import ConfigurationError
from airloom.store.store import Store

Asked = list[dict[str, Any]]


@pytest.fixture
def asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Stand in for Airflow: return what it was asked for, with what the store held at that moment."""
    store.publish({"id": "sales", "params": {"day": {"type": "string"}}}, {}, author="ann", source="api")
    asked: Asked = []

    def trigger_run(pipeline: str, params: dict[str, Any], *, run_id: str, **more: object) -> str:
        asked.append({"run_id": run_id, "params": params, "kept": store.runs.get(pipeline, run_id)})
        return run_id

    monkeypatch.setattr(parsing, "wait_for_version", lambda pipeline, number: None)
    monkeypatch.setattr(runs, "trigger_run", trigger_run)
    return asked


def test_it_is_kept_before_airflow_is_asked(store: Store, asked: Asked) -> None:
    run_id = start_run(store, "sales", {"day": "monday"}, user="bob")
    kept = store.runs.get("sales", run_id)
    assert kept is not None
    assert asked == [{"run_id": run_id, "params": {"day": "monday"}, "kept": kept}]
    assert (kept.state, kept.version, kept.actor, kept.trigger) == ("starting", 1, "bob", "hand")
    assert kept.params == {"day": "monday"}


def test_two_at_once_are_two(store: Store, asked: Asked) -> None:
    assert len({start_run(store, "sales", {"day": "monday"}) for _ in range(3)}) == 3
    assert len(store.runs.page()) == 3


def test_nothing_is_left_of_what_airflow_refuses(store: Store, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise ConfigurationError("Airflow refused")

    monkeypatch.setattr(runs, "trigger_run", refuse)
    with pytest.raises(ConfigurationError, match="refused"):
        start_run(store, "sales", {"day": "monday"})
    assert store.runs.page() == []


def test_one_that_airflow_may_have_taken_is_left_to_the_worker(
    store: Store, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise ConnectionError("gone")

    monkeypatch.setattr(runs, "trigger_run", fail)
    with pytest.raises(ConnectionError):
        start_run(store, "sales", {"day": "monday"})
    assert [run.state for run in store.runs.page()] == ["starting"]


def test_wrong_params_leave_nothing(store: Store, asked: Asked) -> None:
    with pytest.raises(ConfigurationError):
        start_run(store, "sales", {"day": 7})
    assert (store.runs.page(), asked) == ([], [])
