"""Published pipelines on a real Airflow: versions, pinned runs, branches, failures, import errors."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from airloom.spec.problem import Problem
from airloom.store.store import Store

if TYPE_CHECKING:
    from tests.integration.conftest import Running

Json = dict[str, Any]
Found = TypeVar("Found")
pytestmark = pytest.mark.integration
STATES = {"success": "S", "failed": "F", "skipped": "-", "not_run": "n"}


class Airloom:
    """Use an installation as its users do: by the command line and Airflow's REST API."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        self.folder = folder

    def __call__(self, *arguments: str, ends_with: int = 0) -> Any:
        """Run a command and return the JSON that it prints."""
        finished = subprocess.run(
            [str(Path(sys.executable).with_name("airloom")), *arguments, "--json"],
            env={**os.environ, **self.running.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == ends_with, finished.stderr + finished.stdout
        return json.loads(finished.stdout) if finished.stdout else finished.stderr

    def publish(self, *documents: Json, ends_with: int = 0) -> list[Json]:
        """Publish documents, and wait until Airflow would run them."""
        files = []
        for document in documents:
            files.append(self.folder / f"{document['id']}.json")
            files[-1].write_text(json.dumps(document))
        answer = self("publish", "--wait", *map(str, files), ends_with=ends_with)
        results: list[Json] = answer["files"]
        return results

    def start(self, pipeline: str, **params: Any) -> str:
        """Start a run by Airflow's REST API and return its id."""
        answer = self.running.api("POST", f"/api/v2/dags/{pipeline}/dagRuns", {"logical_date": None, "conf": params})
        return str(answer["dag_run_id"])

    def wait(self, pipeline: str, run_id: str, *states: str) -> str:
        """Wait until a run is in one of these states; of its ends, where none is given."""
        run = f"/api/v2/dags/{pipeline}/dagRuns/{run_id}"
        return eventually(lambda: in_states(self.running.api("GET", run)["state"], states or ("success", "failed")))

    def tasks(self, pipeline: str, run_id: str) -> dict[str, Json]:
        """Return the task instances of a run by task id."""
        answer = self.running.api("GET", f"/api/v2/dags/{pipeline}/dagRuns/{run_id}/taskInstances")
        return {task["task_id"]: task for task in answer["task_instances"]}


def eventually(look: Callable[[], Found], seconds: float = 120) -> Found:
    """Return what is found at last; fail where nothing is."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.3)
    return found


def in_states(state: str, states: tuple[str, ...]) -> str:
    """Return the state where it is one of these."""
    return state if state in states else ""


@pytest.fixture(scope="module")
def airloom(installation: Running, tmp_path_factory: pytest.TempPathFactory) -> Airloom:
    """Return the installation's command line and API."""
    return Airloom(installation, tmp_path_factory.mktemp("documents"))


@pytest.fixture(scope="module")
def store(installation: Running) -> Iterator[Store]:
    """Return the installation's store."""
    store = Store(installation.store_url)
    yield store
    store.close()


def setting(identifier: str, value: Any = 1, **fields: Any) -> Json:
    """Return a node that makes a value."""
    return {"id": identifier, "type": "set", "config": {"value": value}, **fields}


def edges(*ends: tuple[str, str]) -> list[Json]:
    """Return edges from pairs of ends."""
    return [{"from": source, "to": target} for source, target in ends]


def chain(*nodes: Json, **fields: Any) -> Json:
    """Return a pipeline of nodes one after the other, each with a task of its own."""
    names = [node["id"] for node in nodes]
    return {
        "settings": {"grouping": "none"},
        "nodes": list(nodes),
        "edges": edges(*itertools.pairwise(names)),
        **fields,
    }


# Versions


def test_a_run_keeps_its_version_while_newer_ones_are_published(airloom: Airloom, installation: Running) -> None:
    hold = {"name": "hold", "slots": 0}
    installation.api("POST", "/api/v2/pools", hold)
    first = chain(setting("one"), setting("two", pool="hold"), setting("three"), id="pinned")
    airloom.publish(first)
    run_id = airloom.start("pinned")
    eventually(lambda: airloom.tasks("pinned", run_id)["one"]["state"] == "success")
    second = chain(setting("one"), setting("zwei"), setting("three"), setting("four"), id="pinned")
    (published,) = airloom.publish(second)
    assert published["version"]["number"] == 2
    installation.api("PATCH", "/api/v2/pools/hold", {**hold, "slots": 1, "include_deferred": False})
    assert airloom.wait("pinned", run_id) == "success"
    assert airloom.tasks("pinned", run_id).keys() == {"one", "two", "three"}
    newer = airloom("run", "pinned", "--wait")
    assert [node["node"] for node in newer["nodes"]] == ["one", "zwei", "three", "four"]

    clear = {"dry_run": False, "dag_run_id": run_id, "only_failed": False}
    installation.api("POST", "/api/v2/dags/pinned/clearTaskInstances", clear)
    assert airloom.wait("pinned", run_id) == "success"
    again = airloom.tasks("pinned", run_id)
    assert {task: (found["state"], found["try_number"]) for task, found in again.items()} == {
        "one": ("success", 2),
        "two": ("success", 2),
        "three": ("success", 2),
    }


def test_two_versions_within_half_a_second_leave_the_second(airloom: Airloom) -> None:
    versions = [chain(setting("one"), setting(name), id="hasty") for name in ("first", "second", "third")]
    airloom.publish(versions[0])
    for at, version in enumerate(versions[1:]):
        (airloom.folder / f"hasty{at}.json").write_text(json.dumps(version))
    files = [str(airloom.folder / f"hasty{at}.json") for at in range(2)]
    answer = airloom("publish", "--wait", *files)
    assert [result["version"]["number"] for result in answer["files"]] == [2, 3]
    assert [node["node"] for node in airloom("run", "hasty", "--wait")["nodes"]] == ["one", "third"]


def test_rollback_is_a_new_version_with_the_old_document(airloom: Airloom) -> None:
    airloom.publish(chain(setting("old"), id="back"))
    airloom.publish(chain(setting("new"), id="back"))
    assert airloom("rollback", "back", "1")["version"]["number"] == 3
    assert [node["node"] for node in airloom("run", "back", "--wait")["nodes"]] == ["old"]
    assert [(version["number"], version["current"]) for version in airloom("versions", "back")] == [
        (3, True),
        (2, False),
        (1, False),
    ]
    assert airloom("export", "back", "--version", "2")["nodes"][0]["id"] == "new"


def test_an_archived_pipeline_leaves_airflow_and_comes_back(airloom: Airloom, installation: Running) -> None:
    document = chain(setting("only"), id="leaving")
    airloom.publish(document)
    airloom("archive", "leaving")
    eventually(lambda: not installation.api("GET", "/api/v2/dags?dag_id_pattern=leaving")["dags"])
    assert "archived" in airloom("run", "leaving", ends_with=1)
    assert "leaving" in [pipeline["id"] for pipeline in airloom("list", "--archived")]
    airloom.publish(document)
    assert airloom("run", "leaving", "--wait")["state"] == "success"


def test_a_pipeline_with_active_runs_is_not_archived(airloom: Airloom, installation: Running) -> None:
    installation.api("POST", "/api/v2/pools", {"name": "stop", "slots": 0})
    airloom.publish(chain(setting("one", pool="stop"), id="busy"))
    run_id = airloom.start("busy")
    assert run_id in airloom("archive", "busy", ends_with=1)
    assert airloom("archive", "busy", "--force")["stopped_runs"] == [run_id]


# What is refused


def test_a_document_with_problems_is_not_published(airloom: Airloom) -> None:
    document = chain(setting("one", "{{ params.missing }}"), id="faulty")
    (result,) = airloom.publish(document, ends_with=1)
    assert result["version"] is None
    assert [problem["node"] for problem in result["problems"]] == ["one"]
    assert "faulty" not in [pipeline["id"] for pipeline in airloom("list")]


def test_what_airflow_would_refuse_is_not_published(airloom: Airloom) -> None:
    document = chain(setting("one"), id="unplanned", schedule={"cron": "@daily"}, params={"day": {"type": "string"}})
    (result,) = airloom.publish(document, ends_with=1)
    assert result["version"] is None
    assert any("default" in problem["message"] for problem in result["problems"])


def test_params_are_checked_before_a_run_begins(airloom: Airloom) -> None:
    params = {"count": {"type": "integer", "minimum": 1, "default": 3}}
    airloom.publish(chain(setting("one", "{{ params.count }}"), id="counting", params=params))
    assert "count" in airloom("run", "counting", "--param", "count=0", ends_with=1)
    assert "contu" in airloom("run", "counting", "--param", "contu=1", ends_with=1)
    finished = airloom("run", "counting", "--param", "count=7", "--wait")
    assert finished["nodes"][0]["outputs"]["value"]["value"] == 7


def test_a_broken_file_is_an_import_error_and_the_last_good_version_runs(
    airloom: Airloom, store: Store, installation: Running
) -> None:
    airloom.publish(chain(setting("one"), id="steady"))
    problem = Problem("config.invalid", "no such column", node="one", pointer="/nodes/0/config", hint="look again")
    store.set_problems("steady.json", [problem], "steady")
    (error,) = eventually(lambda: installation.api("GET", "/api/v2/importErrors")["import_errors"])
    assert error["filename"].startswith("problems/steady_json-")
    for part in ("steady.json", "'one'", "/nodes/0/config", "no such column", "config.invalid", "look again"):
        assert part in error["stack_trace"]
    assert airloom("run", "steady", "--wait")["state"] == "success"
    store.clear_problems("steady.json")
    eventually(lambda: not installation.api("GET", "/api/v2/importErrors")["import_errors"])


# How runs go

BRANCHES: Json = {
    "id": "branches",
    "params": {"way": {"type": "string", "default": "a"}, "divisor": {"type": "integer", "default": 1}},
    "settings": {"max_active_runs": 8},
    "nodes": [
        setting("start", {"way": "{{ params.way }}"}),
        {
            "id": "route",
            "type": "switch",
            "config": {
                "rules": [
                    {"id": "a", "field": "way", "operator": "equals", "value": "a"},
                    {"id": "b", "field": "way", "operator": "equals", "value": "b"},
                ],
                "fallback": True,
            },
        },
        {"id": "both", "type": "merge"},
        {"id": "only_b", "type": "merge"},
        setting("other", "{{ 1 / params.divisor }}"),
        {"id": "joined", "type": "merge"},
        {"id": "after", "type": "merge"},
    ],
    "edges": edges(
        ("start", "route"),
        ("route.a", "both"),
        ("route.b", "both"),
        ("route.b", "only_b"),
        ("route.a", "joined"),
        ("only_b", "joined"),
        ("other", "joined"),
        ("joined", "after"),
    ),
}

ERRORS: Json = {
    "id": "errors",
    "params": {"divisor": {"type": "integer", "default": 1}, "second": {"type": "integer", "default": 1}},
    "settings": {"retries": 1, "retry_delay": "1s", "max_active_runs": 8},
    "nodes": [
        setting("risky", "{{ 1 / params.divisor }}"),
        {"id": "handler", "type": "merge"},
        {"id": "normal", "type": "merge"},
        {"id": "joined", "type": "merge"},
        setting("tolerated", "{{ 1 / params.second }}", on_error="continue"),
        {"id": "reader", "type": "merge"},
    ],
    "edges": edges(
        ("risky", "normal"),
        ("risky.error", "handler"),
        ("handler", "joined"),
        ("normal", "joined"),
        ("tolerated", "reader"),
    ),
}


SHAPES = {document["id"]: document for document in (BRANCHES, ERRORS)}


def ended(airloom: Airloom, store: Store, pipeline: str, runs: dict[str, Json]) -> dict[str, tuple[str, str]]:
    """Start runs by their params, all at once; return for each how it and its nodes ended."""
    started = {name: airloom.start(pipeline, **params) for name, params in runs.items()}
    found = {}
    for name, run_id in started.items():
        state = airloom.wait(pipeline, run_id)
        nodes = eventually(lambda run_id=run_id: store.node_runs(pipeline, run_id))  # type: ignore[misc]
        states = {node.node: STATES[node.state] for node in nodes}
        found[name] = (state, " ".join(f"{node['id']}:{states[node['id']]}" for node in SHAPES[pipeline]["nodes"]))
    return found


def test_a_node_runs_where_an_edge_into_it_is_live(airloom: Airloom, store: Store) -> None:
    airloom.publish(BRANCHES)
    runs: dict[str, Json] = {"a": {}, "b": {"way": "b"}, "neither": {"way": "c"}, "fault": {"divisor": 0}}
    assert ended(airloom, store, "branches", runs) == {
        "a": ("success", "start:S route:S both:S only_b:- other:S joined:S after:S"),
        "b": ("success", "start:S route:S both:S only_b:S other:S joined:S after:S"),
        "neither": ("success", "start:S route:S both:- only_b:- other:S joined:S after:S"),
        "fault": ("failed", "start:S route:S both:S only_b:- other:F joined:n after:n"),
    }


def test_an_error_edge_takes_a_failure_and_on_error_goes_on_without(airloom: Airloom, store: Store) -> None:
    airloom.publish(ERRORS)
    runs: dict[str, Json] = {"well": {}, "taken": {"divisor": 0}, "tolerated": {"second": 0}}
    assert ended(airloom, store, "errors", runs) == {
        "well": ("success", "risky:S handler:- normal:S joined:S tolerated:S reader:S"),
        "taken": ("success", "risky:F handler:S normal:- joined:S tolerated:S reader:S"),
        "tolerated": ("success", "risky:S handler:- normal:S joined:S tolerated:F reader:S"),
    }


def test_what_a_failed_node_leaves(airloom: Airloom, installation: Running) -> None:
    document = chain(setting("one"), setting("two", "{{ 1 / params.divisor }}"), setting("three"), id="failing")
    airloom.publish({**document, "params": {"divisor": {"type": "integer", "default": 0}}})
    failed = airloom("run", "failing", "--wait", ends_with=1)
    assert [(node["node"], node["state"]) for node in failed["nodes"]] == [
        ("one", "success"),
        ("two", "failed"),
        ("three", "not_run"),
    ]
    error = failed["nodes"][1]["error"]
    assert (error["node"], error["failure"]) == ("two", "configuration")
    two = airloom.tasks("failing", failed["run_id"])["two"]
    assert two["try_number"] == 1, "a fault of the configuration is not tried again"


def test_the_rendered_template_tab_shows_what_a_node_was_run_with(airloom: Airloom) -> None:
    document = chain(setting("one", {"greeting": "hello {{ params.name }}"}), id="greeting")
    airloom.publish({**document, "params": {"name": {"type": "string", "default": "world"}}})
    run_id = airloom("run", "greeting", "--wait")["run_id"]
    one = airloom.tasks("greeting", run_id)["one"]
    assert one["rendered_fields"]["config"] == {"one": {"value": {"greeting": "hello world"}}}
    assert one["operator_name"] == "set"
