"""What tests of nodes need: run a node on Python rows, and see whether its examples come true."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from airloom.engine.batches import Batches
from airloom.engine.quoting import quoted
from airloom.engine.reading import select_distinct
from airloom.engine.relation import Columns, Relation
from airloom.engine.storage import Files
from airloom.engine.types import spelled
from airloom.nodes.calling import call, queries_of
from airloom.nodes.context import Context, RunFacts
from airloom.nodes.functions import read_function
from airloom.nodes.kinds import plain
from airloom.nodes.sdk import Example, Fired, Node, Table, ports_of
from airloom.spec.document import EngineName
from airloom.spec.error import ConfigurationError
from airloom.spec.node_file import NodeFile

Row = dict[str, Any]
SQL_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "BOOLEAN"), (int, "BIGINT"), (float, "DOUBLE"), (Decimal, "DECIMAL(18,2)"),
    (datetime, "TIMESTAMP"), (date, "DATE"),
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """A table with its columns: for one without rows, and where types matter that values do not show."""

    columns: Columns
    values: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True)
class Answer:
    """What leaves a port: the columns with their DuckDB types, and the rows."""

    columns: Columns
    values: list[tuple[Any, ...]]

    @property
    def rows(self) -> list[Row]:
        """Return each row as a dictionary."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.values]


def run_table(node: Table, *, engine: EngineName = "duckdb", **inputs: Any) -> dict[str, Answer]:
    """Return what leaves each port of a table node, run by DuckDB; `engine` is the one that its query is meant for.

    An input is a list of dictionaries or `Rows`; that of a many-port is a list of such tables.

    Raise what the node's `query` raises, and DuckDB's errors as they are.
    """
    connection = _connection()

    def columns_of(query: str) -> dict[str, str]:
        # Bound, not run; DESCRIBE would say "a" of `SELECT a AS "A"` (DuckDB 2.0).
        bound = connection.sql(query)
        return dict(zip(bound.columns, (spelled(str(kind)) for kind in bound.types), strict=True))

    def relation(name: str, rows: Rows | Sequence[Row]) -> Relation:
        table = rows if isinstance(rows, Rows) else typed(rows)
        kinds = ", ".join(f"{quoted(column)} {kind}" for column, kind in table.columns.items())
        connection.execute(f"CREATE TABLE {quoted(name)} ({kinds})")
        if table.values:
            row = "(" + ", ".join("?" for _ in table.columns) + ")"
            rows_sql = ", ".join(row for _ in table.values)
            values = [value for given in table.values for value in given]
            connection.execute(f"INSERT INTO {quoted(name)} VALUES {rows_sql}", values)  # noqa: S608 quoted
        columns = columns_of(f"FROM {quoted(name)}")
        return Relation(name, columns, distinct=functools.partial(distinct, name), engine=engine)

    def distinct(name: str, column: str, limit: int) -> list[Any]:
        return [row[0] for row in connection.execute(select_distinct(name, column, limit)).fetchall()]

    connection.execute("BEGIN")
    try:
        relations: dict[str, Any] = {}
        for port in ports_of(type(node), node).inputs:
            given: Any = inputs[port.name]
            relations[port.name] = (
                [relation(f"{port.name}.{at}", rows) for at, rows in enumerate(given)]
                if port.many
                else relation(f"{port.name}.rows", given)
            )
        texts = {port: query.sql("duckdb") for port, query in queries_of(node, relations).items()}
        return {port: Answer(columns_of(text), connection.execute(text).fetchall()) for port, text in texts.items()}
    finally:
        connection.execute("ROLLBACK")


@functools.cache
def _connection() -> Any:
    import duckdb

    return duckdb.connect()


@dataclass(frozen=True)
class NoSurroundings:
    """Answer a node that runs by itself: no Connections, no files, parameters as given."""

    params: Mapping[str, Any] = field(default_factory=dict)
    run: RunFacts = field(default_factory=lambda: RunFacts("pipeline", "run", "node"))
    files: Files = field(default_factory=lambda: Files(Path(), ()))
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("airloom.node"))

    def connection(self, name: str) -> Any:
        """Raise ConfigurationError."""
        raise ConfigurationError(f"there is no Connection {name!r}")

    def function(self, name: str) -> NodeFile:
        """Return the file of a user's function as the folder of code has it."""
        return read_function(name)

    def emit(self, event: Mapping[str, Any]) -> None:
        """Show nothing."""


def run_node(node: Node, *, context: Context | None = None, **inputs: Any) -> dict[str, Any]:
    """Return what leaves each port of a node's `run`: JSON values, and tables as lists of dictionaries.

    Nothing is there for a port that does not fire. Inputs are given in the same way.
    """
    import pyarrow

    ports = ports_of(type(node), node)
    values = dict(inputs)
    for port in ports.inputs:
        if port.kind == "table" and port.name in values:
            table = pyarrow.Table.from_pylist(values[port.name])
            values[port.name] = Batches(table.schema, table.to_batches())
    answer = call(node, ports.inputs, values, context or NoSurroundings())
    if node.declaration.role == "choice":
        return {answer.port: answer.value} if isinstance(answer, Fired) else {}
    return {ports.outputs[0].name: list(answer.rows()) if isinstance(answer, Batches) else answer}


def outputs_of(node_class: type[Node], example: Example) -> dict[str, Any]:
    """Return what a node gives for an example, as JSON has it."""
    node: Any = node_class.model_validate(example.config)
    if isinstance(node, Table):
        return {port: plain(answer.rows) for port, answer in run_table(node, **example.inputs).items()}
    return {port: plain(value) for port, value in run_node(node, **example.inputs).items()}


def typed(rows: Sequence[Row]) -> Rows:
    """Return rows as a table of the columns and types that their values show."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    kinds = {name: _kind([row.get(name) for row in rows]) for name in names}
    return Rows(kinds, [[row.get(name) for name in names] for row in rows])


def _kind(values: Sequence[Any]) -> str:
    there = [value for value in values if value is not None]
    if there and isinstance(there[0], list):
        return _kind([item for value in there for item in value]) + "[]"
    for kind, name in SQL_TYPES:
        if there and all(isinstance(value, kind) for value in there):
            return name
    return "DOUBLE" if there and all(isinstance(value, int | float) for value in there) else "VARCHAR"
