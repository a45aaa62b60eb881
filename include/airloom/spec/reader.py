"""Reading a document: what is faulty is named at its place and left out, so that the rest can be checked too."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from airloom.spec.document import DEEPEST_BODY, Body, Document, Edge, Finally, Graph, NodeEntry, Reading
from airloom.spec.fault import near_field, problems_of, unknown_field
from airloom.spec.meant import as_meant
from airloom.spec.problem import Problem, pointer

MOST_PROBLEMS = 1_000
UNNAMED = "unnamed"
"""The id of a document that has none, or a faulty one, as long as it is checked."""


def read_document(data: object) -> tuple[Document | None, list[Problem]]:
    """Read a document and name all its faults at once.

    A faulty node, edge or top-level field is left out of the document that comes back, so that the checks which
    follow can say what else is wrong; None comes back only where nothing can be read. Of more than MOST_PROBLEMS the
    first are named.
    """
    document, problems = _read(data)
    if len(problems) > MOST_PROBLEMS:
        message = f"{len(problems) - MOST_PROBLEMS:,} more places of the document are wrong"
        problems[MOST_PROBLEMS:] = [Problem("document.more", message, hint="correct those first")]
    return document, problems


def _read(data: object) -> tuple[Document | None, list[Problem]]:
    if not isinstance(data, dict):
        return None, [Problem("document.type", "a pipeline document is a JSON object", hint='start with {"id": …}')]
    problems: list[Problem] = []
    kept, reading = _read_graph(Document, data, "", problems)
    if isinstance(kept.get("finally"), dict):
        kept["finally"] = _graph_model(Finally, kept["finally"], "/finally", problems)
    for _ in range(len(kept) + 1):
        try:
            document = Document.model_validate(kept)
        except ValidationError as error:
            faulty = {str(item["loc"][0]) for item in error.errors(include_url=False) if item["loc"]}
            problems.extend(problems_of(error.errors(include_url=False), "", Document, kept))
            if not faulty & {*kept, "id"}:
                return None, problems
            kept = _without_faults(kept, error)
            if "id" in faulty:
                kept["id"] = UNNAMED
        else:
            document._reading = reading
            return document, problems
    return None, problems


def _without_faults(kept: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    left = dict(kept)
    faulty: dict[str, set[Any]] = {}
    misnamed: set[Any] = set()
    for fault in error.errors(include_url=False):
        field, *rest = fault["loc"]
        entries = kept.get(str(field))
        if (
            rest
            and field in ("params", "inputs", "outputs", "agents")
            and isinstance(entries, dict)
            and rest[0] in entries
        ):
            # One faulty entry does not make the others unknown.
            faulty.setdefault(str(field), set()).add(rest[0])
            if rest[-1] == "[key]":
                misnamed.add(rest[0])
        else:
            left.pop(str(field), None)
    for field in faulty.keys() & left.keys():
        left[field] = {name: entry for name, entry in kept[field].items() if name not in faulty[field]}
        if field == "params":
            # What such a param is like is not known: it may have any value.
            left[field] |= {name: {"default": None} for name in faulty[field] - misnamed}
    return left


def _read_graph(
    model: type[Graph], data: dict[str, Any], at: str, problems: list[Problem], depth: int = 0
) -> tuple[dict[str, Any], Reading]:
    """Return the fields of a document or a part of one, its nodes and edges read, and what was read of them."""
    known = {info.alias or name for name, info in model.model_fields.items()}
    kept: dict[str, Any] = {}
    places: dict[str, tuple[int, ...]] = {"nodes": (), "edges": ()}
    for written, value in data.items():
        field = written
        if field not in known:
            problems.append(unknown_field(str(field), model, at + pointer(str(field))))
            # What it may be called is read, so that the rest is not said to be missing.
            near = near_field(str(field), model)
            if near is None or near in data:
                continue
            field = near
        if field in places:
            place = at + pointer(str(written))
            entries = _read_list(NodeEntry if field == "nodes" else Edge, value, place, problems, depth)
            places[field] = tuple(index for index, _ in entries)
            kept[field] = [entry for _, entry in entries]
        else:
            kept[field] = value
    lists = [data.get(field, []) for field in places]
    whole = all(isinstance(found, list) for found in lists)
    names = [item.get("id") for item in lists[0] if isinstance(item, dict)] if isinstance(lists[0], list) else []
    ids = frozenset(name for name in names if isinstance(name, str))
    return kept, Reading(places["nodes"], places["edges"], ids, whole)


def _graph_model(
    model: type[Graph], data: dict[str, Any], at: str, problems: list[Problem], depth: int = 0
) -> Graph | None:
    kept, reading = _read_graph(model, data, at, problems, depth)
    try:
        graph = model.model_validate(kept)
    except ValidationError as error:
        problems.extend(problems_of(error.errors(include_url=False), at, model, kept))
        return None
    graph._reading = reading
    return graph


def _read_list(
    model: type[NodeEntry] | type[Edge], value: object, at: str, problems: list[Problem], depth: int
) -> list[tuple[int, Any]]:
    """Return the entries of the list at `at` that can be read, each with its index."""
    if not isinstance(value, list):
        nodes = model is NodeEntry
        form = '{"id": "orders", "type": "csv_read", …}' if nodes else '{"from": "orders", "to": "kept"}'
        name = "nodes" if nodes else "edges"
        problems.append(Problem("document.type", f"{name} is a list", pointer=at, hint=f"write [{form}, …]"))
        return []
    kept: list[tuple[int, Any]] = []
    for index, item in enumerate(value):
        place = at + pointer(index)
        named = item.get("id") if isinstance(item, dict) and model is NodeEntry else None
        node = named if isinstance(named, str) else None
        body = item.get("body") if isinstance(item, dict) and model is NodeEntry else None
        # The body is read by itself: its faults have places of their own, and leave the node as it is.
        plain = {key: found for key, found in item.items() if key != "body"} if isinstance(body, dict) else item
        try:
            entry = model.model_validate(plain)
        except ValidationError as error:
            found = problems_of(error.errors(include_url=False), place, model, plain)
            problems.extend(problem.at("", node) for problem in found)
            entry_meant = _as_meant(model, plain, error)
            if entry_meant is None:
                continue
            entry = entry_meant
        if isinstance(body, dict) and isinstance(entry, NodeEntry):
            entry.body = _read_body(body, place + pointer("body"), node, problems, depth + 1)
        kept.append((index, entry))
    return kept


def _as_meant(model: type[NodeEntry] | type[Edge], given: object, error: ValidationError) -> NodeEntry | Edge | None:
    """Return a faulty entry as it may be meant, so that nothing is said to be missing for it."""
    meant = as_meant(given, error.errors(include_url=False), model) if isinstance(given, dict) else None
    if meant is None or not meant[1]:
        return None
    try:
        return model.model_validate(meant[0])
    except ValidationError:
        return None


def _read_body(data: dict[str, Any], at: str, node: str | None, problems: list[Problem], depth: int) -> Body:
    if depth > DEEPEST_BODY:
        text = f"bodies stand in bodies at most {DEEPEST_BODY} deep"
        problems.append(Problem("document.deep", text, "error", node, at))
        return Body()
    body = _graph_model(Body, data, at, problems, depth)
    return body if isinstance(body, Body) else Body()
