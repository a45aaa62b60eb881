"""Reading: tables, queries with values, columns foretold, and what goes wrong."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError
from tests.nodes.context import LocalContext
from tests.nodes.databases.conftest import Warehouse

from airloom.nodes.databases.postgres import PostgresRead
from airloom.nodes.fields import MARK, SqlText
from airloom.spec.error import AirloomError, ConfigurationError, DataError, TransientError
from airloom.spec.expression import Declared, capture, capture_declared

HOSTILE = [
    '"',
    "'; DROP TABLE people; --",
    "%s %(x)s 100%",
    "$1",
    "{} {{}}",
    "naïve →🐘",
    "a.b",
    "back\\slash",
    "SELECT",
    " ",
]


@pytest.fixture
def people(warehouse: Warehouse) -> Warehouse:
    warehouse.execute(
        "CREATE TABLE people (id integer, name text, born date)",
        "INSERT INTO people VALUES (1, 'Ada', '1815-12-10'), (2, 'Bob''s %', NULL), (3, NULL, '1990-01-01')",
    )
    return warehouse


def bound(text: str, **params: Any) -> SqlText:
    return SqlText.of(*capture(text, {"params": params}))


def test_a_table_is_read_in_parts(people: Warehouse) -> None:
    table = people.read(table="public.people", columns=["NAME", "id"], order=["born"], descending=True, limit=2)
    assert table.to_pylist() == [{"name": None, "id": 3}, {"name": "Ada", "id": 1}]
    assert people.read(table="people", limit=0).num_rows == 0


def test_an_empty_table_has_its_columns(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE nothing (a integer, b numeric(5,1)[])")
    schema = pa.schema([("a", pa.int32()), ("b", pa.list_(pa.decimal128(5, 1)))])
    assert warehouse.read(table="nothing").schema == schema
    assert warehouse.describe(table="nothing") == {"a": "INTEGER", "b": "DECIMAL(5,1)[]"}


def test_many_rows_come_in_batches(warehouse: Warehouse) -> None:
    node = PostgresRead.model_validate(
        {"connection": "warehouse", "sql": "SELECT * FROM generate_series(1, 25000) AS n"}
    )
    sizes = [batch.num_rows for batch in node.run(warehouse.context())]
    assert len(sizes) > 1
    assert sum(sizes) == 25_000


def test_who_stops_reading_leaves_no_connection(warehouse: Warehouse) -> None:
    node = PostgresRead.model_validate(
        {"connection": "warehouse", "sql": "SELECT * FROM generate_series(1, 25000) AS n"}
    )
    opened, started = node.run(warehouse.context()), node.run(warehouse.context())
    next(iter(started))
    del opened, started
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with warehouse.connect() as connection:
        while connection.execute(others).fetchone() != (0,):
            connection.execute("SELECT pg_sleep(0.01)")


@pytest.mark.parametrize("value", [*HOSTILE, ""])
def test_hostile_values_stay_values(people: Warehouse, value: str) -> None:
    people.execute("ALTER TABLE people ADD found text")
    sql = bound(
        "SELECT {{ params.x }}::text AS v, name LIKE '%' || {{ params.x }} AS l FROM people WHERE id = 1", x=value
    )
    assert people.read(sql=sql)["v"].to_pylist() == [value]
    people.write([{"id": 9, "name": value}], table="people")
    assert people.read(sql=bound("SELECT id FROM people WHERE name = {{ params.x }}", x=value))["id"].to_pylist() == [9]


def test_values_of_every_type_are_bound(people: Warehouse) -> None:
    sql = """
        WITH chosen AS (SELECT * FROM people WHERE id = ANY({{ params.ids }}) OR born = {{ params.day }}) -- 'é' 100%
        SELECT id FROM chosen WHERE id <> {{ params.number }} AND {{ params.flag }}
        AND ({{ params.nothing }}::text IS NULL) AND ({{ params.data }}->>'a') = 'b' LIMIT {{ params.limit }};  """
    values = {
        "ids": [1, 2], "day": dt.date(1990, 1, 1), "number": 1.5, "flag": True, "nothing": None, "data": {"a": "b"},
        "limit": 10,
    }  # fmt: skip
    assert sorted(people.read(sql=bound(sql, **values))["id"].to_pylist()) == [1, 2, 3]
    assert people.read(sql=bound(sql, **{**values, "ids": []}), order=["id"], limit=1)["id"].to_pylist() == [3]


def test_columns_are_foretold_before_values_are_known(people: Warehouse) -> None:
    text = "SELECT id, {{ params.n }} AS n, born FROM people WHERE born > {{ params.day }} LIMIT {{ params.n }}"
    types: dict[tuple[str, ...], str | None] = {("params", "n"): "BIGINT"}
    sql = SqlText.of(*capture_declared(text, types))
    assert isinstance(sql.values[0], Declared)
    assert people.describe(sql=sql) == {"id": "INTEGER", "n": "SMALLINT", "born": "DATE"}


@pytest.mark.parametrize(
    "quoted", ["'{{ params.x }}'", "-- {{ params.x }}\n1", "$$ {{ params.x }} $$", '"{{ params.x }}"']
)
def test_a_value_in_quotes_is_refused(people: Warehouse, quoted: str) -> None:
    with pytest.raises(ConfigurationError):
        people.read(sql=bound(f"SELECT {quoted} AS v", x="secret value"))


WRITES = [
    "DELETE FROM people",
    "DROP TABLE people",
    "SELECT 1; DROP TABLE people",
    "SELECT 1) q; COMMIT; DROP TABLE people; --",
    "SELECT 1) AS q; DROP TABLE people; SELECT * FROM (SELECT 1",
    "WITH gone AS (DELETE FROM people RETURNING *) SELECT * FROM gone",
    "SELECT * FROM people FOR UPDATE",
    "SELECT nextval('counter')",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "COPY people TO STDOUT",
    "SELECT * INTO copy FROM people",
]


@pytest.mark.parametrize("sql", WRITES)
def test_a_query_only_reads(people: Warehouse, sql: str) -> None:
    people.execute("CREATE SEQUENCE counter")
    with pytest.raises(ConfigurationError):
        people.read(sql=sql)
    assert people.query("SELECT count(*), (SELECT is_called FROM counter) FROM people") == [(3, False)]


def test_hostile_names_are_quoted(warehouse: Warehouse) -> None:
    for schema in HOSTILE:
        quoted = schema.replace('"', '""')
        warehouse.execute(f'CREATE SCHEMA "{quoted}"')
        rows = [{name: f"value of {name}" for name in HOSTILE}]
        table = f'"{quoted}"."{quoted}"'
        warehouse.write(rows, table=table)
        assert warehouse.read(table=table).to_pylist() == rows
        assert warehouse.read(table=table, columns=[schema], order=[schema]).to_pylist() == [{schema: rows[0][schema]}]
    assert len(warehouse.query("SELECT FROM pg_tables WHERE schemaname = ANY(%s)", [HOSTILE])) == 2 * len(HOSTILE)


@pytest.mark.parametrize(
    ("config", "failure", "text"),
    [
        ({"table": "poeple"}, ConfigurationError, "did you mean 'people'"),
        ({"table": "People"}, ConfigurationError, "did you mean 'people'"),
        ({"table": "pubic.people"}, ConfigurationError, "did you mean 'public'"),
        ({"table": "a.b.c"}, ConfigurationError, "names no table"),
        ({"table": "people", "columns": ["nmae"]}, ConfigurationError, "did you mean 'name'"),
        ({"table": "people", "order": ["birth"]}, ConfigurationError, "there is no column 'birth'"),
        ({"sql": "SELECT nmae FROM people"}, ConfigurationError, "nmae"),
        ({"sql": "SELEC 1"}, ConfigurationError, "syntax error"),
        ({"sql": "SELECT 1 AS a, 2 AS \"A\""}, ConfigurationError, "'A' twice"),
        ({"sql": "SELECT nowhere()"}, ConfigurationError, "nowhere"),
        ({"sql": "SELECT name::integer AS n FROM people"}, DataError, "invalid input syntax for type integer"),
        ({"sql": "SELECT 1 / (id - 1) AS n FROM people"}, DataError, "division by zero"),
        ({"sql": "SELECT pg_terminate_backend(pg_backend_pid())"}, TransientError, "gave up"),
    ],
)  # fmt: skip
def test_faults_are_told(people: Warehouse, config: dict[str, Any], failure: type[AirloomError], text: str) -> None:
    with pytest.raises(failure, match=text) as caught:
        people.read(**config)
    assert "Bob" not in str(caught.value)
    assert "Ada" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_out_of_reach_is_told(people: Warehouse) -> None:
    node = PostgresRead.model_validate({"connection": "warehouse", "table": "people"})
    with pytest.raises(TransientError, match="cannot be reached"):
        node.describe(LocalContext({"warehouse": "postgres://nobody@127.0.0.1:1/nothing"}))
    with pytest.raises(ConfigurationError, match="there is no table"):
        people.describe(table="nothing_like_it")


@pytest.mark.parametrize("config", [{}, {"table": "a", "sql": "SELECT 1"}, {"table": ""}, {"table": "a", "limit": -1}])
def test_config_is_checked(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PostgresRead.model_validate({"connection": "warehouse", **config})


def test_the_form_knows_connection_and_query() -> None:
    properties = PostgresRead.config_schema()["properties"]
    assert properties["connection"][MARK] == {"is": "connection", "type": "postgres"}
    assert properties["sql"]["anyOf"][0][MARK] == {"is": "sql", "form": "foreign"}
