from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nodes.tables.tools import answer, fault, in_any_order, refusal

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.tables.selection import Deduplicate, Sample
from airloom.nodes.testing import Rows

TYPES = {"k": "VARCHAR", "t": "INTEGER", "v": "INTEGER"}
ROW = st.tuples(
    st.none() | st.sampled_from(["a", "A", "b"]), st.none() | st.integers(0, 2), st.none() | st.integers(0, 2)
)
ROWS = st.lists(ROW, max_size=10)
MANY = [(f"k{at % 50}", at % 7, at) for at in range(400)]


def place(value: Any, descends: bool = False) -> tuple[bool, list[int]]:
    """Return where a value stands: nulls last in both directions."""
    numbers = [] if value is None else [ord(value) if isinstance(value, str) else value]
    return value is None, [-number if descends else number for number in numbers]


def sampled(values: Any, **config: Any) -> list[Any]:
    return in_any_order(answer(Sample, config, rows=Rows(TYPES, values)).values)


@given(ROWS, st.sampled_from(["first", "last", "none"]), st.booleans(), st.booleans())
def test_one_row_of_each_key_stays(rows: list[Any], keep: str, ordered: bool, ignore_case: bool) -> None:
    ordered = ordered and keep != "none"
    config = {"keys": ["k"], "keep": keep, "ignore_case": ignore_case, "order": ["t"] if ordered else []}
    groups: dict[Any, list[Any]] = {}
    for row in rows:
        groups.setdefault(row[0].lower() if ignore_case and row[0] else row[0], []).append(row)

    def rank(row: Any) -> Any:
        last = keep == "last"
        keys = [row[1]] if ordered else list(row)
        return [place(value, last) for value in keys], [place(value) for value in row]

    wanted = [min(group, key=rank) for group in groups.values() if keep != "none" or len(group) == 1]
    assert in_any_order(answer(Deduplicate, config, rows=Rows(TYPES, rows)).values) == in_any_order(wanted)


@given(ROWS)
def test_without_keys_equal_rows_stay_once(rows: list[Any]) -> None:
    assert in_any_order(answer(Deduplicate, {}, rows=Rows(TYPES, rows)).values) == in_any_order(set(rows))
    alone = [row for row in rows if rows.count(row) == 1]
    assert in_any_order(answer(Deduplicate, {"keep": "none"}, rows=Rows(TYPES, rows)).values) == in_any_order(alone)
    folded = answer(Deduplicate, {"ignore_case": True}, rows=Rows(TYPES, rows)).values
    assert len(folded) == len({(k and k.lower(), t, v) for k, t, v in rows})


def test_deduplicate_says_what_is_wrong() -> None:
    table = Rows(TYPES)
    assert refusal(Deduplicate, {"keys": ["k", "x"]}, rows=table)[1] == "keys/1"
    assert refusal(Deduplicate, {"keys": ["k"], "order": ["x"]}, rows=table)[1] == "order/0"
    assert "leave order out" in fault(Deduplicate, {"keep": "none", "order": ["t"]})
    assert Deduplicate().query(Relation("a.rows")).sql("duckdb") == 'SELECT DISTINCT * FROM "a.rows"'
    with pytest.raises(ColumnsUnknown):
        Deduplicate(keys=["k"]).query(Relation("a.rows"))


@given(ROWS, st.integers(0, 12), st.integers(0, 3))
def test_a_sample_has_so_many_of_the_rows(rows: list[Any], count: int, seed: int) -> None:
    kept = sampled(rows, rows=count, seed=seed)
    assert len(kept) == min(count, len(rows))
    left = list(rows)
    for row in kept:
        left.remove(row)


@settings(max_examples=10)
@given(st.permutations(range(400)), st.sampled_from([{"rows": 25}, {"fraction": 0.1}]))
def test_a_sample_is_the_same_whatever_the_order_of_the_rows(order: list[int], size: dict[str, Any]) -> None:
    assert sampled([MANY[at] for at in order], **size) == sampled(MANY, **size)


def test_another_seed_gives_another_sample() -> None:
    for size in ({"rows": 25}, {"fraction": 0.1}):
        assert len({repr(sampled(MANY, seed=seed, **size)) for seed in range(5)}) == 5


def test_a_fraction_is_about_that_share_of_rows_that_are_equal_too() -> None:
    for rows in (MANY, [("a", 1, 1)] * 400):
        assert sampled(rows, fraction=0) == []
        assert sampled(rows, fraction=1) == in_any_order(rows)
        assert 70 <= len(sampled(rows, fraction=0.25)) <= 130


def test_a_sample_of_any_columns() -> None:
    kinds = {"l": "INTEGER[]", "s": "STRUCT(a INTEGER)", "m": "MAP(VARCHAR, INTEGER)", "j": "JSON", "u": "UUID"}
    table = Rows(kinds, [([1], {"a": 1}, {"x": 1}, "{}", None)] * 3)
    assert len(answer(Sample, {"rows": 2}, rows=table).values) == 2
    assert len(answer(Sample, {"fraction": 1}, rows=table).values) == 3


def test_sample_says_what_is_wrong() -> None:
    for config in ({}, {"rows": 1, "fraction": 0.5}):
        assert "give either rows (how many) or fraction" in fault(Sample, config)
    assert "less than or equal to 1" in fault(Sample, {"fraction": 50})
    with pytest.raises(ColumnsUnknown):
        Sample(rows=1).query(Relation("a.rows"))
