"""The columns at one port of a document, as whoever builds a pipeline asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.checks.resolved import default_input
from airloom.engine.relation import Columns
from airloom.nodes.catalog import catalog
from airloom.nodes.sdk import ports_of
from airloom.spec.error import AirloomError


def columns_at(
    data: object, node: str, port: str, facts: Facts | None = None, *, side: Literal["output", "input"] = "output"
) -> Columns | None:
    """Return the columns of the table at a node's port, or None where they are unknown.

    The document may be under way: only what leads to the port is looked at, and faults elsewhere change nothing.
    Below a fault, and below what only a run can tell, columns are unknown; so are those of an input with several edges.
    """
    if not isinstance(data, Mapping):
        return None
    outermost, graph = _place_of(data, node)
    found = check(_leading_to(data, _edges(data), outermost), facts).columns
    if side == "output":
        return found.get(f"{node}.{port}")
    sources = [str(edge["from"]) for edge in _edges(graph) if _leads_into(graph, edge, node, port)]
    if len(sources) != 1:
        return None
    source, _, output = sources[0].partition(".")
    tables = [name for name in found if name == f"{source}.{output}" or (not output and name.startswith(f"{source}."))]
    return found[tables[0]] if len(tables) == 1 else None


def _place_of(graph: Mapping[str, Any], node: str) -> tuple[str, Mapping[str, Any]]:
    """Return the node outside of all bodies that holds a node, itself mostly, and the graph that the node stands in."""
    for item in _items(graph, "nodes"):
        body = item.get("body")
        if item.get("id") != node and isinstance(body, dict):
            _, inside = _place_of(body, node)
            if any(other.get("id") == node for other in _items(inside, "nodes")):
                return str(item.get("id")), inside
    return node, graph


def _edges(graph: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [edge for edge in _items(graph, "edges") if isinstance(edge.get("from"), str) and "to" in edge]


def _items(data: Mapping[str, Any], field: str) -> Iterator[dict[str, Any]]:
    found = data.get(field)
    yield from (item for item in found if isinstance(item, dict)) if isinstance(found, list) else ()


def _leading_to(data: Mapping[str, Any], edges: list[dict[str, Any]], node: str) -> dict[str, Any]:
    wanted, waiting = {node}, [node]
    while waiting:
        target = waiting.pop()
        for edge in edges:
            source = edge["from"].partition(".")[0]
            if str(edge["to"]).partition(".")[0] == target and source not in wanted:
                wanted.add(source)
                waiting.append(source)
    inside = [edge for edge in edges if str(edge["to"]).partition(".")[0] in wanted]
    return {**data, "nodes": [item for item in _items(data, "nodes") if item.get("id") in wanted], "edges": inside}


def _leads_into(data: Mapping[str, Any], edge: Mapping[str, Any], node: str, port: str) -> bool:
    target, _, named = str(edge["to"]).partition(".")
    if target != node or named:
        return target == node and named == port
    entry = next((item for item in _items(data, "nodes") if item.get("id") == node), {})
    try:
        node_class = catalog().get(str(entry.get("type")), entry.get("version"))
    except AirloomError:
        return False
    config = entry.get("config")
    return default_input(ports_of(node_class, config if isinstance(config, dict) else {})) == port
