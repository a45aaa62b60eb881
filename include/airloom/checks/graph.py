"""Do the edges fit? Ends, ports, kinds, arity, cycles, and what expressions reach for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from graphlib import CycleError

from airloom.checks.config import CheckedNode
from airloom.checks.resolved import ResolvedNode, Wire, default_input, default_output, topological
from airloom.nodes.ports import ERROR, TABLE_FIELDS, Each, connects
from airloom.spec.document import Document, Edge
from airloom.spec.problem import Problem, pointer, suggestion


def check_graph(
    document: Document,
    places: Sequence[int],
    declared: Collection[str],
    nodes: Mapping[str, CheckedNode],
    problems: list[Problem],
) -> tuple[tuple[Wire, ...], list[str]]:
    """Return the good edges with both ports named, and the topological order (empty where there is a cycle).

    `places` are the indexes of the edges in the document as it was written, `declared` the ids of all its nodes;
    `nodes` are those that could be read.
    """
    wires: list[tuple[Wire, str]] = []
    broken: set[str] = set()
    seen: set[tuple[str, str]] = set()
    for index, edge in zip(places, document.edges, strict=True):
        at = pointer("edges", index)
        wire = _resolve(edge, at, declared, nodes, problems)
        if wire is None:
            broken.add(edge.target)
            continue
        if (f"{wire.source}.{wire.output}", f"{wire.target}.{wire.input}") in seen:
            problems.append(Problem("edge.duplicate", "this edge is there twice", pointer=at, hint="remove one"))
            continue
        seen.add((f"{wire.source}.{wire.output}", f"{wire.target}.{wire.input}"))
        wires.append((wire, at))
    order = _order(document, [wire for wire, _ in wires], problems)
    feeding: dict[tuple[str, str], list[tuple[Wire, str]]] = {}
    for wire, at in wires:
        feeding.setdefault((wire.target, wire.input), []).append((wire, at))
    _check_missing(nodes, feeding, broken, problems)
    if order:
        # In a circle, the edge too many is the one back.
        _check_several(nodes, feeding, problems)
        _check_references(document, declared, nodes, problems)
    return tuple(wire for wire, _ in wires), order


def resolved_nodes(nodes: Mapping[str, CheckedNode]) -> dict[str, ResolvedNode]:
    """Return the nodes as the plan takes them."""
    return {name: ResolvedNode(node.entry, node.node_class, node.ports) for name, node in nodes.items()}


def _resolve(
    edge: Edge, at: str, declared: Collection[str], nodes: Mapping[str, CheckedNode], problems: list[Problem]
) -> Wire | None:
    source, output = Edge.split(edge.source)
    target, target_port = Edge.split(edge.target)
    missing = [(end, side) for end, side in ((source, "from"), (target, "to")) if end not in declared]
    for end, side in missing:
        problems.append(
            Problem(
                "edge.unknown_node", f"there is no node {end!r}", pointer=at + pointer(side),
                hint=suggestion(end, declared) or (f"nodes: {', '.join(sorted(declared)[:20])}" if declared else None),
            )
        )  # fmt: skip
    if missing or source not in nodes or target not in nodes:
        return None
    found_output = _output(nodes[source], output, at + "/from", problems)
    found_input = _input(nodes[target], target_port, at + "/to", problems)
    if found_output is None or found_input is None:
        return None
    kind_from = nodes[source].ports.output(found_output)
    kind_to = nodes[target].ports.input(found_input)
    if kind_from and kind_to and not connects(kind_from.kind, kind_to.kind):
        problems.append(
            Problem(
                "edge.kind",
                f"{source}.{found_output} gives {_kind(kind_from.kind)}, "
                f"{target}.{found_input} takes {_kind(kind_to.kind)}",
                node=target, pointer=at,
                hint="put a node between that turns one into the other",
            )
        )  # fmt: skip
        return None
    return Wire(source, found_output, target, found_input)


def _kind(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _output(node: CheckedNode, port: str | None, at: str, problems: list[Problem]) -> str | None:
    names = [found.name for found in node.ports.outputs]
    runs = node.node_class.declaration.effect != "config"
    if port is None:
        port = default_output(node.ports)
        if port is None:
            message = "has several ports: name one" if names else "has no output"
            hint = f"ports: {', '.join(names)}" if names else "a sink's `done` or `error` can be read"
            problems.append(
                Problem("edge.port", f"{node.entry.id!r} {message}", node=node.entry.id, pointer=at, hint=hint)
            )
        return port
    if port in names or (port == ERROR and runs):
        return port
    hint = suggestion(port, [*names, ERROR]) or f"ports: {', '.join([*names, ERROR])}"
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


def _order(document: Document, wires: list[Wire], problems: list[Problem]) -> list[str]:
    try:
        return topological(document, wires)
    except CycleError as error:
        path = error.args[1]
        problems.append(
            Problem(
                "graph.cycle", f"the edges go in a circle: {' → '.join(path)}", node=path[0], pointer="/edges",
                hint="a loop is a node with a body, never an edge back",
            )
        )  # fmt: skip
        return []


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
        if node.node_class.declaration.effect == "config" and name not in sources:
            problems.append(
                Problem("node.unused", f"{name!r} is wired to nothing", "warning", name, node.at, "wire it to a port")
            )


def _check_several(
    nodes: Mapping[str, CheckedNode],
    feeding: Mapping[tuple[str, str], list[tuple[Wire, str]]],
    problems: list[Problem],
) -> None:
    for name, node in nodes.items():
        for port in node.ports.inputs:
            found = feeding.get((name, port.name), [])
            if len(found) > 1 and not port.many and not _exclusive([wire for wire, _ in found], nodes):
                problems.append(
                    Problem(
                        "edge.several", f"the input {port.name!r} of {name!r} takes one edge, not {len(found)}",
                        node=name, pointer=found[1][1], hint="join them with concat or merge first",
                    )
                )  # fmt: skip


def _exclusive(wires: list[Wire], nodes: Mapping[str, CheckedNode]) -> bool:
    """Tell whether at most one of the edges can fire: ports of one control node, or a node's error and another."""
    if len({wire.source for wire in wires}) != 1:
        return False
    effect = nodes[wires[0].source].node_class.declaration.effect
    others = [wire for wire in wires if wire.output != ERROR]
    return effect == "control" or len(others) <= 1


