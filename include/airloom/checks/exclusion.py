"""Which edges can never both fire, and which nodes never run: what the choices of nodes before them decide."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence

from airloom.checks.config import CheckedNode
from airloom.checks.resolved import Wire, topological
from airloom.nodes.ports import ERROR

Way = Mapping[str, frozenset[str]]
"""How nodes have to have ended, by node: by one of these ports, or WELL, all of which exclude each other."""
Ways = tuple[Way, ...]
"""The ways to come to a node or an edge: one of them is enough, and without any it is never reached."""
WELL = "well"
ANYHOW: Ways = ({},)
MOST = 16
"""Ways that are kept apart; of more, only what they have in common is known."""


class Exclusion:
    """Know what each edge and each node of a scope without circles needs to fire."""

    def __init__(self, nodes: Mapping[str, CheckedNode], wires: Iterable[Wire]) -> None:
        self._nodes = nodes
        self._wires = tuple(wires)

    def exclusive(self, wires: Iterable[Wire]) -> bool:
        """Tell whether at most one of the edges can fire in any run."""
        ways = [self._of_edge(wire, self._ways) for wire in wires]
        return not any(_both(one, other) for one, other in itertools.combinations(ways, 2))

    def needs_failure(self, name: str, of: str) -> bool:
        """Tell whether a node runs only where another one has failed."""
        ways = self._ways.get(name, ()) if of in self._failing else ()
        return bool(ways) and all(way.get(of) == frozenset({ERROR}) for way in ways)

    def contradictions(self) -> dict[str, tuple[Wire, Wire]]:
        """Return the nodes that never run though each of their edges may fire, with two edges that never both do."""
        found: dict[str, tuple[Wire, Wire]] = {}
        for name, ways in self._ways.items() if self._choosing else ():
            groups = self._groups(name)
            reached = [_one_of([self._of_edge(wire, self._ways) for wire in group]) for group in groups]
            if ways or not all(reached):
                continue  # it runs, or what stands before it never does
            pairs = itertools.combinations(range(len(groups)), 2)
            clash = next((pair for pair in pairs if not _both(reached[pair[0]], reached[pair[1]])), None)
            if clash is not None:
                found[name] = (groups[clash[0]][0], groups[clash[1]][0])
        return found

    @functools.cached_property
    def _failing(self) -> set[str]:
        """The nodes whose failure an edge follows."""
        return {wire.source for wire in self._wires if wire.output == ERROR}

    @functools.cached_property
    def _feeding(self) -> dict[str, dict[str, list[Wire]]]:
        feeding: dict[str, dict[str, list[Wire]]] = {}
        for wire in self._wires:
            feeding.setdefault(wire.target, {}).setdefault(wire.input, []).append(wire)
        return feeding

    def _groups(self, name: str) -> list[list[Wire]]:
        """Return the edges of a node in groups, of each of which one has to fire."""
        ports = self._feeding.get(name, {})
        required = [port.name for port in self._nodes[name].ports.inputs if port.required and port.name in ports]
        # Each required port needs one of its edges; a node without such a port needs one of all.
        groups = [ports[port] for port in required] or [[wire for wires in ports.values() for wire in wires]]
        return [group for group in groups if group]

    @functools.cached_property
    def _ways(self) -> dict[str, Ways]:
        found: dict[str, Ways] = {}
        for name in topological(self._nodes, self._wires):
            groups = self._groups(name)
            found[name] = _all_of([_one_of([self._of_edge(wire, found) for wire in group]) for group in groups])
        return found

    def _of_edge(self, wire: Wire, ways: Mapping[str, Ways]) -> Ways:
        before = ways.get(wire.source, ANYHOW)
        if wire.source not in self._choosing:
            return before
        ends = frozenset({wire.output if self._chosen(wire) else WELL})
        return tuple({**way, wire.source: ends} for way in before)

    def _chosen(self, wire: Wire) -> bool:
        return wire.output == ERROR or self._chooses(wire.source)

    def _chooses(self, name: str) -> bool:
        node = self._nodes[name]
        # By `on_error: continue` it fires all its ports where it fails, unless an edge follows that.
        fires_all = node.entry.on_error == "continue" and name not in self._failing
        return node.node_class.declaration.role == "choice" and not fires_all

    @functools.cached_property
    def _choosing(self) -> set[str]:
        """The nodes that end in several ways; only these make edges exclude each other."""
        return {wire.source for wire in self._wires if wire.source in self._nodes and self._chosen(wire)}


def _one_of(choices: Sequence[Ways]) -> Ways:
    return _apart([way for ways in choices for way in ways])


def _all_of(needs: Sequence[Ways]) -> Ways:
    found: Ways = ANYHOW
    for ways in needs:
        met = (_met(one, other) for one in found for other in ways)
        found = _apart([way for way in met if way is not None])
    return found


def _both(one: Ways, other: Ways) -> bool:
    return any(_met(first, second) is not None for first in one for second in other)


def _met(one: Way, other: Way) -> Way | None:
    """Return what both ways need, or None where they exclude each other."""
    needed = dict(one)
    for node, ends in other.items():
        needed[node] = needed[node] & ends if node in needed else ends
        if not needed[node]:
            return None
    return needed


def _apart(ways: list[Way]) -> Ways:
    """Return ways without those that another one covers, and those that differ in one node alone as one."""
    kept: list[Way] = []
    for way in sorted(ways, key=len):
        if any(all(node in way and way[node] <= ends for node, ends in other.items()) for other in kept):
            continue
        for at, other in enumerate(kept):
            differing = [node for node, ends in way.items() if other.get(node) != ends]
            if other.keys() == way.keys() and len(differing) == 1:
                kept[at] = {**way, differing[0]: way[differing[0]] | other[differing[0]]}
                break
        else:
            kept.append(way)
    return tuple(kept) if len(kept) <= MOST else (_shared(kept),)


def _shared(ways: Sequence[Way]) -> Way:
    """Return what all ways need, be it by other ports."""
    nodes = set(ways[0]).intersection(*ways[1:])
    return {node: frozenset().union(*(way[node] for way in ways)) for node in nodes}
