"""Column types from DuckDB itself: an empty table for each relation, and each query bound over them.

Binding reads no rows, but works out constants, which a user's text may make costly: to be done in a child process.
Tables, not views: views nest, and the hundredth would cost as much as the hundred before it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airloom.engine import duck_tree
from airloom.engine.csv_file import csv_columns
from airloom.engine.json_file import find_clash
from airloom.engine.packed import open_bytes
from airloom.engine.quoting import quoted, sql_literal
from airloom.engine.reading import LINES, call, select_cast, select_files
from airloom.engine.relation import Columns, Query, exp, family
from airloom.engine.scan import Scan
from airloom.engine.text_values import read_text
from airloom.engine.types import casts, clashing_names, loses_digits, portable, spelled
from airloom.spec.error import ConfigurationError, TextFault
from airloom.spec.problem import suggestion

if TYPE_CHECKING:
    import duckdb


MOST_FAULTS = 20
"""Columns of one query that are told one by one."""
LOOKED_THROUGH = 256 << 20
"""Bytes up to which a check looks through files of JSON for their fields; of larger ones it sees the top."""


class QueryError(TextFault):
    """Raise when DuckDB refuses a query over the columns that it will meet."""

    code = "query.invalid"
    column: str | None = None
    """The column that is not there, where that is it."""


class Shapes:
    """Know the columns of relations, and say those of queries over them and of files.

    `read` are the local files that `scanned` is asked for: making a database takes longer than looking at most files.
    """

    def __init__(self, read: Sequence[str] = ()) -> None:
        from airloom.engine import duck

        self.columns: dict[str, Columns] = {}
        self._connection = duck.connect(memory_limit="512MB", threads=1, read=read)
        self._scanned: dict[str, Columns] = {}
        self._readings: dict[str, str] = {}

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
        try:
            columns = self._describe(text)
        except QueryError as error:
            error.find_others = functools.partial(self._more_unknown_columns, query, error)
            raise
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
            return list(zip(bound.columns, (spelled(str(kind)) for kind in bound.types), strict=True))
        return None

    def readings(self, selects: Sequence[str]) -> list[str]:
        """Return DuckDB's own readings of texts, as `duck_tree.read`."""
        new = [text for text in dict.fromkeys(selects) if text not in self._readings]
        if new:
            self._readings.update(zip(new, duck_tree.read(self._connection, new), strict=True))
        return [self._readings[text] for text in selects]

    def misfit(self, texts: Sequence[str], kind: str) -> tuple[str, str | None] | None:
        """Return the first text that DuckDB would not read as a type whole, with its value as text, or None.

        The value is None where it is none of the type. None is returned where each text is read, or none can be.
        """
        import duckdb

        given, value = f"TRY_CAST(text AS {kind})", read_text("text", kind)
        bad = f"{value} IS NULL OR {value} IS DISTINCT FROM {given}" if value else f"{given} IS NULL"
        shown = f"CAST({value or given} AS VARCHAR)"
        query = f"SELECT text, {shown} FROM (SELECT unnest($1) AS text) WHERE {bad} LIMIT 1"  # noqa: S608
        with contextlib.suppress(duckdb.Error):
            row = self._connection.execute(query, [list(texts)]).fetchone()
            return (str(row[0]), row[1]) if row else None
        return None

    def zones(self) -> list[str]:
        """Return the names of all time zones."""
        return [row[0] for row in self._connection.execute("SELECT name FROM pg_timezone_names()").fetchall()]

    def _more_unknown_columns(self, query: exp.Query, error: QueryError) -> list[QueryError]:
        """Return what DuckDB says of further columns that are not there: it tells one at a time."""
        return list(self._unknown_columns(query, error))

    def _unknown_columns(self, query: exp.Query, error: QueryError) -> Iterator[QueryError]:
        """Yield what DuckDB says of further columns that are not there: it tells one at a time."""
        tree = query.copy()
        for _ in range(MOST_FAULTS):
            if error.column is None:
                return
            for column in list(tree.find_all(exp.Column)):
                if column.name.lower() == error.column.lower():
                    column.replace(exp.null())
            try:
                self._describe(tree.sql("duckdb"))
            except QueryError as another:
                if another.column is not None and another.message != error.message:
                    yield another
                error = another
            else:
                return

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
        return dict(zip(bound.columns, (spelled(str(kind)) for kind in bound.types), strict=True))


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
        # A line that is not an object is told of when it is read.
        options["ignore_errors"] = True
        if "columns" in options:
            return {**options["columns"], **casts(options["columns"])}
        if whole:
            options["sample_size"] = -1
    try:
        rows = _described(connection, scan.format, paths, options)
    except duckdb.Error as error:
        raise ConfigurationError(
            f"{os.path.basename(paths[0])} cannot be read as {scan.format}: {plain_message(error)}", field="path"
        ) from None
    found: dict[str, str] = {row[0]: row[1] for row in rows}
    if scan.format == "parquet" and re.search(r"\b(FLOAT|DOUBLE)\b", " ".join(found.values())):
        _check_digits(connection, paths)
        _check_floats(found, connection, paths)
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
    return {name: portable(kind) for name, kind in found.items()}


