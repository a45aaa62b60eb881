"""Loops whose items several tasks share, on a real Airflow: results as of one task, each item once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.integration.test_pipelines import Airloom, chain, setting

from airloom.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.installations import Running

Json = dict[str, Any]
pytestmark = pytest.mark.integration
BODY = {"nodes": [setting("share", "{{ 60 / loop.item }}")], "result": "share"}


def each(**more: Any) -> Json:
    """Return a loop whose items three tasks share."""
    return {"id": "each", "type": "for_each", "body": BODY, "parallel": 3, **more}


LISTED = "{{ params.items }}"
ITEMS = {"items": {"type": "array", "default": [1, 2, 3, 4, 5, 6, 10]}}
SHARED = chain("shared", setting("items", LISTED), each(), setting("after", "{{ nodes.each.results | length }}"),
               params=ITEMS)  # fmt: skip
GAPS = chain("gaps", setting("items", LISTED), each(config={"on_error": "continue"}), params=ITEMS)
TAKEN: Json = {
    "id": "taken",
    "params": ITEMS,
    "nodes": [setting("items", LISTED), each(), setting("after"), setting("error", "{{ nodes.each.error.message }}")],
    "edges": [
        {"from": "items", "to": "each"},
        {"from": "each.results", "to": "after"},
        {"from": "each.error", "to": "error"},
    ],
}


@pytest.fixture(scope="module")
def airloom(installation: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airloom]:
    """Return an installation that has the documents as pipelines."""
    store = Store(installation.store_url)
    airloom = Airloom(installation, store, tmp_path_factory.mktemp("documents"))
    documents = [SHARED, GAPS, TAKEN]
    assert [result["problems"] for result in airloom.publish(*documents)] == [[] for _ in documents]
    yield airloom
    store.close()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_results_are_in_order(airloom: Airloom) -> None:
    run_id = airloom.start("shared")
    assert airloom.wait("shared", run_id) == "success"
    nodes = airloom.nodes("shared", run_id)
    assert nodes["each"].outputs["results"]["value"] == [60.0, 30.0, 20.0, 15.0, 12.0, 10.0, 6.0]
    assert nodes["each"].statistics["nodes"] == {"share": {"success": 7}}
    assert nodes["after"].outputs["value"]["value"] == 7
    tasks = airloom.tasks("shared", run_id)
    assert {task for task in tasks if task.startswith("each")} == {"each", "each--1", "each--2", "each--3"}
    shown = airloom.running.api("GET", f"/airloom/api/v1/pipelines/shared/runs/{quote(run_id)}")["nodes"]
    (loop,) = (node for node in shown if node["node"] == "each")
    assert moment(loop["started_at"]) <= moment(tasks["each--1"]["start_date"]) < moment(tasks["each"]["start_date"])


def test_fewer_items_than_tasks(airloom: Airloom) -> None:
    for items, results in (([], []), ([2], [30.0])):
        run_id = airloom.start("shared", items=items)
        assert airloom.wait("shared", run_id) == "success"
        assert airloom.nodes("shared", run_id)["each"].outputs["results"]["value"] == results


def test_gaps_and_failures_are_those_of_one_task(airloom: Airloom) -> None:
    run_id = airloom.start("gaps", items=[1, 0, 3, 4, 0])
    assert airloom.wait("gaps", run_id) == "success"
    each = airloom.nodes("gaps", run_id)["each"]
    assert each.outputs["results"]["value"] == [60.0, None, 20.0, 15.0, None]
    assert [error["index"] for error in each.outputs["errors"]["value"]] == [1, 4]


def test_a_failure_fails_the_node_and_a_retry_does_again_what_failed_alone(airloom: Airloom) -> None:
    run_id = airloom.start("shared", items=[1, 0, 3])
    assert airloom.wait("shared", run_id) == "failed"
    nodes = airloom.nodes("shared", run_id)
    assert (nodes["each"].state, nodes["after"].state) == ("failed", "not_run")
    assert (nodes["each"].error or {})["message"].startswith("item 1, node 'share'")
    log = airloom.running.api("GET", f"/airloom/api/v1/pipelines/shared/runs/{quote(run_id)}/nodes/each/logs")
    assert any("item 1" in line["text"] for line in log["lines"])
    airloom.running.api("POST", f"/airloom/api/v1/pipelines/shared/runs/{quote(run_id)}/retry")
    assert airloom.wait("shared", run_id) == "failed"
    tries = {task: found["try_number"] for task, found in airloom.tasks("shared", run_id).items()}
    assert (tries["each--1"], tries["each--2"], tries["each--3"]) == (1, 2, 1)


def test_an_error_edge_takes_a_failure(airloom: Airloom) -> None:
    run_id = airloom.start("taken", items=[1, 2, 0])
    assert airloom.wait("taken", run_id) == "success"
    nodes = airloom.nodes("taken", run_id)
    assert {name: node.state for name, node in nodes.items()} == {
        "items": "success", "each": "failed", "after": "skipped", "error": "success",
    }  # fmt: skip
    assert nodes["error"].outputs["value"]["value"].startswith("item 2, node 'share'")


def test_a_part_of_the_pipeline_reuses_what_the_tasks_did(airloom: Airloom) -> None:
    run_id = airloom.start("shared")
    assert airloom.wait("shared", run_id) == "success"
    part = {"nodes": {"from": "after"}, "reuse": run_id}
    again = airloom.running.api("POST", "/airloom/api/v1/pipelines/shared/runs", part)["run_id"]
    assert airloom.wait("shared", again) == "success"
    nodes = airloom.nodes("shared", again)
    assert nodes["after"].outputs["value"]["value"] == 7
    assert nodes["each"].outputs["results"]["value"] == [60.0, 30.0, 20.0, 15.0, 12.0, 10.0, 6.0]
    assert {task["try_number"] for name, task in airloom.tasks("shared", again).items() if "each" in name} == {0}
