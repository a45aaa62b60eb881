"""The plan: grouping changes speed, never meaning; Airflow's tasks obey the one rule; the same plan, byte for byte."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airloom.checks.resolved import Resolved
from airloom.plan.build import build_plan
from airloom.plan.plan import Plan
from airloom.spec.document import Document

spec = importlib.util.spec_from_file_location("plan_graphs", Path(__file__).with_name("graphs.py"))
assert spec
assert spec.loader
graphs = importlib.util.module_from_spec(spec)
sys.modules["plan_graphs"] = graphs
spec.loader.exec_module(graphs)


def grouped(resolved: Resolved, grouping: str) -> Plan:
    document = resolved.document.model_copy(
        update={"settings": resolved.document.settings.model_copy(update={"grouping": grouping})}
    )
    return build_plan(dataclasses.replace(resolved, document=document))


def fates(plan: Plan, data: st.DataObject) -> dict[str, str]:
    return {
        name: data.draw(st.sampled_from(["a", "b", "ok", "fail"] if node.role == "choice" else ["ok", "ok", "fail"]))
        for name, node in plan.nodes.items()
    }


@given(graphs.pipelines(), st.data())
@settings(max_examples=1500, deadline=None)
def test_airflow_ends_every_node_as_the_rule_says_grouped_or_not(resolved: Resolved, data: st.DataObject) -> None:
    single, together = grouped(resolved, "none"), grouped(resolved, "auto")
    chosen = fates(single, data)
    expected = graphs.by_the_rule(single, chosen)
    assert graphs.by_airflow(single, chosen) == expected
    assert graphs.by_airflow(together, chosen) == expected


@given(graphs.pipelines())
@settings(max_examples=300, deadline=None)
def test_a_plan_is_deterministic_and_survives_json(resolved: Resolved) -> None:
    plan = build_plan(resolved)
    text = json.dumps(plan.to_json())
    assert json.dumps(build_plan(resolved).to_json()) == text
    assert Plan.from_json(json.loads(text)) == plan


@given(graphs.pipelines())
@settings(max_examples=300, deadline=None)
def test_every_node_stands_in_one_step_and_one_port_leads_on(resolved: Resolved) -> None:
    plan = build_plan(resolved)
    placed = [node for step in plan.steps for node in step.nodes]
    assert sorted(placed) == sorted(plan.nodes)
    for step in plan.steps:
        assert {source.partition(".")[0] for source in step.follow} <= set(step.exits)
        known = {other.id for other in plan.steps} | {gate.id for gate in plan.gates}
        assert set(step.upstream) <= known


def document(nodes: list[tuple[str, type]], edges: list[str]) -> Resolved:
    """Build a pipeline from `a>b.port` texts."""
    from airloom.checks.resolved import ResolvedNode, Wire, default_input, default_output
    from airloom.nodes.sdk import ports_of

    made = Document.model_validate({"id": "x", "nodes": [{"id": name, "type": "t"} for name, _ in nodes]})
    found = {name: ResolvedNode(made.node(name), kind, ports_of(kind, {"ports": ["a", "b"]})) for name, kind in nodes}
    wires = []
    for edge in edges:
        source, target = edge.split(">")
        node, _, port = source.partition(".")
        reader, _, reader_port = target.partition(".")
        wires.append(
            Wire(node, port or default_output(found[node].ports) or "", reader,
                 reader_port or default_input(found[reader].ports) or "")
        )  # fmt: skip
    return Resolved(made, found, tuple(wires))


def steps(resolved: Resolved) -> list[tuple[str, ...]]:
    return [step.nodes for step in build_plan(resolved).steps]


def test_a_chain_from_file_to_file_is_one_step() -> None:
    found = document(
        [("read", graphs.Files1), ("keep", graphs.One), ("sum", graphs.One), ("write", graphs.Copy1)],
        ["read>keep", "keep>sum", "sum>write"],
    )
    assert steps(found) == [("read", "keep", "sum", "write")]


def test_a_diamond_is_one_step_and_a_fork_is_not() -> None:
    diamond = document(
        [("read", graphs.Files1), ("left", graphs.One), ("right", graphs.One), ("join", graphs.Two)],
        ["read>left", "read>right", "left>join.left", "right>join.right"],
    )
    assert steps(diamond) == [("read", "left", "right", "join")]
    fork = document([("read", graphs.Files1), ("left", graphs.One), ("right", graphs.One)], ["read>left", "read>right"])
    assert steps(fork) == [("read",), ("left",), ("right",)]


def test_what_two_other_tasks_feed_is_grouped_only_below_both() -> None:
    found = document(
        [("a", graphs.Read1), ("b", graphs.Read1), ("fa", graphs.One), ("fb", graphs.One), ("join", graphs.Two),
         ("sum", graphs.One)],
        ["a>fa", "b>fb", "fa>join.left", "fb>join.right", "join>sum"],
    )  # fmt: skip
    assert steps(found) == [("a",), ("b",), ("fa",), ("fb",), ("join", "sum")]


def test_a_gate_stands_only_where_a_target_has_another_task_before_it() -> None:
    found = document(
        [("read", graphs.Read1), ("other", graphs.Read1), ("pick", graphs.Choose), ("x", graphs.Many),
         ("y", graphs.Many)],
        ["read>pick", "pick.a>x", "pick.b>x", "pick.b>y", "other>y"],
    )  # fmt: skip
    plan = build_plan(found)
    assert [gate.id for gate in plan.gates] == ["pick--b"]
    assert plan.step("y").upstream == ("pick--b", "other")
    assert plan.step("x").upstream == ("pick",)
    assert [(label.source, label.target, label.label) for label in plan.labels] == [("pick", "x", "a | b")]
    assert plan.step("pick").follow == {"pick.a": ("x",), "pick.b": ("x", "pick--b")}


def test_a_plan_of_a_newer_release_is_refused() -> None:
    with pytest.raises(ValueError, match="upgrade Airloom"):
        Plan.from_json({"format": 99})
