"""Several edges into one input: allowed where no two of them can fire in one run, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from airloom.checks.check import check

SWITCH = {"rules": [{"id": "a", "value": 1}, {"id": "b", "value": 2}], "fallback": True}


def several(*edges: str, types: str = "") -> bool:
    """Tell whether a document of switches `s…`, values `v…`, pairs `p…` and merges `m…` has edges too many."""
    pairs = [edge.split(">") for edge in edges]
    names = dict.fromkeys(end.partition(".")[0] for pair in pairs for end in pair)
    kinds = {"s": ("switch", SWITCH), "v": ("set", {"value": 1}), "m": ("merge", {})}
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
    ],
)
def test_edges_that_may_both_fire_do_not(edges: list[str]) -> None:
    assert several(*edges)
