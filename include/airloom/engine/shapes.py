"""Column types from DuckDB itself: an empty table for each relation, and each query bound over them.

Binding reads no rows, but works out constants, which a user's text may make costly: to be done in a child process.
Tables, not views: views nest, and the hundredth would cost as much as the hundred before it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from airloom.engine.csv_file import csv_columns
from airloom.engine.packed import open_bytes
from airloom.engine.reading import LINES, call, quoted, select_cast, select_files, sql_literal
from airloom.engine.relation import Columns, Query, exp, family
from airloom.engine.scan import Scan
from airloom.engine.types import casts, clashing_names
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import suggestion

if TYPE_CHECKING:
    import duckdb


LOOKED_THROUGH = 256 << 20
"""Bytes up to which a check looks through files of JSON for their fields; of larger ones it sees the top."""


class QueryError(ConfigurationError):
    """Raise when DuckDB refuses a query over the columns that it will meet."""

    code = "query.invalid"


class Shapes:
    """Know the columns of relations, and say those of queries over them and of files.

    `read` are the local files that `scanned` is asked for: making a database takes longer than looking at most files.
    """

    def __init__(self, read: Sequence[str] = ()) -> None:
        from airloom.engine import duck

        self.columns: dict[str, Columns] = {}
        self._connection = duck.connect(memory_limit="512MB", threads=1, read=read)
        self._scanned: dict[str, Columns] = {}

    def __enter__(self) -> Shapes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, name: str, columns: Columns) -> None:
        """Keep the columns of a relation; raise QueryError where two names differ in case alone."""
        clashes = clashing_names(list(columns))
        if clashes:
            raise QueryError(
                f"two columns are called {clashes[0]!r} but for case; SQL cannot tell them apart",
                hint="rename one of them",
            )
        kinds = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns.items())
        if columns:
            self._connection.execute(f"CREATE TABLE {quoted(name)} ({kinds})")
        self.columns[name] = dict(columns)

    def scanned(self, scan: Scan, paths: Sequence[str]) -> Columns:
        """Return the columns that the files of a scan give; raise ConfigurationError where they cannot be read."""
        key = repr((scan, tuple(paths)))
        if key not in self._scanned:
            self._scanned[key] = scan_columns(scan, self._connection, paths, whole=scan.size <= LOOKED_THROUGH)
        return self._scanned[key]

    def describe(self, query: Query) -> tuple[str, Columns]:
        """Return the query's text with its columns cast into types that last, and those columns; raise QueryError."""
        text = query.sql("duckdb")
        columns = self._describe(text)
        changes = casts(columns)
        if not changes:
            return text, columns
        text = select_cast(text, columns, changes)
        return text, self._describe(text)

    def kinds(self, query: exp.Query) -> list[tuple[str, str]] | None:
        """Return the columns of a part of a query, with DuckDB's own types, or None where it cannot stand alone."""
        import duckdb

        with contextlib.suppress(duckdb.Error):
            bound = self._connection.sql(query.sql(dialect="duckdb"))
            return list(zip(bound.columns, map(str, bound.types), strict=True))
        return None

    def misfit(self, texts: Sequence[str], kind: str) -> str | None:
        """Return the first text that is no value of a type, or None where each is one, or none can be."""
        import duckdb

        query = f"SELECT text FROM (SELECT unnest($1) AS text) WHERE TRY_CAST(text AS {kind}) IS NULL LIMIT 1"  # noqa: S608
        with contextlib.suppress(duckdb.Error):
            row = self._connection.execute(query, [list(texts)]).fetchone()
            return str(row[0]) if row else None
        return None

    def zones(self) -> list[str]:
        """Return the names of all time zones."""
        return [row[0] for row in self._connection.execute("SELECT name FROM pg_timezone_names()").fetchall()]

    def _describe(self, text: str) -> dict[str, str]:
        import duckdb

        try:
            # DESCRIBE gives the column's own name where an alias differs from it in case alone.
            bound = self._connection.sql(text)
        except duckdb.Error as error:
            raise _query_error(error) from None
        clashes = clashing_names(bound.columns)
        if clashes:
            raise QueryError(
                f"two columns of the result are called {clashes[0]!r}", hint="give one of them another name"
            )
        return dict(zip(bound.columns, map(str, bound.types), strict=True))


