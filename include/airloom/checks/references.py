"""Do expressions read what comes before them? Across the borders of bodies, too."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from graphlib import CycleError

from airloom.checks.config import CheckedNode
from airloom.checks.exclusion import Exclusion
from airloom.checks.graph import ScopeGraph
from airloom.checks.resolved import topological
from airloom.nodes.ports import ERROR, TABLE_FIELDS
from airloom.spec.document import Document, Edge, NodeEntry
from airloom.spec.problem import Problem, suggestion
from airloom.spec.scope import Scope, scopes


class ReferenceCheck:
    """Check what the expressions of one document read of nodes.

    A body may read what comes before the node that it stands in, a config node what comes before the nodes that it is
    wired to: that counts as order, and goes into `after` of the graph of that node's scope. `finally` may read every
    node outside of bodies.
    """

    def __init__(
        self,
        document: Document,
        graphs: list[ScopeGraph],
        nodes: Mapping[str, CheckedNode],
        problems: list[Problem],
    ) -> None:
        self.document = document
        self.graphs = {graph.scope.at: graph for graph in graphs}
        self.nodes = nodes
        self.problems = problems
        self.homes = {name: scope for scope in scopes(document) for name in scope.ids}

    def check(self) -> None:
        """Check every expression in a scope that has an order, and bring the orders up to date."""
        for graph in self.graphs.values():
            for _, entry in graph.scope.nodes if graph.order else ():
                if entry.id in self.nodes:
                    self._check_node(entry.id, graph.scope)
        for graph in self.graphs.values():
            if graph.after:
                self._order_anew(graph)

    def _check_node(self, name: str, scope: Scope[NodeEntry, Edge]) -> None:
        for reference, at in sorted(self.nodes[name].references.items()):
            if reference[0] != "nodes" or len(reference) < 2:
                continue
            if reference[1] in self.homes and reference[1] not in self.nodes:
                continue  # what is wrong with that node is told there
            problem = self._problem(reference, name, scope)
            if problem:
                self.problems.append(problem.at(at, name))

    def _problem(self, reference: tuple[str, ...], name: str, scope: Scope[NodeEntry, Edge]) -> Problem | None:
        other = reference[1]
        if other not in self.nodes:
            earlier = [known for known in self.nodes if known in self._above(scope)(name)]
            listed = f"nodes before this one: {', '.join(earlier[:20])}" if earlier else None
            return Problem(
                "expression.unknown_node", f"an expression names node {other!r}, which is not there",
                hint=suggestion(other, self.nodes) or listed,
            )  # fmt: skip
        home = self.homes[other]
        reader: str | None = name
        place: Scope[NodeEntry, Edge] | None = scope
        while place is not None and place.at != home.at:
            reader, place = place.owner, place.outer
        if place is None and scope.at == "/finally" and not home.at:
            return self._port_problem(reference)  # it runs when all others have ended
        if place is None or reader is None:
            return Problem(
                "expression.unknown_node", f"an expression names node {other!r}, which stands inside of another node",
                hint="only the result of a body can be read outside of it",
            )  # fmt: skip
        if place.at not in self.graphs or reader not in self.nodes:
            return None  # what is wrong there is told, and nothing is known of what comes before what
        for user in self._users(reader, self.graphs[place.at]):
            problem = _order_problem(other, name, user, self._above(place))
            if problem is not None:
                return problem
            if len(reference) > 2 and reference[2] in self._outputs(other) and self._needs_failure(user, other, place):
                return Problem(
                    "expression.never",
                    f"{user!r} runs only after {other!r} has failed, and then there is no {reference[2]!r}",
                    hint=f"read nodes.{other}.{ERROR}",
                )
            if user != name:
                after = self.graphs[place.at].after.setdefault(user, [])
                if other not in after:
                    after.append(other)
        return self._port_problem(reference)

    def _users(self, name: str, graph: ScopeGraph) -> list[str]:
        """Return the nodes in whose tasks a node is at work: itself, or those that a config node is wired to."""
        if self.nodes[name].node_class.declaration.role != "config":
            return [name]
        targets = [wire.target for wire in graph.wires if wire.source == name]
        return [user for target in dict.fromkeys(targets) for user in self._users(target, graph)]

    def _above(self, scope: Scope[NodeEntry, Edge]) -> Callable[[str], set[str]]:
        if scope.at not in self._memory:
            self._memory[scope.at] = _nodes_above(scope)
        return self._memory[scope.at]

    @functools.cached_property
    def _memory(self) -> dict[str, Callable[[str], set[str]]]:
        return {}

    def _needs_failure(self, name: str, other: str, scope: Scope[NodeEntry, Edge]) -> bool:
        if scope.at not in self._exclusions:
            inside = {entry.id: self.nodes[entry.id] for _, entry in scope.nodes if entry.id in self.nodes}
            self._exclusions[scope.at] = Exclusion(inside, self.graphs[scope.at].wires)
        return self._exclusions[scope.at].needs_failure(name, other)

    @functools.cached_property
    def _exclusions(self) -> dict[str, Exclusion]:
        return {}

    def _outputs(self, node: str) -> list[str]:
        return [port.name for port in self.nodes[node].ports.outputs]

    def _port_problem(self, reference: tuple[str, ...]) -> Problem | None:
        other = reference[1]
        ports = [*self._outputs(other), ERROR]
        if len(reference) > 2 and reference[2] not in ports:
            return Problem(
                "expression.unknown_port", f"{other!r} has no output {reference[2]!r}",
                hint=self._instead_of_port(reference, ports),
            )  # fmt: skip
        if len(reference) > 3:
            port = self.nodes[other].ports.output(reference[2])
            if port is not None and port.kind == "table" and reference[3] not in TABLE_FIELDS:
                near = suggestion(reference[3], TABLE_FIELDS)
                whole = ".".join(reference[1:3])
                of_row = f"for a value of its first row write nodes.{whole}.first(1)[0].{reference[3]}"
                return Problem(
                    "expression.unknown_field", f"the table {whole!r} has no {reference[3]!r}",
                    hint=near or f"it has {', '.join(sorted(TABLE_FIELDS))}; {of_row}",
                )  # fmt: skip
        return None

    def _instead_of_port(self, reference: tuple[str, ...], ports: list[str]) -> str:
        other, word = reference[1:3]
        tables = [port.name for port in self.nodes[other].ports.outputs if port.kind == "table"]
        if len(tables) == 1 and word in ("count", "len", "length", "row_count", "n_rows", "number"):
            return f"the number of rows is nodes.{other}.{tables[0]}.rows"
        return suggestion(word, ports) or f"ports: {', '.join(ports)}"

    def _order_anew(self, graph: ScopeGraph) -> None:
        if not graph.order:
            return
        try:
            graph.order = topological([entry.id for _, entry in graph.scope.nodes], graph.wires, graph.after)
        except CycleError as error:
            path = error.args[1]
            self.problems.append(
                Problem(
                    "graph.cycle", f"edges, and expressions in bodies, go in a circle: {' → '.join(path)}",
                    node=path[0], pointer=graph.scope.at + "/edges",
                    hint="what a body reads of a node has to come before the node that has the body",
                )
            )  # fmt: skip
            graph.order = []


def _nodes_above(scope: Scope[NodeEntry, Edge]) -> Callable[[str], set[str]]:
    # Edges that are wrong in another way say all the same what comes before what.
    feeding: dict[str, set[str]] = {}
    for _, edge in scope.edges:
        feeding.setdefault(Edge.split(edge.target)[0], set()).add(Edge.split(edge.source)[0])

    @functools.cache
    def above(name: str) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            new = feeding.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return found

    return above


def _order_problem(other: str, name: str, reader: str, above: Callable[[str], set[str]]) -> Problem | None:
    """Return what is wrong where `name`, at work in the task of `reader`, reads `other` beside `reader`."""
    whose = "" if reader == name else f", in whose task {name!r} is at work"
    if other == reader:
        text = f"an expression reads {other!r}, the node that it stands in"
        hint = "only what nodes before it gave can be read"
    elif reader in above(other):
        text = f"an expression reads {other!r}, which comes after {reader!r}{whose}"
        hint = "only what nodes before it gave can be read"
    elif reader == name and other not in above(reader):
        text = f"an expression reads {other!r}, which does not come before {reader!r}"
        hint = f"add edges from {other!r} to {reader!r}"
    else:
        return None
    return Problem("expression.not_upstream", text, hint=hint)
