"""References: what passes between tasks in place of the data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airloom.engine.relation import Columns
from airloom.engine.scan import Scan
from airloom.spec.error import DataError
from airloom.spec.words import with_article

INLINE_LIMIT = 32_768
"""Bytes of JSON up to which an object travels in its reference."""
DEEPEST = 200
"""Levels of lists and objects in a value: what walks through one calls itself for each."""


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


Place = Callable[[], tuple[str, Callable[[Any, str], int]]]
"""What gives a URI for a value, and a function that writes JSON there and returns its size."""


def object_reference(port: str, kind: str, value: Any, place: Place, written: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the reference of a value that a port carries; a large one is written where `place()` says.

    `place` is called only then. `written` gives the form for JSON of each part that JSON has none for, and may raise.
    Raises DataError for what JSON can't hold: NaN, an infinite number, half of a character.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=written)
        size = len(text.encode())
        plain = json.loads(text)
        check_depth(plain)
    except RecursionError:
        raise _carries(port, too_deep()) from None
    except (ValueError, TypeError) as error:
        raise _not_json(port, error) from None
    except DataError as error:
        raise _carries(port, error) from None
    if size <= INLINE_LIMIT:
        return {"kind": kind, "value": plain}
    uri, write = place()
    return {"kind": kind, "uri": uri, "bytes": write(plain, uri)}


def check_depth(value: Any) -> None:
    """Raise DataError for a JSON value of more than DEEPEST levels."""
    holders = [value]
    for _ in range(DEEPEST):
        holders = [item for holder in holders for item in _items(holder) if isinstance(item, dict | list)]
        if not holders:
            return
    raise too_deep()


def too_deep() -> DataError:
    """Return the error for a value of too many levels."""
    return DataError(f"a value of more than {DEEPEST} levels of lists and objects", hint="give it in a flatter form")


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _carries(port: str, error: DataError) -> DataError:
    return DataError(f"port {port!r} carries {error.message}", hint=error.hint)


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
    return kinds.get(type(value)) or with_article(type(value).__name__)
