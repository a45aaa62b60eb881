"""Reading and writing the table that a reference names, in this process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.errors import ParseError

from airloom.engine.address import is_url
from airloom.engine.batches import Batches
from airloom.engine.data_folder import existing
from airloom.engine.faults import REJECT_COLUMNS, Fault
from airloom.engine.prepare import ready_files
from airloom.engine.reading import copy_to, select_all, select_cast, select_files
from airloom.engine.reference import TableReference, kind_of_value
from airloom.engine.relation import Columns
from airloom.engine.shapes import plain_message
from airloom.engine.storage import disk_fault, local_file, part_folder, parts, put_file, unchanged
from airloom.engine.types import casts, clashing_names, portable
from airloom.spec.error import DataError

if TYPE_CHECKING:
    import pyarrow
    from duckdb import DuckDBPyConnection

BATCH_ROWS = 50_000
SAME_IN_ARROW = re.compile(r"U?(TINY|SMALL|BIG)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\)|BOOLEAN|VARCHAR|DATE|TIMESTAMP")
"""Types whose values DuckDB gives as Arrow does: importing Arrow takes longer than most queries."""


@contextlib.contextmanager
def local_paths(reference: TableReference) -> Iterator[list[str]]:
    """Give local paths of a table's files; raise DataError where one is gone or has changed since it was scanned."""
    with contextlib.ExitStack() as stack:
        for file in reference.scan.files if reference.scan else ():
            unchanged(file)
        if reference.scan is not None:
            yield ready_files(reference.scan, stack)
            return
        stack.enter_context(existing(reference.uri or ""))
        paths = [part for uri in reference.files for part in parts(stack.enter_context(local_file(uri)))]
        for uri in reference.files:
            if not is_url(uri):
                os.stat(uri)
        yield paths


def select_reference(reference: TableReference, paths: list[str]) -> str:
    """Return the SQL that reads a table from the local paths of its files."""
    if reference.scan is not None:
        return select_files(reference.scan.format, paths, reference.scan.options, reference.columns, reference.files)
    return select_files("parquet", paths, {})


class _Database:
    """A database for the files below a folder, opened when it is needed."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._connection: DuckDBPyConnection | None = None

    def connection(self) -> DuckDBPyConnection:
        """Return a connection of its own to it."""
        from airloom.engine import duck

        if self._connection is None:
            # With one thread it has none of its own, which a fork of this process would miss.
            self._connection = duck.connect(write=[self.folder], threads=1)
        return self._connection.cursor()

    def close(self) -> None:
        """Close it, where it is open."""
        if self._connection is not None:
            self._connection.close()


_database: ContextVar[_Database | None] = ContextVar("_database", default=None)
# A forked process opens its own: what it has of this one's is a copy that was in use.
os.register_at_fork(after_in_child=lambda: _database.set(None))


@contextlib.contextmanager
def one_database(folder: str) -> Iterator[None]:
    """Read and write the tables below a local folder in one database meanwhile: to open one takes 30 ms."""
    with contextlib.closing(_Database(folder)) as database:
        before = _database.set(database)
        try:
            yield
        finally:
            _database.reset(before)


def _connection(
    read: Sequence[str] = (), write: Sequence[str] = ()
) -> contextlib.AbstractContextManager[DuckDBPyConnection]:
    """Return a database that reaches these files and folders."""
    from airloom.engine import duck

    database = _database.get()
    if database is not None and all(path.startswith(f"{database.folder}/") for path in (*read, *write)):
        return contextlib.closing(database.connection())
    return contextlib.closing(duck.connect(read=read, write=write))


@contextlib.contextmanager
def _query(reference: TableReference, tail: str, head: str = "") -> Iterator[Any]:
    import duckdb

    with local_paths(reference) as paths, _connection(read=paths) as connection:
        try:
            yield connection.sql(f"{head}{select_reference(reference, paths)}{tail}")
        except duckdb.Error as error:
            raise DataError(f"the table cannot be read: {plain_message(error)}") from None


def count(reference: TableReference) -> int:
    """Return how many rows a table has; those of a scan are counted."""
    if reference.rows is not None:
        return reference.rows
    return int(query_row(reference, "count(*)")[0])


def query_row(reference: TableReference, aggregates: str) -> tuple[Any, ...]:
    """Return the one row that SQL aggregates make of a table."""
    with _query(reference, ")", f"SELECT {aggregates} FROM (") as result:  # noqa: S608 the aggregates are ours
        row: tuple[Any, ...] = result.fetchall()[0]
        return row


def first_rows(reference: TableReference, number: int, *, after: int = 0) -> list[dict[str, Any]]:
    """Return the first rows, or those after so many, as JSON-like objects."""
    with _query(reference, f" LIMIT {int(number)} OFFSET {int(after)}") as result:
        if all(SAME_IN_ARROW.fullmatch(kind) for kind in reference.columns.values()):
            return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]
        rows: list[dict[str, Any]] = result.to_arrow_table().to_pylist()
        return rows


@contextlib.contextmanager
def open_batches(reference: TableReference) -> Iterator[Batches]:
    """Give a table's rows as a stream of Arrow batches."""
    with _query(reference, "") as result:
        reader = result.to_arrow_reader(BATCH_ROWS)
        yield Batches(reader.schema, reader)


