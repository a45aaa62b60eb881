"""Walking through a document: every node and edge with its place, in bodies and in `finally` as outside of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from airloom.spec.document import Body, Document, Edge, Finally, NodeEntry, Reading
from airloom.spec.problem import pointer

Entry = TypeVar("Entry")
Joint = TypeVar("Joint")


@dataclass(frozen=True)
class Scope(Generic[Entry, Joint]):
    """Hold nodes and edges that stand side by side, each with its JSON Pointer.

    `at` is the pointer of what holds them: the document (empty), a body, or `/finally`. `owner` is the id of the node
    whose body it is, None elsewhere; `outer` is the scope that this node stands in. `ids` are those of all nodes, also
    of such as could not be read; `whole` says that nodes and edges were lists.
    """

    at: str
    owner: str | None
    outer: Scope[Entry, Joint] | None
    nodes: tuple[tuple[str, Entry], ...]
    edges: tuple[tuple[str, Joint], ...]
    ids: frozenset[str] = frozenset()
    whole: bool = True

    @property
    def in_loop(self) -> bool:
        """Tell whether the scope is a body, where `loop` is known."""
        return self.owner is not None


@dataclass(frozen=True)
class Visit(Generic[Entry, Joint]):
    """Name one node of a document: where it stands, in which scope, and its entry."""

    at: str
    scope: Scope[Entry, Joint]
    entry: Entry


Json = dict[str, Any]


@overload
def scopes(document: Document) -> Iterator[Scope[NodeEntry, Edge]]: ...
@overload
def scopes(document: Mapping[str, Any]) -> Iterator[Scope[Json, Json]]: ...
def scopes(document: Document | Mapping[str, Any]) -> Iterator[Scope[Any, Any]]:
    """Yield the scopes of a document: itself, then each body behind the scope that it stands in, `finally` last.

    The document is as `read_document` gave it, and pointers are those of what was read, or its canonical JSON form.
    """
    yield from _scopes(document, "", None, None)
    last = document.finally_ if isinstance(document, Document) else document.get("finally")
    if last is not None:
        yield from _scopes(last, pointer("finally"), None, None)


@overload
def visits(document: Document) -> Iterator[Visit[NodeEntry, Edge]]: ...
@overload
def visits(document: Mapping[str, Any]) -> Iterator[Visit[Json, Json]]: ...
def visits(document: Document | Mapping[str, Any]) -> Iterator[Visit[Any, Any]]:
    """Yield every node of a document, in the order of `scopes`."""
    for scope in scopes(document):
        for at, entry in scope.nodes:
            yield Visit(at, scope, entry)


def _scopes(
    graph: Document | Body | Finally | Mapping[str, Any], at: str, owner: str | None, outer: Scope[Any, Any] | None
) -> Iterator[Scope[Any, Any]]:
    nodes: list[Any]
    edges: list[Any]
    if isinstance(graph, Mapping):
        nodes, edges, reading = graph.get("nodes", []), graph.get("edges", []), None
    else:
        nodes, edges, reading = graph.nodes, graph.edges, graph.reading
    names = [_id_and_body(node) for node in nodes]
    if reading is None:
        reading = Reading(tuple(range(len(nodes))), tuple(range(len(edges))), frozenset(name for name, _ in names))
    scope = Scope(
        at,
        owner,
        outer,
        tuple((at + pointer("nodes", index), node) for index, node in zip(reading.nodes, nodes, strict=True)),
        tuple((at + pointer("edges", index), edge) for index, edge in zip(reading.edges, edges, strict=True)),
        reading.ids,
        reading.whole,
    )
    yield scope
    for (place, _), (name, body) in zip(scope.nodes, names, strict=True):
        if body is not None:
            yield from _scopes(body, place + pointer("body"), name, scope)


def _id_and_body(node: NodeEntry | Json) -> tuple[str, Any]:
    return (node.id, node.body) if isinstance(node, NodeEntry) else (node["id"], node.get("body"))
