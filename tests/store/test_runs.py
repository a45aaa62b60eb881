"""What is kept of runs: how they begin, how they are seen, and how they are listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airloom.store.records import Schedule, StoredRun
from airloom.store.store import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEGUN: dict[str, Any] = {
    "version": 2, "trigger": "webhook", "actor": "ann", "correlation_id": "c-1", "event": {"order": [7]},
    "params": {"day": "2026-01-01"}, "values": {"a": {"x": 1}}, "reuse": {"run": "r0"},
}  # fmt: skip


def run(run_id: str = "r1", pipeline: str = "sales", minutes: int = 0, **known: Any) -> StoredRun:
    return StoredRun(pipeline, run_id, **{"state": "running", "queued_at": NOON + timedelta(minutes=minutes), **known})


def test_what_started_it_is_kept_before_it_is_seen(store: Store) -> None:
    assert store.runs.begin("sales", "r1", **BEGUN)
    kept = store.runs.get("sales", "r1")
    assert kept is not None
    assert kept == StoredRun("sales", "r1", "starting", kept.queued_at, **BEGUN)
    assert not store.runs.begin("sales", "r1", version=9, trigger="hand")
    assert store.runs.get("sales", "r1") == kept
    assert store.runs.get("sales", "r2") is None


def test_what_is_seen_replaces_states_and_times_alone(store: Store) -> None:
    store.runs.begin("sales", "r1", **BEGUN)
    begun = store.runs.get("sales", "r1")
    assert begun is not None
    seen = run(version=3, trigger="hand", actor="bob", event={}, params={"day": "other"}, started_at=NOON)
    store.runs.observe(seen)
    running = replace(begun, state="running", version=3, started_at=NOON)
    assert store.runs.get("sales", "r1") == running
    end = {"state": "success", "ended_at": NOON + timedelta(seconds=4), "seconds": 4.0, "rows": 10}
    store.runs.observe(replace(seen, **end))
    assert store.runs.get("sales", "r1") == replace(running, **end)
    # Cleared: it runs again.
    store.runs.observe(seen)
    assert store.runs.get("sales", "r1") == running


def test_a_run_that_nobody_kept_appears_when_it_is_seen(store: Store) -> None:
    seen = run(version=1, trigger="clock", actor="ann", params={}, started_at=NOON)
    store.runs.observe(seen)
    assert store.runs.get("sales", "r1") == seen
    store.runs.observe(replace(seen, version=None, queued_at=NOON + timedelta(days=1)))
    assert store.runs.get("sales", "r1") == seen


@pytest.mark.filterwarnings("error")
def test_the_newest_run_of_each_pipeline(store: Store) -> None:
    runs = [run("r2"), run("r1"), run("r3", minutes=-1), run("r1", "orders"), run("r9", "other")]
    for each in runs:
        store.runs.observe(each)
    assert store.runs.newest(["orders", "sales", "nothing"]) == {"sales": runs[0], "orders": runs[3]}
    assert store.runs.newest([]) == {}


def test_pages_name_each_run_once_the_newest_first(store: Store) -> None:
    runs = [
        run(f"r{number}", pipeline, number // 2, state=("running", "failed")[number % 2])
        for number in range(7)
        for pipeline in ("b", "a")
    ]
    for each in runs:
        store.runs.observe(each)
    expected = sorted(runs, key=lambda each: each.key, reverse=True)
    found: list[StoredRun] = []
    while page := store.runs.page(limit=4, before=found[-1].key if found else None):
        found += page
    assert found == expected
    assert store.runs.page(pipeline="a") == [each for each in expected if each.pipeline == "a"]
    failed = [each for each in expected if each.state == "failed"]
    assert store.runs.page(state="failed", limit=2) == failed[:2]
    assert store.runs.page(pipeline="b", state="failed", before=expected[5].key) == [
        each for each in expected[6:] if (each.pipeline, each.state) == ("b", "failed")
    ]


def test_unfinished_ones_are_found_and_can_be_forgotten(store: Store) -> None:
    states = ("starting", "queued", "running", "success", "failed")
    for minutes, state in enumerate(states):
        store.runs.observe(run(state, minutes=minutes, state=state))
    assert [each.run_id for each in store.runs.unfinished(NOON + timedelta(hours=1))] == list(states[:3])
    assert [each.run_id for each in store.runs.unfinished(NOON + timedelta(minutes=1))] == ["starting"]
    store.runs.remove("sales", "starting")
    assert store.runs.get("sales", "starting") is None
    assert [each.run_id for each in store.runs.unfinished(NOON + timedelta(hours=1))] == ["queued", "running"]


class TestSchedules:
    @pytest.fixture(autouse=True)
    def published(self, store: Store) -> None:
        for pipeline in ("a", "b"):
            store.publish({"id": pipeline}, {}, author="ann", source="api")

    def test_what_changed_is_written(self, store: Store) -> None:
        before = store.pipeline("a")
        assert (before.paused, before.next_run_at) == (None, None)
        schedules = {"a": Schedule(False, NOON), "b": Schedule(True, None), "foreign": Schedule(False, None)}
        assert store.keep_schedules(schedules) == ["a", "b"]
        assert store.keep_schedules(schedules) == []
        assert store.pipeline("a") == replace(before, paused=False, next_run_at=NOON)
        assert store.keep_schedules({**schedules, "a": Schedule(True, NOON)}) == ["a"]
        assert store.keep_schedules({"a": Schedule(True, NOON)}) == ["b"]
        assert store.pipeline("b").paused is None

    def test_publishing_again_leaves_it(self, store: Store) -> None:
        store.keep_schedules({"a": Schedule(True, NOON)})
        revision = store.revision()
        store.publish({"id": "a", "name": "2"}, {}, author="ann", source="api")
        assert (store.pipeline("a").paused, store.revision()) == (True, revision + 1)