def scan_columns(
    scan: Scan, connection: duckdb.DuckDBPyConnection, paths: Sequence[str], *, whole: bool = False
) -> Columns:
    """Return the columns that the files of a scan give; raise ConfigurationError where they cannot be read.

    Fields of JSON are looked for in all lines where `whole` is set, else in the first 20,480: one that is first met
    below them would be passed over in silence.
    """
    import duckdb

    if scan.format == "csv":
        return csv_columns(paths, scan.options)
    if scan.format == "text":
        return {"text": "VARCHAR", "path": "VARCHAR"}
    options = dict(scan.options)
    if "sheet" in scan.made:
        from airloom.engine.sheet_file import sheet_columns

        return sheet_columns(paths, options.get("columns", {}))
    if scan.format == "jsonl":
        # A line that is no object is told of when it is read.
        options["ignore_errors"] = True
        if whole and "columns" not in options:
            options["sample_size"] = -1
    try:
        rows = connection.execute("DESCRIBE " + select_files(scan.format, paths, options)).fetchall()
    except duckdb.Error as error:
        raise ConfigurationError(
            f"{os.path.basename(paths[0])} cannot be read as {scan.format}: {plain_message(error)}", field="path"
        ) from None
    found: dict[str, str] = {row[0]: row[1] for row in rows}
    if scan.format == "jsonl":
        if found == {"json": "JSON"} and "columns" not in options and not any(map(os.path.getsize, paths)):
            raise ConfigurationError(
                f"{os.path.basename(paths[0])} is empty, so it has no columns",
                field="path",
                hint="name them with their types: columns",
            )
        _check_fields(found, paths)
    if found == {"json": "JSON"} and "columns" not in options:
        found = _columns_of_objects(connection, paths) or found
    return {**found, **casts(found)}


def _check_fields(found: Mapping[str, str], paths: Sequence[str]) -> None:
    """Refuse fields that differ in case alone: DuckDB calls the second `A_1`, and then reads nothing from it."""
    names = {name.lower() for name in found}
    for name in found:
        base, _, number = name.rpartition("_")
        if number.isdigit() and base.lower() in names and not _holds(paths, f'"{name}"'):
            raise ConfigurationError(
                f"{os.path.basename(paths[0])} has two fields called {base!r} but for case; SQL cannot tell them apart",
                field="columns",
                hint="name those to read, with their types",
            )


def _holds(paths: Sequence[str], text: str) -> bool:
    for path in paths:
        with open_bytes(path) as file:
            if any(text.encode() in line for line in file):
                return True
    return False


