"""What a port carries, as nodes and expressions see it: plain JSON values, and tables by reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airloom.engine import tables
from airloom.engine.reference import TableReference, is_table
from airloom.engine.storage import read_json
from airloom.nodes.ports import LIST_LIMIT, TABLE_FIELDS
from airloom.spec.error import DataError
from airloom.spec.expression import Exposed


class TableValue(Exposed):
    """A table as expressions and control nodes see it: `rows`, `columns`, `uri` and `first(n)`."""

    exposed = TABLE_FIELDS

    def __init__(self, reference: TableReference) -> None:
        self.reference = reference

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        return tables.count(self.reference)

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns."""
        return list(self.reference.columns)

    @property
    def uri(self) -> str:
        """Return where the first file of the table lies."""
        return self.reference.files[0]

    def first(self, number: int) -> list[dict[str, Any]]:
        """Return the first rows, at most 10,000, as objects."""
        return tables.first_rows(self.reference, min(int(number), LIST_LIMIT))

    def __repr__(self) -> str:
        return f"a table of columns {', '.join(self.columns)}"


def value_of(reference: Mapping[str, Any]) -> Any:
    """Return what a reference stands for: a TableValue or a JSON value."""
    if is_table(reference):
        return TableValue(TableReference.from_json(reference))
    if "uri" in reference:
        return read_json(reference["uri"])
    return reference["value"]


def converted(value: Any, kind: str) -> Any:
    """Return a value as an input of `kind` takes it; raise DataError where it does not fit."""
    if value is None or kind in ("any", "table"):
        return value
    if kind == "text" and not isinstance(value, str):
        if isinstance(value, TableValue):
            raise DataError("a table does not fit a text input", hint="take its rows first: rows_to_list")
        return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else _text(value)
    if kind == "list" and isinstance(value, TableValue):
        if value.rows > LIST_LIMIT:
            raise DataError(
                f"a table of {value.rows} rows is too long for a list (at most {LIST_LIMIT})", hint="limit it first"
            )
        return value.first(LIST_LIMIT)
    if kind == "messages" and isinstance(value, str):
        return [{"role": "user", "content": value}]
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
