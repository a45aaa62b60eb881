"""Routes of runs: lists and one run with its nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.web.airflow_dags import conf_of, read_pipeline, set_tasks, task_states
from tests.web.conftest import PEOPLE, Web

from airloom.dags import runs
from airloom.engine.data_folder import DataFolder
from airloom.spec.configuration import configuration
from airloom.store.records import NodeRun, StoredRun

Json = dict[str, Any]

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def keep_run(web: Web, pipeline: str, minute: int, **more: object) -> StoredRun:
    """Keep an ended run in the store."""
    queued = NOON + timedelta(minutes=minute)
    run = StoredRun(pipeline, f"run_{minute}", "success", queued, version=1, **more)  # type: ignore[arg-type]
    web.store.runs.observe(run)
    return run


def test_runs_are_listed_newest_first_and_by_right(web: Web) -> None:
    for pipeline, author in (("of_ann", "ann"), ("of_bob", "bob")):
        web.store.publish({"id": pipeline}, {"nodes": {}}, author=author, source="api")
    for minute in range(3):
        keep_run(web, "of_ann", minute)
    keep_run(web, "of_bob", 9)
    first = web.get("/runs?limit=2", "ann")
    assert [run["run_id"] for run in first["items"]] == ["run_2", "run_1"]
    second = web.get(f"/runs?limit=2&cursor={first['next_cursor']}", "ann")
    assert ([run["run_id"] for run in second["items"]], second["next_cursor"]) == (["run_0"], None)
    assert [run["run_id"] for run in web.get("/runs", "adam")["items"]] == ["run_9", "run_2", "run_1", "run_0"]
    assert web.get("/runs?pipeline=of_bob", "ann")["items"] == []
    assert web.ask("GET", "/pipelines/of_bob/runs/run_9", "ann").status_code == 404


def test_a_run_comes_with_its_nodes(web: Web) -> None:
    web.store.publish({"id": "sales"}, {"nodes": {}}, author="ann", source="api")
    keep_run(web, "sales", 1, params={"day": "monday"})
    error = {"code": "data", "message": "no such column"}
    web.store.node_runs.record(
        "sales",
        "run_1",
        [
            NodeRun("sales", "run_1", "load", "success", rows=3, seconds=0.5, attempt=1),
            NodeRun("sales", "run_1", "orders", "failed", error=error, attempt=2),
        ],
    )
    found = web.get("/pipelines/sales/runs/run_1", "ann")
    assert (found["state"], found["params"]) == ("success", {"day": "monday"})
    assert [(node["node"], node["state"], node["rows"]) for node in found["nodes"]] == [
        ("load", "success", 3),
        ("orders", "failed", None),
    ]
    assert found["nodes"][1]["error"]["message"] == "no such column"
    assert web.ask("GET", "/pipelines/sales/runs/none", "ann").json()["code"] == "NOT_FOUND"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let a test set AIRLOOM_* variables, which a process reads only once."""
    configuration.cache_clear()
    return monkeypatch


def document(identifier: str, **more: Any) -> Json:
    """Return a document of three nodes in a row, each a task, and one beside them."""
    nodes = [{"id": name, "type": "set", "config": {"value": 1}} for name in ("first", "second", "third", "apart")]
    edges = [{"from": "first", "to": "second"}, {"from": "second", "to": "third"}]
    return {"id": identifier, "nodes": nodes, "edges": edges, "settings": {"grouping": "none"}, **more}


def start(web: Web, pipeline: str, who: str = "ann", **more: Any) -> str:
    """Start a run, and return its id."""
    answer = web.ask("POST", f"/pipelines/{pipeline}/runs", who, json={}, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["run_id"])


