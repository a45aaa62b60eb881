"""A step of several exits gives what its nodes give one by one, and each exit leads on by itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from tests.shapes.documents import Json, edge, node

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.dags.outcome import outcome_of
from airloom.engine.storage import Files
from airloom.nodes.context import RunFacts
from airloom.plan.build import build_plan
from airloom.plan.plan import Plan
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.pipeline import run_pipeline
from airloom.runtime.results import NodeResult
from airloom.runtime.step import Workplace
from airloom.runtime.trial import no_connections, node_report
from airloom.spec.configuration import Configuration

ROOT = Path(__file__).parents[2]
DOCUMENT: Json = {
    "id": "exits",
    "nodes": [
        node("orders", "csv_read", path="tests/conformance/data/orders.csv"),
        node("paid", "filter", where="status = 'paid'"),
        node("by_day", "aggregate", by=["day"], measures={"orders": {"op": "count"}}),
        node("first", "limit", rows=2),
        node("tail", "sql", sql="select count(*) as days from rows"),
        node("save", "set", value="{{ nodes.first.rows.rows }}"),
    ],
    "edges": [
        edge("orders", "paid"), edge("paid", "by_day"), edge("paid", "first"), edge("by_day", "tail"),
        edge("first", "save"),
    ],
}  # fmt: skip


@pytest.fixture
def single(settings: Configuration, tmp_path: Path) -> tuple[Plan, Configuration]:
    local = Configuration(root=ROOT, paths=["tests/conformance/data"], data=str(tmp_path / "data"))
    document = {**DOCUMENT, "settings": {"grouping": "none"}}
    report = check(document, Facts(files=Files.of(local)))
    assert report.resolved is not None, report.problems
    return build_plan(report.resolved), local


def together(plan: Plan) -> Plan:
    """Return the plan with its four table nodes in one step, of which two leave it."""
    members = ("orders", "paid", "by_day", "first")
    nodes = {
        name: dataclasses.replace(found, step="table" if name in members else found.step)
        for name, found in plan.nodes.items()
    }
    first = dataclasses.replace(
        plan.step("orders"), id="table", kind="table", nodes=members, exits=("by_day", "first"),
        follow={"by_day.rows": ("tail",), "first.rows": ("save",)},
    )  # fmt: skip
    others = [dataclasses.replace(plan.step(name), upstream=("table",)) for name in ("tail", "save")]
    return dataclasses.replace(plan, nodes=nodes, steps=(first, *others))


def run(plan: Plan, settings: Configuration) -> dict[str, NodeResult]:
    surroundings = LocalSurroundings(RunFacts("exits", "run"), {}, no_connections)
    return dict(run_pipeline(plan, Workplace(DOCUMENT, settings), surroundings))


def shown(results: dict[str, NodeResult], *names: str) -> dict[str, Any]:
    found = {name: node_report(results[name], 100)["outputs"] for name in names}
    for outputs in found.values():
        for output in outputs.values():
            if "sample" in output:
                output["sample"] = sorted(map(str, output["sample"]))
    return found


def test_both_exits_give_what_they_give_alone(single: tuple[Plan, Configuration]) -> None:
    plan, settings = single
    alone, grouped = run(plan, settings), run(together(plan), settings)
    assert {name: result.state for name, result in grouped.items()} == dict.fromkeys(alone, "success")
    names = ("by_day", "tail", "save")
    assert shown(grouped, *names) == shown(alone, *names)
    assert len(node_report(grouped["first"], 10)["outputs"]["rows"]["sample"]) == 2
    assert grouped["paid"].outputs == {}


def test_each_exit_leads_on_by_itself(single: tuple[Plan, Configuration]) -> None:
    plan, _ = single
    step = dataclasses.replace(together(plan).step("table"), chooses=True)
    results = {name: NodeResult("success", fired=["rows"]) for name in ("orders", "paid", "by_day")}
    outcome = outcome_of(step, {**results, "first": NodeResult("skipped")})
    assert (outcome.followed, outcome.skipped) == (["tail"], False)
    assert set(outcome.values) == {"by_day.fired", "table.inner"}
    skipped = {name: NodeResult("skipped") for name in step.nodes}
    assert outcome_of(step, skipped).skipped


def test_a_fault_at_one_exit_is_named(single: tuple[Plan, Configuration]) -> None:
    plan, settings = single
    grouped = together(plan)
    document = {**DOCUMENT, "nodes": [dict(found) for found in DOCUMENT["nodes"]]}
    document["nodes"][2]["config"] = {"by": ["nosuch"], "measures": {"orders": {"op": "count"}}}
    nodes = {name: dataclasses.replace(found, sql={}) for name, found in grouped.nodes.items()}
    surroundings = LocalSurroundings(RunFacts("exits", "run"), {}, no_connections)
    results = dict(run_pipeline(dataclasses.replace(grouped, nodes=nodes), Workplace(document, settings), surroundings))
    assert (results["by_day"].state, results["first"].state) == ("failed", "success")
    assert results["by_day"].error is not None
    assert results["by_day"].error["node"] == "by_day"
