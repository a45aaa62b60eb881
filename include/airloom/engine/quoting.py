"""Names and values as SQL text, each escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def quoted(name: str) -> str:
    """Return a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def sql_literal(value: Any) -> str:
    """Return an option's value as SQL: text, numbers, booleans, lists, and mappings (as structs)."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{sql_literal(str(key))}: {sql_literal(item)}" for key, item in value.items()) + "}"
    return "[" + ", ".join(sql_literal(item) for item in value) + "]"
