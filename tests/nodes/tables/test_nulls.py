from __future__ import annotations

import statistics
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes.tables.tools import answer, fault, in_any_order, refusal, rows_of

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.tables.clean import Clean
from airloom.nodes.tables.nulls import FillNulls, RemoveNulls
from airloom.nodes.testing import Rows

TYPES = {"g": "VARCHAR", "t": "INTEGER", "n": "INTEGER"}
ROW = st.tuples(st.none() | st.sampled_from(["a", "b"]), st.none() | st.integers(0, 3), st.none() | st.integers(-2, 2))
ROWS = st.lists(ROW, max_size=12)


def by_order(row: tuple[Any, ...]) -> Any:
    """Return where a row stands by t, then by all columns, nulls last."""
    return [(value is None, value or 0) for value in (row[1],)] + [
        (value is None, value if value is not None else ("" if at == 0 else 0)) for at, value in enumerate(row)
    ]


def filled(group: list[tuple[Any, ...]], strategy: str) -> list[tuple[Any, ...]]:
    there = [n for *_, n in group if n is not None]
    if strategy in ("forward", "backward"):
        rows, last = [], None
        for g, t, n in sorted(group, key=by_order, reverse=strategy == "backward"):
            last = n if n is not None else last
            rows.append((g, t, last))
        return rows
    if not there:
        return group
    figures = {
        "mean": lambda: statistics.fmean(there),
        "median": lambda: statistics.median(there),
        "mode": lambda: min((-count, value) for value, count in Counter(there).items())[1],
    }
    return [(g, t, n if n is not None else figures[strategy]()) for g, t, n in group]


@given(ROWS, st.sampled_from(["mean", "median", "mode", "forward", "backward"]), st.booleans())
def test_nulls_are_filled_from_their_group(rows: list[Any], strategy: str, grouped: bool) -> None:
    config = {
        "columns": ["n"],
        "strategy": strategy,
        "by": ["g"] if grouped else [],
        "order": ["t"] if strategy in ("forward", "backward") else [],
    }
    groups: dict[Any, list[Any]] = {}
    for row in rows:
        groups.setdefault(row[0] if grouped else None, []).append(row)
    wanted = [row for group in groups.values() for row in filled(group, strategy)]
    found = answer(FillNulls, config, rows=Rows(TYPES, rows)).values
    assert [(g, t) for g, t, _ in in_any_order(found)] == [(g, t) for g, t, _ in in_any_order(wanted)]
    assert Counter((g, t, n and round(n, 9)) for g, t, n in found) == Counter(
        (g, t, n and round(n, 9)) for g, t, n in wanted
    )


def test_types_stay_but_for_the_mean_of_whole_numbers() -> None:
    kinds = {"i": "INTEGER", "d": "DECIMAL(9,2)", "f": "DOUBLE", "s": "VARCHAR"}
    table = Rows(kinds, [(1, "0.01", 1, "x"), (2, "0.02", 2, "y"), (None, None, None, None)])
    found = answer(FillNulls, {"strategy": "mean"}, rows=table)
    assert found.columns == {**kinds, "i": "DOUBLE"}
    assert found.values[2] == (1.5, Decimal("0.02"), 1.5, None)
    assert answer(FillNulls, {"strategy": "mode"}, rows=table).columns == kinds
    order = {"strategy": "forward", "order": ["i"]}
    assert answer(FillNulls, order, rows=table).columns == kinds


def test_groups_and_orders_are_not_filled_themselves() -> None:
    table = Rows({"g": "INTEGER", "n": "INTEGER"}, [(None, 1), (None, None), (1, None)])
    found = answer(FillNulls, {"strategy": "mean", "by": ["G"]}, rows=table)
    assert found.columns == {"g": "INTEGER", "n": "DOUBLE"}
    assert in_any_order(found.values) == [(1, None), (None, 1.0), (None, 1.0)]


