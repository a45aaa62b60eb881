"""SQL that reads files and writes them: built here from options that nodes declare, every value an escaped literal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from airloom.engine.csv_file import Layout, csv_arguments, csv_columns, layouts
from airloom.engine.quoting import quoted, sql_literal
from airloom.engine.relation import Columns
from airloom.engine.text_values import FLOATING, form_of, must_be, must_read_text, read_json_text, read_text

READERS = {"jsonl": "read_json", "parquet": "read_parquet"}
_MOMENT = re.compile(r"\bTIME(STAMP(TZ)?)?\b")


def select_files(
    format_name: str,
    paths: Sequence[str],
    options: Mapping[str, Any],
    columns: Columns | None = None,
    uris: Sequence[str] = (),
) -> str:
    """Return `SELECT * FROM` the files as one table; with `columns`, their types are as given and not found out.

    A value of a text file that its column cannot hold ends the query: DuckDB alone would round 2.7 to a whole number,
    and take NaN. `uris` are what the local `paths` stand for, where a column tells them.
    """
    if format_name == "csv":
        kinds = csv_columns(paths, options) if columns is None else columns
        chosen = ", ".join(f"{fitting(name, kind, options)} AS {quoted(name)}" for name, kind in kinds.items())
        return f"SELECT {chosen} FROM ({select_csv(paths, options, kinds)}) AS found"  # noqa: S608 escaped above
    if format_name == "text":
        return _select_text(paths, options, uris or paths)
    given: dict[str, Any] = dict(options)
    strict = strict_values(options, columns or {}) if format_name == "jsonl" else {}
    if format_name == "jsonl":
        given.setdefault("format", "newline_delimited")
        if columns is not None:
            given = {"format": given["format"], "columns": {**columns, **dict.fromkeys(strict, "VARCHAR")}}
        elif "columns" not in given:
            # From 200 fields of one type on, DuckDB takes objects for maps: one column for all.
            given["map_inference_threshold"] = -1
    query = f"SELECT * FROM {call(READERS[format_name], paths, given)}"  # noqa: S608 escaped above
    known = columns or {}
    exact = [name for name in strict if known[name].startswith("DECIMAL")]
    if exact:
        return _select_decimals(paths, given["columns"], known, strict, exact)
    if format_name == "jsonl":
        values = {name: finite(name) for name, kind in known.items() if kind in FLOATING}
        values |= {name: must_be(quoted(name), value) or "" for name, value in strict.items()}
    else:
        # Parquet may hold nanoseconds, which no other file of ours does.
        values = {name: f"CAST({quoted(name)} AS {kind})" for name, kind in known.items() if _MOMENT.search(kind)}
    if values:
        replaced = ", ".join(f"{value} AS {quoted(name)}" for name, value in values.items())
        query = query.replace("*", f"* REPLACE ({replaced})", 1)
    return query


def _select_decimals(
    paths: Sequence[str], read: Columns, columns: Columns, strict: Mapping[str, str], exact: Sequence[str]
) -> str:
    """Return the query for lines of JSON whose decimals keep all digits: DuckDB's reader takes them for doubles."""
    inner = "decimals"
    while inner in {name.lower() for name in columns}:
        inner += "_"
    chosen = []
    for name, kind in columns.items():
        value = strict.get(name, quoted(name))
        if name in exact:
            value = f"CASE WHEN {value} IS NOT NULL THEN {inner}[{sql_literal(name)}] END"
        if name in strict:
            value = must_be(quoted(name), value) or value
        elif kind in FLOATING:
            value = finite(name)
        chosen.append(f"{value} AS {quoted(name)}")
    objects = call("read_json_objects", paths, {"format": "newline_delimited"})
    texts = f"json_transform_strict(json, {sql_literal(json.dumps(dict(read)))})"
    decimals = decimals_of("json", {name: columns[name] for name in exact})
    source = f"SELECT {texts} AS texts, {decimals} AS {inner} FROM {objects}"  # noqa: S608 escaped
    return f"SELECT {', '.join(chosen)} FROM (SELECT unnest(texts), {inner} FROM ({source}) AS lines) AS found"  # noqa: S608


