"""Do the edges fit? Ends, ports, kinds, arity, cycles; no edge crosses the border of a body."""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError

from airloom.checks.config import CheckedNode
from airloom.checks.dead import warn_of_dead
from airloom.checks.exclusion import Exclusion
from airloom.checks.resolved import Wire, default_input, default_output, topological
from airloom.nodes.kinds import KINDS
from airloom.nodes.ports import ERROR, Each, Port, connects
from airloom.spec.document import IDENTIFIER, Document, Edge, NodeEntry
from airloom.spec.problem import Problem, errors, suggestion
from airloom.spec.scope import Scope, scopes
from airloom.spec.words import with_article


@dataclass
class ScopeGraph:
    """Hold the good edges of a scope with both ports named, and its nodes in topological order.

    The order is empty where there is a cycle, and then `uncircled` is what would be without the edges that lead back.
    `after` names the nodes that come before a node without an edge, for
    expressions in its body read them.
    """

    scope: Scope[NodeEntry, Edge]
    wires: tuple[Wire, ...]
    order: list[str]
    after: dict[str, list[str]] = field(default_factory=dict)
    uncircled: tuple[tuple[Wire, ...], list[str]] = ((), [])


class GraphCheck:
    """Check the edges of one document, scope by scope."""

    def __init__(self, document: Document, nodes: Mapping[str, CheckedNode], problems: list[Problem]) -> None:
        self.document = document
        self.nodes = nodes
        self.problems = problems
        self.homes = {name: scope for scope in scopes(document) for name in scope.ids}

    def check(self) -> list[ScopeGraph]:
        """Return the graph of each scope; a scope whose nodes or edges are not lists has none."""
        return [self._graph(scope) for scope in scopes(self.document) if scope.whole]

    def _graph(self, scope: Scope[NodeEntry, Edge]) -> ScopeGraph:
        inside = {entry.id: self.nodes[entry.id] for _, entry in scope.nodes if entry.id in self.nodes}
        wires: list[tuple[Wire, str]] = []
        broken: set[str] = set()
        seen: set[tuple[str, str]] = set()
        for at, edge in scope.edges:
            wire = self._resolve(edge, at, scope)
            if wire is None:
                broken.add(edge.target)
                continue
            if (f"{wire.source}.{wire.output}", f"{wire.target}.{wire.input}") in seen:
                self.problems.append(
                    Problem("edge.duplicate", "this edge is there twice", pointer=at, hint="remove one")
                )
                continue
            seen.add((f"{wire.source}.{wire.output}", f"{wire.target}.{wire.input}"))
            wires.append((wire, at))
        found = tuple(wire for wire, _ in wires)
        names = [entry.id for _, entry in scope.nodes]
        order, left = _order(names, dict(wires), self.problems)
        feeding: dict[tuple[str, str], list[tuple[Wire, str]]] = {}
        for wire, at in wires:
            feeding.setdefault((wire.target, wire.input), []).append((wire, at))
        _check_missing(inside, feeding, broken, self.problems)
        if order:
            # In a circle, the edge too many is the one back.
            exclusion = Exclusion(inside, found)
            _check_several(inside, feeding, exclusion, scope, self.problems)
            warn_of_dead(inside, wires, exclusion, self.problems)
            return ScopeGraph(scope, found, order)
        return ScopeGraph(scope, found, [], uncircled=(left, topological(names, left)))

    def warn_of_unconnected(self) -> None:
        """Warn of each node that no edge touches and nothing reads, where others have edges."""
        if errors(self.problems):
            return  # an edge that is wrong may be the one that leads there
        bodies = (entry.body for scope in scopes(self.document) for _, entry in scope.nodes)
        ends = [*self.document.outputs.values(), *(body.result for body in bodies if body and body.result)]
        connected = {Edge.split(end)[0] for end in ends} | self._read_by_expressions
        for scope in scopes(self.document):
            touched = {Edge.split(end)[0] for _, edge in scope.edges for end in (edge.source, edge.target)}
            for at, entry in scope.nodes if touched else ():
                node = self.nodes.get(entry.id)
                # A config node that nothing is wired to is told of by itself.
                if node is None or node.node_class.declaration.role == "config":
                    continue
                if entry.id not in connected | touched:
                    self.problems.append(
                        Problem("node.unconnected", f"no edge leads to {entry.id!r} or away from it", "warning",
                                entry.id, at, "it runs by itself; connect it, or remove it")
                    )  # fmt: skip

    @functools.cached_property
    def _read_by_expressions(self) -> set[str]:
        references = (reference for node in self.nodes.values() for reference in node.references)
        return {reference[1] for reference in references if reference[0] == "nodes" and len(reference) > 1}

    def _resolve(self, edge: Edge, at: str, scope: Scope[NodeEntry, Edge]) -> Wire | None:
        source, output = Edge.split(edge.source)
        target, target_port = Edge.split(edge.target)
        missing = False
        if source in ("loop", "inputs"):
            port = self._given(source, output, at + "/from", scope)
        else:
            missing = self._is_missing(source, at + "/from", scope)
            port = None
        missing |= self._is_missing(target, at + "/to", scope)
        if missing or target not in self.nodes or (source not in self.nodes and port is None):
            return None
        if port is None:
            name = _output(self.nodes[source], output, at + "/from", self.problems)
            port = self.nodes[source].ports.output(name) if name else None
        found_input = _input(self.nodes[target], target_port, at + "/to", self.problems)
        if port is None or found_input is None:
            return None
        kind_to = self.nodes[target].ports.input(found_input)
        if kind_to and not connects(port.kind, kind_to.kind):
            self.problems.append(
                Problem(
                    "edge.kind",
                    f"{source}.{port.name} gives {with_article(port.kind)}, "
                    f"{target}.{found_input} takes {with_article(kind_to.kind)}",
                    node=target, pointer=at,
                    hint="put a node between that turns one into the other",
                )
            )  # fmt: skip
            return None
        return Wire(source, port.name, target, found_input)

    def _is_missing(self, node: str, at: str, scope: Scope[NodeEntry, Edge]) -> bool:
        if node in scope.ids:
            return False
        home = self.homes.get(node)
        if home is not None:
            where = (
                f"the body of {home.owner!r}"
                if home.owner
                else home.at.lstrip("/") or "the document, outside of this body"
            )
            self.problems.append(
                Problem(
                    "edge.border", f"{node!r} stands in {where}", pointer=at,
                    hint="no edge crosses the border of a body; read a node outside of it by an expression, "
                    "and a node inside of it by the body's result",
                )
            )  # fmt: skip
            return True
        # An id that cannot be one is told at its node; no edge is to name it.
        known = [name for name in scope.ids if re.fullmatch(IDENTIFIER, name)]
        self.problems.append(
            Problem(
                "edge.unknown_node", f"there is no node {node!r}", pointer=at,
                hint=suggestion(node, known) or (f"nodes: {', '.join(sorted(known)[:20])}" if known else None),
            )
        )  # fmt: skip
        return True

    def _given(self, source: str, name: str | None, at: str, scope: Scope[NodeEntry, Edge]) -> Port | None:
        """Return the port of what is no node: the item of a loop, an input of the pipeline."""
        if source == "loop" and not scope.in_loop:
            self.problems.append(Problem("edge.no_loop", "loop is known only in the body of a loop", pointer=at))
            return None
        known = {port.name: port for port in (LOOP_PORTS if source == "loop" else input_ports(self.document))}
        if source == "inputs" and scope.at:
            self.problems.append(
                Problem("edge.border", "an input is known only outside of bodies", pointer=at,
                        hint="hand it to the node that has the body")
            )  # fmt: skip
        elif name in known:
            return known[name]
        else:
            hint = suggestion(name or "", known) or f"{source} has {', '.join(known) or 'nothing'}"
            self.problems.append(
                Problem("edge.unknown_port", f"{source} has no {name!r}" if name else f"name one of {source}",
                        pointer=at, hint=hint)
            )  # fmt: skip
        return None


