"""Pipelines that run others, on a real Airflow: inputs and outputs, failures, circles, and who may read what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.integration.test_pipelines import Airloom, chain, edges, eventually, setting

from airloom.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.installations import Running

Json = dict[str, Any]
pytestmark = pytest.mark.integration


def call(identifier: str, pipeline: str, **config: Any) -> Json:
    """Return a node that runs a pipeline."""
    return {"id": identifier, "type": "run_pipeline", "config": {"pipeline": pipeline, **config}}


TOTALS: Json = {
    "id": "called_totals",
    "params": {"factor": {"type": "integer", "default": 1}},
    "settings": {"max_active_runs": 8},
    "inputs": {"orders": {"kind": "table"}, "title": {"kind": "text", "default": "no title"}},
    "outputs": {"sums": "sums.rows", "line": "line"},
    "nodes": [
        {"id": "large", "type": "filter", "config": {"where": "amount > 1"}},
        {"id": "sums", "type": "aggregate", "config": {"measures": {"sum": {"op": "sum", "column": "amount"}}}},
        {"id": "given", "type": "merge"},
        setting("line", "{{ nodes.given.merged[0] }} x {{ params.factor }}"),
    ],
    "edges": edges(("inputs.orders", "large"), ("large", "sums"), ("inputs.title", "given"), ("given", "line")),
}
PARENT: Json = {
    "id": "calling",
    "settings": {"max_active_runs": 8},
    "nodes": [
        setting("orders", [{"amount": 1}, {"amount": 20}, {"amount": 22}]),
        setting("title", "Orders"),
        call("totals", "called_totals", params={"factor": 3}),
        {"id": "double", "type": "derive", "config": {"columns": {"twice": "sum * 2"}}},
        setting("told", "{{ nodes.totals.line }}: {{ nodes.double.rows.first(1)[0].twice }}"),
    ],
    "edges": edges(
        ("orders", "totals.orders"), ("title", "totals.title"), ("totals.sums", "double"), ("double", "told")
    ),
}  # fmt: skip
FAILING: Json = chain("called_failing", setting("half", "{{ 1 / params.divisor }}"),
                      params={"divisor": {"type": "integer", "default": 0}}, outputs={"half": "half"})  # fmt: skip
HANDLING: Json = {
    "id": "calling_failing",
    "nodes": [call("child", "called_failing"), setting("note", "{{ nodes.child.error.message }}"), setting("next")],
    "edges": edges(("child.error", "note"), ("child.half", "next")),
}
ALONE: Json = {
    "id": "calling_alone",
    "nodes": [call("child", "called_failing", wait=False), setting("note", "{{ nodes.child.run.pipeline }}")],
    "edges": edges(("child", "note")),
}
PAUSED: Json = chain("called_paused", setting("one"), settings={"enabled": False}, outputs={"one": "one"})
WAITING: Json = {"id": "calling_paused", "nodes": [call("child", "called_paused")], "edges": []}

STUCK: Json = chain("called_stuck", setting("one", pool="no_slots"))
CANCELLED: Json = {"id": "calling_stuck", "nodes": [call("child", "called_stuck")], "edges": []}


@pytest.fixture(scope="module")
def airloom(installation: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airloom]:
    """Return an installation that has the documents as pipelines."""
    store = Store(installation.store_url)
    airloom = Airloom(installation, store, tmp_path_factory.mktemp("documents"))
    installation.api("POST", "/api/v2/pools", {"name": "no_slots", "slots": 0})
    for documents in ((TOTALS, FAILING, PAUSED, STUCK), (PARENT, HANDLING, ALONE, WAITING, CANCELLED)):
        published = airloom.publish(*documents)
        assert [result["problems"] for result in published] == [[] for _ in documents]
    yield airloom
    store.close()


def value(airloom: Airloom, pipeline: str, run_id: str, node: str, port: str = "value") -> Any:
    return airloom.nodes(pipeline, run_id)[node].outputs[port]["value"]


def test_inputs_go_in_and_outputs_come_back(airloom: Airloom) -> None:
    run_id = airloom.start("calling")
    assert airloom.wait("calling", run_id) == "success"
    assert value(airloom, "calling", run_id, "told") == "Orders x 3: 84"
    called = airloom.nodes("calling", run_id)["totals"].statistics["run"]
    assert called["pipeline"] == "called_totals"
    assert airloom.nodes("called_totals", called["run_id"])["sums"].state == "success"


def test_the_failure_of_a_called_run_is_the_failure_of_the_node(airloom: Airloom) -> None:
    run_id = airloom.start("calling_failing")
    assert airloom.wait("calling_failing", run_id) == "success"
    message = value(airloom, "calling_failing", run_id, "note")
    assert "of pipeline 'called_failing' failed at node 'half': this cannot be worked out: division by zero" in message
    assert airloom.nodes("calling_failing", run_id)["next"].state == "skipped"


def test_a_run_that_nothing_waits_for_goes_its_own_way(airloom: Airloom) -> None:
    run_id = airloom.start("calling_alone")
    assert airloom.wait("calling_alone", run_id) == "success"
    assert value(airloom, "calling_alone", run_id, "note") == "called_failing"
    called = airloom.nodes("calling_alone", run_id)["child"].statistics["run"]
    assert airloom.wait("called_failing", called["run_id"]) == "failed"


def test_who_cancels_a_run_cancels_the_one_that_it_waits_for(airloom: Airloom) -> None:
    run_id = airloom.start("calling_stuck")
    runs = "/api/v2/dags/called_stuck/dagRuns"
    eventually(lambda: airloom.tasks("calling_stuck", run_id)["child"]["state"] == "deferred")
    (called,) = airloom.running.api("GET", runs)["dag_runs"]
    assert called["state"] in ("queued", "running")
    airloom.running.api("POST", f"/airloom/api/v1/pipelines/calling_stuck/runs/{quote(run_id)}/cancel")
    assert airloom.wait("calling_stuck", run_id) == "failed"
    assert airloom.wait("called_stuck", called["dag_run_id"]) == "failed"


def test_a_paused_pipeline_is_not_waited_for(airloom: Airloom) -> None:
    run_id = airloom.start("calling_paused")
    assert airloom.wait("calling_paused", run_id) == "failed"
    error = airloom.nodes("calling_paused", run_id)["child"].error
    assert error is not None
    assert (error["message"], error["hint"]) == (
        "the pipeline 'called_paused' is paused",
        "let it run again: airloom unpause called_paused",
    )


def test_nobody_takes_what_is_handed_to_another_run(airloom: Airloom) -> None:
    run_id = airloom.start("calling")
    assert airloom.wait("calling", run_id) == "success"
    caller = {"pipeline": "calling", "run_id": run_id, "task": "totals"}
    forged = airloom.start("called_totals", airloom={"caller": caller})
    assert airloom.wait("called_totals", forged) == "failed"
    errors = [node.error for node in airloom.nodes("called_totals", forged).values() if node.error]
    assert {error["message"] for error in errors} == {"the run that called for this one does not know of it"}


def test_what_cannot_be_called_is_refused(airloom: Airloom) -> None:
    circle = {**TOTALS, "nodes": [*TOTALS["nodes"], call("back", "calling")]}
    unknown = {"id": "calling_nobody", "nodes": [call("child", "nobody")], "edges": []}
    opened = {"id": "calling_any", "nodes": [call("child", "{{ trigger.who }}")], "edges": []}
    body = {"nodes": [call("child", "called_failing")], "edges": []}
    inside = {"id": "calling_inside", "nodes": [{"id": "each", "type": "for_each", "body": body}], "edges": []}
    found = airloom.publish(circle, unknown, opened, inside, ends_with=1)
    codes = [[problem["code"] for problem in result["problems"]] for result in found]
    assert [code for result in codes for code in result if not code.startswith("edge")] == [
        "pipeline.circle", "pipeline.unknown", "pipeline.open", "node.inside",
    ]  # fmt: skip
    assert "called_totals → calling → called_totals" in found[0]["problems"][0]["message"]


def test_parents_are_told_of_an_interface_that_changes(airloom: Airloom) -> None:
    (published,) = airloom.publish({**FAILING, "outputs": {"half": "half", "again": "half"}})
    (problem,) = published["problems"]
    assert problem["code"] == "interface.changed"
    assert "calling_alone, calling_failing run this pipeline by those of before" in problem["message"]
    eventually(lambda: airloom.store.version("called_failing").number == 2)
