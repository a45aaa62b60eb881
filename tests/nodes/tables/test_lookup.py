from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes.tables.tools import answer, fault, in_any_order, refusal, rows_of

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.tables.join import Join
from airloom.nodes.tables.lookup import Lookup
from airloom.nodes.tables.update_rows import UpdateRows
from airloom.nodes.testing import Rows, run_table

KEY = st.none() | st.integers(0, 3)
VALUE = st.none() | st.integers(0, 9)
LEFT, RIGHT = {"id": "INTEGER", "n": "INTEGER"}, {"id": "INTEGER", "x": "INTEGER"}
PAIRS = st.lists(st.tuples(KEY, VALUE), max_size=8)
UNIQUE = st.dictionaries(st.integers(0, 3), VALUE, max_size=4)


@given(PAIRS, UNIQUE, st.none() | st.integers(0, 9))
def test_a_lookup_is_that_of_a_dictionary(rows: list[Any], table: dict[int, Any], default: int | None) -> None:
    config = {"on": ["id"], "defaults": {} if default is None else {"x": default}}
    found = answer(Lookup, config, rows=Rows(LEFT, rows), table=Rows(RIGHT, [*table.items(), (None, 7)]))
    assert in_any_order(found.values) == in_any_order((key, n, table.get(key, default)) for key, n in rows)


@given(PAIRS, PAIRS)
def test_of_several_rows_the_first_by_all_columns_counts(rows: list[Any], table: list[Any]) -> None:
    config = {"on": ["id"], "several": "first"}
    found = answer(Lookup, config, rows=Rows(LEFT, rows), table=Rows(RIGHT, table))

    def first(key: int | None) -> Any:
        values = [x for other, x in table if other == key and key is not None]
        return min((x for x in values if x is not None), default=None)

    assert in_any_order(found.values) == in_any_order((key, n, first(key)) for key, n in rows)


def test_several_rows_for_a_key_stop_the_run_and_the_key_is_named() -> None:
    table = [{"id": 7, "at": "a", "x": 1}, {"id": 7, "at": "a", "x": 2}, {"id": 8, "at": "a", "x": 1}]
    rows = [{"id": 8, "at": "a"}, {"id": 7, "at": "a"}]
    with pytest.raises(duckdb.InvalidInputException, match="the table has several rows with id = 7, at = a"):
        rows_of(Lookup, {"on": ["id", "at"]}, rows=rows, table=table)
    nulls = [{"id": None, "x": 1}, {"id": None, "x": 2}, {"id": 1, "x": 3}]
    assert rows_of(Lookup, {"on": ["id"]}, rows=[{"id": 1}], table=nulls) == [{"id": 1, "x": 3}]


def test_columns_are_chosen_and_named() -> None:
    table = [{"key": 1, "name": "Ada", "land": "GB"}]
    rows = [{"id": 1, "name": "x"}]
    config = {"on": [["ID", "Key"]], "columns": ["LAND", "name"], "prefix": "customer_"}
    assert rows_of(Lookup, config, rows=rows, table=table) == [
        {"id": 1, "name": "x", "customer_land": "GB", "customer_name": "Ada"}
    ]
    assert refusal(Lookup, {**config, "prefix": ""}, rows=rows, table=table)[:2] == (
        "two columns would be called 'name'", "prefix",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("config", "message", "field"),
    [
        ({"on": ["idd"]}, "the rows table has no column 'idd'", "on/0"),
        ({"on": ["id", ["n", "y"]]}, "the lookup table has no column 'y'", "on/1"),
        ({"on": [["n", "s"]]}, "'n' in rows is INTEGER, 's' in the table VARCHAR", "on/0"),
        ({"on": ["id"], "columns": ["x", "y"]}, "there is no column 'y'", "columns/1"),
        ({"on": ["id"], "defaults": {"y": 1}}, "there is no column 'y'", "defaults/y"),
        ({"on": ["id"], "columns": ["s"], "defaults": {"x": 1}}, "'x' is not among the columns", "defaults/x"),
        ({"on": ["id"], "defaults": {"x": "none"}}, "the column is INTEGER, and 'none' is not a number", "defaults/x"),
    ],
)
def test_a_wrong_lookup_is_named_at_its_place(config: dict[str, Any], message: str, field: str) -> None:
    said, at, _ = refusal(Lookup, config, rows=Rows(LEFT), table=Rows({**RIGHT, "s": "VARCHAR"}))
    assert message in said
    assert at == field