def _check_references(
    document: Document, declared: Collection[str], nodes: Mapping[str, CheckedNode], problems: list[Problem]
) -> None:
    # Edges that are wrong in another way say all the same what comes before what.
    feeding: dict[str, set[str]] = {}
    for edge in document.edges:
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

    for name, node in nodes.items():
        for reference, at in sorted(node.references.items()):
            if reference[0] != "nodes" or len(reference) < 2:
                continue
            if reference[1] in declared and reference[1] not in nodes:
                continue  # what is wrong with that node is told there
            problem = _reference_problem(reference, name, nodes, above)
            if problem:
                problems.append(problem.at(at, name))


def _reference_problem(
    reference: tuple[str, ...], name: str, nodes: Mapping[str, CheckedNode], above: Callable[[str], set[str]]
) -> Problem | None:
    other = reference[1]
    if other not in nodes:
        earlier = [known for known in nodes if known in above(name)]
        return Problem(
            "expression.unknown_node", f"an expression names node {other!r}, which is not there",
            hint=suggestion(other, nodes) or (f"nodes before this one: {', '.join(earlier[:20])}" if earlier else None),
        )  # fmt: skip
    if other == name:
        return Problem(
            "expression.not_upstream", f"an expression reads {other!r}, the node that it stands in",
            hint="only what nodes before it gave can be read",
        )  # fmt: skip
    if name in above(other):
        return Problem(
            "expression.not_upstream", f"an expression reads {other!r}, which comes after {name!r}",
            hint="only what nodes before it gave can be read",
        )  # fmt: skip
    if other not in above(name):
        return Problem(
            "expression.not_upstream", f"an expression reads {other!r}, which does not come before {name!r}",
            hint=f"add edges from {other!r} to {name!r}",
        )  # fmt: skip
    ports = [port.name for port in nodes[other].ports.outputs]
    if len(reference) > 2 and reference[2] not in [*ports, ERROR]:
        return Problem(
            "expression.unknown_port", f"{other!r} has no output {reference[2]!r}",
            hint=suggestion(reference[2], ports) or f"ports: {', '.join(ports)}",
        )  # fmt: skip
    if len(reference) > 3:
        port = nodes[other].ports.output(reference[2])
        if port is not None and port.kind == "table" and reference[3] not in TABLE_FIELDS:
            near = suggestion(reference[3], TABLE_FIELDS)
            of_row = f"for a value of its first row write nodes.{'.'.join(reference[1:3])}.first(1)[0].{reference[3]}"
            return Problem(
                "expression.unknown_field", f"the table {'.'.join(reference[1:3])!r} has no {reference[3]!r}",
                hint=near or f"it has {', '.join(sorted(TABLE_FIELDS))}; {of_row}",
            )  # fmt: skip
    return None
