"""References: what passes between tasks in place of the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airloom.engine.relation import Columns
from airloom.engine.scan import Scan
from airloom.spec.error import DataError

INLINE_LIMIT = 32_768
"""Bytes of JSON up to which an object travels in its reference."""


@dataclass(frozen=True)
class TableReference:
    """Name a table: a Parquet file that Airloom wrote, or a scan of files in place."""

    columns: Columns
    uri: str | None = None
    scan: Scan | None = None
    rows: int | None = None
    bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; columns are a list of pairs, for their order counts."""
        found: dict[str, Any] = {"kind": "table", "rows": self.rows, "bytes": self.bytes}
        if self.uri is not None:
            found["uri"] = self.uri
        if self.scan is not None:
            found["scan"] = self.scan.to_json()
        found["columns"] = [[name, kind] for name, kind in self.columns.items()]
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TableReference:
        """Read what `to_json` wrote."""
        scan = Scan.from_json(data["scan"]) if data.get("scan") else None
        return cls({pair[0]: pair[1] for pair in data["columns"]}, data.get("uri"), scan, data["rows"], data["bytes"])

    @property
    def files(self) -> list[str]:
        """Return the URIs of all files that hold the table."""
        return [file.uri for file in self.scan.files] if self.scan else [self.uri or ""]


def object_reference(port: str, kind: str, value: Any, place: Any) -> dict[str, Any]:
    """Return the reference of a JSON value that a port carries; a large one is written where `place()` says.

    `place` is called only then, and returns a URI and a function that writes JSON there and returns its size.
    Raises DataError for what JSON can't hold: NaN, an infinite number, half of a character.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
        size = len(text.encode())
    except (ValueError, TypeError) as error:
        raise _not_json(port, error) from None
    if size <= INLINE_LIMIT:
        return {"kind": kind, "value": json.loads(text)}
    uri, write = place()
    return {"kind": kind, "uri": uri, "bytes": write(json.loads(text), uri)}


def _not_json(port: str, error: Exception) -> DataError:
    if isinstance(error, UnicodeEncodeError):
        return DataError(f"port {port!r} carries a text with half of a character (a lone surrogate)")
    if str(error).startswith("Out of range float"):
        return DataError(
            f"port {port!r} carries a number that is infinite or not a number, which JSON can't hold",
            hint="give null in its place",
        )
    return DataError(f"port {port!r} carries what JSON can't hold: {error}")


def is_table(reference: Mapping[str, Any] | None) -> bool:
    """Tell whether a reference names a table."""
    return reference is not None and reference["kind"] == "table"


def kind_of_value(value: Any) -> str:
    """Return what people call a JSON value: null, a boolean, a number, a text, a list, an object."""
    if value is None:
        return "null"
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), f"a {type(value).__name__}")
