"""What a pipeline takes and gives as a part of another one: read, checked, planned, frozen in the parent's plan."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.shapes.documents import Json, edge, node

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.checks.uses import Use, uses_of
from airloom.nodes.ports import Interface, Port
from airloom.plan.build import build_plan
from airloom.plan.plan import Plan
from airloom.runtime.trial import Trial

pytestmark = pytest.mark.usefixtures("settings")
CHILD: Json = {
    "id": "child",
    "inputs": {"name": {"kind": "text", "default": "Ada"}, "many": {"kind": "list", "default": []}},
    "outputs": {"greeting": "greet", "count": "many.value"},
    "nodes": [node("greet", "greet", word="Hello"), node("many", "set", value="{{ 1 }}")],
    "edges": [edge("inputs.name", "greet"), edge("inputs.many", "many")],
}
INTERFACE = Interface((Port("name", "text", required=False), Port("many", "list", required=True)),
                      (Port("greeting", "text"), Port("count", "any")))  # fmt: skip


def changed(change: Callable[[Json], Any]) -> Json:
    document = copy.deepcopy(CHILD)
    change(document)
    return document


def test_inputs_have_their_defaults_in_a_try(tried: Callable[[Json], Trial]) -> None:
    trial = tried(CHILD)
    assert trial.ok, (trial.problems, trial.nodes)
    assert trial.nodes["greet"]["outputs"]["value"]["value"] == "Hello Ada"


def test_an_input_that_nobody_hands_over_fails_the_node_that_reads_it(tried: Callable[[Json], Trial]) -> None:
    trial = tried(changed(lambda d: d["inputs"]["name"].pop("default")))
    error = trial.nodes["greet"]["error"]
    assert (trial.nodes["greet"]["state"], trial.nodes["many"]["state"]) == ("failed", "success")
    assert error["message"] == "the input 'name' of the pipeline was not handed over"
    assert error["node"] == "greet"


def test_the_interface_stands_in_the_plan() -> None:
    report = check(CHILD)
    assert report.resolved is not None, report.problems
    plan = build_plan(report.resolved)
    assert plan.interface == {
        "inputs": [
            {"name": "name", "kind": "text", "required": False},
            {"name": "many", "kind": "list", "required": False},
        ],
        "outputs": [{"name": "greeting", "kind": "text"}, {"name": "count", "kind": "any"}],
    }
    assert Interface.from_json(plan.interface).to_json() == plan.interface


@pytest.mark.parametrize(
    ("change", "code", "at"),
    [
        (lambda d: d["inputs"]["name"].update(kind="txet"), "inputs.kind", "/inputs/name/kind"),
        (lambda d: d["inputs"]["name"].update(kind="tool"), "inputs.kind", "/inputs/name/kind"),
        (lambda d: d["inputs"]["name"].update(defualt=1), "document.unknown_field", "/inputs/name/defualt"),
        (lambda d: d["edges"][0].update({"from": "inputs.nmae"}), "edge.unknown_port", "/edges/0/from"),
        (lambda d: d["edges"][0].update({"from": "inputs"}), "edge.unknown_port", "/edges/0/from"),
        (lambda d: d["edges"][0].update({"from": "inputs.many"}), "edge.kind", "/edges/0"),
        (lambda d: d["outputs"].update(greeting="gret"), "document.output", "/outputs/greeting"),
        (lambda d: d["outputs"].update(greeting="greet.rows"), "document.output", "/outputs/greeting"),
        (
            lambda d: d.update({"finally": {"nodes": [{**node("x", "set", value=1), "timeout": "5s"}]}}),
            "node.inside",
            "/finally/nodes/0/timeout",
        ),
    ],
)
def test_a_fault_stands_at_its_place(change: Callable[[Json], Any], code: str, at: str) -> None:
    if code == "edge.kind":
        document = changed(lambda d: d["inputs"].update(many={"kind": "table", "default": None}))
        change(document)
    else:
        document = changed(change)
    assert (code, at) in [(problem.code, problem.pointer) for problem in check(document).problems]


def test_a_schedule_needs_defaults_of_inputs() -> None:
    document = changed(lambda d: d["inputs"]["name"].pop("default"))
    assert check(document).correct
    document["schedule"] = {"cron": "@daily"}
    assert [problem.code for problem in check(document).problems] == ["inputs.default"]


def parent(*edges: Json) -> Json:
    nodes = [node("names", "words", words=["Ada"]), node("call", "call_pipeline", pipeline="child"),
             node("last", "greet", word="So")]  # fmt: skip
    return {"id": "parent", "nodes": nodes, "edges": list(edges)}


PARENT = parent(edge("names", "call.many"), edge("call.greeting", "last"))
FACTS = Facts(interface=lambda pipeline: INTERFACE if pipeline == "child" else None)


def test_a_parent_has_the_ports_of_its_child_and_freezes_them() -> None:
    report = check(PARENT, FACTS)
    assert report.resolved is not None, report.problems
    plan = build_plan(report.resolved)
    assert plan.interfaces == {"child": INTERFACE.to_json()}
    assert [port.name for port in plan.nodes["call"].inputs] == ["name", "many"]
    assert [port.name for port in plan.nodes["call"].outputs] == ["greeting", "count"]
    assert Plan.from_json(plan.to_json()) == plan
    assert Use("call", "pipeline", "child") in uses_of(report.resolved)


def test_a_parent_learns_what_does_not_fit_its_child() -> None:
    problems = check(parent(edge("names", "call.mny"), edge("call.greeting", "last")), FACTS).problems
    assert {(problem.code, problem.hint) for problem in problems} >= {("edge.unknown_port", "did you mean 'many'?")}


def test_what_stands_in_bodies_is_used_too() -> None:
    document = {
        "id": "outer",
        "nodes": [
            node("names", "words", words=["Ada"]),
            {"id": "each", "type": "each_item", "body": {"nodes": [node("greet", "greet", word="Hi")],
             "edges": [edge("loop.item", "greet")], "result": "greet"}},
        ],
        "edges": [edge("names", "each")],
    }  # fmt: skip
    report = check(document)
    assert report.resolved is not None, report.problems
    assert uses_of(report.resolved) == [Use(name, "type", kind) for name, kind in
                                        (("names", "words"), ("each", "each_item"), ("greet", "greet"))]  # fmt: skip
