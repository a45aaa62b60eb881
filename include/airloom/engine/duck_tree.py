"""DuckDB's own reading of SQL: its syntax tree, where it cannot go on, and where two texts do not mean the same.

Nothing is run, nor bound: `json_serialize_sql` only parses.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_READ = """SELECT json_serialize_sql(text, skip_null := true, skip_empty := true, skip_default := true)
FROM (SELECT unnest($1::VARCHAR[]) AS text)"""
_PLACES = re.compile(r'"query_location(?:_length)?":\d+,?')

_SAME_TYPES = {
    "bigint": ("int64", "int8", "long", "oid"),
    "blob": ("binary", "bytea", "varbinary"),
    "boolean": ("bool", "logical"),
    "decimal": ("dec", "numeric"),
    "double": ("float8",),
    "float": ("float4", "real"),
    "hugeint": ("int128",),
    "integer": ("int", "int32", "int4", "integral", "signed"),
    "smallint": ("int16", "int2", "short"),
    "struct": ("row",),
    "timestamp": ("datetime", "timestamp_us"),
    "timestamp with time zone": ("timestamptz",),
    "tinyint": ("int1",),
    "ubigint": ("uint64",),
    "uinteger": ("uint32",),
    "usmallint": ("uint16",),
    "utinyint": ("uint8",),
    "uuid": ("guid",),
    "varchar": ("bpchar", "char", "nvarchar", "string", "text"),
}
TYPES = {other: name for name, others in _SAME_TYPES.items() for other in others}
"""Other names of DuckDB's types → the name of the type."""
_FUNCTIONS = {"^": "power", "**": "power"}
"""Operators → the function that is written in their place."""
_OPPOSITES = {"OPERATOR_IS_NULL": "OPERATOR_IS_NOT_NULL", "COMPARE_NOT_DISTINCT_FROM": "COMPARE_DISTINCT_FROM"}
_WHERE = frozenset({"query_location", "query_location_length", "qualified_name"})


@dataclass(frozen=True)
class SyntaxFault:
    """Say where DuckDB's parser cannot go on: its message, and the first character of what it met.

    `start` is None where the message is of no one place.
    """

    message: str
    start: int | None = None


def read(connection: DuckDBPyConnection, selects: Sequence[str]) -> list[str]:
    """Return DuckDB's readings of texts, in order: each a syntax tree as JSON, or what is wrong."""
    return [row[0] for row in connection.execute(_READ, [list(selects)]).fetchall()]


def syntax_fault(select: str, reading: str) -> SyntaxFault | None:
    """Return what DuckDB's parser refuses in a text, or None."""
    if reading.startswith('{"error":false'):
        return None
    answer = json.loads(reading)
    message = str(answer.get("error_message")).partition("\n")[0]
    if not str(answer.get("location", "")).startswith("["):
        return SyntaxFault(message)
    return SyntaxFault(message, _character(select, json.loads(answer["location"])[0]))


def difference(select: str, reading: str, other: str) -> int | None:
    """Return the character of a text where its reading begins to differ from another one, or None where they agree.

    They agree where they mean the same: another name of a type, or of a function, makes no difference.
    """
    if _PLACES.sub("", reading) == _PLACES.sub("", other):
        return None
    place = _differing(json.loads(reading), json.loads(other), 0)
    return None if place is None else _character(select, place)


def _character(text: str, byte: int) -> int:
    """Return which character begins at a byte: DuckDB counts bytes."""
    return len(text.encode()[:byte].decode(errors="ignore"))


def _differing(one: Any, other: Any, place: int) -> int | None:
    """Return the byte where two trees begin to differ, or None; `place` is where the part around them begins."""
    if isinstance(one, dict) and isinstance(other, dict):
        place = one.get("query_location", place)
        one, other = _plain(one), _plain(other)
        if one.keys() != other.keys():
            return place
        pairs = [(one[key], other[key]) for key in one]
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return place
        pairs = list(zip(one, other, strict=True))
    else:
        return None if one == other else place
    return next((at for pair in pairs if (at := _differing(*pair, place)) is not None), None)


def _plain(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a tree without its place, and with one form for what is written in several."""
    plain = {key: value for key, value in part.items() if key not in _WHERE}
    if len(part.get("qualified_name", {}).get("path", ())) > 1:
        plain["qualified_name"] = part["qualified_name"]
    kind = plain.get("type")
    if "type_name" in plain:
        name = str(plain["type_name"]).lower()
        plain["type_name"] = TYPES.get(name, name)
        if plain["type_name"] == "varchar":
            # A length says nothing.
            plain.pop("children", None)
    elif plain.get("function_name") in _FUNCTIONS:
        plain["function_name"] = _FUNCTIONS[plain["function_name"]]
        plain.pop("is_operator", None)
    elif plain.get("kind") in ("INTEGER", "NUMERIC"):
        plain["text"] = str(Decimal(plain["text"].replace("_", "")))
    elif kind == "OPERATOR_NOT" and (found := _negated(plain["children"][0])) is not None:
        plain = found
    elif kind == "OPERATOR_CAST" and "query_location" not in part and "literal" in plain["child"]:
        # Of the length of an interval, which is a number whether quoted or not.
        plain["child"] = _as_number(plain["child"]["literal"])
    elif "null_order" in plain:
        plain["type"] = "ASCENDING" if kind == "ORDER_DEFAULT" else kind
        plain["null_order"] = "NULLS LAST" if plain["null_order"] == "ORDER_DEFAULT" else plain["null_order"]
    return plain


def _negated(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the opposite of a part is where DuckDB has one word for it."""
    opposite = _OPPOSITES.get(str(part.get("type")))
    return {**_plain(part), "type": opposite} if opposite else None


def _as_number(literal: Mapping[str, Any]) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        return {"number": float(literal.get("text", ""))}
    return {"literal": literal}