class TestStarting:
    def test_it_runs_for_who_asked_with_params_and_a_correlation_id(self, web: Web) -> None:
        read_pipeline(web.store, document("start_1", params={"day": {"type": "string"}}))
        answer = web.ask(
            "POST",
            "/pipelines/start_1/runs",
            "ann",
            json={"params": {"day": "monday"}},
            headers={"X-Correlation-ID": "my-id"},
        )
        assert answer.status_code == 201, answer.text
        run = answer.json()
        assert (run["version"], run["trigger"], run["actor"], run["correlation_id"]) == (1, "api", "ann", "my-id")
        assert answer.headers["location"].startswith("/api/v1/pipelines/start_1/runs/manual__")
        found = web.get(answer.headers["location"].removeprefix("/api/v1"), "ann")
        assert (found["params"], found["progress"]) == ({"day": "monday"}, 0)
        assert {node["node"]: node["state"] for node in found["nodes"]} == dict.fromkeys(
            ("first", "second", "third", "apart"), "waiting"
        )
        assert conf_of("start_1", run["run_id"]) == {"day": "monday", "airloom": {"correlation_id": "my-id"}}

    def test_wrong_params_are_told_and_start_nothing(self, web: Web) -> None:
        read_pipeline(web.store, document("start_2", params={"day": {"type": "string"}}))
        for params in ({"day": 7}, {"dya": "monday"}, {}):
            answer = web.ask("POST", "/pipelines/start_2/runs", "ann", json={"params": params})
            assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR"), answer.text
            assert "day" in str(answer.json())
        assert web.get("/runs", "ann")["items"] == []

    def test_a_key_starts_one_run(self, web: Web) -> None:
        read_pipeline(web.store, document("start_3", params={"day": {"type": "string", "default": "monday"}}))
        headers = {"Idempotency-Key": "once"}
        first = start(web, "start_3", headers=headers)
        assert start(web, "start_3", headers=headers) == first != start(web, "start_3")
        assert start(web, "start_3", "adam", headers=headers) != first
        other = web.ask("POST", "/pipelines/start_3/runs", "ann", json={"params": {"day": "friday"}}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (409, "CONFLICT")

    def test_a_start_that_was_cut_short_is_ended_by_the_second(self, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        read_pipeline(web.store, document("start_4"))

        def cut(*_: object, **__: object) -> str:
            raise ConnectionError("gone")

        headers = {"Idempotency-Key": "once"}
        with monkeypatch.context() as patch:
            patch.setattr(runs, "trigger_run", cut)
            assert web.ask("POST", "/pipelines/start_4/runs", "ann", json={}, headers=headers).status_code == 500
        run_id = start(web, "start_4", headers=headers)
        assert len(web.get("/runs", "ann")["items"]) == 1
        assert set(task_states("start_4", run_id)) == {"first", "second", "third", "apart"}

    def test_a_version_that_airflow_does_not_read_is_waited_for_and_told(
        self, web: Web, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airloom.web.routes.runs.READ_WITHIN", 0.5)
        read_pipeline(web.store, document("start_5"))
        web.store.publish({**document("start_5"), "name": "2"}, {"nodes": {}}, author="ann", source="api")
        answer = web.ask("POST", "/pipelines/start_5/runs", "ann", json={})
        assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert "version 2" in answer.json()["message"]
        assert answer.headers["retry-after"] == "10"

    def test_only_who_may_run_it_starts_it(self, web: Web) -> None:
        read_pipeline(web.store, document("start_6"))
        statuses = {who: web.ask("POST", "/pipelines/start_6/runs", who, json={}).status_code for who in PEOPLE}
        assert statuses == {
            "vera": 403, "uma": 201, "otto": 201, "ada": 201,
            "viv": 404, "ann": 201, "bob": 404, "cody": 404, "adam": 201,
            "of_reader": 404, "of_editor": 404, "of_publisher": 404,
        }  # fmt: skip

    def test_another_run_takes_the_params_of_the_first(self, web: Web) -> None:
        params = {"day": {"type": "string"}, "hour": {"type": "integer"}}
        read_pipeline(web.store, document("start_7", params=params))
        given = {"params": {"day": "monday", "hour": 1}}
        run = web.ask("POST", "/pipelines/start_7/runs", "ann", json=given).json()["run_id"]
        again = web.ask("POST", f"/pipelines/start_7/runs/{run}/rerun", "ann", json={"params": {"hour": 2}})
        assert again.status_code == 201
        found = web.get(again.headers["location"].removeprefix("/api/v1"), "ann")
        assert (found["params"], found["run_id"] == run) == ({"day": "monday", "hour": 2}, False)


class TestFilling:
    DAYS: Json = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-04T00:00:00Z"}
    TIMES = [f"2026-01-0{day}T00:00:00Z" for day in (2, 3, 4)]

    def fill(self, web: Web, pipeline: str, who: str = "ann", **more: Any) -> Any:
        """Ask for the runs of some days of a pipeline."""
        return web.ask("POST", f"/pipelines/{pipeline}/backfill", who, json={**self.DAYS, **more})

    def test_the_times_of_a_schedule_are_run_once(self, web: Web) -> None:
        read_pipeline(web.store, document("fill_1", schedule={"cron": "0 0 * * *"}))
        only = self.fill(web, "fill_1", dry_run=True).json()
        assert only == {"pipeline": "fill_1", "started": False, "times": self.TIMES}
        begun = self.fill(web, "fill_1", at_once=2)
        assert (begun.status_code, begun.json()) == (200, {**only, "started": True})
        assert self.fill(web, "fill_1").json()["times"] == []
        again = self.fill(web, "fill_1", repeat="completed", until="2026-01-05T00:00:00Z")
        assert again.status_code == 422
        assert "refused to fill pipeline 'fill_1'" in again.json()["message"]

    def test_what_cannot_be_filled_is_told(self, web: Web) -> None:
        read_pipeline(web.store, document("fill_2", params={"day": {"type": "string", "default": "a"}}))
        read_pipeline(web.store, document("fill_3", schedule={"cron": "* * * * *"}))
        for pipeline, given, message in (
            ("fill_2", {}, "has no schedule"),
            ("fill_2", {"params": {"day": 7}}, "7 is not of type 'string'"),
            ("fill_3", {"since": "2026-01-05T00:00:00Z"}, "ends before it begins"),
            ("fill_3", {"since": "0001-01-01T00:00:00+12:00"}, "1900 to 2200"),
            ("fill_3", {"since": "2016-01-01T00:00:00Z"}, "more than 5,000 times"),
            ("fill_3", {"since": "2026-01-01"}, "since"),
        ):
            answer = self.fill(web, pipeline, **given)
            assert (answer.status_code, message in answer.json()["message"]) == (422, True), answer.text

    def test_only_who_may_run_it_fills_it(self, web: Web) -> None:
        read_pipeline(web.store, document("fill_4", schedule={"cron": "0 0 * * *"}))
        web.store.grants.give("pipeline", "fill_4", "user", "of_reader", "reader", by="ann")
        statuses = [self.fill(web, "fill_4", who, dry_run=True).status_code for who in ("of_reader", "bob", "uma")]
        assert statuses == [403, 404, 200]


def test_a_version_is_ready_once_airflow_has_read_it(web: Web) -> None:
    read_pipeline(web.store, document("ready_1"))
    web.store.publish({**document("ready_1"), "name": "2"}, {"nodes": {}}, author="ann", source="api")
    found = [web.get(f"/pipelines/ready_1/versions/{number}/readiness", "ann")["ready"] for number in (1, 2)]
    assert found == [True, False]
    assert web.ask("GET", "/pipelines/ready_1/versions/3/readiness", "ann").status_code == 404


class TestIntervening:
    def test_cancelling_ends_what_runs_and_skips_what_waits(self, web: Web) -> None:
        read_pipeline(web.store, document("cancel_1"))
        run = start(web, "cancel_1")
        set_tasks("cancel_1", run, "running", first="success", second="running", apart="queued")
        answer = web.ask("POST", f"/pipelines/cancel_1/runs/{run}/cancel", "ann")
        assert answer.status_code == 202, answer.text
        assert answer.json()["state"] == "failed"
        assert task_states("cancel_1", run) == {
            "first": "success", "second": "failed", "third": "skipped", "apart": "skipped",
        }  # fmt: skip
        again = web.ask("POST", f"/pipelines/cancel_1/runs/{run}/cancel", "ann")
        assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")

    def test_retrying_runs_what_failed_and_what_follows(self, web: Web) -> None:
        read_pipeline(web.store, document("retry_1"))
        run = start(web, "retry_1")
        assert web.ask("POST", f"/pipelines/retry_1/runs/{run}/retry", "ann").status_code == 409
        set_tasks("retry_1", run, "failed", first="success", second="failed", third="upstream_failed", apart="skipped")
        answer = web.ask("POST", f"/pipelines/retry_1/runs/{run}/retry", "ann")
        assert (answer.status_code, answer.json()["state"]) == (202, "queued"), answer.text
        assert task_states("retry_1", run) == {"first": "success", "second": None, "third": None, "apart": None}
        found = web.get(f"/pipelines/retry_1/runs/{run}", "ann")
        assert (found["state"], found["progress"]) == ("queued", 0.25)
        assert web.get(f"/pipelines/retry_1/runs/{run}/progress", "ann")["nodes"] == {"success": 1, "waiting": 3}

    def test_only_ended_runs_are_deleted_with_all_they_left(
        self, web: Web, tmp_path: Path, settings: pytest.MonkeyPatch
    ) -> None:
        settings.setenv("AIRLOOM_DATA", str(tmp_path))
        read_pipeline(web.store, document("delete_1"))
        ended, active, other = (start(web, "delete_1") for _ in range(3))
        for run in (ended, other):
            set_tasks("delete_1", run, "success", first="success")
            web.store.node_runs.record("delete_1", run, [NodeRun("delete_1", run, "first", "success")])
            DataFolder(str(tmp_path)).write_json(
                1, f"{DataFolder(str(tmp_path)).run_folder('delete_1', run)}/x/-/y-1.json"
            )
        assert web.ask("DELETE", f"/pipelines/delete_1/runs/{active}", "ann").status_code == 409
        assert web.ask("DELETE", f"/pipelines/delete_1/runs/{ended}", "uma").status_code == 403
        assert web.ask("DELETE", f"/pipelines/delete_1/runs/{ended}", "ann").status_code == 204
        assert web.ask("GET", f"/pipelines/delete_1/runs/{ended}", "ann").status_code == 404
        assert task_states("delete_1", ended) == {}
        assert web.store.node_runs.of("delete_1", ended) == []
        assert len(list(tmp_path.rglob("*.json"))) == 1
        batch = {"run_ids": [other, active, "none"]}
        report = web.ask("POST", "/pipelines/delete_1/runs/delete", "ann", json=batch).json()
        assert [(entry["run_id"], entry["deleted"]) for entry in report] == [
            (other, True), (active, False), ("none", False),
        ]  # fmt: skip
        assert list(tmp_path.rglob("*.json")) == []
        assert [run["run_id"] for run in web.get("/runs", "ann")["items"]] == [active]

    @pytest.mark.parametrize(
        ("method", "path"), [("POST", "/cancel"), ("POST", "/retry"), ("POST", "/rerun"), ("DELETE", "")]
    )
    def test_what_one_may_not_read_is_not_there(self, web: Web, method: str, path: str) -> None:
        web.store.publish({"id": "of_bob"}, {"nodes": {}}, author="bob", source="api")
        keep_run(web, "of_bob", 1)
        body = {"json": {}} if path == "/rerun" else {}
        answers = [web.ask(method, f"/pipelines/of_bob/runs/{run}{path}", "ann", **body) for run in ("run_1", "none")]
        assert [answer.status_code for answer in answers] == [404, 404]
        messages = [answer.json()["message"] for answer in answers]
        assert messages[0] == messages[1]


def test_filters(web: Web) -> None:
    for pipeline in ("sales", "stock"):
        web.store.publish({"id": pipeline}, {"nodes": {}}, author="ann", source="api")
    keep_run(web, "sales", 1, trigger="clock", actor="ann")
    keep_run(web, "stock", 2, trigger="hand", actor="bob_%")
    for query, minutes in {
        "": [2, 1],
        "pipeline=sales": [1],
        "state=failed": [],
        "trigger=hand": [2],
        "actor=ann": [1],
        "version=1": [2, 1],
        "version=2": [],
        "since=2026-11-30T12:02:00Z": [2],
        "until=2026-11-30T12:02:00Z": [1],
        "search=STOC": [2],
        "search=_%25": [2],
        "search=run_1": [1],
    }.items():
        assert [run["run_id"] for run in web.get(f"/runs?{query}", "ann")["items"]] == [
            f"run_{minute}" for minute in minutes
        ], query
    assert web.ask("GET", "/runs?since=yesterday", "ann").status_code == 422


def test_a_timeline_is_in_the_order_of_time(web: Web) -> None:
    plan = {"nodes": {"load": {"step": "load"}, "orders": {"step": "orders"}, "alert": {"step": "alert"}}}
    web.store.publish({"id": "sales"}, plan, author="ann", source="api")
    keep_run(web, "sales", 1)
    ended = [
        NodeRun("sales", "run_1", "alert", "not_run"),
        NodeRun("sales", "run_1", "load", "success", started_at=NOON + timedelta(seconds=3), seconds=1.5),
        NodeRun("sales", "run_1", "orders", "success", started_at=NOON, seconds=2.5),
    ]
    web.store.node_runs.record("sales", "run_1", ended)
    entries = web.ask("GET", "/pipelines/sales/runs/run_1/timeline", "ann").json()
    assert [(entry["node"], entry["step"], entry["seconds"]) for entry in entries] == [
        ("orders", "orders", 2.5), ("load", "load", 1.5), ("alert", "alert", None),
    ]  # fmt: skip
    assert web.get("/pipelines/sales/runs/run_1/progress", "ann")["progress"] == 1