@pytest.mark.parametrize(
    ("value", "filled_columns"),
    [(0, "idf"), (0.25, "df"), (0.123, "f"), ("x", "s"), (True, "b"), (2**40, "f")],
)
def test_a_constant_fills_the_columns_that_it_fits(value: Any, filled_columns: str) -> None:
    kinds = {"i": "INTEGER", "d": "DECIMAL(9,2)", "f": "DOUBLE", "s": "VARCHAR", "b": "BOOLEAN", "t": "DATE"}
    found = answer(FillNulls, {"strategy": "constant", "value": value}, rows=Rows(kinds, [(None,) * 6]))
    assert found.columns == kinds
    assert "".join(name for name, there in found.rows[0].items() if there is not None) == filled_columns


def test_a_constant_for_named_columns_has_to_fit() -> None:
    table = Rows({"i": "INTEGER", "t": "DATE"}, [(None, None)])
    config = {"strategy": "constant", "columns": ["t"], "value": "2026-01-31"}
    assert str(rows_of(FillNulls, config, rows=table)[0]["t"]) == "2026-01-31"
    assert refusal(FillNulls, {**config, "columns": ["I"], "value": 0.5}, rows=table)[:2] == (
        "0.5 does not fit a column of type INTEGER", "value",
    )  # fmt: skip
    assert refusal(FillNulls, {**config, "columns": ["i", "x"], "value": 1}, rows=table)[1] == "columns/1"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"strategy": "constant"}, "constant needs `value`"),
        ({"strategy": "mean", "value": 1}, "mean takes no `value`"),
        ({"strategy": "forward"}, "forward needs `order`"),
        ({"strategy": "mode", "order": ["t"]}, "mode takes no `order`"),
        ({"strategy": "constant", "value": 1, "by": ["g"]}, "leave `by` out"),
        ({"strategy": "zero"}, "Input should be 'constant'"),
    ],
)
def test_a_wrong_strategy_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    assert message in fault(FillNulls, config)


def test_a_mean_is_of_numbers() -> None:
    config = {"strategy": "mean", "columns": ["n", "g"]}
    assert refusal(FillNulls, config, rows=Rows(TYPES))[:2] == ("a number is needed here; 'g' is VARCHAR", "columns/1")


@given(ROWS, st.sampled_from(["any", "all"]), st.sampled_from([[], ["n"], ["T", "n"]]))
def test_rows_with_nulls_are_left_out(rows: list[Any], when: str, columns: list[str]) -> None:
    places = [list(TYPES).index(name.lower()) for name in columns] or [0, 1, 2]
    missing = any if when == "any" else all
    found = answer(RemoveNulls, {"columns": columns, "when": when}, rows=Rows(TYPES, rows))
    assert found.values == [row for row in rows if not missing(row[at] is None for at in places)]


def test_nan_is_no_null() -> None:
    assert len(rows_of(RemoveNulls, {}, rows=Rows({"x": "DOUBLE"}, [(float("nan"),), (None,)]))) == 1


TEXT = st.none() | st.text(alphabet="aB \t\u00a0", max_size=4)


@given(
    st.lists(st.tuples(TEXT, st.none() | st.integers(0, 1)), max_size=8), st.booleans(), st.booleans(), st.booleans()
)
def test_a_table_is_cleaned(rows: list[Any], trim: bool, empty: bool, nulls: bool) -> None:
    config = {"trim_whitespace": trim, "empty_to_null": empty, "remove_nulls": nulls, "lowercase_columns": True}
    found = answer(Clean, config, rows=Rows({"Some Text": "VARCHAR", "N": "INTEGER"}, rows))
    assert list(found.columns) == ["some text", "n"]
    wanted = [(s.strip() if trim and s else s, n) for s, n in rows]
    wanted = [(None if empty and s == "" else s, n) for s, n in wanted]
    assert found.values == [row for row in wanted if not (nulls and None in row)]


def test_cleaning_nothing_is_refused() -> None:
    assert "nothing is to be cleaned" in fault(Clean, {"trim_whitespace": False})


def test_unknown_columns_stay_unknown() -> None:
    unknown = Relation("a.rows")
    for node in (RemoveNulls(), FillNulls(strategy="mode"), Clean()):
        with pytest.raises(ColumnsUnknown):
            node.query(unknown)
    assert RemoveNulls(columns=["a"]).query(unknown).sql("duckdb") == 'SELECT * FROM "a.rows" WHERE NOT "a" IS NULL'
