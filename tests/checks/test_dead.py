"""What can never run is told at save, with its node and its edge; what may run is not."""

from __future__ import annotations

from typing import Any

import pytest
from tests.checks.test_exclusion import SWITCH

from airloom.checks.check import check

Told = list[tuple[str, str | None, str]]


def told(nodes: list[dict[str, Any]], edges: list[str]) -> Told:
    ends = [edge.split(">") for edge in edges]
    document = {"id": "dead", "nodes": nodes, "edges": [{"from": a, "to": b} for a, b in ends]}
    problems = check(document).problems
    assert not [str(problem) for problem in problems if problem.severity == "error"]
    return [(found.code, found.node, found.pointer) for found in problems if found.code != "node.unconnected"]


def message(nodes: list[dict[str, Any]], edges: list[str]) -> str:
    ends = [edge.split(">") for edge in edges]
    document = {"id": "dead", "nodes": nodes, "edges": [{"from": a, "to": b} for a, b in ends]}
    (problem,) = check(document).problems
    return problem.message


def node(name: str, kind: str, **config: Any) -> dict[str, Any]:
    return {"id": name, "type": kind, **({"config": config} if config else {})}


def values(*names: str) -> list[dict[str, Any]]:
    return [node(name, "set", value=1) for name in names]


ORDERS = [node("left", "csv_read", path="tests/conformance/data/orders.csv"), node("s", "switch", **SWITCH)]
JOIN = node("j", "join", on=["id"])


def test_a_node_that_needs_two_ports_of_one_switch_never_runs() -> None:
    nodes, edges = [*ORDERS, JOIN], ["left>s", "s.a>j.left", "s.b>j.right"]
    assert told(nodes, edges) == [("node.never_runs", "j", "/edges/2")]
    assert message(nodes, edges) == "'j' never runs: it needs s.a and s.b, and never both of them fire"


def test_it_is_told_of_the_first_node_alone_also_behind_others() -> None:
    middle = [node(name, "limit", rows=1) for name in ("x", "y", "z")]
    edges = ["left>s", "s.a>x", "s.b>y", "x>j.left", "y>j.right", "j>z"]
    assert told([*ORDERS, JOIN, *middle], edges) == [("node.never_runs", "j", "/edges/4")]


def test_an_error_and_a_value_of_one_node_are_never_there_together() -> None:
    start = [node("v", "set", value=[{"id": 1}]), node("r", "list_to_rows"), node("e", "list_to_rows", path="hint")]
    assert told([*start, JOIN], ["v>r", "v.error>e", "r>j.left", "e>j.right"]) == [("node.never_runs", "j", "/edges/3")]


@pytest.mark.parametrize(
    "edges",
    [
        ["left>s", "s.a>j.left", "left>j.right"],
        ["left>s", "left>s2", "s.a>j.left", "s2.b>j.right"],
        ["left>s", "s.a>x", "s.a>y", "x>j.left", "y>j.right"],
        ["left>s", "s.a>x", "s.b>x", "x>j.left", "s.b>j.right"],
    ],
)
def test_what_may_run_is_not_told(edges: list[str]) -> None:
    used = {end.partition(".")[0] for edge in edges for end in edge.split(">")}
    more = [node("s2", "switch", **SWITCH), node("x", "limit", rows=1), node("y", "limit", rows=1)]
    assert told([*ORDERS, JOIN, *(found for found in more if found["id"] in used)], edges) == []


def switch(*rules: tuple[str, str, Any], fallback: bool = False) -> dict[str, Any]:
    named = [
        {"id": f"r{at}", "field": field, "operator": operator, "value": value}
        for at, (field, operator, value) in enumerate(rules)
    ]
    return node("s", "switch", rules=named, fallback=fallback)


@pytest.mark.parametrize(
    ("found", "pointers"),
    [
        (switch(("n", "gt", 0), ("n", "gt", 100)), ["rules/1"]),
        (switch(("n", "gt", 100), ("n", "gt", 0)), []),
        (switch(("k", "equals", "a"), ("k", "equals", "b"), ("k", "equals", "a")), ["rules/2"]),
        (
            switch(("k", "exists", ""), ("k", "does_not_exist", ""), ("n", "gt", 1), fallback=True),
            ["rules/2", "fallback"],
        ),
        (switch(("k", "exists", ""), ("n", "does_not_exist", ""), fallback=True), []),
        (switch(("n", "gt", 0), ("n", "gt", "{{ params.least }}")), []),
        (node("s", "check"), ["rules"]),
        (node("s", "check", rules=[{"field": "a", "operator": "exists"}]), []),
        (
            node("s", "check", rules=[{"operator": "is_true"}, {"operator": "exists"}, {"operator": "is_false"}]),
            ["rules/2"],
        ),
        (node("s", "route", by="a", routes=["a", "b"]), ["by", "by"]),
        (node("s", "route", by=None, routes=["a"]), ["by"]),
        (node("s", "route", by="{{ nodes.v.value }}", routes=["a", "b"]), []),
        (node("s", "route", field="a", routes=["a", "b"]), []),
    ],
)
def test_a_port_that_no_value_reaches_is_told_at_its_field(found: dict[str, Any], pointers: list[str]) -> None:
    document = {
        "id": "dead",
        "params": {"least": {"type": "integer", "default": 1}},
        "nodes": [*values("v"), found],
        "edges": [{"from": "v", "to": "s"}],
    }
    problems = check(document).problems
    assert {problem.code for problem in problems} <= {"port.never_fires"}
    assert sorted(problem.pointer for problem in problems) == sorted(f"/nodes/1/config/{at}" for at in pointers)
    assert {problem.severity for problem in problems} <= {"warning"}


def test_the_message_names_node_port_reason_and_what_stands_behind() -> None:
    nodes = [*values("v", "x"), switch(("n", "gt", 0), ("n", "gt", 100))]
    assert message(nodes, ["v>s", "s.r1>x"]) == (
        "'s' never fires 'r1': wherever it holds, 'r0' before it does; 'x' is never reached by it"
    )
