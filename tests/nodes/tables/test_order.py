from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from airloom.engine.relation import ColumnError, ColumnsUnknown, Relation
from airloom.nodes.tables.order import Limit, Sort
from airloom.nodes.testing import Rows, run_table

VALUES = st.none() | st.integers(-3, 3)


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=12), st.booleans(), st.booleans())
def test_sort_orders_by_its_keys_then_by_all_columns_with_nulls_last(
    values: list[tuple[Any, ...]], first_descends: bool, second_descends: bool
) -> None:
    node = Sort.model_validate(
        {"by": [{"column": "b", "descending": first_descends}, {"column": "a", "descending": second_descends}]}
    )

    def place(value: int | None, descends: bool) -> tuple[bool, int]:
        return (value is None, 0 if value is None else -value if descends else value)

    wanted = sorted(
        values, key=lambda row: (place(row[1], first_descends), place(row[0], second_descends), place(row[2], False))
    )
    rows = Rows({"a": "INTEGER", "b": "INTEGER", "c": "INTEGER"}, values)
    assert run_table(node, rows=rows)["rows"].values == wanted


def test_sort_takes_plain_names_whatever_their_case() -> None:
    answer = run_table(
        Sort.model_validate({"by": ["B", "a"]}),
        rows=Rows({"a": "INTEGER", "b": "INTEGER"}, [(2, 1), (1, 1), (0, None)]),
    )
    assert answer["rows"].values == [(1, 1), (2, 1), (0, None)]


def test_sort_can_order_what_is_no_number() -> None:
    columns = {"l": "INTEGER[]", "m": "MAP(VARCHAR, INTEGER)", "j": "JSON", "t": "VARCHAR"}
    rows = Rows(columns, [([2], {"a": 1}, "{}", "ä"), ([1, 5], {"a": 0}, "[]", "Z")])
    answer = run_table(Sort.model_validate({"by": ["l"]}), rows=rows)["rows"]
    assert [row["t"] for row in answer.rows] == ["Z", "ä"]
    assert answer.columns == columns


def test_sort_names_a_missing_column() -> None:
    with pytest.raises(ColumnError, match="there is no column 'daay'"):
        run_table(Sort.model_validate({"by": ["daay"]}), rows=[{"day": 1}])
    with pytest.raises(ColumnsUnknown):
        Sort.model_validate({"by": ["day"]}).query(Relation("source.rows"))


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 5))
def test_limit_keeps_a_slice(count: int, offset: int, there: int) -> None:
    rows = Rows({"n": "INTEGER"}, [(at,) for at in range(there)])
    kept = run_table(Limit(rows=count, offset=offset), rows=rows)["rows"].values
    assert kept == [(at,) for at in range(there)][offset : offset + count]


def test_limit_needs_no_columns_and_no_negative_number() -> None:
    assert Limit(rows=2).query(Relation("source.rows")).sql("duckdb") == 'SELECT * FROM "source.rows" LIMIT 2'
    for config in ({"rows": -1}, {"rows": 1, "offset": -1}, {}):
        with pytest.raises(ValidationError):
            Limit.model_validate(config)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ([], "at least 1 item"),
        ([5], "valid dictionary or instance of SortKey"),
        ([""], "at least 1 character"),
        ([{"colum": "a"}], "Field required"),
        ([{"column": "a", "descending": "down"}], "valid boolean"),
    ],
)
def test_a_wrong_key_is_one_fault_at_its_place(by: list[Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        Sort.model_validate({"by": by})
    assert all(part != "SortKey" for error in caught.value.errors() for part in error["loc"])