LOOP_PORTS = (Port("item", "any"), Port("index", "number"), Port("total", "number"))


def input_ports(document: Document) -> tuple[Port, ...]:
    """Return what is handed to a pipeline, as ports; of any kind where its own is none."""
    return tuple(
        Port(name, found.kind if found.kind in KINDS else "any", required=found.required)
        for name, found in document.inputs.items()
    )


def check_end(
    end: str, code: str, at: str, scope: Scope[NodeEntry, Edge], nodes: Mapping[str, CheckedNode]
) -> tuple[str, Port] | Problem | None:
    """Return the node and port that the text of an end names in a scope, or what is wrong with it.

    None says that what is wrong with the node is told at the node.
    """
    name, port = Edge.split(end)
    if name not in scope.ids:
        hint = suggestion(name, scope.ids) or (f"nodes: {', '.join(sorted(scope.ids)[:20])}" if scope.ids else None)
        return Problem(code, f"there is no node {name!r} here", pointer=at, hint=hint)
    if name not in nodes:
        return None
    faults: list[Problem] = []
    found = _output(nodes[name], port, at, faults)
    if found is None:
        return Problem(code, faults[0].message, "error", name, at, faults[0].hint)
    resolved = nodes[name].ports.output(found)
    return (name, resolved) if resolved else None


