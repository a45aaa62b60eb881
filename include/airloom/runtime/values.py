"""What a port carries: written into its reference, and read from it as nodes, expressions and people see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airloom.engine.data_folder import read_json
from airloom.engine.reference import Place, TableReference, is_table, kind_of_value, object_reference
from airloom.nodes.kinds import KINDS, PortKind, TableValue, Unwritable, written
from airloom.spec.error import DataError


def reference_of(node: str, port: str, kind: str, value: Any, place: Place) -> dict[str, Any]:
    """Return the reference of what a port gives, if it is not a table; a large value is written where `place()` says.

    Raises DataError that names node and port for what a port of this kind cannot carry.
    """
    where = f"port {port!r} of node {node!r} carries"
    if not _is_of(value, KINDS[kind]):
        raise DataError(f"{where} {kind_of_value(value)}, not a {kind}", node=node, hint=_wanted(KINDS[kind]))
    try:
        return object_reference(port, kind, value, place, written)
    except Unwritable as error:
        raise DataError(f"{where} {error.what}, which cannot be passed on", node=node, hint=error.hint) from None


def _is_of(value: Any, kind: PortKind) -> bool:
    if kind.name == "table":
        return False
    # What JSON has a form for is as loose as ever: a text may leave a port of numbers.
    return kind.write is None or value is None or isinstance(value, _classes(kind))


def _classes(kind: PortKind) -> tuple[type, ...]:
    return tuple(value_class for value_class in kind.classes if isinstance(value_class, type))


def _wanted(kind: PortKind) -> str:
    names = "Batches" if kind.name == "table" else " or ".join(value_class.__name__ for value_class in _classes(kind))
    return f"the node has to return {names}"


def value_of(reference: Mapping[str, Any]) -> Any:
    """Return what a reference stands for: a TableValue or a JSON value."""
    if is_table(reference):
        return TableValue(TableReference.from_json(reference))
    if "uri" in reference:
        return read_json(reference["uri"])
    return reference["value"]


def input_value(reference: Mapping[str, Any] | None, kind: str) -> Any:
    """Return what a reference stands for as an input of `kind` takes it, None where there is none.

    Raises DataError where it does not fit.
    """
    return None if reference is None else converted(value_of(reference), kind, reference["kind"])


def converted(value: Any, kind: str, source: str = "any") -> Any:
    """Return what an output of kind `source` carries as an input of `kind` takes it.

    Raises DataError where it does not fit.
    """
    if value is None:
        return None
    conversion = None if source == kind else _kind(source).conversions.get(kind)
    return (conversion or KINDS[kind].read)(value)


def previewed(reference: Mapping[str, Any]) -> dict[str, Any]:
    """Return what people are shown of a reference that is not a table's: its kind, and its value as JSON."""
    value = value_of(reference)
    return {"kind": reference["kind"], "value": None if value is None else _kind(reference["kind"]).preview(value)}


def _kind(name: str) -> PortKind:
    # Outputs that somebody pinned may call theirs as they like.
    return KINDS.get(name, KINDS["any"])
