"""A node with a body, from the document to a run in this process."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.shapes.documents import GREETED, GREETINGS, Json, edge, node

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.checks.ports import columns_at
from airloom.engine.storage import Files
from airloom.plan.build import build_plan
from airloom.plan.plan import Plan
from airloom.runtime.trial import Trial
from airloom.spec.configuration import Configuration

pytestmark = pytest.mark.usefixtures("settings")
Try = Callable[[Json], Trial]


def changed(change: Callable[[Json], object]) -> Json:
    document = copy.deepcopy(GREETINGS)
    change(document)
    return document


def body(document: Json) -> Json:
    found: Json = document["nodes"][2]["body"]
    return found


def test_a_loop_runs_its_body_for_each_item(tried: Try) -> None:
    trial = tried(GREETINGS)
    assert trial.ok, (trial.problems, trial.nodes)
    assert trial.nodes["each"]["outputs"]["value"]["value"] == GREETED
    assert trial.nodes["last"]["outputs"]["value"]["value"] == GREETED[2]


def test_a_loop_in_a_loop_has_items_of_its_own(tried: Try) -> None:
    inner = copy.deepcopy(GREETINGS["nodes"][2])
    inner["body"]["nodes"][0]["config"]["word"] = "{{ loop.index }}:"
    document = {
        "id": "tables",
        "nodes": [
            {"id": "groups", "type": "set", "config": {"value": [["a", "b"], ["c"], []]}},
            {
                "id": "outer",
                "type": "each_item",
                "body": {"nodes": [inner], "edges": [{"from": "loop.item", "to": "each.items"}], "result": "each"},
            },
        ],
        "edges": [{"from": "groups", "to": "outer"}],
    }
    trial = tried(document)
    assert trial.ok, (trial.problems, trial.nodes)
    assert trial.nodes["outer"]["outputs"]["value"]["value"] == [["0: A", "1: B"], ["0: C"], []]


def test_a_fault_in_a_body_names_node_and_item(tried: Try) -> None:
    document = changed(
        lambda found: body(found).update(edges=[edge("loop.item", "shout")], nodes=[node("shout", "shout")])
    )
    document["nodes"][0]["config"]["words"] = ["Ada", " "]
    trial = tried(document)
    error = trial.nodes["each"]["error"]
    assert trial.nodes["each"]["state"] == "failed"
    assert error["node"] == "shout"
    assert "item 1" in error["message"]
    assert "nothing to shout" in error["message"]


def test_a_log_names_each_error_in_a_body_once(tried: Try, caplog: pytest.LogCaptureFixture) -> None:
    nodes = [node("shout", "shout"), node("again", "shout"), {**node("calm", "shout"), "on_error": "continue"}]
    document = changed(
        lambda found: body(found).update(edges=[edge("loop.item", each["id"]) for each in nodes], nodes=nodes)
    )
    document["nodes"][0]["config"]["words"] = ["Ada", " "]
    error = tried(document).nodes["each"]["error"]
    logged = [record.getMessage() for record in caplog.records if "Error: there is" in record.getMessage()]
    told = sorted([error["message"], *logged])
    assert [line.partition(":")[0] for line in told] == [
        f"item 1, node '{each}'" for each in ("again", "calm", "shout")
    ]


PROBLEMS: list[tuple[Callable[[Json], Any], str, str]] = [
    (lambda d: d["nodes"][2].pop("body"), "node.body_missing", "/nodes/2"),
    (lambda d: d["nodes"][3].update(body={"nodes": []}), "node.body", "/nodes/3/body"),
    (lambda d: body(d)["nodes"][0].update(id="title"), "node.duplicate_id", "/nodes/2/body/nodes/0/id"),
    (lambda d: body(d)["nodes"][0].update(id="loop"), "node.reserved_id", "/nodes/2/body/nodes/0/id"),
    (lambda d: body(d)["nodes"][0].update(tpye="x"), "document.unknown_field", "/nodes/2/body/nodes/0/tpye"),
    (lambda d: body(d)["edges"].append({"from": "people", "to": "shout"}), "edge.border", "/nodes/2/body/edges/2/from"),
    (lambda d: d["edges"].append({"from": "greet", "to": "last"}), "edge.border", "/edges/2/from"),
    (lambda d: d["edges"].append({"from": "loop.item", "to": "last"}), "edge.no_loop", "/edges/2/from"),
    (lambda d: body(d)["edges"][0].update({"from": "loop.thing"}), "edge.unknown_port", "/nodes/2/body/edges/0/from"),
    (lambda d: body(d)["nodes"][0].update(retries=2), "node.inside", "/nodes/2/body/nodes/0/retries"),
    (lambda d: body(d).update(result="nothing"), "body.result", "/nodes/2/body/result"),
    (lambda d: body(d).update(result="shout.valeu"), "body.result", "/nodes/2/body/result"),
    (
        lambda d: body(d)["nodes"][0]["config"].update(word="{{ nodes.last.value }}"),
        "expression.not_upstream",
        "/nodes/2/body/nodes/0/config/word",
    ),
    (
        lambda d: d["nodes"][3]["config"].update(value="{{ nodes.shout.value }}"),
        "expression.unknown_node",
        "/nodes/3/config/value",
    ),
    (
        lambda d: d["nodes"][3]["config"].update(value="{{ loop.item }}"),
        "expression.no_loop",
        "/nodes/3/config/value",
    ),
]


@pytest.mark.parametrize(("change", "code", "at"), PROBLEMS)
def test_a_fault_of_a_body_stands_at_its_place(change: Callable[[Json], Any], code: str, at: str) -> None:
    problems = check(changed(change)).problems
    assert (code, at) in [(problem.code, problem.pointer) for problem in problems]


def test_a_plan_with_a_body_survives_json() -> None:
    report = check(GREETINGS)
    assert report.resolved is not None, report.problems
    plan = build_plan(report.resolved)
    assert plan.to_json()["format"] == 2
    assert Plan.from_json(plan.to_json()) == plan
    inner = plan.nodes["each"].body
    assert inner is not None
    assert list(inner.nodes) == ["greet", "shout"]
    assert inner.result == "shout.value"
    assert next(step for step in plan.steps if step.id == "each").kind == "loop"
    # What the body reads by expression comes before it.
    assert next(step for step in plan.steps if step.id == "each").upstream == ("people", "title")


def test_a_body_sees_what_is_around_it_on_airflow_too(settings: Configuration) -> None:
    from airloom.dags.factory import pipeline

    report = check(GREETINGS)
    assert report.resolved is not None
    dag = pipeline(report.document.to_json(), build_plan(report.resolved).to_json())  # type: ignore[union-attr]
    assert sorted(dag.task_ids) == ["each", "last", "people", "title"]
    assert dag.get_task("each").upstream_task_ids == {"people", "title"}


def test_columns_inside_of_a_body_are_known(settings: Configuration) -> None:
    (settings.root / "include" / "data").mkdir(parents=True)
    (settings.root / "include" / "data" / "days.csv").write_text("day,orders\n2026-01-01,3\n")
    document = changed(
        lambda found: body(found).update(
            nodes=[
                node("days", "csv_read", path="include/data/days.csv"),
                node("busy", "filter", where="orders > 2"),
            ],
            edges=[edge("days", "busy")],
            result="busy",
        )
    )
    facts = Facts(files=Files.of(settings))
    columns = {"day": "DATE", "orders": "BIGINT"}
    assert columns_at(document, "busy", "rows", facts) == columns
    assert columns_at(document, "busy", "rows", facts, side="input") == columns
    wrong = copy.deepcopy(document)
    body(wrong)["nodes"][1]["config"]["where"] = "orderss > 2"
    problems = [(problem.pointer, problem.hint) for problem in check(wrong, facts).problems]
    assert problems == [("/nodes/2/body/nodes/1/config/where", "did you mean 'orders'?")]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in inside for place in places(item, (*at, key)))]


JUNK = [None, 0, -1, "", "loop", "loop.item", "inputs.x", "nodes", [], {}, [[]], {"nodes": 1}, {"id": "each"}, "each",
        "each.value", "{{ nodes.each.value }}", "{{ loop.item }}", {"nodes": [{"id": "greet"}]}, True]  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_whatever_stands_in_a_document_is_a_problem_and_no_exception(seed: int) -> None:
    chance = random.Random(seed)
    document: Any = {
        **copy.deepcopy(GREETINGS),
        "inputs": {"x": {"kind": "text", "default": ""}},
        "outputs": {"y": "last"},
        "finally": {"nodes": [node("end", "set", value="{{ run.state }}")], "edges": []},
    }
    for _ in range(chance.randint(1, 4)):
        *path, last = chance.choice(places(document)[1:])
        holder = document
        for key in path:
            holder = holder[key]
        if chance.random() < 0.3:
            del holder[last]
        else:
            holder[last] = copy.deepcopy(chance.choice(JUNK))
    report = check(document)
    assert report.problems or report.resolved is not None
    assert all(problem.message for problem in report.problems)