def _output(node: CheckedNode, port: str | None, at: str, problems: list[Problem]) -> str | None:
    names = [found.name for found in node.ports.outputs]
    fails = node.node_class.declaration.role != "config" and node.node_class.may_be_handled
    if port is None:
        port = default_output(node.ports)
        if port is None:
            message = "has several ports: name one" if names else "has no output"
            hint = (
                f"ports: {', '.join(names)}"
                if names
                else "only its `error` can be read"
                if fails
                else "its branch ends here"
            )
            problems.append(
                Problem("edge.port", f"{node.entry.id!r} {message}", node=node.entry.id, pointer=at, hint=hint)
            )
        return port
    if port in names or (port == ERROR and fails):
        return port
    known = [*names, ERROR] if fails else names
    hint = suggestion(port, known) or f"ports: {', '.join(known)}"
    problems.append(
        Problem("edge.unknown_port", f"{node.entry.id!r} has no output {port!r}", "error", node.entry.id, at, hint)
    )
    return None


def _input(node: CheckedNode, port: str | None, at: str, problems: list[Problem]) -> str | None:
    names = [found.name for found in node.ports.inputs]
    if port is None:
        port = default_input(node.ports)
        if port is None:
            message = "has several inputs: name one" if names else "takes no input"
            hint = f"inputs: {', '.join(names)}" if names else None
            problems.append(
                Problem("edge.port", f"{node.entry.id!r} {message}", node=node.entry.id, pointer=at, hint=hint)
            )
        return port
    if port in names:
        return port
    hint = suggestion(port, names) or (f"inputs: {', '.join(names)}" if names else "it takes no input")
    for declared in node.node_class.declaration.inputs or ():
        if isinstance(declared, Each):
            hint += f"; to have another one, add it to {declared.field}"
    problems.append(
        Problem("edge.unknown_port", f"{node.entry.id!r} has no input {port!r}", "error", node.entry.id, at, hint)
    )
    return None


def _order(nodes: list[str], wires: Mapping[Wire, str], problems: list[Problem]) -> tuple[list[str], tuple[Wire, ...]]:
    """Return the nodes in order, none where there is a circle, and the edges but for those that lead back."""
    left = dict(wires)
    while True:
        try:
            order = topological(nodes, left)
        except CycleError as error:
            back = _edge_back(error.args[1], left, nodes)
            at = error.args[1].index(back.target)
            circle = [*error.args[1][at:-1], *error.args[1][:at], back.target]
            problems.append(
                Problem(
                    "graph.cycle", f"the edges go in a circle: {' → '.join(circle)}", node=back.target,
                    pointer=left.pop(back), hint=f"take one of these edges out, such as the one from {back.source!r}",
                )
            )  # fmt: skip
        else:
            return (order if len(left) == len(wires) else []), tuple(left)


