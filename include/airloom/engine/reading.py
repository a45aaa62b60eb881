"""SQL that reads files and writes them: built here from options that nodes declare, every value an escaped literal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airloom.engine.relation import Columns

READERS = {"csv": "read_csv", "jsonl": "read_json", "parquet": "read_parquet"}


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


def select_files(
    format_name: str, paths: Sequence[str], options: Mapping[str, Any], columns: Columns | None = None
) -> str:
    """Return `SELECT * FROM` the files as one table; with `columns`, their types are as given and not found out."""
    given: dict[str, Any] = dict(options)
    if format_name == "jsonl":
        given.setdefault("format", "newline_delimited")
    if columns is not None and "columns" not in given:
        if format_name == "csv":
            given["types"] = dict(columns)
        elif format_name == "jsonl":
            given["columns"] = dict(columns)
    settings = "".join(f", {name} = {sql_literal(value)}" for name, value in given.items())
    return f"SELECT * FROM {READERS[format_name]}({sql_literal(list(paths))}{settings})"  # noqa: S608 escaped above


def copy_to(query: str, path: str, format_name: str, options: Mapping[str, Any]) -> str:
    """Return the COPY of a query into a file."""
    given = {"format": {"jsonl": "json"}.get(format_name, format_name), **options}
    settings = ", ".join(f"{name} {sql_literal(value)}" for name, value in given.items())
    return f"COPY ({query}) TO {sql_literal(path)} ({settings})"


def with_tables(tables: Mapping[str, str], query: str) -> str:
    """Return the query with named sub-queries in front of it."""
    if not tables:
        return query
    named = ",\n".join(f"{quoted(name)} AS ({sql})" for name, sql in tables.items())
    return f"WITH {named}\n{query}"


def select_all(name: str) -> str:
    """Return `SELECT * FROM` a named relation."""
    return f"SELECT * FROM {quoted(name)}"  # noqa: S608 quoted


def select_nothing(columns: Columns) -> str:
    """Return the query for a table of these columns without a row."""
    chosen = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in columns.items())
    return f"SELECT {chosen} WHERE false"


def select_distinct(name: str, column: str, limit: int) -> str:
    """Return the query for the values of a relation's column, but null, in order."""
    value = quoted(column)
    return (
        f"SELECT DISTINCT {value} FROM {quoted(name)} "  # noqa: S608 quoted
        f"WHERE {value} IS NOT NULL ORDER BY {value} LIMIT {int(limit)}"
    )


def select_cast(query: str, columns: Columns, changes: Mapping[str, str]) -> str:
    """Return the query with some columns cast to other types."""
    chosen = ", ".join(
        f"CAST({quoted(name)} AS {changes[name]}) AS {quoted(name)}" if name in changes else quoted(name)
        for name in columns
    )
    return f"SELECT {chosen} FROM ({query}) AS given"  # noqa: S608 quoted
