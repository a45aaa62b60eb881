from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes.tables.tools import answer, fault, in_any_order, refusal, rows_of

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.sdk import DataError
from airloom.nodes.tables.pivot import MOST_COLUMNS, Pivot, Unpivot
from airloom.nodes.testing import Rows, run_table

TYPES = {"g": "VARCHAR", "k": "VARCHAR", "v": "INTEGER", "t": "INTEGER"}
ROW = st.tuples(
    st.none() | st.sampled_from(["x", "y"]),
    st.none() | st.sampled_from(["a", "b", "c"]),
    st.none() | st.integers(-3, 3),
    st.none() | st.integers(0, 2),
)
ROWS = st.lists(ROW, max_size=12)


def figure(op: str, values: list[tuple[Any, Any]]) -> Any:
    there = [v for v, _ in values if v is not None]
    if op == "count":
        return len(there)
    if op in ("first", "last"):
        ordered = sorted((t, v) for v, t in values if v is not None and t is not None)
        return ordered[0 if op == "first" else -1][1] if ordered else None
    if not there:
        return None
    return {"sum": sum, "min": min, "max": max, "avg": lambda all_values: sum(all_values) / len(all_values)}[op](there)


@given(ROWS, st.sampled_from(["sum", "avg", "count", "min", "max", "first", "last"]), st.booleans(), st.booleans())
def test_a_pivot_is_what_its_definition_says(rows: list[Any], op: str, grouped: bool, declared: bool) -> None:
    names = ["b", "a", "d"] if declared else sorted({k for _, k, _, _ in rows if k is not None})
    config: dict[str, Any] = {"index": ["g"] if grouped else [], "column": "k", "value": "v", "op": op}
    config["by"] = "t" if op in ("first", "last") else None
    config["values"] = names if declared else []
    if not names and not grouped:
        assert "no value that could become a column" in failure(config, rows)
        return
    found = answer(Pivot, config, rows=Rows(TYPES, rows))
    assert list(found.columns) == [*(["g"] if grouped else []), *names]
    groups = list(dict.fromkeys(row[0] for row in rows)) if grouped else [None]
    wanted = []
    for group in groups:
        inside = [row for row in rows if not grouped or row[0] == group]
        figures = [figure(op, [(v, t) for _, k, v, t in inside if k == name]) for name in names]
        wanted.append((*([group] if grouped else []), *(x if x is None else pytest.approx(x) for x in figures)))
    key = None if not grouped else (lambda row: repr(row[0]))
    assert sorted(found.values, key=key or repr) == sorted(wanted, key=key or repr)


def failure(config: dict[str, Any], rows: list[Any]) -> str:
    with pytest.raises(DataError) as caught:
        answer(Pivot, config, rows=Rows(TYPES, rows))
    return caught.value.message


def test_count_counts_rows_without_a_column() -> None:
    rows = [{"k": "a"}, {"k": "a"}, {"k": None}]
    assert rows_of(Pivot, {"column": "k", "op": "count", "values": ["a", "b"]}, rows=rows) == [{"a": 2, "b": 0}]


def test_the_columns_are_there_without_rows() -> None:
    config = {"index": ["g"], "column": "k", "value": "v"}
    found = answer(Pivot, {**config, "values": ["a"]}, rows=Rows(TYPES))
    assert (found.columns, found.values) == ({"g": "VARCHAR", "a": "DECIMAL(38,0)"}, [])
    assert answer(Pivot, config, rows=Rows(TYPES)).columns == {"g": "VARCHAR"}


@pytest.mark.parametrize(
    ("kind", "there", "values", "names"),
    [
        ("INTEGER", [2, 10, None], [], ["2", "10"]),
        ("BOOLEAN", [True, False], [True], ["true"]),
        ("DATE", ["2026-01-31"], [], ["2026-01-31"]),
        ("DATE", ["2026-01-31"], ["2026-01-31"], ["2026-01-31"]),
        ("TIMESTAMP", ["2026-01-31 10:00"], [], ["2026-01-31 10:00:00"]),
        ("DECIMAL(5,2)", ["1.50"], ["1.5"], ["1.5"]),
        ("DECIMAL(5,2)", ["1.50"], [], ["1.50"]),
        ("UUID", ["6ba7b810-9dad-11d1-80b4-00c04fd430c8"], [], ["6ba7b810-9dad-11d1-80b4-00c04fd430c8"]),
    ],
)
def test_values_of_any_type_become_columns(kind: str, there: Any, values: Any, names: list[str]) -> None:
    config = {"column": "k", "op": "count", "values": values}
    found = answer(Pivot, config, rows=Rows({"k": kind}, [(value,) for value in there]))
    assert list(found.columns) == names
    assert found.values == [(1,) * len(names)]