def _columns_of_objects(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> dict[str, str]:
    """Return the columns of those lines that are objects: a line that is none keeps DuckDB from finding them."""
    lines = call("read_csv", paths, {**LINES, "ignore_errors": True})
    # Invalid lines are left out: DuckDB raises when asked for the type of one.
    document = "CASE WHEN json_valid(text) THEN CAST(text AS JSON) END"
    objects = f"SELECT doc FROM (SELECT {document} AS doc FROM {lines}) WHERE json_type(doc) = 'OBJECT'"  # noqa: S608
    query = f"SELECT json_group_structure(doc) FROM ({objects})"  # noqa: S608
    structure = connection.execute(query).fetchone()
    if structure is None or structure[0] is None:
        return {}
    text = sql_literal(structure[0].replace('"UBIGINT"', '"BIGINT"'))
    rows = connection.execute(f"DESCRIBE SELECT unnest(json_transform(CAST(NULL AS JSON), {text}))").fetchall()
    return {row[0]: row[1] for row in rows}


_NO_FUNCTION = re.compile(r"No function matches the given name and argument types '(.+?)\((.*)\)'\.")
_NO_COMPARISON = re.compile(r"Cannot compare values of type (.+?) and type (.+?) - an explicit cast")
_NO_MIXTURE = re.compile(
    r"Cannot mix values of type (.+?) and (.+?) in (.+?) (?:expression|operator|clause)? ?- an explicit"
)
_NO_COLUMN = re.compile(r'(?:Referenced|Table ".+?" does not have a) column (?:named )?"(.+?)"(?: not found)?(.*)')
_BAD_PATTERN = re.compile(
    r"(missing [)\]]|unexpected \)|bad repetition|no argument for rep|trailing \\|invalid (perl|esc|char|named|rep))"
)
_LITERALS = {"INTEGER_LITERAL": "a whole number", "STRING_LITERAL": "a text"}
_OPERATORS = {"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE"}


def _query_error(error: Exception) -> QueryError:
    """Return what DuckDB says of a query, with what to do about types that do not go together."""
    text = plain_message(error)
    if found := _NO_COMPARISON.search(text):
        left, right = (_LITERALS.get(kind, kind) for kind in found.groups())
        return QueryError(f"{left} cannot be compared with {right}", hint=cast_to_compare(*found.groups()))
    if found := _NO_MIXTURE.search(text):
        left, right, place = (_LITERALS.get(kind, kind) for kind in found.groups())
        hint = cast_to_compare(*found.groups()[:2])
        return QueryError(f"{left} and {right} cannot stand together in {place}", hint=hint)
    if found := _NO_FUNCTION.search(text):
        kinds = re.split(r", (?![^(]*\))", found[2])
        shown = " and ".join(_LITERALS.get(kind, kind) for kind in kinds)
        name = _OPERATORS.get(found[1], found[1])
        return QueryError(f"{name} does not take {shown or 'nothing'}", hint=_cast_for(name, kinds))
    if found := _NO_COLUMN.match(text):
        return QueryError(f"there is no column {found[1]!r}", hint=_column_meant(found[1], found[2]))
    if _BAD_PATTERN.match(text):
        return QueryError(f"the regular expression is wrong: {text}", hint="write \\ before a sign that means itself")
    return QueryError(text)


def cast_to_compare(left: str, right: str) -> str | None:
    """Return how two values are made comparable, or None where no way is sure to be meant."""
    families = {_family(left), _family(right)}
    if families in ({"moment", "number"}, {"TIMESTAMPTZ", "number"}):
        return "write a date in single quotes: '2026-01-31'"
    if len(families) < 2 or "VARCHAR" not in families:
        return None
    other = right if _family(left) == "VARCHAR" else left
    wanted = {"INTEGER_LITERAL": "DOUBLE", "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}.get(other, other)
    return f"cast the text first: cast(name AS {wanted})" if re.fullmatch(r"[A-Z]+(\(\d+,\d+\))?", wanted) else None


def _cast_for(name: str, kinds: Sequence[str]) -> str | None:
    from airloom.engine.policy import FUNCTIONS

    families = {_family(kind) for kind in kinds}
    moments = bool(families & {"moment", "TIMESTAMPTZ"})
    if name in FUNCTIONS["text"] or name in _OPERATORS.values():
        return "cast what is no text: cast(name AS VARCHAR)"
    if name in FUNCTIONS["dates and times"] and "VARCHAR" in families:
        finer = name in ("hour", "minute", "second", "epoch", "epoch_ms", "epoch_us", "time_bucket")
        return f"cast the text first: cast(name AS {'TIMESTAMP' if finer else 'DATE'})"
    numeric = name in (*FUNCTIONS["numbers"], *FUNCTIONS["aggregates"], "+", "-", "*", "/", "//", "%")
    if numeric and "VARCHAR" in families and not moments:
        return "cast the text first: cast(name AS DOUBLE)"
    if name in ("+", "-") and moments and "number" in families:
        return "write a length of time, such as interval 7 day"
    return None


def _family(kind: str) -> str:
    return {"STRING_LITERAL": "VARCHAR", "INTEGER_LITERAL": "number"}.get(kind) or family(kind)


def _column_meant(name: str, rest: str) -> str | None:
    near = re.findall(r'"([^"]+)"', rest.partition("Candidate bindings")[2])
    hint = f"text stands in single quotes: '{name}'" + (f"; columns: {', '.join(near)}" if near else "")
    return suggestion(name, near) or hint


def plain_message(error: Exception) -> str:
    """Return what DuckDB says, without its prefix, the position, the query's text and lists of functions."""
    text = re.split(r"\n+LINE |\s+Candidate functions:", str(error))[0]
    text = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", text)
    return " ".join(text.split())
