from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes.tables.tools import answer, fault, refusal, rows_of

from airloom.nodes.tables.map_values import MapValues
from airloom.nodes.testing import Rows

CODES = st.sampled_from(["a", "b", "it's", ""])


@given(
    st.lists(st.none() | CODES, max_size=9),
    st.dictionaries(CODES, st.none() | st.integers(0, 9), min_size=1),
    st.none() | st.integers(0, 9),
)
def test_values_are_replaced_as_by_a_dictionary(
    values: list[str | None], mapping: dict[str, int | None], default: int | None
) -> None:
    config = {"column": "s", "mapping": mapping, "default": default, "name": "x"}
    found = answer(MapValues, config, rows=Rows({"s": "VARCHAR"}, [(value,) for value in values]))
    assert found.values == [(value, mapping.get(value, default) if value is not None else default) for value in values]


@given(st.lists(st.none() | CODES, max_size=9), st.dictionaries(CODES, st.none() | CODES, min_size=1))
def test_other_values_may_stay(values: list[str | None], mapping: dict[str, str | None]) -> None:
    config = {"column": "s", "mapping": mapping, "keep_others": True}
    found = answer(MapValues, config, rows=Rows({"s": "VARCHAR"}, [(value,) for value in values]))
    assert found.values == [(None if value is None else mapping.get(value, value),) for value in values]


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"mapping": {"1": "a"}}, "VARCHAR"),
        ({"mapping": {"1": 1}}, "BIGINT"),
        ({"mapping": {"1": 1}, "default": 0.5}, "DOUBLE"),
        ({"mapping": {"1": True}}, "BOOLEAN"),
        ({"mapping": {"1": None}}, "VARCHAR"),
        ({"mapping": {"1": "2026-01-31"}, "type": "DATE"}, "DATE"),
        ({"mapping": {"1": 1}, "type": "DECIMAL(5,2)"}, "DECIMAL(5,2)"),
        ({"mapping": {"1": 2}, "keep_others": True}, "INTEGER"),
    ],
)
def test_the_type_of_the_result(config: dict[str, Any], wanted: str) -> None:
    assert answer(MapValues, {"column": "n", **config}, rows=Rows({"n": "INTEGER"})).columns == {"n": wanted}


def test_keys_are_read_as_the_columns_type() -> None:
    table = Rows({"b": "BOOLEAN", "d": "DATE", "x": "DECIMAL(5,2)"}, [(True, "2026-01-31", "1.50")])
    assert rows_of(MapValues, {"column": "b", "mapping": {"true": "yes"}}, rows=table)[0]["b"] == "yes"
    assert rows_of(MapValues, {"column": "d", "mapping": {"2026-01-31": "end"}}, rows=table)[0]["d"] == "end"
    assert rows_of(MapValues, {"column": "x", "mapping": {"1.5": "half"}}, rows=table)[0]["x"] == "half"


@pytest.mark.parametrize(
    ("config", "message", "field"),
    [
        ({"mapping": {"one": 1}}, "the column is INTEGER, and 'one' is not a number", "mapping/one"),
        ({"mapping": {"1": 1, "01": 2}}, "'1' and '01' are the same INTEGER", "mapping/01"),
        ({"mapping": {"1.5": 1}}, "'1.5' does not fit a column of type INTEGER", "mapping/1.5"),
        ({"mapping": {"1": 1, "2": "b"}}, "the values are of different sorts", "mapping"),
        ({"mapping": {"1": 300}, "type": "TINYINT"}, "300 does not fit a column of type TINYINT", "mapping/1"),
        ({"mapping": {"1": 1}, "type": "INTEGER", "default": 0.5}, "0.5 does not fit", "default"),
        ({"mapping": {"1": 2**40}, "keep_others": True}, "does not fit a column of type INTEGER", "mapping/1"),
    ],
)
def test_what_does_not_fit_is_named(config: dict[str, Any], message: str, field: str) -> None:
    said, at, _ = refusal(MapValues, {"column": "n", **config}, rows=Rows({"n": "INTEGER"}))
    assert message in said
    assert at == field


def test_other_values_have_one_fate() -> None:
    config = {"column": "n", "mapping": {"1": 1}, "keep_others": True, "default": 0}
    assert "leave default and type out" in fault(MapValues, config)
    assert "at least 1 item" in fault(MapValues, {"column": "n", "mapping": {}})