def test_without_values_the_columns_are_unknown_before_a_run() -> None:
    known = Relation("a.rows", TYPES)
    node = Pivot.model_validate({"index": ["g"], "column": "k", "value": "v"})
    with pytest.raises(ColumnsUnknown):
        node.query(known)
    assert refusal(Pivot, {"index": ["g"], "column": "kk", "value": "v"}, rows=Rows(TYPES))[1] == "column"


def test_more_values_than_columns_can_be_are_refused() -> None:
    rows = Rows({"k": "INTEGER"}, [(at,) for at in range(MOST_COLUMNS + 1)])
    with pytest.raises(DataError, match="more than 1,000 values"):
        run_table(Pivot(column="k", op="count"), rows=rows)


def test_values_that_are_equal_but_for_case_cannot_be_columns() -> None:
    rows = [{"k": "a"}, {"k": "A"}]
    assert refusal(Pivot, {"column": "k", "op": "count"}, rows=rows)[:2] == (
        "two columns would be called 'a'",
        "column",
    )


@pytest.mark.parametrize(
    ("config", "message", "field"),
    [
        ({"column": "k", "value": "g"}, "a number is needed here; 'g' is VARCHAR", "value"),
        ({"column": "v", "op": "count", "values": ["a"]}, "and 'a' is not a number", "values/0"),
        ({"index": ["g", "x"], "column": "k", "value": "v"}, "there is no column 'x'", "index/1"),
        ({"index": ["g"], "column": "k", "value": "v", "values": ["G"]}, "two columns would be called 'G'", "prefix"),
    ],
)
def test_what_does_not_fit_is_named(config: dict[str, Any], message: str, field: str) -> None:
    said, at, _ = refusal(Pivot, config, rows=Rows(TYPES))
    assert message in said
    assert at == field


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "sum needs `value`"),
        ({"value": "v", "op": "first"}, "first needs `by`"),
        ({"value": "v", "by": "t"}, "sum takes no `by`"),
        ({"value": "v", "values": ["a", "A"]}, "two columns would be called 'A'"),
        ({"value": "v", "values": [1, "1"]}, "two columns would be called '1'"),
        ({"value": "v", "op": "mode"}, "Input should be 'sum'"),
    ],
)
def test_a_wrong_pivot_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    assert message in fault(Pivot, {"column": "k", **config})


CELL = st.none() | st.integers(0, 5)


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), CELL, CELL), max_size=6), st.booleans())
def test_an_unpivot_is_what_its_definition_says(rows: list[Any], drop_nulls: bool) -> None:
    config = {"keys": ["G"], "drop_nulls": drop_nulls}
    found = answer(Unpivot, config, rows=Rows({"g": "VARCHAR", "a": "INTEGER", "b": "INTEGER"}, rows))
    assert found.columns == {"g": "VARCHAR", "variable": "VARCHAR", "value": "INTEGER"}
    wanted = [(row[0], name, row[at]) for row in rows for at, name in ((1, "a"), (2, "b"))]
    wanted = [row for row in wanted if not (drop_nulls and row[2] is None)]
    assert in_any_order(found.values) == in_any_order(wanted)


def test_numbers_meet_in_the_wider_type() -> None:
    table = Rows({"i": "INTEGER", "d": "DECIMAL(9,2)"}, [(1, "0.25")])
    found = answer(Unpivot, {}, rows=table)
    assert in_any_order(found.values) == [("d", Decimal("0.25")), ("i", Decimal("1.00"))]


@pytest.mark.parametrize(
    ("config", "message", "field"),
    [
        ({"keys": ["g", "x"]}, "there is no column 'x'", "keys/1"),
        ({"keys": ["g"], "values": ["a", "x"]}, "there is no column 'x'", "values/1"),
        ({}, "'g' is VARCHAR, 'a' is INTEGER: they cannot stand in one column", "values"),
        ({"keys": ["g", "a"]}, "no column is left", "values"),
        ({"keys": ["g"], "name": "G"}, "two columns would be called 'G'", "name"),
        ({"keys": ["g"], "value": "variable"}, "two columns would be called 'variable'", "value"),
    ],
)
def test_a_wrong_unpivot_is_named_at_its_place(config: dict[str, Any], message: str, field: str) -> None:
    said, at, _ = refusal(Unpivot, config, rows=Rows({"g": "VARCHAR", "a": "INTEGER"}))
    assert message in said
    assert at == field