def _edge_back(circle: Sequence[str], wires: Mapping[Wire, str], nodes: Sequence[str]) -> Wire:
    """Return the edge of a circle that leads back: to an input that has another one, to a node that stands before."""
    steps = set(itertools.pairwise(circle))
    inside = [wire for wire in wires if (wire.source, wire.target) in steps]
    fed = Counter((wire.target, wire.input) for wire in wires)
    place = {node: index for index, node in enumerate(nodes)}
    return max(inside, key=lambda wire: (fed[wire.target, wire.input] > 1, place[wire.source] - place[wire.target]))


def _check_missing(
    nodes: Mapping[str, CheckedNode],
    feeding: Mapping[tuple[str, str], list[tuple[Wire, str]]],
    broken: set[str],
    problems: list[Problem],
) -> None:
    sources = {wire.source for found in feeding.values() for wire, _ in found}
    for name, node in nodes.items():
        known = {port.name for port in node.ports.inputs}
        # A faulty edge was told of; it may be the one that this input needs.
        meant = {port for target, port in map(Edge.split, broken) if target == name}
        for port in node.ports.inputs:
            if port.required and (name, port.name) not in feeding and port.name not in meant and meant <= known:
                problems.append(
                    Problem(
                        "edge.missing", f"the input {port.name!r} of {name!r} needs an edge", "error", name, node.at,
                        hint=f'write an edge such as {{"from": "…", "to": "{name}.{port.name}"}}',
                    )
                )  # fmt: skip
        if node.node_class.declaration.role == "config" and name not in sources:
            problems.append(
                Problem("node.unused", f"{name!r} is wired to nothing", "warning", name, node.at, "wire it to a port")
            )


def _check_several(
    nodes: Mapping[str, CheckedNode],
    feeding: Mapping[tuple[str, str], list[tuple[Wire, str]]],
    exclusion: Exclusion,
    scope: Scope[NodeEntry, Edge],
    problems: list[Problem],
) -> None:
    for name, node in nodes.items():
        for port in node.ports.inputs:
            found = feeding.get((name, port.name), [])
            if len(found) > 1 and not port.many and not exclusion.exclusive(wire for wire, _ in found):
                at, hint = found[1][1], "join them first: tables with concat, values with merge"
                free = [other.name for other in node.ports.inputs if (name, other.name) not in feeding]
                if free:
                    hint += f"; or did you mean the input {free[0]!r}, which has no edge?"
                for wire, place in found:
                    if circle := _circle(wire, scope):
                        at, hint = place, f"this edge makes a circle: {' → '.join(circle)}; take it out"
                problems.append(
                    Problem(
                        "edge.several", f"the input {port.name!r} of {name!r} takes one edge, not {len(found)}",
                        node=name, pointer=at, hint=hint,
                    )
                )  # fmt: skip


def _circle(wire: Wire, scope: Scope[NodeEntry, Edge]) -> list[str]:
    """Return the way from the target of an edge back to it, by edges that are wrong in another way, too."""
    readers: dict[str, list[str]] = {}
    for _, edge in scope.edges:
        readers.setdefault(Edge.split(edge.source)[0], []).append(Edge.split(edge.target)[0])
    ways = {wire.target: [wire.target]}
    waiting = [wire.target]
    while waiting:
        name = waiting.pop(0)
        if name == wire.source:
            return [*ways[name], wire.target]
        for reader in readers.get(name, ()):
            if reader not in ways:
                ways[reader] = [*ways[name], reader]
                waiting.append(reader)
    return []
