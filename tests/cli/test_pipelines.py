"""The commands that only read the store; those that ask Airflow are tested on a real one."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from airloom.cli.pipelines import app
from airloom.cli.runs import app as runs_app
from airloom.plan.plan import Plan, PlanNode
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError
from airloom.store.records import NotFound, Schedule, StoredRun
from airloom.store.store import Store

ONLY = PlanNode("only", "set", 1, "pure", "run", "only-task", (), ())
PLAN = Plan({"only": ONLY}, (), (), ()).to_json()


@pytest.fixture(autouse=True)
def published(store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish two versions of a pipeline to the store that the commands use."""
    monkeypatch.setenv("AIRLOOM_DATABASE_URL", store_url)
    configuration.cache_clear()
    for description in ("first", "second [bold]"):
        document = {"id": "sales", "name": "Sales [x]", "description": description, "schedule": {"cron": "@daily"}}
        store.publish({**document, "nodes": [{"id": "only", "type": "set"}]}, PLAN, author="ann", source="api")


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def _json(*arguments: str) -> Any:
    finished = _run(*arguments, "--json")
    assert finished.exit_code == 0, finished.output
    return json.loads(finished.stdout)


def test_list_tells_live_pipelines_from_archived_ones(store: Store) -> None:
    assert [(pipeline["id"], pipeline["version"]) for pipeline in _json("list")] == [("sales", 2)]
    store.archive("sales", "ann")
    assert _json("list") == []
    assert [pipeline["id"] for pipeline in _json("list", "--archived")] == ["sales"]


def test_list_goes_beyond_one_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airloom.cli.here.PAGE", 2)
    for name in "abcd":
        store.publish({"id": name}, PLAN, author="ann", source="api")
    assert [pipeline["id"] for pipeline in _json("list")] == ["a", "b", "c", "d", "sales"]
    assert len(_json("versions", "sales")) == 2


def test_list_shows_schedule_pause_and_last_run(store: Store) -> None:
    for number, state in enumerate(("failed", "success")):
        moment = datetime(2026, 1, 1 + number, 6, tzinfo=UTC)
        store.runs.observe(StoredRun("sales", f"run_{number}", state, moment, started_at=moment))
    store.publish({"id": "other", "schedule": {"every": "5m"}}, PLAN, author="ann", source="api")
    store.keep_schedules({"sales": Schedule(True, None), "other": Schedule(False, datetime(2026, 2, 1, tzinfo=UTC))})
    other, sales = _json("list")
    assert (other["schedule"], other["paused"], other["last_run"]) == ({"every": "5m"}, False, None)
    assert (sales["schedule"], sales["paused"]) == ({"cron": "@daily"}, True)
    assert (sales["last_run"]["run_id"], sales["last_run"]["state"]) == ("run_1", "success")
    shown = _run("list").stdout
    assert re.search(r"^other +1 +every 5m +2026-0[12]-", shown, re.MULTILINE)
    assert re.search(r"^sales +2 +@daily +paused +success 2026-01-0", shown, re.MULTILINE)
    assert "airloom unpause sales" in _run("show", "sales").stdout


def test_runs_come_newest_first(store: Store) -> None:
    store.publish({"id": "other"}, PLAN, author="ann", source="api")
    for number, (pipeline, state) in enumerate((("sales", "failed"), ("other", "running"), ("sales", "success"))):
        moment = datetime(2026, 1, 1 + number, 6, tzinfo=UTC)
        run = StoredRun(pipeline, f"run_{number}", state, moment, actor="ann", trigger="hand", seconds=61.26, rows=1234)
        store.runs.observe(run)
    assert [run["run_id"] for run in _runs("--json")] == ["run_2", "run_1", "run_0"]
    assert [run["run_id"] for run in _runs("sales", "--json")] == ["run_2", "run_0"]
    assert [run["run_id"] for run in _runs("--state", "failed", "--json")] == ["run_0"]
    assert [run["run_id"] for run in _runs("--limit", "1", "--json")] == ["run_2"]
    shown = CliRunner().invoke(runs_app, ["runs"]).stdout
    assert re.search(r"^sales +run_2 +success +hand \(ann\) +2026-01-03 \d\d:00 +61.3 +1,234", shown, re.MULTILINE)
    assert isinstance(CliRunner().invoke(runs_app, ["runs", "salse"]).exception, NotFound)
    assert CliRunner().invoke(runs_app, ["runs", "--state", "done"]).exit_code == 2


def _runs(*arguments: str) -> Any:
    finished = CliRunner().invoke(runs_app, ["runs", *arguments])
    assert finished.exit_code == 0, finished.output
    return json.loads(finished.stdout)


def test_diff_tells_nodes_edges_settings_and_what_runs_otherwise(store: Store) -> None:
    answer = _json("diff", "sales", "1")
    assert (answer["before"], answer["after"], answer["plan"]) == (1, 2, [])
    assert answer["changes"] == [
        {
            "what": "setting", "change": "changed", "name": "/description", "field": "",
            "before": "first", "after": "second [bold]",
        }
    ]  # fmt: skip
    assert _run("diff", "sales", "1", "2").stdout.splitlines() == [
        "sales version 1 → 2",
        "~ setting /description: first → second [bold]",
    ]
    assert _run("diff", "sales", "2", "2").stdout.splitlines()[-1] == "The two say the same."
    assert isinstance(_run("diff", "sales", "3").exception, NotFound)


def test_versions_come_newest_first_and_the_current_one_is_marked() -> None:
    found = _json("versions", "sales")
    assert [(version["number"], version["current"]) for version in found] == [(2, True), (1, False)]
    assert "document" not in found[0]


def test_export_gives_the_document_that_can_be_published_again(store: Store, tmp_path: Path) -> None:
    assert _json("export", "sales") == store.version("sales").document
    assert _json("export", "sales", "--version", "1")["description"] == "first"
    file = tmp_path / "sales.yaml"
    assert _run("export", "sales", "--format", "yaml", "--output", str(file)).exit_code == 0
    assert "cron: '@daily'" in file.read_text()


def test_show_tells_which_task_runs_a_node() -> None:
    output = _run("show", "sales").stdout
    for part in ("Sales [x]", "version 2 of 2, by ann", "runs @daily", "only", "set", "only-task"):
        assert part in output
    assert _json("show", "sales", "--version", "1")["version"]["document"]["description"] == "first"


@pytest.mark.parametrize("command", ["show", "versions", "export"])
def test_an_unknown_pipeline_is_named(command: str) -> None:
    finished = _run(command, "salse")
    assert isinstance(finished.exception, NotFound)
    assert "salse" in str(finished.exception)


def test_without_a_store_the_way_to_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRLOOM_DATABASE_URL")
    configuration.cache_clear()
    finished = _run("list")
    assert isinstance(finished.exception, ConfigurationError)
    assert "airloom up" in str(finished.exception)
