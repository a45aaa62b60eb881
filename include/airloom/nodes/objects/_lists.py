"""What nodes on lists share: where the list is, and what an item says."""

from __future__ import annotations

from typing import Any

from airloom.engine.reference import kind_of_value
from airloom.nodes.kinds import KINDS
from airloom.nodes.operators import field_of
from airloom.nodes.sdk import DataError

PATH = "The path of the list in what comes, such as body.items; empty: what comes is the list"


def at_path(value: Any, path: str) -> Any:
    """Return what a path leads to in a value; a table, which is a list to these nodes, as its rows."""
    return field_of(KINDS["list"].read(value), path)


def list_at(value: Any, path: str) -> list[Any]:
    """Return the list that a path leads to in a value; raise DataError where it leads to none."""
    found = at_path(value, path)
    if not isinstance(found, list):
        place = f"at {path!r} stands" if path else "there came"
        raise DataError(
            f"{place} {kind_of_value(found)}, not a list", field="path" if path else None, hint="path leads to the list"
        )
    return found
