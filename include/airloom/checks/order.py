"""Is a sort lost before it reaches a sink? A table has no order, except after `sort` through nodes that keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airloom.checks.config import CheckedNode
from airloom.checks.resolved import Wire
from airloom.spec.problem import Problem


def check_order(nodes: Mapping[str, CheckedNode], wires: Sequence[Wire], problems: list[Problem]) -> None:
    """Warn at each node that takes sorted rows, does not keep them so, and leads to a sink.

    A sort that `limit` has made use of is not lost: which rows there are is what it was for.
    """
    readers: dict[str, list[str]] = {}
    for wire in wires:
        readers.setdefault(wire.source, []).append(wire.target)
    for name, node in nodes.items():
        if node.node_class.declaration.order != "gives":
            continue
        for loser in _losers(name, nodes, readers):
            if _leads_to_sink(loser, nodes, readers):
                problems.append(
                    Problem(
                        "order.lost",
                        f"the order that {name!r} gives is lost in {loser!r}",
                        "warning",
                        loser,
                        nodes[loser].at,
                        f"sort after {loser!r}, or leave {name!r} out",
                    )
                )


def _losers(start: str, nodes: Mapping[str, CheckedNode], readers: Mapping[str, list[str]]) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()
    waiting = list(readers.get(start, ()))
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        node_class = nodes[name].node_class
        if node_class.declaration.order == "keeps":
            waiting += readers.get(name, ())
        elif node_class.method == "query" and node_class.declaration.order is None:
            found.append(name)
    return found


def _leads_to_sink(start: str, nodes: Mapping[str, CheckedNode], readers: Mapping[str, list[str]]) -> bool:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen or (name != start and nodes[name].node_class.declaration.order == "gives"):
            continue
        seen.add(name)
        if nodes[name].node_class.declaration.effect == "write":
            return True
        waiting += readers.get(name, ())
    return False