def write_batches(batches: Batches, uri: str) -> TableReference:
    """Write a stream of batches as a Parquet file that appears whole or not at all; return its reference.

    Columns are cast into types that last. Raises what the stream raises.
    """
    import duckdb
    import pyarrow

    folder = part_folder(uri)
    stream = _Stream(batches)
    try:
        local = os.path.join(folder, "rows.parquet")
        with _connection(write=[folder]) as connection:
            connection.register("batches", pyarrow.RecordBatchReader.from_batches(batches.schema, stream))
            bound = connection.table("batches")
            found = dict(zip(bound.columns, map(str, bound.types), strict=True))
            query = select_cast(select_all("batches"), found, casts(found))
            try:
                row = connection.execute(copy_to(query, local, "parquet", {"compression": "snappy"})).fetchone()
            except duckdb.Error as error:
                # An error of the stream reaches DuckDB as text; what was raised is told as it was.
                raise (
                    stream.error or disk_fault(error) or DataError(f"the rows cannot be kept: {plain_message(error)}")
                ) from None
        size = os.path.getsize(local)
        put_file(local, uri)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    columns = {name: portable(kind) for name, kind in found.items()}
    return TableReference(columns, uri=uri, rows=int(row[0]) if row else 0, bytes=size)


def write_rejects(faults: Iterable[Fault], uri: str) -> TableReference:
    """Write what did not fit as a table of file, line, column, text and reason; return its reference."""
    import pyarrow

    text = pyarrow.string()
    schema = pyarrow.schema(
        [(name, pyarrow.int64() if kind == "BIGINT" else text) for name, kind in REJECT_COLUMNS.items()]
    )
    return write_batches(Batches.from_rows((fault.row() for fault in faults), schema), uri)


class _Stream:
    """Hand on batches, and keep the error that ended them."""

    def __init__(self, batches: Batches) -> None:
        self.error: BaseException | None = None
        self._batches = iter(batches)

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._batches)
        except StopIteration:
            raise
        except BaseException as error:
            self.error = error
            raise


def write_shown(columns: Columns, rows: Sequence[Mapping[str, Any]], uri: str) -> TableReference:
    """Write rows as JSON shows them (dates as text, bytes in hexadecimal) as a table of these columns.

    Raises DataError where a value is none of its column's type.
    """
    import duckdb
    import pyarrow

    from airloom.engine import duck

    texts = {name: pyarrow.array([_shown_text(row.get(name)) for row in rows], pyarrow.string()) for name in columns}
    shown = exp.select(*(_read_shown(name, kind) for name, kind in columns.items())).from_("shown")
    with contextlib.closing(duck.connect()) as connection:
        connection.register("shown", pyarrow.table(texts))
        try:
            table = connection.sql(shown.sql("duckdb")).to_arrow_table()
        except duckdb.Error as error:
            raise DataError(f"the rows are not a table of these columns: {plain_message(error)}") from None
    return write_batches(Batches(table.schema, table.to_batches()), uri)


def _shown_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read_shown(name: str, kind: str) -> exp.Expr:
    column: exp.Expr = exp.column(name, quoted=True)
    if kind == "BLOB":
        return exp.alias_(exp.func("unhex", column, dialect="duckdb"), name, quoted=True)
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP")):
        column = exp.cast(column, "JSON")
    try:
        data_type = exp.DataType.build(kind, dialect="duckdb")
    except ParseError:
        raise DataError(f"column {name!r}: there is no type {kind!r}") from None
    return exp.alias_(exp.cast(column, data_type), name, quoted=True)


def arrow_of(rows: list[Any], name: str) -> pyarrow.Table:
    """Return a list of objects as an Arrow table of all their fields, null where an object lacks one.

    `name` is what the list is called in errors. Raises DataError where it is not a table.
    """
    import pyarrow

    hint = "each item is an object, and a field is of one type in all of them"
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(f"{name} is not a table: its item {index + 1} is {kind_of_value(row)}", hint=hint)
    columns = {}
    for field in dict.fromkeys(field for row in rows for field in row):
        values = [row.get(field) for row in rows]
        try:
            columns[field] = pyarrow.array(values)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError, OverflowError):
            number = _too_large(values)
            if number is not None:
                fault, hint = f"holds {number}, too large a number for a table", "give it as text"
            else:
                fault = "holds values of several types"
            raise DataError(f"{name} is not a table: its field {field!r} {fault}", hint=hint) from None
    repeated = _alike(list(columns), [column.type for column in columns.values()])
    if repeated:
        raise DataError(
            f"{name} is not a table: its fields {repeated[0]!r} and {repeated[1]!r} differ in case alone",
            hint="rename one of them; SQL cannot tell them apart",
        )
    if not columns:
        what = "an empty list" if not rows else "a list of empty objects"
        raise DataError(
            f"{name} is {what}, which has no columns to make a table of",
            hint="let a switch send such a list another way: operator is_empty",
        )
    return pyarrow.table(columns)


def _too_large(values: list[Any]) -> int | None:
    """Return the first whole number that no column holds: of more than 64 bits, or 53 beside fractions."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < sum(value is not None for value in values):
        return None
    most = 2**53 if any(isinstance(value, float) for value in numbers) else 2**63 - 1
    return next((value for value in numbers if isinstance(value, int) and not -most - 1 <= value <= most), None)


def _alike(names: list[str], kinds: list[pyarrow.DataType]) -> tuple[str, str] | None:
    """Return two names of columns, or of fields inside of one, that differ in case alone."""
    clashes = clashing_names(names)
    if clashes:
        return next(name for name in names if name.lower() == clashes[0].lower()), clashes[0]
    for kind in kinds:
        fields = [kind.field(at) for at in range(kind.num_fields)]
        found = _alike([field.name for field in fields], [field.type for field in fields])
        if found:
            return found
    return None
