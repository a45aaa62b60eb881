"""A database of each test's own, and the nodes at work on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from tests.nodes.context import LocalContext

from airloom.nodes.context import RunFacts
from airloom.nodes.databases.postgres import PostgresRead, PostgresWrite
from airloom.nodes.sdk import Batches, Written


@dataclass
class Warehouse:
    """Run nodes and statements on one database."""

    url: str
    rows: dict[str, Any] = field(default_factory=dict)

    def context(self, **facts: Any) -> LocalContext:
        """Return a context with the Connection `warehouse`, and a run with the given facts."""
        run = RunFacts(**{"pipeline": "sales", "run_id": "run_1", "node": "load", **facts})
        return LocalContext({"warehouse": self.url}, run=run)

    def write(
        self, data: Any, table: str = "public.target", run: dict[str, Any] | None = None, **config: Any
    ) -> Written:
        """Write a table, given as `pyarrow.Table` or as rows."""
        data = data if isinstance(data, pa.Table) else pa.Table.from_pylist(data)
        node = PostgresWrite.model_validate({"connection": "warehouse", "table": table, **config})
        return node.run(Batches(data.schema, data.to_batches()), self.context(**run or {}))

    def read(self, **config: Any) -> pa.Table:
        """Return what postgres_read reads."""
        found = PostgresRead.model_validate({"connection": "warehouse", **config}).run(self.context())
        return pa.Table.from_batches(found, found.schema)

    def describe(self, **config: Any) -> Any:
        """Return the columns that postgres_read foretells."""
        return PostgresRead.model_validate({"connection": "warehouse", **config}).describe(self.context())

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """Return a connection of its own that commits each statement."""
        options = {"autocommit": True, **options}
        return psycopg.connect(self.url.replace("postgresql+psycopg://", "postgresql://"), **options)

    def execute(self, *statements: str) -> None:
        """Run statements."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def query(self, statement: str, parameters: Iterable[Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.connect() as connection:
            return connection.execute(statement.encode(), parameters and list(parameters)).fetchall()


@pytest.fixture
def warehouse(database_url: str) -> Warehouse:
    """Return an empty database of this test alone."""
    return Warehouse(database_url)
