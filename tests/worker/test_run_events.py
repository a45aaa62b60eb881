"""What is told of runs: each change once, in order, whoever tells it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from airloom.dags.node_states import NodeState
from airloom.store.records import NewEvent, NodeRun, NotFound, StoredRun
from airloom.store.store import Store
from airloom.worker.run_events import RunEvents

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
RUN = StoredRun("sales", "run_1", "running", NOON, version=1, trigger="hand", actor="ann", started_at=NOON)
ENDED = replace(RUN, state="success", ended_at=NOON + timedelta(seconds=9), seconds=9.0, rows=5)


class Airflow:
    """Stand in for Airflow: the nodes of runs, and how often somebody read them all."""

    def __init__(self) -> None:
        self.nodes: dict[str, list[NodeState]] = {}
        self.reads = 0

    def set(self, run_id: str, **states: str) -> None:
        """Let the nodes of a run be in these states."""
        self.nodes[run_id] = [
            NodeState(node, node, state, attempt=0 if state == "waiting" else 1) for node, state in states.items()
        ]

    def changes(self, runs: list[tuple[str, str]]) -> dict[tuple[str, str], object]:
        """Return something that differs with the states."""
        return {(pipeline, run): repr(self.nodes[run]) for pipeline, run in runs if run in self.nodes}

    def nodes_of_run(self, store: Store, pipeline: str, run_id: str) -> list[NodeState]:
        """Return the nodes of a run."""
        self.reads += 1
        if run_id not in self.nodes:
            raise NotFound("no run")
        return self.nodes[run_id]


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Airflow:
    airflow = Airflow()
    monkeypatch.setattr("airloom.dags.node_states.changes", airflow.changes)
    monkeypatch.setattr("airloom.dags.runs.nodes_of_run", airflow.nodes_of_run)
    return airflow


def told(store: Store) -> list[str]:
    """Return what the feed says of runs, in words."""
    words = []
    for event in store.feed.after(0) or []:
        facts: dict[str, Any] = event.payload
        words.append(f"{facts['node']} {facts['state']}" if event.kind == "node" else event.kind)
    return words


def end(store: Store, run: StoredRun, **states: str) -> None:
    """Keep that a run and its nodes have ended, as the worker does."""
    nodes = [NodeRun(run.pipeline, run.run_id, node, state, attempt=1) for node, state in states.items()]
    store.node_runs.record(run.pipeline, run.run_id, nodes)
    store.runs.observe(run)


def test_a_run_is_told_from_beginning_to_end(store: Store, airflow: Airflow) -> None:
    events = RunEvents(store)
    events.tell()
    store.runs.begin("sales", "run_1", version=1, trigger="hand", actor="ann", correlation_id="c")
    events.tell()
    assert told(store) == ["queued"]
    airflow.set("run_1", load="waiting", save="waiting")
    store.runs.observe(RUN)
    events.tell()
    airflow.set("run_1", load="running", save="waiting")
    events.tell()
    events.tell()
    airflow.set("run_1", load="success", save="running")
    events.tell()
    end(store, ENDED, load="success", save="success")
    events.tell()
    events.tell()
    assert told(store) == [
        "queued", "started", "load running", "load success", "save running", "save success", "ended",
    ]  # fmt: skip
    assert airflow.reads == 3
    first, *_, last = store.feed.after(0) or []
    assert first.payload == {"version": 1, "trigger": "hand", "actor": "ann", "correlation_id": "c"}
    assert last.payload == {"state": "success", "seconds": 9.0, "rows": 5, "ended_at": "2026-11-30T12:00:09+00:00"}


def test_where_nothing_changes_one_query_is_all(store: Store, airflow: Airflow) -> None:
    asked: list[str] = []
    listen(store._engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    events = RunEvents(store)
    events.tell()
    assert len(asked) == 1
    end(store, ENDED, load="success")
    events.tell()
    asked.clear()
    events.tell()
    assert len(asked) == 1
    end(store, replace(ENDED, rows=6), load="success")
    events.tell()
    assert len(asked) > 2
    store.runs.observe(replace(RUN, run_id="run_2"))
    airflow.set("run_2", load="running")
    events.tell()
    asked.clear()
    events.tell()
    assert len(asked) > 2, "Airflow says what an active run does, not the store"


def test_a_node_begins_only_after_its_run(store: Store, airflow: Airflow) -> None:
    store.runs.begin("sales", "run_1", version=1, trigger="hand")
    airflow.set("run_1", load="running")
    RunEvents(store).tell()
    assert told(store) == ["queued", "started", "load running"]


def test_a_run_that_nobody_saw_is_told_whole(store: Store, airflow: Airflow) -> None:
    end(store, ENDED, load="success", save="skipped")
    RunEvents(store).tell()
    assert told(store) == ["queued", "started", "load success", "save skipped", "ended"]


def test_another_worker_goes_on_where_the_first_ended(store: Store, airflow: Airflow) -> None:
    store.runs.observe(RUN)
    airflow.set("run_1", load="running", save="waiting")
    first, second = RunEvents(store), RunEvents(store)
    first.tell()
    second.tell()
    airflow.set("run_1", load="success", save="running")
    second.tell()
    first.tell()
    end(store, ENDED, load="success", save="success")
    first.tell()
    second.tell()
    RunEvents(store).tell()
    assert told(store) == [
        "queued", "started", "load running", "load success", "save running", "save success", "ended",
    ]  # fmt: skip


def test_one_at_a_time(store: Store, airflow: Airflow) -> None:
    store.runs.observe(RUN)
    with store.lock("run events"):
        RunEvents(store).tell()
    assert told(store) == []


def test_a_retry_is_told_as_a_second_life(store: Store, airflow: Airflow) -> None:
    events = RunEvents(store)
    failed = replace(ENDED, state="failed")
    end(store, failed, load="success", save="failed")
    events.tell()
    store.runs.observe(replace(failed, state="queued", ended_at=None, seconds=None, rows=None))
    airflow.set("run_1", load="success", save="waiting")
    events.tell()
    end(store, replace(ENDED, ended_at=NOON + timedelta(seconds=20)), load="success", save="success")
    events.tell()
    assert told(store)[:5] == ["queued", "started", "load success", "save failed", "ended"]
    assert told(store)[5:] == ["queued", "started", "save waiting", "save success", "ended"]


def test_what_was_deleted_is_told_no_more(store: Store, airflow: Airflow) -> None:
    events = RunEvents(store)
    end(store, ENDED, load="success")
    events.tell()
    store.runs.remove("sales", "run_1")
    store.feed.add([NewEvent("runs", "deleted", "sales", "run_1")])
    events.tell()
    assert told(store)[-2:] == ["ended", "deleted"]


def test_what_has_ended_leaves_the_memory_and_is_told_once(store: Store, airflow: Airflow) -> None:
    events = RunEvents(store)
    events.tell()
    airflow.set("run_1", load="success")
    store.runs.observe(RUN)
    events.tell()
    end(store, ENDED, load="success")
    events.tell()
    # A change of another run, later than any change of the first can still be committed.
    with store._engine.begin() as connection:
        connection.execute(text("update runs set changed_at = changed_at - interval '1 hour'"))
    store.runs.observe(replace(RUN, run_id="run_2"))
    events.tell()
    assert {run_id for _, run_id in events._reported} == {"run_2"}
    store.runs.observe(replace(ENDED, rows=6))
    events.tell()
    assert told(store).count("ended") == 1