def decimals_of(document: str, columns: Columns) -> str:
    """Return the expression for decimals of a JSON object, all digits of them."""
    return f"json_transform({document}, {sql_literal(json.dumps(dict(columns)))})"


def strict_values(options: Mapping[str, Any], columns: Columns) -> dict[str, str]:
    """Return the expressions for those fields of JSON whose type is given, read as text: null for what does not fit.

    A type that was found out holds all values; the cast to one that is given would round them, and take true for 1.
    """
    declared = {name.lower() for name in options.get("columns") or {}}
    values = {name: read_json_text(quoted(name), kind) for name, kind in columns.items() if name.lower() in declared}
    return {name: value for name, value in values.items() if value}


def call(function: str, paths: Sequence[str], arguments: Mapping[str, Any]) -> str:
    """Return the call of a function that reads files."""
    settings = "".join(f", {name} = {sql_literal(value)}" for name, value in arguments.items())
    return f"{function}({sql_literal(list(paths))}{settings})"


def select_csv(paths: Sequence[str], options: Mapping[str, Any], kinds: Columns, **more: Any) -> str:
    """Return the query for the files' columns as they are read, before `fitting`: most are text yet.

    `more` are further arguments of `read_csv`. Files of one layout are read together, those of others beside them.
    """
    spelling = {name.lower(): name for name in kinds}
    groups: dict[Layout, list[str]] = {}
    for path, layout in zip(paths, layouts(paths, options), strict=True):
        groups.setdefault(layout, []).append(path)
    parts = []
    for layout, members in groups.items():
        names = [spelling.get(name.lower(), name) for name in layout.names]
        if not names:
            continue
        # A column that nobody asked for, because its file has changed since, is read as text and left out.
        read = {name: _read_type(kinds.get(name, "VARCHAR")) for name in names}
        arguments = {**csv_arguments(options, layout, read), **more}
        parts.append(f"SELECT * FROM {call('read_csv', members, arguments)}")  # noqa: S608 escaped
    missing = spelling.keys() - {name.lower() for layout in groups for name in layout.names}
    if missing or not parts:
        parts.append(select_nothing({name: _read_type(kind) for name, kind in kinds.items()}))
    return " UNION ALL BY NAME ".join(parts)


def _read_type(kind: str) -> str:
    return "VARCHAR" if read_text("text", kind) else kind


def fitting(name: str, kind: str, options: Mapping[str, Any]) -> str:
    """Return the expression for a column's value that ends the query where its text is no such value."""
    return must_read_text(quoted(name), kind, form_of(options, name)) or quoted(name)


def try_fitting(name: str, kind: str, options: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the expressions for a column's value and for whether it fits, or None where any that is read does."""
    value = read_text(quoted(name), kind, form_of(options, name))
    return (value, f"({quoted(name)} IS NULL OR {value} IS NOT NULL)") if value else None


def finite(name: str) -> str:
    """Return the expression for a column's number that ends the query where it is NaN or infinity."""
    column = quoted(name)
    return f"CASE WHEN isfinite({column}) IS NOT FALSE THEN {column} ELSE error('not finite') END"


def _select_text(paths: Sequence[str], options: Mapping[str, Any], uris: Sequence[str]) -> str:
    """Return the query for texts and the files that they stand in."""
    if options.get("rows") == "files":
        text, source = "content", call("read_text", paths, {})
    else:
        text, source = "coalesce(text, '')", call("read_csv", paths, {**LINES, "filename": True})
    names = sql_literal(list(paths)), sql_literal(list(uris))
    path = f"map({names[0]}, {names[1]})[filename]"
    return f"SELECT {text} AS text, {path} AS path FROM {source}"  # noqa: S608 escaped above


LINES: dict[str, Any] = {
    "auto_detect": False, "header": False, "columns": {"text": "VARCHAR"}, "delim": "\x1f\x1e\x1f\x1e", "quote": "",
    "escape": "", "comment": "", "strict_mode": False,
}  # fmt: skip
"""The arguments by which `read_csv` gives every line of a text as it is."""


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
