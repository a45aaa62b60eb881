"""A query against PostgreSQL: its columns before it runs, and its rows as a stream of Arrow batches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from psycopg import sql
from psycopg.types.json import Jsonb

from airloom.engine.relation import Columns, Relation
from airloom.engine.types import clashing_names
from airloom.nodes.databases.postgres_session import Session, escaped, names
from airloom.nodes.databases.postgres_table import find_table, no_table
from airloom.nodes.databases.postgres_types import ReadColumn, arrow_array, read_columns, register_loaders
from airloom.spec.error import ConfigurationError
from airloom.spec.expression import PLACEHOLDER, Declared

BATCH_ROWS = 10_000
# What stands for a value that only a run knows: a number has to be one, for its type decides about the column's.
SAMPLES = {"BIGINT": 1, "DOUBLE": 1.0, "BOOLEAN": True}


@dataclass(frozen=True)
class Query:
    """A SELECT from a table or from a user's query, with the values bound to it; nothing of a value is ever text."""

    session: Session
    source: sql.Composed
    values: dict[str, Any]

    @classmethod
    def of_table(cls, session: Session, text: str) -> Query:
        """Return the query of all rows of a table; raise ConfigurationError where there is none of that name."""
        table = find_table(session, text)
        if not table.exists:
            raise no_table(session, table)
        return cls(session, escaped(table.identifier, session), {})

    @classmethod
    def of_text(cls, session: Session, text: str, values: Sequence[Any]) -> Query:
        """Return the query that a user wrote, with a placeholder of the driver for each of its own."""
        plain = re.sub(rf"{PLACEHOLDER}(\d+)_", r"%(value\1)s", text.rstrip().rstrip(";").replace("%", "%%"))
        # On lines of its own, for the text may end in a comment.
        source = sql.SQL("(\n") + sql.SQL(plain) + sql.SQL("\n) AS query")
        return cls(session, source, {f"value{at}": _bound(value) for at, value in enumerate(values)})

    def select(
        self, columns: Sequence[str] | None, order: Sequence[str], descending: bool, limit: int | None
    ) -> sql.Composed:
        """Return the statement for some columns, in an order, up to a number of rows; columns match regardless of case.

        Raises ConfigurationError where a column is not there.
        """
        every = sql.SQL("SELECT * FROM {}").format(self.source)
        if columns is None and not order and limit is None:
            return every
        relation = Relation("rows", {column.name: column.duckdb for column in self.columns(every)})
        chosen = [relation.resolve(column) for column in (relation.columns if columns is None else columns)]
        statement = sql.SQL("SELECT {} FROM {}").format(escaped(names(chosen), self.session), self.source)
        if order:
            places = [
                escaped(sql.Identifier(relation.resolve(column)), self.session)
                + sql.SQL(" DESC NULLS LAST" if descending else " NULLS LAST")
                for column in order
            ]
            statement += sql.SQL(" ORDER BY ") + sql.SQL(", ").join(places)
        return statement if limit is None else statement + sql.SQL(f" LIMIT {limit:d}")

    def columns(self, statement: sql.Composed) -> list[ReadColumn]:
        """Return the columns of a statement, which is planned and not run; raise ConfigurationError for a wrong one."""
        with self.session.cursor("airloom_described") as cursor:
            cursor.execute(statement, self.values)
            result = cursor.pgresult
            assert result is not None  # noqa: S101 (a cursor that was declared is described)
            described = [
                ((result.fname(at) or b"").decode(), result.ftype(at), result.fmod(at)) for at in range(result.nfields)
            ]
        if clashes := clashing_names([name for name, _, _ in described]):
            raise ConfigurationError(
                f"the query gives column {clashes[0]!r} twice",
                field="sql",
                hint="give one of them another name with AS",
            )
        return read_columns(self.session, described)

    def batches(self, statement: sql.Composed, columns: Sequence[ReadColumn]) -> Iterator[pa.RecordBatch]:
        """Run a statement and yield its rows; the server keeps those that are not fetched yet."""
        schema = arrow_schema(columns)
        with self.session.cursor("airloom_rows") as cursor:
            register_loaders(cursor, columns)
            cursor.execute(statement, self.values)
            while rows := cursor.fetchmany(BATCH_ROWS):
                arrays = [
                    arrow_array(column, values) for column, values in zip(columns, zip(*rows, strict=True), strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def arrow_schema(columns: Iterable[ReadColumn]) -> pa.Schema:
    """Return the Arrow schema of columns that are read."""
    return pa.schema([(column.name, column.arrow) for column in columns])


def duckdb_columns(columns: Iterable[ReadColumn]) -> Columns:
    """Return the columns that are read with their DuckDB types."""
    return {column.name: column.duckdb for column in columns}


def _bound(value: Any) -> Any:
    if isinstance(value, Declared):
        return SAMPLES.get(value.type or "")
    return Jsonb(value) if isinstance(value, dict) else value
