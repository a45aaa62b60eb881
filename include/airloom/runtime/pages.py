"""What a node gave, read again a page at a time, in a process that can be killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airloom.engine.child import run_in_child, safe_start
from airloom.engine.data_folder import DataFolder
from airloom.engine.reference import TableReference, is_table
from airloom.nodes.kinds import plain
from airloom.runtime.values import previewed
from airloom.spec.error import DataError

SECONDS = 30.0


@dataclass(frozen=True)
class OutputPage:
    """Hold rows of a table, or a whole value; `total` is the number of the table's rows where that is known."""

    kind: str
    columns: list[tuple[str, str]] | None = None
    rows: list[dict[str, Any]] | None = None
    total: int | None = None
    value: Any = None


def read_page(reference: Mapping[str, Any], data: DataFolder, *, offset: int, limit: int) -> OutputPage:
    """Return a page of what a reference stands for, the rows after so many, or the whole of a value.

    Raises DataError where it is gone or has changed since, QueryTimeout where reading takes too long.
    """
    place = reference.get("uri")
    if place is not None and not data.holds(place):
        raise DataError("the output does not lie where outputs are kept", hint="has AIRLOOM_DATA changed since?")
    if not is_table(reference) and place is None:
        return _value(reference)
    return run_in_child(_read, dict(reference), offset, limit, timeout=SECONDS, start=safe_start())


def _read(reference: dict[str, Any], offset: int, limit: int) -> OutputPage:
    from airloom.engine.tables import first_rows

    if not is_table(reference):
        return _value(reference)
    table = TableReference.from_json(reference)
    rows = [plain(row) for row in first_rows(table, limit, after=offset)]
    return OutputPage("table", columns=list(table.columns.items()), rows=rows, total=table.rows)


def _value(reference: Mapping[str, Any]) -> OutputPage:
    shown = previewed(reference)
    return OutputPage(shown["kind"], value=shown["value"])
