"""Routes of what runs have left: logs, rows, files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.web.airflow_dags import read_pipeline, set_tasks
from tests.web.conftest import Web
from tests.web.test_runs import document, start

from airloom.engine.data_folder import DataFolder
from airloom.engine.tables import write_shown
from airloom.spec.configuration import configuration
from airloom.store.records import NodeRun, StoredRun
from airloom.web import download

RUN = "/pipelines/sales/runs/run_1"
ROWS = [{"number": number, "day": f"2026-11-{number:02}"} for number in range(1, 8)]


@dataclass(frozen=True)
class Left:
    """A run of ann's pipeline, and the folders that its outputs lie in."""

    data: Path
    files: Path


@pytest.fixture
def left(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Left:
    """Keep a run with a table, a value, a file, a node inside of a step and one that failed."""
    data, files = tmp_path / "data", tmp_path / "files"
    files.mkdir()
    (files / "report.html").write_text("<script>alert(1)</script>")
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setenv("AIRLOOM_DATA", str(data))
    monkeypatch.setenv("AIRLOOM_PATHS", str(files))
    configuration.cache_clear()
    names = ("load", "inner", "value", "report", "stolen", "broken")
    plan = {"nodes": {name: {"step": "load" if name == "inner" else name} for name in names}}
    web.store.publish({"id": "sales"}, plan, author="ann", source="api")
    web.store.runs.observe(StoredRun("sales", "run_1", "success", datetime.now(UTC), version=1))
    folder = DataFolder(str(data)).run_folder("sales", "run_1")
    table = write_shown({"number": "INTEGER", "day": "DATE"}, ROWS, f"{folder}/load/-/rows-1.parquet")

    def node(name: str, state: str = "success", **outputs: Any) -> NodeRun:
        return NodeRun("sales", "run_1", name, state, outputs=outputs)

    def file(path: Path) -> dict[str, Any]:
        return {"kind": "file", "value": {"uri": str(path), "bytes": 25, "media_type": "text/html"}}

    nodes = [
        node("load", rows=table.to_json()),
        node("inner"),
        node("value", value={"kind": "object", "value": {"a": 1}}),
        node("report", file=file(files / "report.html")),
        node("stolen", file=file(tmp_path / "secret.txt")),
        node("broken", "failed"),
    ]
    web.store.node_runs.record("sales", "run_1", nodes)
    return Left(data, files)


def test_rows_come_in_pages(web: Web, left: Left) -> None:
    seen: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(3):
        page = web.get(f"{RUN}/nodes/load/rows?limit=3{cursor}", "ann")
        assert (page["port"], page["total"]) == ("rows", 7)
        assert page["columns"] == [["number", "INTEGER"], ["day", "DATE"]]
        seen += page["rows"]
        cursor = f"&cursor={page['next_cursor']}"
    assert (seen, page["next_cursor"]) == (ROWS, None)


def test_a_value_comes_whole(web: Web, left: Left) -> None:
    found = web.get(f"{RUN}/nodes/value/rows", "ann")
    assert (found["kind"], found["value"], found["rows"]) == ("object", {"a": 1}, None)


def test_what_is_not_there_is_told(web: Web, left: Left) -> None:
    def told(path: str) -> tuple[int, str]:
        answer = web.ask("GET", f"{RUN}/nodes/{path}", "ann")
        return answer.status_code, answer.json()["message"]

    assert told("inner/rows") == (410, "what node 'inner' gave was not kept: it passed on inside of the step 'load'")
    assert told("broken/rows") == (404, "node 'broken' has no output: it is failed")
    assert told("other/rows") == (404, "run 'run_1' has no node 'other'")
    assert told("load/rows?port=rest") == (404, "port 'rest' of node 'load' gave nothing")
    for file in left.data.rglob("*.parquet"):
        file.unlink()
    status, message = told("load/rows")
    assert (status, message[:29]) == (410, "the output of node 'load' is ")


def test_files_are_listed_and_downloaded_for_a_while(web: Web, left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {entry["node"]: entry for entry in web.ask("GET", f"{RUN}/artifacts", "ann").json()}
    assert {name: (entry["kind"], entry["name"]) for name, entry in listed.items()} == {
        "load": ("table", "rows-1.parquet"), "report": ("file", "report.html"), "stolen": ("file", "secret.txt"),
    }  # fmt: skip
    address = listed["report"]["download"].removeprefix("/api/v1")
    fetched = web.ask("GET", address)
    assert (fetched.status_code, fetched.text) == (200, "<script>alert(1)</script>")
    assert fetched.headers["content-disposition"] == 'attachment; filename="report.html"'
    assert fetched.headers["content-type"] == "application/octet-stream"
    assert web.ask("GET", listed["load"]["download"].removeprefix("/api/v1")).content[:4] == b"PAR1"
    assert web.ask("GET", listed["stolen"]["download"].removeprefix("/api/v1")).status_code == 403
    assert web.ask("GET", f"{address}x").status_code == 403
    monkeypatch.setattr(download, "LASTS", -1)
    assert web.ask("GET", address).status_code == 403


def test_the_beginning_of_a_text_is_shown_as_text(web: Web, left: Left) -> None:
    shown = web.ask("GET", f"{RUN}/nodes/report/artifacts/file/preview", "ann")
    assert (shown.status_code, shown.text) == (200, "<script>alert(1)</script>")
    assert shown.headers["content-type"].startswith("text/plain")
    assert web.ask("GET", f"{RUN}/nodes/load/artifacts/rows/preview", "ann").status_code == 415
    assert web.ask("GET", f"{RUN}/nodes/stolen/artifacts/file/preview", "ann").status_code == 403


class TestLogs:
    def log(self, pipeline: str, run_id: str, task: str, attempt: int, *lines: str) -> None:
        """Write the log of an attempt where Airflow reads it."""
        from airflow.configuration import conf

        folder = Path(conf.get("logging", "base_log_folder"))
        file = folder / f"dag_id={pipeline}" / f"run_id={run_id}" / f"task_id={task}" / f"attempt={attempt}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as text:
            for line in lines:
                record = {"timestamp": "2026-11-30T12:00:00Z", "event": line, "level": "info"}
                text.write(json.dumps(record) + "\n")

    def run(self, web: Web, pipeline: str, **states: str) -> str:
        """Start a run whose tasks are in these states, in their first attempt."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import update

        read_pipeline(web.store, document(pipeline))
        run = start(web, pipeline)
        set_tasks(pipeline, run, "running", **states)
        with create_session(scoped=False) as session:
            session.execute(update(TaskInstance).where(TaskInstance.run_id == run).values(try_number=1))
        return run

    def test_a_log_comes_in_pages_as_text_and_as_lines(self, web: Web) -> None:
        run = self.run(web, "logs_1", first="success", second="running")
        self.log("logs_1", run, "first", 1, "one", "two", "three")
        base = f"/pipelines/logs_1/runs/{run}/nodes/first"
        attempts = web.ask("GET", f"{base}/attempts", "ann").json()
        assert [(one["task"], one["number"], one["state"]) for one in attempts] == [("first", 1, "success")]
        texts, cursor = [], ""
        while cursor is not None:
            page = web.get(f"{base}/logs?limit=2&cursor={cursor}" if cursor else f"{base}/logs?limit=2", "ann")
            texts += [line["text"] for line in page["lines"] if not line["folded"]]
            cursor = page["next_cursor"]
        assert texts[-3:] == ["one", "two", "three"]
        plain = web.ask("GET", f"{base}/logs", "ann", headers={"Accept": "text/plain"})
        assert plain.text.splitlines()[-1] == "2026-11-30T12:00:00+00:00 info: three"
        lines = web.ask("GET", f"{base}/logs", "ann", headers={"Accept": "application/x-ndjson"})
        assert [json.loads(line)["text"] for line in lines.text.splitlines()][-3:] == ["one", "two", "three"]

    def test_the_log_of_a_task_at_work_goes_on(self, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("airloom.web.routes.outputs.LOOK_EVERY", 0.01)
        run = self.run(web, "logs_2", first="running")
        self.log("logs_2", run, "first", 1, "one")
        base = f"/pipelines/logs_2/runs/{run}/nodes/first/logs"
        first = web.get(base, "ann")
        assert web.get(f"{base}?cursor={first['next_cursor']}", "ann")["lines"] == []
        self.log("logs_2", run, "first", 1, "two")
        later = web.get(f"{base}?cursor={first['next_cursor']}", "ann")
        assert [line["text"] for line in later["lines"]] == ["two"]
        looks = iter(["three", "four"])
        from airloom.web.routes import outputs

        attempts = outputs.task_attempts

        def looking(pipeline: str, run_id: str) -> Any:
            line = next(looks, None)
            if line is None:
                set_tasks("logs_2", run, "running", first="success")
            else:
                self.log("logs_2", run, "first", 1, line)
            return attempts(pipeline, run_id)

        monkeypatch.setattr(outputs, "task_attempts", looking)
        followed = web.ask("GET", base, "ann", headers={"Accept": "application/x-ndjson"})
        assert [json.loads(line)["text"] for line in followed.text.splitlines()][-4:] == ["one", "two", "three", "four"]

    def test_airflows_right_to_logs_is_asked(self, web: Web) -> None:
        run = self.run(web, "logs_3", first="success")
        path = f"/pipelines/logs_3/runs/{run}/nodes/first/attempts"
        statuses = {who: web.ask("GET", path, who).status_code for who in ("vera", "uma", "ann", "bob", "adam")}
        assert statuses == {"vera": 200, "uma": 200, "ann": 200, "bob": 404, "adam": 200}
        assert web.ask("GET", path.replace("first", "other"), "ann").status_code == 404
