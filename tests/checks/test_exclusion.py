"""Several edges into one input: allowed where no two of them can fire in one run, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from airloom.checks.check import check

CHECK = {"rules": [{"operator": "exists"}]}
SWITCH = {"rules": [{"id": "a", "value": 1}, {"id": "b", "value": 2}], "fallback": True}


def several(*edges: str, types: str = "") -> bool:
    """Tell whether a document of switches `s…`, values `v…`, pairs `p…` and merges `m…` has edges too many."""
    pairs = [edge.split(">") for edge in edges]
    names = dict.fromkeys(end.partition(".")[0] for pair in pairs for end in pair)
    kinds = {"s": ("switch", SWITCH), "c": ("check", CHECK), "v": ("set", {"value": 1}), "m": ("merge", {})}
    nodes: list[dict[str, Any]] = [
        {"id": name, "type": kinds[name[0]][0], "config": kinds[name[0]][1]} for name in names
    ]
    document = {"id": "several", "nodes": nodes, "edges": [{"from": a, "to": b} for a, b in pairs]}
    codes = {problem.code for problem in check(document).problems if problem.severity == "error"}
    assert codes <= {"edge.several"}, codes
    return bool(codes)


@pytest.mark.parametrize(
    "edges",
    [
        ["v>s", "s.a>v1", "s.b>v1"],
        ["v>s", "s.a>v1", "s.b>v2", "v1>v3", "v2>v3"],
        ["v>s", "s.a>v1", "v1>v4", "s.b>v2", "v2>v3", "v4>v3", "s.fallback>v3"],
        ["v>s", "s.a>s1", "s1.a>v1", "s1.b>v1", "s.b>v1"],
        ["v>s", "s.a>s1", "s1.a>v1", "s.b>s2", "s2.a>v1"],
        ["v>v1", "v.error>v1"],
        ["v>v1", "v.error>v2", "v1>v3", "v2>v3"],
        ["v>s", "s.a>v1", "s.error>v1"],
        ["v>s", "s.a>m", "s.b>v9", "m>v1", "v9>v1"],
        ["v>s", "s.a>v1", "s.b>v2", "v1>m", "v2>m", "s.fallback>v3", "m>v4", "v3>v4"],
        ["v>c", "c.pass>v1", "c.fail>v1", "c.error>v1"],
        ["v>c", "c.pass>s", "s.a>v1", "s.b>v2", "c.fail>v3", "v1>v4", "v2>v4", "v3>v4"],
        ["v>v1", "v1>v2", "v1.error>v3", "v.error>v4", "v2>v5", "v3>v5", "v4>v5"],
        # What is behind s.b never meets what needs s.a, whatever c does there.
        ["v>s", "s.a>c", "c.pass>m", "s.b>m", "c.fail>v2", "m>v1", "v2>v1"],
        ["v>s", "v>c", "s.a>m1", "c.pass>m1", "s.a>m", "m1>v9", "v9>m", "s.b>v1", "v1>v2", "s.fallback>v2"],
    ],
)
def test_edges_that_never_both_fire_lead_into_one_input(edges: list[str]) -> None:
    assert not several(*edges)


@pytest.mark.parametrize(
    "edges",
    [
        ["v>v2", "v1>v2"],
        ["v>s", "s.a>v1", "v>v1"],
        ["v>s", "v>s1", "s.a>v1", "s1.b>v1"],
        ["v>s", "s.a>v1", "s.a>v2", "v1>v3", "v2>v3"],
        ["v>s", "s.a>m", "v1>m", "s.b>v2", "m>v2"],
        ["v>s", "s.a>v1", "s.b>v2", "v>v3", "v1>v4", "v2>v4", "v3>v4"],
        ["v>c", "v>s", "c.pass>v1", "s.a>v1"],
        ["v>s", "s.a>c", "c.pass>m", "s.b>m", "s.b>v2", "m>v1", "v2>v1"],
        ["v>v1", "v1.error>v2", "v>v2"],
    ],
)
def test_edges_that_may_both_fire_do_not(edges: list[str]) -> None:
    assert several(*edges)


def test_a_choosing_node_that_fails_and_goes_on_fires_all_its_ports() -> None:
    def codes(**more: Any) -> set[str]:
        nodes = [{"id": "v", "type": "set", "config": {"value": 1}}, {"id": "x", "type": "set", "config": {"value": 2}}]
        choice = {"id": "s", "type": "switch", "config": SWITCH, **more}
        edges = [{"from": "v", "to": "s"}, {"from": "s.a", "to": "x"}, {"from": "s.b", "to": "x"}]
        document = {"id": "several", "nodes": [*nodes, choice], "edges": edges}
        return {problem.code for problem in check(document).problems}

    assert codes() == set()
    assert codes(on_error="continue") == {"edge.several"}


def test_many_switches_side_by_side_are_weighed_in_bounded_time() -> None:
    # Each pair of ways meets again: 2 ** 12 ways, of which only what they share is kept.
    edges = [
        edge for at in range(12) for edge in (f"v>s{at}", f"s{at}.a>m{at}", f"s{at}.b>v{at}", f"m{at}>m", f"v{at}>m")
    ]
    assert not several(*edges, "m>v99")
