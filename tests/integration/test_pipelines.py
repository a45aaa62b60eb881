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
from tests.nodes.objects.docker_engine import Ended, stand_in

from airloom.local.client import AirflowError
from airloom.spec.problem import Problem
from airloom.store.records import NodeRun
from airloom.store.store import Store

if TYPE_CHECKING:
    from tests.installations import Running

Json = dict[str, Any]
Found = TypeVar("Found")
pytestmark = pytest.mark.integration
LETTERS = {"success": "S", "failed": "F", "skipped": "-", "not_run": "n"}


def setting(identifier: str, value: Any = 1, **fields: Any) -> Json:
    """Return a node that makes a value."""
    return {"id": identifier, "type": "set", "config": {"value": value}, **fields}


def edges(*ends: tuple[str, str]) -> list[Json]:
    """Return edges from pairs of ends."""
    return [{"from": source, "to": target} for source, target in ends]


def chain(identifier: str, *nodes: Json, **fields: Any) -> Json:
    """Return a pipeline of nodes one after the other, each with a task of its own."""
    joined = edges(*itertools.pairwise(node["id"] for node in nodes))
    return {"id": identifier, "settings": {"grouping": "none"}, "nodes": list(nodes), "edges": joined, **fields}


def integer(default: int, **rules: Any) -> Json:
    """Return the schema of a param."""
    return {"type": "integer", "default": default, **rules}


