"""What stands in `finally`, on a real Airflow: it runs however a run ends, and the run keeps its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.integration.test_pipelines import Airloom, chain, eventually, integer, setting

from airloom.store.records import StoredRun
from airloom.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.installations import Running

Json = dict[str, Any]
pytestmark = pytest.mark.integration
LAST = {"nodes": [setting("last", "{{ run.state }}, {{ run.error.node if run.error else 'nothing' }}")], "edges": []}
ENDING = chain("ending", setting("one", "{{ 1 / params.divisor }}"), setting("two"), finally_=LAST,
               params={"divisor": integer(1)})  # fmt: skip
WAITING = chain("ending_late", setting("one"), setting("two", pool="shut"), setting("three"), finally_=LAST)
BROKEN = chain("ending_badly", setting("one"), finally_={"nodes": [setting("last", "{{ 1 / 0 }}")], "edges": []})


WHAT = "{{ trigger.pipeline }} {{ trigger.node }}: {{ trigger.error.code }}"
TELLING = chain("told_of_failures", setting("told", WHAT), settings={"max_active_runs": 4})
FAILING = chain("telling", setting("one"), setting("two", "{{ 1 / 0 }}"),
                settings={"grouping": "none", "on_failure": "told_of_failures"})  # fmt: skip


@pytest.fixture(scope="module")
def airloom(installation: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airloom]:
    """Return an installation that has the documents as pipelines."""
    store = Store(installation.store_url)
    airloom = Airloom(installation, store, tmp_path_factory.mktemp("documents"))
    installation.api("POST", "/api/v2/pools", {"name": "shut", "slots": 0})
    assert airloom.publish(TELLING)[0]["problems"] == []
    documents: list[Json] = [FAILING]
    for document in (ENDING, WAITING, BROKEN):
        last = document.pop("finally_")
        documents.append({**document, "finally": last})
    published = airloom.publish(*documents)
    assert [result["problems"] for result in published] == [[] for _ in documents]
    yield airloom
    store.close()


def told(airloom: Airloom, pipeline: str, run_id: str) -> Any:
    return airloom.nodes(pipeline, run_id)["last"].outputs["value"]["value"]


def test_it_runs_after_success_and_after_a_failure(airloom: Airloom) -> None:
    well = airloom.start("ending")
    assert airloom.wait("ending", well) == "success"
    badly = airloom.start("ending", divisor=0)
    assert airloom.wait("ending", badly) == "failed"
    assert told(airloom, "ending", well) == "success, nothing"
    assert told(airloom, "ending", badly) == "failed, one"
    assert {name: node.state for name, node in airloom.nodes("ending", badly).items()} == {
        "one": "failed", "two": "not_run", "last": "success",
    }  # fmt: skip


def test_its_own_failure_leaves_the_run_as_it_was(airloom: Airloom) -> None:
    run_id = airloom.start("ending_badly")
    assert airloom.wait("ending_badly", run_id) == "success"
    assert airloom.nodes("ending_badly", run_id)["last"].state == "failed"


def test_it_runs_after_a_run_that_is_cancelled_which_has_failed(airloom: Airloom) -> None:
    run_id = airloom.start("ending_late")
    eventually(lambda: airloom.tasks("ending_late", run_id)["one"]["state"] == "success")
    airloom.running.api("POST", f"/airloom/api/v1/pipelines/ending_late/runs/{quote(run_id)}/cancel")
    assert airloom.wait("ending_late", run_id) == "failed"
    assert told(airloom, "ending_late", run_id).startswith("failed")
    assert airloom.nodes("ending_late", run_id)["three"].state == "not_run"


def test_a_failed_run_starts_the_pipeline_that_is_to_know(airloom: Airloom) -> None:
    run_id = airloom.start("telling")
    assert airloom.wait("telling", run_id) == "failed"

    def told_of() -> list[StoredRun]:
        return [run for run in airloom.store.runs.page(pipeline="told_of_failures") if run.ended_at is not None]

    (run,) = eventually(told_of)
    assert (run.state, run.trigger, (run.event or {})["run"]) == ("success", "failure", run_id)
    node = airloom.nodes("told_of_failures", run.run_id)["told"]
    assert node.outputs["value"]["value"] == "telling two: expression"
