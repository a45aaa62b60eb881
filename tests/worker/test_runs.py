"""What is kept of a run that ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airloom.dags import platform
from airloom.dags.platform import NodeState, RunState
from airloom.store.records import NotFound
from airloom.store.store import Store
from airloom.worker import runs
from airloom.worker.runs import LOOK_BACK, SETTLED_AFTER, EndedRuns, keep_node_runs

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(seconds=4)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch, store: Store) -> dict[str, Any]:
    """Stand in for Airflow's database, which knows the run r1 of the first of two versions."""
    for name in ("1", "2"):
        store.publish({"id": "sales", "name": name}, {"nodes": {"a": {}}}, author="ann", source="api")
    known: dict[str, Any] = {
        "run": RunState("sales", "r1", "success", 1, None, START, END),
        "nodes": [
            NodeState(
                node="a",
                task="a",
                state="success",
                fired=["rows", "rest"],
                outputs={"value": {"kind": "object", "value": 1}, "rows": {"kind": "table", "rows": 5}},
                statistics={"bytes": 3},
                attempt=2,
                started_at=START,
                ended_at=END,
            ),
            NodeState(node="b", task="a", state="failed", error={"message": "no"}, attempt=1, started_at=START),
            NodeState(node="c", task="c", state="not_run"),
        ],
        "plans": [],
    }

    def node_results(pipeline: str, run_id: str, plan: dict[str, Any]) -> list[NodeState]:
        known["plans"].append(plan)
        return list(known["nodes"])

    monkeypatch.setattr(platform, "run_state", lambda pipeline, run_id: known["run"])
    monkeypatch.setattr(platform, "node_results", node_results)
    return known


def test_each_node_is_kept_by_the_run_s_own_plan(store: Store, airflow: dict[str, Any]) -> None:
    keep_node_runs(store, {"dag_id": "sales", "run_id": "r1", "state": "success"})
    a, b, c = store.node_runs("sales", "r1")
    assert airflow["plans"] == [{"nodes": {"a": {}}, "version": 1}]
    assert (a.state, a.version, a.fired, a.attempt, a.rows, a.seconds) == ("success", 1, ["rows", "rest"], 2, 5, 4.0)
    assert a.outputs == {"value": {"kind": "object", "value": 1}, "rows": {"kind": "table", "rows": 5}}
    assert (b.state, b.error, b.seconds, b.ended_at) == ("failed", {"message": "no"}, None, None)
    assert (c.state, c.attempt, c.rows) == ("not_run", 0, None)


def test_a_run_that_was_cleared_and_ended_again_replaces_what_was_kept(store: Store, airflow: dict[str, Any]) -> None:
    payload = {"dag_id": "sales", "run_id": "r1"}
    keep_node_runs(store, payload)
    airflow["nodes"] = [NodeState(node="b", task="b", state="success")]
    keep_node_runs(store, payload)
    assert [(run.node, run.state, run.error) for run in store.node_runs("sales", "r1")] == [("b", "success", None)]


def test_a_run_that_was_deleted_leaves_nothing(store: Store, airflow: dict[str, Any]) -> None:
    airflow["run"] = None
    keep_node_runs(store, {"dag_id": "sales", "run_id": "r1"})
    assert store.node_runs("sales", "r1") == []


def test_an_end_that_is_not_committed_yet_is_waited_for(
    store: Store, airflow: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = airflow["run"]
    states = iter([replace(ended, state="running"), replace(ended, state="running"), ended])
    monkeypatch.setattr(platform, "run_state", lambda pipeline, run_id: next(states))
    keep_node_runs(store, {"dag_id": "sales", "run_id": "r1"})
    assert [run.node for run in store.node_runs("sales", "r1")] == ["a", "b", "c"]
    assert list(states) == []


def test_nothing_is_kept_of_a_run_that_was_cleared_since(
    store: Store, airflow: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "COMMITTED_WITHIN", 0.3)
    airflow["run"] = replace(airflow["run"], state="running")
    keep_node_runs(store, {"dag_id": "sales", "run_id": "r1"})
    assert store.node_runs("sales", "r1") == []


def test_a_run_of_no_known_version_is_an_error(store: Store, airflow: dict[str, Any]) -> None:
    with pytest.raises(NotFound):
        keep_node_runs(store, {"dag_id": "other", "run_id": "r1"})


class TestEndedRuns:
    @pytest.fixture
    def ended(self, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], datetime]:
        """Stand in for the runs that Airflow knows to have ended, with their times."""
        known: dict[tuple[str, str], datetime] = {}
        monkeypatch.setattr(
            platform, "ended_runs", lambda since, until: [run for run, at in known.items() if since < at <= until]
        )
        return known

    def test_one_that_was_not_noted_is_put_into_the_outbox(
        self, store: Store, airflow: dict[str, Any], ended: dict[tuple[str, str], datetime]
    ) -> None:
        keep_node_runs(store, {"dag_id": "sales", "run_id": "r1"})
        store.outbox.enqueue("run_ended", {"dag_id": "sales", "run_id": "r2", "state": "success"})
        store.outbox.enqueue("other", {"dag_id": "sales", "run_id": "r3"})
        ended |= {("sales", run): START for run in ("r1", "r2", "r3", "r4")}
        for _ in range(2):
            EndedRuns(store, lambda: END + SETTLED_AFTER).make_up()
        events = [event.payload for event in store.outbox.events() if event.kind == "run_ended"]
        assert events[1:] == [{"dag_id": "sales", "run_id": "r3"}, {"dag_id": "sales", "run_id": "r4"}]

    def test_each_is_looked_at_once_when_it_has_settled(
        self, store: Store, ended: dict[tuple[str, str], datetime]
    ) -> None:
        now = START
        runs = EndedRuns(store, lambda: now)
        ended |= {("sales", "old"): START - 2 * LOOK_BACK, ("sales", "new"): START + timedelta(minutes=5)}
        found = []
        for minutes in (0, 5, 6, 7, 60):
            now = START + timedelta(minutes=minutes)
            runs.make_up()
            for event in store.outbox.events():
                found.append((minutes, event.payload["run_id"]))
                with store.outbox.claim(["run_ended"]):
                    pass
        assert found == [(7, "new")]

    def test_a_clock_that_is_set_back_hides_no_end(self, store: Store, ended: dict[tuple[str, str], datetime]) -> None:
        now = START + timedelta(days=30)
        runs = EndedRuns(store, lambda: now)
        runs.make_up()
        ended[("sales", "since")] = START
        now = START + timedelta(minutes=5)
        runs.make_up()
        assert [event.payload["run_id"] for event in store.outbox.events()] == ["since"]

    def test_one_worker_looks_at_a_time(self, store: Store, ended: dict[tuple[str, str], datetime]) -> None:
        ended[("sales", "r1")] = START
        runs = EndedRuns(store, lambda: START + SETTLED_AFTER)
        with store.lock("ended runs"):
            runs.make_up()
        assert store.outbox.events() == []
        runs.make_up()
        assert len(store.outbox.events()) == 1
