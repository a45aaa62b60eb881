"""What is different between two documents: nodes, edges and settings, whatever their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from airloom.spec.problem import pointer
from airloom.spec.scope import scopes

Json = Mapping[str, Any]
ELSEWHERE = ("nodes", "edges")
"""Fields whose parts are compared by themselves."""
ABSENT: Any = object()


@dataclass(frozen=True)
class Change:
    """Say that a node, an edge or a setting is added, removed or changed.

    `name` is the node's id, the edge as `from → to`, or the setting's JSON Pointer. `field` is the JSON Pointer of what
    changed in a node, such as `/config/where`; `before` and `after` are null where there was or is nothing.
    """

    what: Literal["node", "edge", "setting"]
    change: Literal["added", "removed", "changed"]
    name: str
    field: str = ""
    before: Any = None
    after: Any = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def differences(before: Json, after: Json) -> list[Change]:
    """Return how a document differs from one before, both as they were published.

    Where a node is drawn (`ui`) is not a difference, nor is the order of nodes, or of edges to different inputs.
    """
    return [*_nodes(before, after), *_edges(before, after), *_settings(before, after)]


def _nodes(before: Json, after: Json) -> Iterator[Change]:
    old, new = _nodes_of(before), _nodes_of(after)
    for name in {**old, **new}:
        if name not in new:
            yield Change("node", "removed", name, before=old[name].get("type"))
        elif name not in old:
            yield Change("node", "added", name, after=new[name].get("type"))
        else:
            for at, earlier, later in _fields(old[name], new[name]):
                yield Change("node", "changed", name, at, earlier, later)


def _nodes_of(document: Json) -> dict[str, Json]:
    """Return each node by its id, with the place it stands in, and without what is compared by itself."""
    found: dict[str, Json] = {}
    for scope in scopes(document):
        for _, node in scope.nodes:
            plain = {key: value for key, value in node.items() if key not in ("id", "ui")}
            if isinstance(plain.get("body"), Mapping):
                plain["body"] = {key: value for key, value in plain["body"].items() if key not in ELSEWHERE}
            if place := scope.owner or scope.at:
                plain["scope"] = place
            found[node["id"]] = plain
    return found


def _edges(before: Json, after: Json) -> Iterator[Change]:
    old, new = _edges_of(before), _edges_of(after)
    for target in {**old, **new}:
        earlier, later = old.get(target, []), new.get(target, [])
        yield from (
            Change("edge", "removed", f"{source} → {target}", before=source)
            for source in earlier
            if source not in later
        )
        yield from (
            Change("edge", "added", f"{source} → {target}", after=source) for source in later if source not in earlier
        )
        # A node that takes many tables takes them in the order of the edges.
        if earlier != later and sorted(earlier) == sorted(later):
            yield Change("edge", "changed", f"→ {target}", "", earlier, later)


def _edges_of(document: Json) -> dict[str, list[str]]:
    """Return the sources of each target, in their order."""
    found: dict[str, list[str]] = {}
    for scope in scopes(document):
        for _, edge in scope.edges:
            found.setdefault(edge["to"], []).append(edge["from"])
    return found


def _settings(before: Json, after: Json) -> Iterator[Change]:
    old, new = ({key: value for key, value in document.items() if key not in ELSEWHERE} for document in (before, after))
    for document in (old, new):
        if isinstance(document.get("finally"), Mapping):
            document["finally"] = {key: value for key, value in document["finally"].items() if key not in ELSEWHERE}
    for at, earlier, later in _fields(old, new):
        if earlier is None and later is not None:
            yield Change("setting", "added", at, after=later)
        elif later is None and earlier is not None:
            yield Change("setting", "removed", at, before=earlier)
        else:
            yield Change("setting", "changed", at, before=earlier, after=later)


def _fields(before: Any, after: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the innermost fields that differ, each with its pointer and values; null for what is not there."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {**before, **after}:
            yield from _fields(before.get(key, ABSENT), after.get(key, ABSENT), at + pointer(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (earlier, later) in enumerate(zip(before, after, strict=True)):
            yield from _fields(earlier, later, at + pointer(index))
    elif before is ABSENT or after is ABSENT or type(before) is not type(after) or before != after:
        yield at, None if before is ABSENT else before, None if after is ABSENT else after
