"""Which edges can never both fire: those behind different ports of one choosing node, however far behind."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping

from airloom.checks.config import CheckedNode
from airloom.checks.resolved import Wire, topological
from airloom.nodes.ports import ERROR

Ways = dict[str, frozenset[str]]
"""How nodes have to have ended, by node: by one of these ports, or WELL, all of which exclude each other."""
WELL = "well"


class Exclusion:
    """Know what each edge and each node of a scope without circles needs to fire."""

    def __init__(self, nodes: Mapping[str, CheckedNode], wires: Iterable[Wire]) -> None:
        self._nodes = nodes
        self._wires = tuple(wires)

    def exclusive(self, wires: Iterable[Wire]) -> bool:
        """Tell whether at most one of the edges can fire in any run."""
        needs = [self._of_edge(wire, self._ways) for wire in wires]
        return all(_contradict(one, other) for one, other in itertools.combinations(needs, 2))

    def needs_failure(self, name: str, of: str) -> bool:
        """Tell whether a node runs only where another one has failed."""
        return of in self._failing and self._ways.get(name, {}).get(of) == frozenset({ERROR})

    @functools.cached_property
    def _failing(self) -> set[str]:
        """The nodes whose failure an edge follows."""
        return {wire.source for wire in self._wires if wire.output == ERROR}

    @functools.cached_property
    def _ways(self) -> dict[str, Ways]:
        feeding: dict[str, dict[str, list[Wire]]] = {}
        for wire in self._wires:
            feeding.setdefault(wire.target, {}).setdefault(wire.input, []).append(wire)
        found: dict[str, Ways] = {}
        for name in topological(self._nodes, self._wires):
            ports = feeding.get(name, {})
            required = [port.name for port in self._nodes[name].ports.inputs if port.required and port.name in ports]
            # Each required port needs one of its edges; a node without such a port needs one of all.
            groups = [ports[port] for port in required] or [[wire for wires in ports.values() for wire in wires]]
            found[name] = _all_of(
                [_one_of([self._of_edge(wire, found) for wire in group]) for group in groups if group]
            )
        return found

    def _of_edge(self, wire: Wire, ways: Mapping[str, Ways]) -> Ways:
        if wire.source not in self._choosing:
            return ways.get(wire.source, {})
        return {**ways.get(wire.source, {}), wire.source: frozenset({wire.output if self._chosen(wire) else WELL})}

    def _chosen(self, wire: Wire) -> bool:
        return wire.output == ERROR or self._nodes[wire.source].node_class.declaration.role == "choice"

    @functools.cached_property
    def _choosing(self) -> set[str]:
        """The nodes that end in several ways; only these make edges exclude each other."""
        return {wire.source for wire in self._wires if wire.source in self._nodes and self._chosen(wire)}


def _one_of(ways: list[Ways]) -> Ways:
    shared = set(ways[0]).intersection(*ways[1:])
    return {node: frozenset().union(*(found[node] for found in ways)) for node in shared}


def _all_of(ways: list[Ways]) -> Ways:
    needed: Ways = {}
    for found in ways:
        for node, ends in found.items():
            needed[node] = needed[node] & ends if node in needed else ends
    return needed


def _contradict(one: Ways, other: Ways) -> bool:
    return any(node in other and not ends & other[node] for node, ends in one.items())
