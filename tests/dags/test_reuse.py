"""What a part of a pipeline finds of the run that it reuses: its params, its outputs, and what is gone of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.dags import reuse
from airloom.dags.reuse import PartialStart, begin_partial, plan_partial
from airloom.engine.filesystem import local_facts
from airloom.engine.storage import Files
from airloom.plan.build import build_plan
from airloom.plan.partial import Wish
from airloom.spec.configuration import Configuration
from airloom.spec.error import ConfigurationError
from airloom.store.records import ConflictError, NodeRun, NotFound, StoredRun
from airloom.store.store import Store

Json = dict[str, Any]
NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)
DOCUMENT: Json = {
    "id": "sales",
    "settings": {"grouping": "none"},
    "params": {"least": {"type": "integer", "default": 1}, "note": {"type": "string", "default": ""}},
    "inputs": {"extra": {"kind": "object", "default": {}}},
    "nodes": [
        {"id": "one", "type": "set", "config": {"value": "{{ params.least }}"}},
        {"id": "two", "type": "set", "config": {"value": "{{ nodes.one.value }}"}},
        {"id": "three", "type": "set", "config": {"value": 3}},
        {"id": "taken", "type": "merge"},
    ],
    "edges": [
        {"from": "one", "to": "two"},
        {"from": "two", "to": "three"},
        {"from": "three", "to": "taken"},
        {"from": "inputs.extra", "to": "taken"},
    ],
}


@pytest.fixture
def keep(store: Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that keeps a run of the pipeline, which Airflow has forgotten."""
    monkeypatch.setattr(reuse, "run_state", lambda pipeline, run_id: None)
    publish(store)

    def keep(run_id: str = "first", *, state: str = "success", trigger: str = "hand", **more: Any) -> None:
        params = more.pop("params", {})
        run = StoredRun("sales", run_id, state, NOW, version=1, trigger=trigger, params=params, event={"day": 1})
        store.runs.observe(run)
        reference = {"kind": "any", "value": 1}
        runs = [
            NodeRun("sales", run_id, node["id"], "success", fired=["value"], outputs={"value": reference})
            for node in DOCUMENT["nodes"]
        ]
        runs = [NodeRun(**{**vars(run), **more.get(run.node, {})}) for run in runs]
        store.node_runs.record("sales", run_id, runs)

    return keep


def publish(store: Store, **other: Any) -> None:
    document = {**DOCUMENT, **other}
    report = check(document, Facts(files=Files.of(Configuration())))
    assert report.resolved is not None, report.problems
    store.publish(document, build_plan(report.resolved).to_json(), author="ann", source="api")


def start(store: Store, node: str = "two", **params: Any) -> PartialStart:
    return plan_partial(store, "sales", params, Wish(only=node, reuse="first"))


def messages(start: PartialStart) -> list[str]:
    return [problem.message for problem in start.problems]


def test_it_has_params_event_and_date_of_the_other_run(store: Store, keep: Any) -> None:
    keep(params={"least": 2, "gone": 1})
    planned = start(store, "two", note="again")
    assert planned.problems == []
    assert (planned.params, planned.event) == ({"least": 2, "note": "again"}, {"day": 1})
    assert planned.run.date == NOW
    assert planned.run.results["one"]["statistics"] == {"reused": "first"}


def test_a_default_that_has_changed_since_is_another_value(store: Store, keep: Any) -> None:
    keep()
    params = {**DOCUMENT["params"], "least": {"type": "integer", "default": 5}}
    publish(store, params=params)
    assert [problem.node for problem in start(store).problems] == ["one"]
    assert start(store, least=1).problems == []
    assert start(store, least="many").problems[0].pointer == "/params/least"


def test_what_is_gone_or_has_changed_is_told(store: Store, keep: Any, tmp_path: Path) -> None:
    file = tmp_path / "value.json"
    keep(one={"outputs": {"value": {"kind": "object", "uri": str(file)}}})
    assert messages(start(store)) == [
        f"node 'one' gave in run 'first' what is gone: at value, {file} is not there any more"
    ]
    file.write_text("1")
    assert start(store).problems == []
    facts = local_facts(str(file))
    scan = {"files": [{"uri": facts.uri, "size": facts.size, "etag": facts.etag}], "format": "parquet", "options": {}}
    keep(one={"outputs": {"value": {"kind": "table", "scan": scan}}})
    assert start(store).problems == []
    file.write_text("22")
    assert messages(start(store)) == [
        f"node 'one' gave in run 'first' what is gone: at value, {file} has changed since"
    ]


def test_what_a_caller_has_handed_over_is_not_made_up(store: Store, keep: Any) -> None:
    keep(trigger="pipeline")
    assert messages(start(store, "taken")) == [
        "node 'taken' reads an input of the pipeline, which was handed to run 'first' alone"
    ]
    assert start(store, "two").problems == []


def test_only_an_ended_run_of_the_pipeline_is_reused_and_a_refused_one_leaves_nothing(store: Store, keep: Any) -> None:
    keep(state="running")
    with pytest.raises(ConflictError, match="is running"):
        start(store)
    with pytest.raises(NotFound, match="has no run 'other'"):
        plan_partial(store, "sales", {}, Wish(only="two", reuse="other"))
    with pytest.raises(ConfigurationError, match="node 'one' is read by what is to run"):
        begin_partial(store, plan_partial(store, "sales", {}, Wish(only="two")))
    assert [run.run_id for run in store.runs.page()] == ["first"]