def test_a_lookup_needs_a_key_and_something_to_take() -> None:
    assert "at least 1 item" in fault(Lookup, {"on": []})
    assert "a key is a name that both tables have" in fault(Lookup, {"on": [["a", "b", "c"]]})
    assert refusal(Lookup, {"on": ["id"]}, rows=Rows(LEFT), table=Rows({"id": "INTEGER"}))[1] == "columns"
    with pytest.raises(ColumnsUnknown):
        Lookup.model_validate({"on": ["id"]}).query(Relation("a.rows", LEFT), Relation("b.rows"))


@given(UNIQUE, UNIQUE)
def test_an_update_is_that_of_a_dictionary(rows: dict[int, Any], updates: dict[int, Any]) -> None:
    found = answer(
        UpdateRows, {"keys": ["id"]}, rows=Rows(LEFT, [*rows.items()]), updates=Rows(LEFT, [*updates.items()])
    )
    assert in_any_order(found.values) == in_any_order({**rows, **updates}.items())


UPDATES = st.lists(st.tuples(KEY, VALUE, st.none() | st.integers(1, 3)), max_size=8)


@given(UPDATES, UPDATES)
def test_the_last_update_of_a_key_counts(rows: list[Any], updates: list[Any]) -> None:
    kinds = {"id": "INTEGER", "n": "INTEGER", "t": "INTEGER"}
    found = answer(UpdateRows, {"keys": ["ID"], "order": ["t"]}, rows=Rows(kinds, rows), updates=Rows(kinds, updates))
    # The greatest t counts, a null one least; of those that tie, the first by all columns.
    last: dict[int, Any] = {}
    for update in sorted(updates, key=lambda row: [(v is None, v or 0) for v in row]):
        key, _, t = update
        if key is not None and (
            key not in last or (-1 if t is None else t) > (-1 if last[key][2] is None else last[key][2])
        ):
            last[key] = update
    kept = [row for row in rows if row[0] not in last]
    added = [*last.values(), *(update for update in updates if update[0] is None)]
    assert in_any_order(found.values) == in_any_order([*kept, *added])


def test_several_updates_of_a_key_stop_the_run_without_an_order() -> None:
    rows, updates = [{"id": 1, "n": 1}], [{"id": 2, "n": 1}, {"id": 2, "n": 2}]
    with pytest.raises(duckdb.InvalidInputException, match="several updates have id = 2; give an order"):
        rows_of(UpdateRows, {"keys": ["id"]}, rows=rows, updates=updates)


def test_updates_have_the_columns_of_the_rows_in_any_order_and_case() -> None:
    found = answer(
        UpdateRows,
        {"keys": ["id"]},
        rows=Rows({"Id": "INTEGER", "n": "INTEGER"}, [(1, 1), (2, 2)]),
        updates=Rows({"N": "DOUBLE", "id": "BIGINT"}, [(0.5, 2)]),
    )
    assert found.columns == {"Id": "BIGINT", "n": "DOUBLE"}
    assert in_any_order(found.values) == [(1, 1.0), (2, 0.5)]


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ({"id": "INTEGER"}, "the updates have no column 'n'"),
        ({"id": "INTEGER", "n": "INTEGER", "x": "DATE"}, "the updates have a column 'x', the rows have none"),
        ({"id": "INTEGER", "n": "VARCHAR"}, "'n' is INTEGER in the rows, VARCHAR in the updates"),
    ],
)
def test_updates_that_do_not_fit_are_refused(updates: dict[str, str], message: str) -> None:
    said, _, hint = refusal(UpdateRows, {"keys": ["id"]}, rows=Rows(LEFT), updates=Rows(updates))
    assert said == message
    assert hint


def test_a_join_may_refuse_many_to_many() -> None:
    def joined(how: str, left: list[Any], right: list[Any]) -> list[Any]:
        config = {"on": ["id"], "how": how, "many_to_many": "fail"}
        return run_table(Join.model_validate(config), left=Rows(LEFT, left), right=Rows(RIGHT, right))["rows"].values

    twice, once = [(1, 1), (1, 2), (None, 1), (None, 2)], [(1, 7), (2, 8)]
    for how in ("inner", "left", "right", "outer"):
        strict = joined(how, twice, once)
        config = {"on": ["id"], "how": how}
        plain = run_table(Join.model_validate(config), left=Rows(LEFT, twice), right=Rows(RIGHT, once))["rows"].values
        assert in_any_order(strict) == in_any_order(plain)
        with pytest.raises(duckdb.InvalidInputException, match="several rows of both tables have id = 1"):
            joined(how, twice, twice)
    assert "leave many_to_many out" in fault(Join, {"on": ["id"], "how": "semi", "many_to_many": "fail"})