def _check_floats(found: Mapping[str, str], connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> None:
    """Refuse files that meet as FLOAT or DOUBLE where one has numbers of more digits."""
    kinds = {name.lower(): (name, kind) for name, kind in found.items()}
    for path in paths if len(paths) > 1 else ():
        for column, given, *_ in connection.execute("DESCRIBE " + select_files("parquet", [path], {})).fetchall():
            name, kind = kinds[column.lower()]
            lost = loses_digits(kind, given)
            if lost == "DOUBLE" and not _lost_as_double(connection, path, column, given):
                continue
            inside = kind != given and re.search(r"\b(FLOAT|DOUBLE)\b", kind) and re.search(_LONG_NUMBERS, given)
            if lost or inside:
                hint = "read them by a node each, cast both to a DECIMAL, and concat"
                raise ConfigurationError(
                    f"{name!r} is {given} in {os.path.basename(path)} and {kind} in another file: "
                    f"no {lost or kind} holds the numbers of both",
                    field="path",
                    hint=hint if lost != "FLOAT" else "read them by a node each, cast the FLOAT to DOUBLE, and concat",
                )


def _check_digits(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> None:
    """Refuse decimals of more digits than a column has: DuckDB reads them as DOUBLE."""
    query = "SELECT name, precision FROM parquet_schema($1) WHERE precision > 38"
    row = connection.execute(query, [list(paths)]).fetchone()
    if row:
        message = f"{row[0]!r} is a decimal of {row[1]} digits, more than the 38 that a column holds"
        raise ConfigurationError(message, field="path", hint="write the file with text or fewer digits there")


_LONG_NUMBERS = r"\b(U?BIGINT|U?HUGEINT|DECIMAL)\b"


def _lost_as_double(connection: duckdb.DuckDBPyConnection, path: str, column: str, kind: str) -> bool:
    """Tell whether a file has a number of which a DOUBLE would lose digits."""
    name = quoted(column)
    same = f"TRY_CAST(CAST({name} AS DOUBLE) AS {kind}) IS NOT DISTINCT FROM {name}"
    query = f"SELECT 1 FROM {call('read_parquet', [path], {})} WHERE NOT ({same}) LIMIT 1"  # noqa: S608 quoted
    return connection.execute(query).fetchone() is not None


def _described(
    connection: duckdb.DuckDBPyConnection, format_name: str, paths: Sequence[str], options: Mapping[str, Any]
) -> list[tuple[str, ...]]:
    """Return the columns of files; raise ConfigurationError where fields of an object differ in case alone."""
    import duckdb

    if format_name == "jsonl":
        strict = {**options, "ignore_errors": False}
        try:
            return connection.execute("DESCRIBE " + select_files(format_name, paths, strict)).fetchall()
        except duckdb.Error as error:
            # Asked to pass over errors, DuckDB leaves out one of the two.
            if found := re.search(r'Duplicate name ""(.*?)"" in struct', str(error)):
                raise _same_but_case(paths, found[1]) from None
    return connection.execute("DESCRIBE " + select_files(format_name, paths, options)).fetchall()


def _check_fields(found: Mapping[str, str], paths: Sequence[str]) -> None:
    """Refuse fields that differ in case alone: DuckDB calls the second `A_1`, and then reads nothing from it."""
    names = {name.lower() for name in found}
    for name in found:
        base, _, number = name.rpartition("_")
        if number.isdigit() and base.lower() in names and not _holds(paths, f'"{name}"'):
            raise _same_but_case(paths, base)


def _holds(paths: Sequence[str], text: str) -> bool:
    for path in paths:
        with open_bytes(path) as file:
            if any(text.encode() in line for line in file):
                return True
    return False


def _same_but_case(paths: Sequence[str], name: str) -> ConfigurationError:
    """Return the error about fields that are called alike but for case, one of them `name`."""
    hint = (
        "one of the two can be read: name it, with its type, in columns; for both read the text with text_read, and "
        "take it apart with json_select"
    )
    clash = find_clash(paths)
    if clash is None:
        message = f"{os.path.basename(paths[0])}: fields differ from {name!r} in case alone"
    else:
        inside = f" of {clash.place!r}" if clash.place else ""
        other = f" in {os.path.basename(clash.first_file)}" if clash.first_file != clash.file else ""
        message = (
            f"{os.path.basename(clash.file)}: the field {clash.name!r}{inside} differs from {clash.first!r}{other} in "
            "case alone"
        )
        if clash.place:
            hint = f"read {clash.place.split('.')[0]!r} as JSON: name those to read, with their types: columns"
    return ConfigurationError(f"{message}; SQL cannot tell them apart", field="columns", hint=hint)


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
    rows = connection.execute(f"DESCRIBE SELECT unnest(json_transform(CAST('{{}}' AS JSON), {text}))").fetchall()
    return {row[0]: row[1] for row in rows}


_NO_FUNCTION = re.compile(r"No function matches the given name and argument types '(.+?)\((.*)\)'\.")
_NO_COMPARISON = re.compile(r"Cannot compare values of type (.+?) and type (.+?) - an explicit cast")
_NO_MIXTURE = re.compile(
    r"Cannot mix values of type (.+?) and (.+?) in (.+?) (?:expression|operator|clause)? ?- an explicit"
)
_NO_COLUMN = re.compile(r'(?:Referenced|Table ".+?" does not have a) column (?:named )?"(.+?)"(?: not found)?(.*)')
_NOT_GROUPED = re.compile(r'column "(.+?)" must appear in the GROUP BY clause')
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
        if number := _arguments(str(error), found[1], len(kinds) if found[2] else 0):
            return QueryError(number)
        return QueryError(f"{name} does not take {shown or 'nothing'}", hint=_cast_for(name, kinds))
    if found := _NOT_GROUPED.match(text):
        name = found[1]
        fault = QueryError(f"{name!r} is neither grouped nor aggregated", hint=f"add {name} to GROUP BY")
        fault.word = name.rpartition(".")[2]
        return fault
    if found := _NO_COLUMN.match(text):
        missing = QueryError(f"there is no column {found[1]!r}", hint=_column_meant(found[1], found[2]))
        missing.column = missing.word = found[1]
        return missing
    if _BAD_PATTERN.match(text):
        return QueryError(f"the regular expression is wrong: {text}", hint="write \\ before a sign that means itself")
    return QueryError(text)


def _arguments(text: str, name: str, given: int) -> str | None:
    """Return how many arguments a function takes where it takes no such number, by the list of its forms."""
    forms = re.findall(rf"^\s*{re.escape(name)}\((.*)\) -> ", text, re.MULTILINE)
    counts = sorted({len(re.findall(r",(?![^(]*\))", form)) + 1 if form else 0 for form in forms})
    if not counts or given in counts or any("*" in form or "[, " in form or "..." in form for form in forms):
        return None
    *first, last = (("no", "one", "two", "three", "four")[count] if count < 5 else str(count) for count in counts)
    word = f"{', '.join(first)} or {last}" if first else last
    return f"{name} takes {word} argument{'' if counts == [1] else 's'}, not {given}"


def cast_to_compare(left: str, right: str) -> str | None:
    """Return how two values are made comparable, or None where no way is sure to be meant."""
    families = {_family(left), _family(right)}
    if families in ({"moment", "number"}, {"TIMESTAMPTZ", "number"}):
        if not {left, right} & {"INTEGER_LITERAL", "INTEGER"}:
            return "compare a date with a date, a number with a number: year(…) and epoch(…) make one of a date"
        return "write a date in single quotes: '2026-01-31'"
    if left.endswith("[]") != right.endswith("[]"):
        return 'a column stands in "double quotes", not in [ ]; for a list of values use list_contains(list, value)'
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
        return "cast what is not text: cast(name AS VARCHAR)"
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
    # Spaces stay: a value is told as it stands.
    return re.sub(r"\s*\n\s*", " ", text).strip()
