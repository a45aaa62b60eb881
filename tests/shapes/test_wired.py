"""Config nodes: what is wired is made once in the step that uses it, and other config nodes may be wired to it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from tests.shapes.documents import Json, edge, node

from airloom.checks.check import check
from airloom.plan.build import build_plan
from airloom.runtime.trial import Trial

pytestmark = pytest.mark.usefixtures("settings")
Try = Callable[[Json], Trial]


def assistant(*edges: Json) -> Json:
    nodes = [
        node("one", "adder"),
        node("ten", "adder", amount="{{ params.amount }}"),
        node("notes", "notebook", to=5),
        node("five", "set", value=5),
        node("ask", "assistant"),
    ]
    return {
        "id": "wired",
        "params": {"amount": {"default": 10}},
        "nodes": nodes,
        "edges": [edge("five", "ask.value"), *edges],
    }


ALL = (edge("one", "ask.tools"), edge("ten", "ask.tools"), edge("ten", "notes.tools"), edge("notes", "ask.memory"))


def test_tools_and_memory_reach_the_node_and_are_made_once(tried: Try, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "airloom"):
        trial = tried(assistant(*ALL))
    assert trial.ok, (trial.problems, trial.nodes)
    assert trial.nodes["ask"]["outputs"]["value"]["value"] == {"tools": {"add_1": 6, "add_10": 15}, "memory": [15]}
    assert [record.getMessage() for record in caplog.records].count("made adder 10") == 1
    assert set(trial.nodes) == {"five", "ask"}


def test_what_is_not_wired_is_none(tried: Try) -> None:
    trial = tried(assistant(ALL[0]))
    assert trial.nodes["ask"]["outputs"]["value"]["value"] == {"tools": {"add_1": 6}, "memory": None}
    assert [problem.code for problem in trial.problems] == ["node.unused", "node.unused"]


def test_a_wire_of_another_kind_is_a_problem() -> None:
    (problem,) = [p for p in check(assistant(*ALL[:3], edge("one", "ask.memory"))).problems if p.severity == "error"]
    assert problem.code == "edge.kind"


def test_a_config_node_stands_in_no_step_and_has_no_error_port() -> None:
    report = check(assistant(*ALL))
    assert report.resolved is not None, report.problems
    plan = build_plan(report.resolved)
    assert [step.nodes for step in plan.steps] == [("five", "ask")]
    assert plan.nodes["ten"].step == ""
    assert plan.nodes["ten"].role == "config"
    (problem,) = [p for p in check(assistant(*ALL, edge("one.error", "ask"))).problems if p.severity == "error"]
    assert problem.code == "edge.unknown_port"


def test_a_fault_while_it_is_made_names_the_config_node(tried: Try) -> None:
    document = assistant(*ALL)
    document["nodes"][1]["config"]["amount"] = "{{ params.amount + [] }}"
    trial = tried(document)
    assert trial.nodes["ask"]["state"] == "failed"
    assert trial.nodes["ask"]["error"]["node"] == "ten"
