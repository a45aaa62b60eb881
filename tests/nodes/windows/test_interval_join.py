from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.nodes.windows.ticks import Kind, Row, in_order, keys, kinds, ticks

from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.testing import Answer, Rows, run_table
from airloom.nodes.windows.interval_join import IntervalJoin

tables = st.lists(st.tuples(keys, ticks, st.integers(0, 3)), max_size=8)
bounds = st.tuples(st.integers(-7, 7), st.integers(-7, 7)).filter(lambda both: both[0] != both[1]).map(sorted)


def join(left: Any, right: Any, **config: Any) -> Answer:
    node = IntervalJoin.model_validate({"left_time": "t", "right_time": "t", **config})
    return run_table(node, left=left, right=right)["rows"]


def joined(left: list[Row], right: list[Row], lower: int, upper: int, how: str, *, by_key: bool) -> list[Row]:
    def matches(ours: Row, theirs: Row) -> bool:
        if ours[1] is None or theirs[1] is None or not lower <= theirs[1] - ours[1] <= upper:
            return False
        return not by_key or (ours[0] == theirs[0] and ours[0] is not None)

    pairs = [(*ours, *theirs) for ours in left for theirs in right if matches(ours, theirs)]
    if how in ("left", "outer"):
        pairs += [(*ours, None, None, None) for ours in left if not any(matches(ours, theirs) for theirs in right)]
    if how in ("right", "outer"):
        pairs += [(None, None, None, *theirs) for theirs in right if not any(matches(ours, theirs) for ours in left)]
    return pairs


@settings(max_examples=40)
@given(tables, tables, bounds, kinds, st.sampled_from(["inner", "left", "right", "outer"]), st.booleans())
def test_a_join_by_interval_is_what_its_definition_says(
    left: list[Row], right: list[Row], bounds: list[int], kind: Kind, how: str, by_key: bool
) -> None:
    lower, upper = bounds

    def table(key: str, rows: list[Row]) -> Rows:
        values = [(at, kind.column(tick), value) for at, tick, value in rows]
        return Rows({key: "VARCHAR", "t": kind.type, "v": "INTEGER"}, values)

    answer = join(
        table("k", left),
        table("key", right),
        lower=kind.length(lower),
        upper=kind.length(upper),
        how=how,
        on=[["k", "key"]] if by_key else [],
    )
    assert list(answer.columns) == ["k", "t_left", "v_left", "key", "t_right", "v_right"]
    expected = [
        (lk, kind.column(lt), lv, rk, kind.column(rt), rv)
        for lk, lt, lv, rk, rt, rv in joined(left, right, lower, upper, how, by_key=by_key)
    ]
    assert in_order(answer.values) == in_order(expected)


def test_both_bounds_are_within() -> None:
    right = [{"t": tick} for tick in (7, 8, 12, 13)]
    assert sorted(join([{"t": 10}], right, lower=-2, upper=2).values) == [(10, 8), (10, 12)]
    assert sorted(join([{"t": 10}], right, lower=2, upper=3).values) == [(10, 12), (10, 13)]


def test_rows_without_a_time_match_nothing_and_stay_where_their_side_stays() -> None:
    rows = Rows({"t": "BIGINT"}, [(None,)])
    assert join(rows, rows, lower=-1, upper=1).values == []
    assert in_order(join(rows, rows, lower=-1, upper=1, how="outer").values) == [(None, None), (None, None)]


def test_a_merged_key_has_the_value_of_the_side_that_has_the_row() -> None:
    left, right = [{"k": 1, "t": 0}], [{"k": 2, "u": 0}]
    answer = join(left, right, right_time="u", on=["k"], lower=0, upper=1, how="outer")
    assert list(answer.columns) == ["k", "t", "u"]
    assert in_order(answer.values) == in_order([(1, 0, None), (2, None, 0)])


def test_empty_tables() -> None:
    empty, one = Rows({"t": "DATE"}), Rows({"t": "DATE"}, [("2026-01-01",)])
    given = {"lower": "-1d", "upper": "1d", "how": "outer"}
    assert join(empty, empty, **given).values == []
    assert len(join(empty, one, **given).values) == len(join(one, empty, **given).values) == 1


@pytest.mark.parametrize(("lower", "upper"), [(1, 1), (2, 1)])
def test_lower_has_to_be_less_than_upper(lower: int, upper: int) -> None:
    for kind, unit in (("BIGINT", None), ("TIMESTAMP", "s")):
        bounds = (f"{lower}{unit}", f"{upper}{unit}") if unit else (lower, upper)
        with pytest.raises(ConfigurationError) as caught:
            join(Rows({"t": kind}), Rows({"t": kind}), lower=bounds[0], upper=bounds[1])
        assert caught.value.message == f"lower has to be less than upper; {bounds[0]!r} is not less than {bounds[1]!r}"
        assert (caught.value.field, caught.value.hint) == ("upper", "where both times are to be the same, use join")


def test_bounds_have_to_fit_the_times() -> None:
    for kind, bounds, field in (
        ("BIGINT", ("-5m", "5m"), "lower"),
        ("TIMESTAMP", (-5, 5), "lower"),
        ("DATE", ("0s", "5m"), "upper"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            join(Rows({"t": kind}), Rows({"t": kind}), lower=bounds[0], upper=bounds[1])
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"lower": "-5m", "upper": 0}, "lower and upper are both durations, or both numbers"),
        ({"lower": "--5m", "upper": "0s"}, "a length of time is a duration such as 30s"),
        ({"lower": 0}, "Field required"),
        ({"lower": 0, "upper": 1, "how": "semi"}, "Input should be 'inner', 'left', 'right' or 'outer'"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        IntervalJoin.model_validate({"left_time": "t", "right_time": "t", **config})


@pytest.mark.parametrize("kind", ["BIGINT", "DOUBLE", "DECIMAL(18,3)"])
def test_epoch_milliseconds_meet_exactly(kind):
    rows = Rows({"t": kind}, [[1_700_000_000_000], [1_700_000_000_010], [1_700_000_000_020]])
    node = IntervalJoin.model_validate({"left_time": "t", "right_time": "t", "lower": 10, "upper": 11})
    assert len(run_table(node, left=rows, right=rows)["rows"].values) == 2
