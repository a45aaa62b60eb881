"""What is kept of a run that ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airloom.dags.node_states import NodeState
from airloom.dags.runs import RunState
from airloom.store.records import StoredRun
from airloom.store.store import Store
from airloom.worker import runs
from airloom.worker.runs import LOOK_BACK, SETTLED_AFTER, EndedRuns, keep_ended_run, keep_started_run

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

    monkeypatch.setattr("airloom.dags.runs.run_state", lambda pipeline, run_id: known["run"])
    monkeypatch.setattr("airloom.dags.node_states.node_results", node_results)
    return known


def test_each_node_is_kept_by_the_run_s_own_plan(store: Store, airflow: dict[str, Any]) -> None:
    keep_ended_run(store, {"dag_id": "sales", "run_id": "r1", "state": "success"})
    a, b, c = store.node_runs.of("sales", "r1")
    assert airflow["plans"] == [{"nodes": {"a": {}}, "version": 1}]
    assert (a.state, a.version, a.fired, a.attempt, a.rows, a.seconds) == ("success", 1, ["rows", "rest"], 2, 5, 4.0)
    assert a.outputs == {"value": {"kind": "object", "value": 1}, "rows": {"kind": "table", "rows": 5}}
    assert (b.state, b.error, b.seconds, b.ended_at) == ("failed", {"message": "no"}, None, None)
    assert (c.state, c.attempt, c.rows) == ("not_run", 0, None)


def test_a_run_that_was_cleared_and_ended_again_replaces_what_was_kept(store: Store, airflow: dict[str, Any]) -> None:
    payload = {"dag_id": "sales", "run_id": "r1"}
    keep_ended_run(store, payload)
    airflow["nodes"] = [NodeState(node="b", task="b", state="success")]
    keep_ended_run(store, payload)
    assert [(run.node, run.state, run.error) for run in store.node_runs.of("sales", "r1")] == [("b", "success", None)]


def test_a_run_that_was_deleted_leaves_nothing(store: Store, airflow: dict[str, Any]) -> None:
    airflow["run"] = None
    keep_ended_run(store, {"dag_id": "sales", "run_id": "r1"})
    assert store.node_runs.of("sales", "r1") == []


def test_an_end_that_is_not_committed_yet_is_waited_for(
    store: Store, airflow: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = airflow["run"]
    states = iter([replace(ended, state="running"), replace(ended, state="running"), ended])
    monkeypatch.setattr("airloom.dags.runs.run_state", lambda pipeline, run_id: next(states))
    keep_ended_run(store, {"dag_id": "sales", "run_id": "r1"})
    assert [run.node for run in store.node_runs.of("sales", "r1")] == ["a", "b", "c"]
    assert list(states) == []


def test_nothing_is_kept_of_a_run_that_was_cleared_since(
    store: Store, airflow: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "COMMITTED_WITHIN", 0.3)
    airflow["run"] = replace(airflow["run"], state="running")
    keep_ended_run(store, {"dag_id": "sales", "run_id": "r1"})
    assert store.node_runs.of("sales", "r1") == []


@pytest.mark.parametrize("keep", [keep_started_run, keep_ended_run])
def test_a_run_whose_version_the_store_does_not_have_is_told_in_one_line(
    store: Store,
    airflow: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    keep: Callable[[Store, dict[str, Any]], None],
) -> None:
    """As after a store that was restored from an older copy: what another attempt would not find is not tried again."""
    state = "running" if keep is keep_started_run else "success"
    airflow["run"] = replace(airflow["run"], pipeline="other", state=state)
    keep(store, {"dag_id": "other", "run_id": "r1"})
    assert "Nothing is kept of run r1: pipeline 'other' was not published at revision 1" in caplog.text
    assert store.node_runs.of("other", "r1") == []


def test_a_run_is_kept_as_airflow_has_it_with_the_rows_of_its_sinks(store: Store, airflow: dict[str, Any]) -> None:
    plan = {"nodes": {name: {"effect": effect} for name, effect in [("a", "write"), ("b", "write"), ("c", "pure")]}}
    store.publish({"id": "sales", "name": "3"}, plan, author="bob", source="api")
    done = {name: {"done": {"kind": "object", "value": {"rows": 5, "target": "t"}}} for name in ("a", "b", "c")}
    airflow["nodes"] = [NodeState(node=name, task=name, state="success", outputs=done[name]) for name in done]
    known = {"queued_at": START - timedelta(seconds=1), "trigger": "clock", "params": {"day": 1}, "event": {"x": 1}}
    airflow["run"] = replace(airflow["run"], revision=3, **known)
    running = replace(airflow["run"], state="running", ended_at=None)
    airflow["run"], ended = running, airflow["run"]
    keep_started_run(store, {"dag_id": "sales", "run_id": "r1", "state": "running"})
    kept = StoredRun("sales", "r1", "running", version=3, actor="bob", started_at=START, **known)
    assert store.runs.get("sales", "r1") == kept
    airflow["run"] = ended
    keep_ended_run(store, {"dag_id": "sales", "run_id": "r1", "state": "success"})
    assert store.runs.get("sales", "r1") == replace(kept, state="success", ended_at=END, seconds=4.0, rows=10)


def test_who_started_a_run_is_not_taken_for_another(store: Store, airflow: dict[str, Any]) -> None:
    store.runs.begin("sales", "r1", version=2, trigger="hand", actor="ann", params={"day": 1})
    airflow["run"] = replace(airflow["run"], trigger="api", actor="someone", params={"day": 2})
    keep_ended_run(store, {"dag_id": "sales", "run_id": "r1"})
    kept = store.runs.get("sales", "r1")
    assert kept is not None
    assert (kept.trigger, kept.actor, kept.params, kept.version, kept.rows) == ("hand", "ann", {"day": 1}, 1, None)


def test_the_start_of_a_run_that_has_ended_since_leaves_that_to_its_end(store: Store, airflow: dict[str, Any]) -> None:
    keep_started_run(store, {"dag_id": "sales", "run_id": "r1"})
    assert store.runs.get("sales", "r1") is None
    airflow["run"] = None
    keep_started_run(store, {"dag_id": "sales", "run_id": "r1"})
    assert store.runs.get("sales", "r1") is None


class TestEndedRuns:
    @pytest.fixture
    def ended(self, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], datetime]:
        """Stand in for the runs that Airflow knows to have ended, with their times."""
        known: dict[tuple[str, str], datetime] = {}
        monkeypatch.setattr(
            "airloom.dags.runs.ended_runs",
            lambda since, until: [run for run, at in known.items() if since < at <= until],
        )
        return known

    def test_one_that_was_not_noted_is_put_into_the_outbox(
        self, store: Store, airflow: dict[str, Any], ended: dict[tuple[str, str], datetime]
    ) -> None:
        keep_ended_run(store, {"dag_id": "sales", "run_id": "r1"})
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

    def test_what_has_not_ended_is_compared_with_airflow(
        self, store: Store, ended: dict[tuple[str, str], datetime], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        states = {"running": "running", "begun": "running", "over": "failed"}
        for run_id, state in [("running", "running"), ("begun", "queued"), ("over", "running"), ("cut", "starting")]:
            store.runs.observe(StoredRun("sales", run_id, state, START))
        store.runs.observe(StoredRun("sales", "just now", "starting", END))
        store.runs.observe(StoredRun("sales", "deleted later", "success", START))
        monkeypatch.setattr(
            "airloom.dags.runs.run_states",
            lambda runs: {
                run: RunState(*run, states[run[1]], 1, None, START, None) for run in runs if run[1] in states
            },
        )
        ended[("sales", "over")] = START
        EndedRuns(store, lambda: END + SETTLED_AFTER).make_up()
        events = [(event.kind, event.payload["run_id"]) for event in store.outbox.events()]
        assert events == [("run_started", "begun"), ("run_ended", "over")]
        assert {run.run_id for run in store.runs.page()} == {"running", "begun", "over", "just now", "deleted later"}

    def test_one_worker_looks_at_a_time(self, store: Store, ended: dict[tuple[str, str], datetime]) -> None:
        ended[("sales", "r1")] = START
        runs = EndedRuns(store, lambda: START + SETTLED_AFTER)
        with store.lock("ended runs"):
            runs.make_up()
        assert store.outbox.events() == []
        runs.make_up()
        assert len(store.outbox.events()) == 1
