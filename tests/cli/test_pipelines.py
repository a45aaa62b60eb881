"""The commands that only read the store; those that ask Airflow are tested on a real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from airloom.cli.pipelines import app
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError
from airloom.store.records import NotFound
from airloom.store.store import Store

PLAN = {"nodes": {"only": {"step": "only-task"}}, "steps": []}


@pytest.fixture(autouse=True)
def published(store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Publish two versions of a pipeline to the store that the commands use."""
    monkeypatch.setenv("AIRLOOM_DATABASE_URL", store_url)
    configuration.cache_clear()
    for description in ("first", "second [bold]"):
        document = {"id": "sales", "name": "Sales [x]", "description": description, "schedule": {"cron": "@daily"}}
        store.publish({**document, "nodes": [{"id": "only", "type": "set"}]}, PLAN, author="ann", source="api")
    yield
    configuration.cache_clear()


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
    monkeypatch.setattr("airloom.cli.pipelines.PAGE", 2)
    for name in "abcd":
        store.publish({"id": name}, PLAN, author="ann", source="api")
    assert [pipeline["id"] for pipeline in _json("list")] == ["a", "b", "c", "d", "sales"]
    assert len(_json("versions", "sales")) == 2


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
    for part in ("Sales [x]", "version 2 of 2, by ann", "cron @daily", "only", "set", "only-task"):
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
