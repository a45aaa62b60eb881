from __future__ import annotations

from typing import Any

import duckdb
import pytest

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.tables.concat import Concat
from airloom.nodes.testing import Answer, Rows, run_table


def concat(*tables: Any) -> Answer:
    return run_table(Concat(), tables=list(tables))["rows"]


def test_columns_meet_by_name_whatever_their_case_and_order() -> None:
    answer = concat([{"id": 1, "a": "x"}], [{"A": "y", "ID": 2}], [{"b": True, "id": 3}])
    assert list(answer.columns) == ["id", "a", "b"]
    assert answer.values == [(1, "x", None), (2, "y", None), (3, None, True)]


def test_rows_that_are_equal_all_stay() -> None:
    assert concat([{"a": 1}, {"a": 1}], [{"a": 1}]).values == [(1,), (1,), (1,)]


def test_one_table_and_empty_tables() -> None:
    assert concat([{"a": 1}]).values == [(1,)]
    answer = concat(Rows({"a": "INTEGER"}), Rows({"d": "DATE", "a": "INTEGER"}))
    assert (answer.columns, answer.values) == ({"a": "INTEGER", "d": "DATE"}, [])


def test_a_column_that_the_first_tables_lack_keeps_its_type() -> None:
    nothing = Rows({"a": "INTEGER"}, [(1,)])
    answer = concat(nothing, nothing, Rows({"d": "DATE[]"}, [(["2026-01-01"],)]))
    assert answer.columns == {"a": "INTEGER", "d": "DATE[]"}


def test_numbers_meet_in_the_wider_type() -> None:
    answer = concat(Rows({"n": "INTEGER"}, [(1,)]), Rows({"n": "DOUBLE"}, [(0.5,)]), Rows({"n": "BIGINT"}, [(2**40,)]))
    assert answer.columns == {"n": "DOUBLE"}
    assert answer.values == [(1.0,), (0.5,), (float(2**40),)]
    assert concat(Rows({"t": "DATE"}), Rows({"t": "TIMESTAMP"})).columns == {"t": "TIMESTAMP"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("INTEGER", "VARCHAR"),
        ("VARCHAR", "DATE"),
        ("INTEGER[]", "INTEGER"),
        ("BOOLEAN", "INTEGER"),
        ("TIMESTAMP", "TIMESTAMPTZ"),
    ],
)
def test_types_of_different_families_are_refused_with_the_column(one: str, other: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        concat(Rows({"x": "INTEGER", "Day": one}), Rows({"day": other}))
    assert "the column 'Day' is " in caught.value.message
    assert caught.value.hint == "cast one of them before they meet"


def test_unknown_columns_make_the_answer_unknown() -> None:
    with pytest.raises(ColumnsUnknown):
        Concat().query(Relation("a.rows", {"x": "INTEGER"}), Relation("b.rows"))


def test_a_hundred_tables() -> None:
    assert len(concat(*([{"a": at}] for at in range(100))).values) == 100


@pytest.mark.parametrize("kind", ["BIGINT", "UBIGINT", "INTEGER", "DECIMAL(38,0)", "DECIMAL(18,3)"])
@pytest.mark.parametrize("other", ["FLOAT", "DOUBLE"])
def test_no_digit_of_a_number_is_lost(kind, other):
    whole, part = Rows({"qty": kind}, [[16_777_217], [123_456_789]]), Rows({"qty": other}, [[1.5], [None]])
    for tables in ([whole, part], [part, whole], [part, whole, part]):
        answer = run_table(Concat(), tables=tables)["rows"]
        assert answer.columns == {"qty": "DOUBLE"}
        assert {(16_777_217.0,), (123_456_789.0,), (1.5,)} <= set(answer.values)


@pytest.mark.parametrize(("kind", "value"), [("BIGINT", 2**53 + 1), ("BIGINT", 2**63 - 1), ("UBIGINT", 2**64 - 1)])
@pytest.mark.parametrize("other", ["FLOAT", "DOUBLE"])
def test_a_number_that_no_double_holds_ends_the_run(kind, value, other):
    tables = [Rows({"qty": kind}, [[value]]), Rows({"qty": other}, [[1.5]])]
    with pytest.raises(duckdb.Error, match=f"would lose digits of {value}: cast both before"):
        run_table(Concat(), tables=tables)