BRANCHES: Json = {
    "id": "branches",
    "params": {"way": {"type": "string", "default": "a"}, "divisor": integer(1)},
    "settings": {"max_active_runs": 8},
    "nodes": [
        setting("start", {"way": "{{ params.way }}"}),
        {
            "id": "route",
            "type": "switch",
            "config": {
                "rules": [{"id": way, "field": "way", "operator": "equals", "value": way} for way in "ab"],
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
    "params": {"divisor": integer(1), "second": integer(1)},
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

# All are published at once: each command takes seconds to import Airflow.
DOCUMENTS: list[Json] = [
    BRANCHES,
    ERRORS,
    chain("pinned", setting("one"), setting("two", pool="hold"), setting("three")),
    chain("hasty", setting("one"), setting("first")),
    chain("back", setting("old")),
    chain("leaving", setting("only")),
    chain("busy", setting("one", pool="hold")),
    chain("stuck", setting("one", pool="hold")),
    chain("steady", setting("one")),
    chain("daily", setting("one"), schedule={"cron": "0 6 * * *", "timezone": "Pacific/Auckland"}),
    chain("counting", setting("one", "{{ params.count }}"), params={"count": integer(3, minimum=1)}),
    chain("failing", setting("one"), setting("two", "{{ 1 / params.divisor }}"), setting("three"),
          params={"divisor": integer(0)}, settings={"grouping": "none", "retries": 2}),
    chain("greeting", setting("one", {"greeting": "hello {{ params.name }}"}),
          params={"name": {"type": "string", "default": "world"}}),
]  # fmt: skip


class Airloom:
    """Use an installation as its users do: by the command line and Airflow's REST API."""

    def __init__(self, running: Running, store: Store, folder: Path) -> None:
        self.running = running
        self.store = store
        self.folder = folder

    def __call__(self, *arguments: str, ends_with: int = 0) -> Any:
        """Run a command and return the JSON that it prints, or its complaint."""
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
        for at, document in enumerate(documents):
            files.append(self.folder / f"{at}.json")
            files[-1].write_text(json.dumps(document))
        answer = self("publish", "--wait", *map(str, files), ends_with=ends_with)
        results: list[Json] = answer["files"]
        return results

    def start(self, pipeline: str, **params: Any) -> str:
        """Start a run by Airflow's REST API and return its id."""
        answer = self.running.api("POST", f"/api/v2/dags/{pipeline}/dagRuns", {"logical_date": None, "conf": params})
        return str(answer["dag_run_id"])

    def wait(self, pipeline: str, run_id: str) -> str:
        """Wait until a run has ended and return its state."""

        def ended() -> str | None:
            state = self.running.api("GET", f"/api/v2/dags/{pipeline}/dagRuns/{run_id}")["state"]
            return state if state in ("success", "failed") else None

        return eventually(ended) or ""

    def nodes(self, pipeline: str, run_id: str) -> dict[str, NodeRun]:
        """Return what the worker kept of a run that has ended."""
        return {run.node: run for run in eventually(lambda: self.store.node_runs.of(pipeline, run_id))}

    def ran(self, pipeline: str, **params: Any) -> list[str]:
        """Run a pipeline to a good end and return its nodes."""
        run_id = self.start(pipeline, **params)
        assert self.wait(pipeline, run_id) == "success"
        return sorted(self.nodes(pipeline, run_id))

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


@pytest.fixture(scope="module")
def store(installation: Running) -> Iterator[Store]:
    """Return the installation's store."""
    store = Store(installation.store_url)
    yield store
    store.close()


@pytest.fixture(scope="module")
def airloom(installation: Running, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Airloom:
    """Return the command line and the API of an installation that has the documents as pipelines."""
    airloom = Airloom(installation, store, tmp_path_factory.mktemp("documents"))
    installation.api("POST", "/api/v2/pools", {"name": "hold", "slots": 0})
    published = airloom.publish(*DOCUMENTS)
    assert [result["problems"] for result in published] == [[] for _ in DOCUMENTS]
    return airloom


# How runs go


def ended(airloom: Airloom, document: Json, runs: dict[str, Json]) -> dict[str, tuple[str, str]]:
    """Start runs by their params, all at once; return for each how it and its nodes ended."""
    pipeline = document["id"]
    started = {name: airloom.start(pipeline, **params) for name, params in runs.items()}
    found = {}
    for case, run_id in started.items():
        state = airloom.wait(pipeline, run_id)
        nodes = airloom.nodes(pipeline, run_id)
        names = [node["id"] for node in document["nodes"]]
        found[case] = (state, " ".join(f"{name}:{LETTERS[nodes[name].state]}" for name in names))
    return found


def test_a_node_runs_where_an_edge_into_it_is_live(airloom: Airloom) -> None:
    runs: dict[str, Json] = {"a": {}, "b": {"way": "b"}, "neither": {"way": "c"}, "fault": {"divisor": 0}}
    assert ended(airloom, BRANCHES, runs) == {
        "a": ("success", "start:S route:S both:S only_b:- other:S joined:S after:S"),
        "b": ("success", "start:S route:S both:S only_b:S other:S joined:S after:S"),
        "neither": ("success", "start:S route:S both:- only_b:- other:S joined:S after:S"),
        "fault": ("failed", "start:S route:S both:S only_b:- other:F joined:n after:n"),
    }


def test_an_error_edge_takes_a_failure_and_on_error_goes_on_without(airloom: Airloom) -> None:
    runs: dict[str, Json] = {"well": {}, "taken": {"divisor": 0}, "tolerated": {"second": 0}}
    assert ended(airloom, ERRORS, runs) == {
        "well": ("success", "risky:S handler:- normal:S joined:S tolerated:S reader:S"),
        "taken": ("success", "risky:F handler:S normal:- joined:S tolerated:S reader:S"),
        "tolerated": ("success", "risky:S handler:- normal:S joined:S tolerated:F reader:S"),
    }


def test_what_a_failed_node_leaves(airloom: Airloom) -> None:
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


def test_the_log_names_an_error_once_that_the_run_goes_on_from(airloom: Airloom) -> None:
    run = airloom.start("errors", divisor=0, second=0)
    assert airloom.wait("errors", run) == "success"
    tasks = {task["task"]: task["lines"] for task in airloom("logs", "errors", run)["tasks"]}
    for task in ("risky", "tolerated"):
        [line] = [line for line in tasks[task] if "division by zero" in line["text"]]
        assert line["level"] == "error"
        assert line["text"].startswith(f"node '{task}', field '/value': ")


def test_logs_are_told_task_by_task(airloom: Airloom) -> None:
    failed = airloom("run", "failing", "--wait", ends_with=1)
    answer = airloom("logs", "failing", failed["run_id"])
    lines = {task["task"]: [line["text"] for line in task["lines"]] for task in answer["tasks"]}
    assert list(lines) == ["one", "two", "three"]
    assert any(line.startswith("node one: success") for line in lines["one"])
    assert sum("division by zero" in line for line in lines["two"]) == 1
    assert lines["three"] == []
    assert not any("DAG bundles loaded" in line for line in lines["one"])
    everything = airloom("logs", "failing", failed["run_id"], "--all", "--node", "one")
    assert [task["task"] for task in everything["tasks"]] == ["one"]
    assert any("DAG bundles loaded" in line["text"] for line in everything["tasks"][0]["lines"])
    assert "did you mean 'two'?" in airloom("logs", "failing", "--node", "tow", ends_with=1)
    assert "--follow" in airloom("logs", "failing", "--follow", ends_with=2)


def test_the_schedule_of_the_past_is_filled(airloom: Airloom) -> None:
    at = "2026-01-0{}T17:00:00+00:00"  # six o'clock of the next day in Auckland
    taken = airloom("run", "daily", "--date", "2026-01-03T06:00", "--wait")
    assert taken["logical_date"] == at.format(2)
    assert taken["run_id"] in airloom("run", "daily", "--date", at.format(2), ends_with=1)
    days = ("backfill", "daily", "--from", "2026-01-02", "--to", "2026-01-04")
    assert airloom(*days, "--dry-run") == {"pipeline": "daily", "started": False, "times": [at.format(1), at.format(3)]}
    assert airloom(*days)["times"] == [at.format(1), at.format(3)]

    def ended() -> list[Json]:
        found = [run for run in airloom("runs", "daily") if run["trigger"] == "backfill"]
        return found if len(found) == 2 and all(run["state"] == "success" for run in found) else []

    assert {run["version"] for run in eventually(ended)} == {1}
    assert airloom(*days)["times"] == []
    assert "has no schedule" in airloom(*("backfill", "steady", *days[2:]), ends_with=1)
    assert "before it begins" in airloom(*days[:3], "2026-02-01", *days[4:], ends_with=1)


def test_a_paused_pipeline_waits(airloom: Airloom) -> None:
    assert airloom("pause", "greeting") == [{"pipeline": "greeting", "paused": True}]
    run_id = airloom("run", "greeting")["run_id"]
    listed = {pipeline["id"]: pipeline for pipeline in airloom("list")}
    assert listed["greeting"]["paused"] is True
    assert listed["greeting"]["last_run"]["run_id"] == run_id
    assert listed["daily"]["schedule"] == {"cron": "0 6 * * *", "timezone": "Pacific/Auckland"}
    assert airloom("logs", "greeting", run_id)["tasks"][0]["state"] is None
    airloom("unpause", "greeting")
    assert airloom.wait("greeting", run_id) == "success"
    assert "there is no pipeline 'nope'" in airloom("pause", "greeting", "nope", ends_with=1)
    assert airloom("list")[0]["paused"] is not True


def test_the_rendered_template_tab_shows_what_a_node_was_run_with(airloom: Airloom) -> None:
    run_id = airloom.start("greeting", name="Ada")
    assert airloom.wait("greeting", run_id) == "success"
    one = airloom.tasks("greeting", run_id)["one"]
    assert one["rendered_fields"]["config"] == {"one": {"value": {"greeting": "hello Ada"}}}
    assert one["operator_name"] == "set"


def test_params_are_checked_before_a_run_begins(airloom: Airloom) -> None:
    assert "count" in airloom("run", "counting", "--param", "count=0", ends_with=1)
    assert "contu" in airloom("run", "counting", "--param", "contu=1", ends_with=1)
    finished = airloom("run", "counting", "--param", "count=7", "--wait")
    assert finished["nodes"][0]["outputs"]["value"]["value"] == 7


# Versions


def test_a_run_keeps_its_version_while_newer_ones_are_published(airloom: Airloom, installation: Running) -> None:
    run_id = airloom.start("pinned")
    eventually(lambda: airloom.tasks("pinned", run_id)["one"]["state"] == "success")
    newer = chain("pinned", setting("one"), setting("zwei"), setting("three"), setting("four"))
    (published,) = airloom.publish(newer)
    assert published["version"]["number"] == 2
    slots = {"pool": "hold", "slots": 1, "include_deferred": False}
    installation.api("PATCH", "/api/v2/pools/hold?update_mask=slots", slots)
    assert airloom.wait("pinned", run_id) == "success"
    assert sorted(airloom.nodes("pinned", run_id)) == ["one", "three", "two"]
    assert airloom.ran("pinned") == ["four", "one", "three", "zwei"]

    clear = {"dry_run": False, "dag_run_id": run_id, "only_failed": False}
    installation.api("POST", "/api/v2/dags/pinned/clearTaskInstances", clear)
    assert airloom.wait("pinned", run_id) == "success"
    again = airloom.tasks("pinned", run_id)
    assert {task: (found["state"], found["try_number"]) for task, found in again.items()} == {
        "one": ("success", 2),
        "two": ("success", 2),
        "three": ("success", 2),
    }


def test_two_versions_in_a_row_leave_the_second(airloom: Airloom) -> None:
    later = [chain("hasty", setting("one"), setting(name)) for name in ("second", "third")]
    assert [result["version"]["number"] for result in airloom.publish(*later)] == [2, 3]
    assert airloom.ran("hasty") == ["one", "third"]


def test_rollback_is_a_new_version_with_the_old_document(airloom: Airloom) -> None:
    airloom.publish(chain("back", setting("new")))
    assert airloom("rollback", "back", "1")["version"]["number"] == 3
    assert [node["id"] for node in airloom("export", "back")["nodes"]] == ["old"]
    assert [node["id"] for node in airloom("export", "back", "--version", "2")["nodes"]] == ["new"]
    versions = [(version["number"], version["current"]) for version in airloom("versions", "back")]
    assert versions == [(3, True), (2, False), (1, False)]


def test_an_archived_pipeline_leaves_airflow_and_comes_back(airloom: Airloom, installation: Running) -> None:
    airloom("archive", "leaving")
    eventually(lambda: not installation.api("GET", "/api/v2/dags?dag_id_pattern=leaving")["dags"])
    assert "archived" in airloom("run", "leaving", ends_with=1)
    airloom.publish(chain("leaving", setting("only")))
    assert airloom.ran("leaving") == ["only"]


def test_active_runs_of_an_archived_pipeline_end_and_none_begins(airloom: Airloom, installation: Running) -> None:
    slots = {"pool": "hold", "slots": 0, "include_deferred": False}
    installation.api("PATCH", "/api/v2/pools/hold?update_mask=slots", slots)
    run_id = airloom.start("busy")
    assert airloom("archive", "busy")["ending_runs"] == [run_id]
    eventually(lambda: installation.api("GET", "/api/v2/dags/busy")["allowed_run_types"] == ["scheduled"])
    with pytest.raises(AirflowError, match="does not allow manual runs"):
        installation.api("POST", "/api/v2/dags/busy/dagRuns", {"logical_date": None})
    installation.api("PATCH", "/api/v2/pools/hold?update_mask=slots", {**slots, "slots": 8})
    eventually(lambda: installation.api("GET", f"/api/v2/dags/busy/dagRuns/{run_id}")["state"] == "success")
    eventually(lambda: not installation.api("GET", "/api/v2/dags?dag_id_pattern=busy")["dags"])


def test_active_runs_stop_where_an_archive_is_forced(airloom: Airloom, installation: Running) -> None:
    slots = {"pool": "hold", "slots": 0, "include_deferred": False}
    installation.api("PATCH", "/api/v2/pools/hold?update_mask=slots", slots)
    run_id = airloom.start("stuck")
    assert airloom("archive", "stuck", "--force")["stopped_runs"] == [run_id]


def test_a_run_is_explained_to_what_its_nodes_left(airloom: Airloom) -> None:
    run_id = airloom.start("steady")
    airloom.wait("steady", run_id)
    found = airloom("explain", "steady")
    assert (found["run"]["run_id"], found["run"]["state"]) == (run_id, "success")
    (node,) = found["nodes"]
    assert (node["node"], node["task"], node["outputs"]) == ("one", "one", {"value": {"kind": "any", "value": 1}})


# What is refused


def test_what_has_problems_is_not_published(airloom: Airloom) -> None:
    faulty = chain("faulty", setting("one", "{{ params.missing }}"))
    unplanned = chain("unplanned", setting("one"), schedule={"cron": "@daily"}, params={"day": {"type": "string"}})
    first, second = airloom.publish(faulty, unplanned, ends_with=1)
    assert (first["version"], second["version"]) == (None, None)
    assert [problem["node"] for problem in first["problems"]] == ["one"]
    assert any("default" in problem["message"] for problem in second["problems"])
    assert not {"faulty", "unplanned"} & {pipeline["id"] for pipeline in airloom("list")}


def test_a_broken_file_is_an_import_error_and_the_last_good_version_runs(
    airloom: Airloom, store: Store, installation: Running
) -> None:
    problem = Problem("config.invalid", "no such column", node="one", pointer="/nodes/0/config", hint="look again")
    store.problems.set("steady.json", [problem], "steady")
    (error,) = eventually(lambda: installation.api("GET", "/api/v2/importErrors")["import_errors"])
    assert error["filename"].startswith("problems/steady_json-")
    for part in ("steady.json", "'one'", "/nodes/0/config", "no such column", "config.invalid", "look again"):
        assert part in error["stack_trace"]
    assert error["stack_trace"].count('File "') == 1
    assert airloom.ran("steady") == ["one"]
    store.problems.clear("steady.json")
    eventually(lambda: not installation.api("GET", "/api/v2/importErrors")["import_errors"])


def test_a_dag_that_is_deleted_in_airflow_comes_back_while_its_pipeline_is_live(airloom: Airloom) -> None:
    document = {"id": "deleted", "nodes": [{"id": "one", "type": "set", "config": {"value": 1}}]}
    airloom.publish(document)
    airloom("run", "deleted", "--wait")
    airloom.running.api("DELETE", "/api/v2/dags/deleted")
    began = time.monotonic()
    eventually(lambda: "deleted" in [dag["dag_id"] for dag in airloom.running.api("GET", "/api/v2/dags")["dags"]], 90)
    assert time.monotonic() - began < 75
    assert airloom("run", "deleted", "--wait")["state"] == "success"


# Functions of users


def test_a_run_has_the_function_that_its_version_was_published_with(airloom: Airloom) -> None:
    folder = Path(airloom.running.environment["AIRLOOM_CODE"])
    function, tests = folder / "shout.py", folder / "shout_test.py"
    function.write_text("def shout(value):\n    return value.upper() + '!'\n")
    tests.write_text("def test_loud():\n    assert shout('a').isupper()\n")
    shout = {"id": "shout", "type": "python_code", "config": {"function": "shout"}}
    document = chain("loud", setting("say", "hey"), shout, setting("said", "{{ nodes.shout.value }}"))
    assert airloom.publish(document)[0]["problems"] == []
    function.write_text("def shout(value):\n    return 'quiet'\n")
    [refused] = airloom.publish(document, ends_with=1)
    assert [(found["code"], found["node"]) for found in refused["problems"]] == [("code.test", "shout")]
    function.unlink()
    # The folder has it no more: the task gets the text from the store.
    assert airloom("run", "loud", "--wait")["state"] == "success"
    shown = airloom("explain", "loud")
    assert "value.upper()" in shown["functions"]["shout"]
    [said] = [node for node in shown["nodes"] if node["node"] == "said"]
    assert said["outputs"]["value"]["value"] == "HEY!"


# Containers


def test_a_container_is_removed_when_its_run_is_stopped(airloom: Airloom) -> None:
    ways = {"copy": Ended({"out.json": b"[1]"}), "hang": Ended(never=True)}
    with stand_in(lambda config, files: ways[config["Cmd"][0]]) as engine:
        airloom("connection", "add", "engine", "--type", "docker", "--extra", f"engine={engine.url}")
        config = {"connection": "engine", "image": "tool:1", "command": ["{{ params.way }}"], "output_values": ["out"]}
        document = chain("contained", {"id": "boxed", "type": "container", "config": config},
                         params={"way": {"type": "string", "default": "copy"}})  # fmt: skip
        assert airloom.publish(document)[0]["problems"] == []
        run_id = airloom("run", "contained", "--wait")["run_id"]
        assert airloom.nodes("contained", run_id)["boxed"].outputs["out"]["value"] == [1]
        assert (engine.containers, engine.volumes, engine.faults) == ({}, {}, [])
        run_id = airloom.start("contained", way="hang")
        eventually(lambda: len(engine.ran) == 2)
        airloom.running.api("PATCH", f"/api/v2/dags/contained/dagRuns/{run_id}", {"state": "failed"})
        eventually(lambda: not engine.containers and not engine.volumes)
