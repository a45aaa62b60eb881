"""PostgreSQL tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from airloom.nodes.fields import ForeignQuery
from airloom.nodes.sdk import Batches, Column, Columns, ConnectionId, Context, Example, Sink, Source, Written

if TYPE_CHECKING:
    from typing import Self

    from airloom.nodes.databases.postgres_session import Session
    from airloom.nodes.databases.postgres_table import Load, Table

Postgres = ConnectionId["postgres"]
Name = Annotated[str, Field(min_length=1)]


class PostgresRead(Source):
    """Read a table, or the rows of a query, from PostgreSQL."""

    connection: Postgres = Field(description="The Connection to read from")
    table: Name | None = Field(None, description="A table or view: schema.table; names are taken as written")
    sql: ForeignQuery | None = Field(
        None,
        description="Or one SELECT in PostgreSQL's own SQL; a {{ }} in it is a parameter of the query, never text: "
        "write it without quotes, and a list as `= ANY({{ params.ids }})`. The time zone of the session is UTC. A "
        "numeric without precision becomes a DOUBLE, and a value of which that loses digits ends the run: cast it here",
    )
    columns: list[Name] | None = Field(None, min_length=1, description="The columns to read; all where absent")
    order: list[Name] = Field([], description="Columns to order by; nulls come last")
    descending: bool = Field(False, description="Whether the order is from high to low")
    limit: int | None = Field(None, ge=0, description="How many rows to read at most; all where absent")

    examples = (
        Example("A table", {"connection": "warehouse", "table": "public.orders", "columns": ["id", "amount"]}),
        Example(
            "A query with a parameter",
            {"connection": "warehouse", "sql": "SELECT id, amount FROM orders WHERE region = {{ params.region }}"},
        ),
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.table is None) == (self.sql is None):
            raise ValueError("give either a table or sql")
        return self

    libraries: ClassVar = ("airloom.nodes.databases.postgres_query", "airflow.providers.postgres.hooks.postgres")

    def describe(self, context: Context) -> Columns | None:
        """Return the columns by asking the database."""
        from airloom.nodes.databases.postgres_query import duckdb_columns
        from airloom.nodes.databases.postgres_session import transaction

        with transaction(context, self.connection, read_only=True) as session:
            query, statement = self._statement(session)
            return duckdb_columns(query.columns(statement))

    def run(self, context: Context) -> Batches:
        stream = self._stream(context)
        return Batches(next(stream), stream)

    def _stream(self, context: Context) -> Iterator[Any]:
        """Yield the schema, then the batches; the connection is closed at the end or when nobody reads on."""
        from airloom.nodes.databases.postgres_query import arrow_schema
        from airloom.nodes.databases.postgres_session import transaction

        with transaction(context, self.connection, read_only=True) as session:
            query, statement = self._statement(session)
            columns = query.columns(statement)
            yield arrow_schema(columns)
            yield from query.batches(statement, columns)

    def _statement(self, session: Session) -> tuple[Any, Any]:
        from airloom.nodes.databases.postgres_query import Query

        if self.table is not None:
            query = Query.of_table(session, self.table)
        else:
            query = Query.of_text(session, str(self.sql), getattr(self.sql, "values", ()))
        return query, query.select(self.columns, self.order, self.descending, self.limit)


class PostgresWrite(Sink):
    """Write rows to a PostgreSQL table: append them, replace all, or insert and update by key.

    A try that is killed at any moment and repeated leaves the table as one clean run does. `append` keeps a row in the
    table `airloom_writes` beside the target, in one transaction with the rows: a retry that finds it writes nothing.
    A cleared run needs `run_column`: its own rows are deleted and written anew; without one it fails and says so.
    """

    connection: Postgres = Field(description="The Connection to write to")
    table: Name = Field(description="The table: schema.table; names are taken as written")
    mode: Literal["append", "replace", "upsert"] = Field(
        "append", description="Add the rows, put them in place of all, or insert and update by keys"
    )
    keys: list[Column] = Field([], description="The columns that name a row; for upsert")
    create: bool = Field(True, description="Whether to create the table from the rows' columns where it is missing")
    run_column: Name | None = Field(
        None, description="A column to hold pipeline, run and node, by which a cleared run finds its own rows"
    )

    examples = (
        Example("Add rows", {"connection": "warehouse", "table": "public.orders"}),
        Example(
            "One row a day, the newest wins",
            {"connection": "warehouse", "table": "public.daily_sales", "mode": "upsert", "keys": ["day"]},
        ),
    )

    @model_validator(mode="after")
    def _keys_for_upsert(self) -> Self:
        if (self.mode == "upsert") != bool(self.keys):
            raise ValueError("keys are needed for upsert" if not self.keys else f"{self.mode} takes no keys")
        return self

    def run(self, rows: Batches, context: Context) -> Written:
        from airloom.nodes.databases.postgres_session import transaction
        from airloom.nodes.databases.postgres_table import Load, find_table
        from airloom.nodes.databases.writes import run_value

        with transaction(context, self.connection) as session:
            load = Load(session, rows, self.run_column, run_value(context.run))
            table = find_table(session, self.table)
            if self.mode == "append":
                count = self._append(load, table, context)
            elif self.mode == "replace":
                count = load.replace(self._made(load, table))
            else:
                keys = load.keys(self.keys)
                count = load.upsert(self._made(load, table, keys), keys)
        return Written(count, f"{self.connection}: {table}")

    def _append(self, load: Load, table: Table, context: Context) -> int:
        from airloom.nodes.databases.postgres_table import Ledger
        from airloom.nodes.databases.writes import decide

        ledger = Ledger(load.session, table, context.run)
        earlier = ledger.claim()
        decision = decide(earlier, context.run, self.run_column)
        if earlier is not None and decision == "keep":
            context.log.info("An earlier try has written these %s rows", earlier.rows)
            return earlier.rows
        target = self._made(load, table)
        count = load.append(target, anew=decision == "rewrite")
        ledger.record(count)
        return count

    def _made(self, load: Load, table: Table, keys: list[str] | None = None) -> Table:
        from airloom.nodes.databases.postgres_table import no_table

        if table.exists:
            return table
        if not self.create:
            raise no_table(load.session, table)
        return load.create(table, keys or ())
