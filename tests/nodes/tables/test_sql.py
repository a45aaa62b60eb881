from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airloom.engine.relation import Relation
from airloom.nodes.calling import queries_of
from airloom.nodes.fields import SqlText
from airloom.nodes.sdk import ConfigurationError, ports_of
from airloom.nodes.tables.sql import Sql
from airloom.nodes.testing import Rows, run_table

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def answer(sql: str, **inputs: Any) -> list[tuple[Any, ...]]:
    given = inputs or {"rows": ROWS}
    return sorted(run_table(Sql(sql=SqlText(sql), inputs=list(given)), **given)["rows"].values)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT a FROM rows WHERE b IS NULL", [(2,)]),
        ("SELECT Rows.a FROM ROWS", [(1,), (2,)]),
        ("SELECT r.a, s.a FROM rows r JOIN rows s ON s.a = r.a + 1", [(1, 2)]),
        ("SELECT rows.a FROM rows SEMI JOIN rows other ON other.a = rows.a + 1", [(1,)]),
        ("WITH big AS (SELECT * FROM rows WHERE a > 1) SELECT big.a, rows.a FROM big, rows", [(2, 1), (2, 2)]),
        ("SELECT a FROM rows UNION ALL SELECT max(a) FROM rows", [(1,), (2,), (2,)]),
        ("SELECT a FROM rows WHERE a = (SELECT max(a) FROM rows)", [(2,)]),
        ("SELECT x.a FROM (SELECT a FROM rows) x WHERE x.a < 2", [(1,)]),
    ],
)
def test_a_query_runs_over_its_input(sql: str, wanted: list[Any]) -> None:
    assert answer(sql) == wanted


def test_inputs_have_the_names_of_the_config() -> None:
    orders = [{"id": 1, "customer": 7}, {"id": 2, "customer": 7}]
    sql = "SELECT c.name, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer = c.id GROUP BY c.name"
    assert answer(sql, orders=orders, customers=[{"id": 7, "name": "Ada"}, {"id": 8, "name": "Bob"}]) == [
        ("Ada", 2),
        ("Bob", 0),
    ]
    config = {"sql": sql, "inputs": ["orders", "customers"]}
    assert [port.name for port in ports_of(Sql, config).inputs] == ["orders", "customers"]
    assert [port.name for port in ports_of(Sql, {"sql": sql}).inputs] == ["rows"]


def test_an_empty_table_gives_an_empty_answer() -> None:
    assert answer("SELECT a + 1 FROM rows", rows=Rows({"a": "INTEGER"})) == []


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM other", "there is no table 'other'"),
        ("SELECT * FROM main.rows", "main.rows is not an input of this node"),
        ("SELECT * FROM 'rows.csv'", "is not an input|there is no table"),
        ("SELECT rows FROM rows", "'rows' is a table, not a column"),
        ("WITH rows AS (SELECT 1 AS a) SELECT a FROM rows", "'rows' is an input and cannot be a part of the query"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("DELETE FROM rows", "a query starts with SELECT"),
    ],
)
def test_what_is_no_query_over_the_inputs_is_refused(sql: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        answer(sql)


def test_unknown_columns_do_not_keep_a_query_from_being_built() -> None:
    node = Sql(sql=SqlText("SELECT anything FROM rows"))
    text = queries_of(node, {"rows": Relation("source.rows")})["rows"].sql("duckdb")
    assert text == 'SELECT "anything" FROM "source.rows" AS "rows"'


@pytest.mark.parametrize("inputs", [[], ["rows", "rows"], ["Rows"], ["a b"], [""]])
def test_inputs_are_different_identifiers(inputs: list[str]) -> None:
    with pytest.raises(ValidationError):
        Sql(sql=SqlText("SELECT 1"), inputs=inputs)
