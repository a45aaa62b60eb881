from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.nodes.windows.ticks import KINDS, Kind, Row, in_order, keys, kinds, nulls_last, ticks

from airloom.engine.relation import ColumnError
from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.testing import Answer, Rows, run_table
from airloom.nodes.windows.asof_join import AsofJoin, AsofNowJoin

tables = st.lists(st.tuples(keys, ticks, st.none() | st.integers(0, 3)), max_size=8)
directions = st.sampled_from(["backward", "forward", "nearest"])


def join(left: Any, right: Any, **config: Any) -> Answer:
    node = AsofJoin.model_validate({"left_time": "t", "right_time": "t", **config})
    return in_both_forms(node, left, right)


def join_now(left: Any, right: Any, **config: Any) -> Answer:
    return in_both_forms(AsofNowJoin.model_validate(config), left, right)


def in_both_forms(node: AsofJoin | AsofNowJoin, left: Any, right: Any) -> Answer:
    """Return what DuckDB's own join gives; the form for other engines has to give the same."""
    answer = run_table(node, left=left, right=right)["rows"]
    other = run_table(node, left=left, right=right, engine="spark")["rows"]
    assert other.columns == answer.columns
    assert sorted(map(repr, other.values)) == sorted(map(repr, answer.values))
    return answer


def looked_up(row: Row, others: list[Row], direction: str, tolerance: int | None, *, by_key: bool) -> Row | None:
    """Return the one row that a row finds: next in time, of those at one time the first by all columns."""
    key, tick, _ = row
    if tick is None or (by_key and key is None):
        return None
    near = [
        other
        for other in others
        if other[1] is not None
        and (not by_key or other[0] == key)
        and (tolerance is None or abs(other[1] - tick) <= tolerance)
        and (direction != "backward" or other[1] <= tick)
        and (direction != "forward" or other[1] >= tick)
    ]
    # Where a row before and one after are equally far, the one before is found.
    return min(near, key=lambda other: (abs(other[1] - tick), other[1], nulls_last(other)), default=None)


def joined(
    left: list[Row], right: list[Row], direction: str, tolerance: int | None, how: str, *, by_key: bool
) -> list[Row]:
    def find(row: Row, others: list[Row]) -> Row | None:
        return looked_up(row, others, direction, tolerance, by_key=by_key)

    nothing = (None, None, None)
    found: list[Row] = []
    if how in ("inner", "left", "outer"):
        pairs = [(row, find(row, right)) for row in left]
        found += [(*row, *(other or nothing)) for row, other in pairs if other or how != "inner"]
    if how in ("right", "outer"):
        found += [(*(find(row, left) or nothing), *row) for row in right]
    return found


@settings(max_examples=40)
@given(
    tables,
    tables,
    directions,
    st.none() | st.integers(0, 4),
    kinds,
    st.sampled_from(["inner", "left", "right", "outer"]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_an_asof_join_is_what_its_definition_says(
    left: list[Row],
    right: list[Row],
    direction: str,
    tolerance: int | None,
    kind: Kind,
    how: str,
    by_key: bool,
    random: Any,
) -> None:
    def table(key: str, rows: list[Row]) -> Rows:
        values = [(at, kind.column(tick), value) for at, tick, value in rows]
        random.shuffle(values)
        return Rows({key: "VARCHAR", "t": kind.type, "v": "INTEGER"}, values)

    answer = join(
        table("k", left),
        table("key", right),
        direction=direction,
        how=how,
        on=[["k", "key"]] if by_key else [],
        **({} if tolerance is None else {"tolerance": kind.length(tolerance)}),
    )
    assert list(answer.columns) == ["k", "t_left", "v_left", "key", "t_right", "v_right"]
    expected = [
        (lk, kind.column(lt), lv, rk, kind.column(rt), rv)
        for lk, lt, lv, rk, rt, rv in joined(left, right, direction, tolerance, how, by_key=by_key)
    ]
    assert in_order(answer.values) == in_order(expected)


@settings(max_examples=40)
@given(tables, tables, kinds, st.sampled_from(["inner", "left"]))
def test_a_row_meets_the_state_at_its_time(left: list[Row], right: list[Row], kind: Kind, how: str) -> None:
    def table(key: str, rows: list[Row]) -> Rows:
        values = [(at, kind.column(tick), value) for at, tick, value in rows]
        return Rows({key: "VARCHAR", "t": kind.type, "v": "INTEGER"}, values)

    answer = join_now(table("k", left), table("key", right), on=[["k", "key"]], left_time="t", right_time="t", how=how)
    expected = [
        (lk, kind.column(lt), lv, rk, kind.column(rt), rv)
        for lk, lt, lv, rk, rt, rv in joined(left, right, "backward", None, how, by_key=True)
    ]
    assert in_order(answer.values) == in_order(expected)


ONE = {"BIGINT": 1, "DOUBLE": 0.1, "TIMESTAMP": "1s"}


class TestAsofJoin:
    @pytest.mark.parametrize("direction", ["backward", "forward", "nearest"])
    def test_a_row_at_the_same_time_is_found_in_every_direction(self, direction: str) -> None:
        for how in ("inner", "left", "right"):
            right = [{"t": tick} for tick in (4, 5, 6)] if how != "right" else [{"t": 5}]
            left = [{"t": tick} for tick in (4, 5, 6)] if how == "right" else [{"t": 5}]
            assert join(left, right, direction=direction, how=how).values == [(5, 5)]

    def test_of_two_rows_equally_near_the_one_before_is_found(self) -> None:
        assert join([{"t": 5}], [{"t": 4}, {"t": 6}], direction="nearest").values == [(5, 4)]

    def test_the_tolerance_is_within(self) -> None:
        for kind, length in ONE.items():
            value = KINDS[kind].value
            left, right = [{"t": value(3)}], [{"t": value(1)}, {"t": value(4)}]
            assert join(left, right, direction="forward", tolerance=length).values == [(value(3), value(4))]
            assert join(left, right, direction="backward", tolerance=length).values == [(value(3), None)]
        assert join([{"t": 3}], [{"t": 3}, {"t": 4}], tolerance=0).values == [(3, 3)]

    def test_of_several_rows_at_the_time_the_first_by_all_columns_is_found(self) -> None:
        right = Rows({"t": "INTEGER", "w": "INTEGER", "x": "INTEGER"}, [(1, None, 0), (1, 2, 9), (1, 2, 3)])
        for direction in ("backward", "forward", "nearest"):
            assert join([{"t": 1}], right, direction=direction).values == [(1, 1, 2, 3)]

    def test_null_in_a_key_or_time_finds_nothing_and_is_not_found(self) -> None:
        rows = Rows({"k": "VARCHAR", "t": "BIGINT"}, [(None, 1), ("a", None)])
        assert join(rows, rows, on=["k"], how="inner").values == []
        answer = join(rows, rows, on=["k"])
        assert in_order(answer.values) == in_order([(None, 1, None), ("a", None, None)])

    def test_a_key_of_the_same_name_stands_there_once(self) -> None:
        left, right = [{"k": 1, "t": 5}], [{"K": 1, "t": 4}, {"K": 2, "t": 6}]
        assert join(left, right, on=["k"]).rows == [{"k": 1, "t_left": 5, "t_right": 4}]
        answer = join(left, right, on=["k"], how="outer")
        assert in_order(answer.values) == in_order([(1, 5, 4), (1, None, 4), (2, None, 6)])

    def test_the_key_may_be_the_time(self) -> None:
        assert in_order(join([{"t": 1}, {"t": 2}], [{"t": 1}], on=["t"]).values) == [(1,), (2,)]
        assert join([{"t": 1}, {"t": 2}], [{"t": 1}], on=["t"], how="inner").values == [(1,)]

    def test_days_meet_timestamps(self) -> None:
        left = Rows({"t": "TIMESTAMP"}, [("2026-01-02 12:00:00",)])
        right = Rows({"day": "DATE", "v": "INTEGER"}, [("2026-01-02", 1), ("2026-01-03", 2)])
        for direction, value in (("backward", 1), ("forward", 2), ("nearest", 1)):
            answer = join(left, right, right_time="day", direction=direction, tolerance="12h")
            assert [row["v"] for row in answer.rows] == [value]

    def test_fractions_that_are_equal_to_six_decimals_are_one_time(self) -> None:
        assert join([{"t": 0.1 + 0.2}], [{"u": 0.3}], right_time="u", direction="forward").rows[0]["u"] == 0.3

    def test_empty_tables(self) -> None:
        empty, one = Rows({"t": "DATE"}), Rows({"t": "DATE"}, [("2026-01-01",)])
        assert join(empty, empty, how="outer").values == []
        assert join(empty, one).values == []
        assert [row["t_right"] for row in join(one, empty).rows] == [None]

    def test_times_have_to_be_of_one_sort(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            join([{"t": 1}], [{"t": 1.5}])
        assert caught.value.message == "'t' on the left is BIGINT, 't' on the right DOUBLE"
        assert caught.value.field == "right_time"

    def test_missing_columns_are_named_with_their_place(self) -> None:
        with pytest.raises(ColumnError, match="the right table has no column 'tt'") as caught:
            join([{"t": 1}], [{"t": 1}], right_time="tt")
        assert (caught.value.field, caught.value.hint) == ("right_time", "did you mean 't'?")

    def test_a_tolerance_has_to_fit_the_times(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            join([{"t": 1}], [{"t": 1}], tolerance="5m")
        assert (caught.value.field, caught.value.message) == ("tolerance", "the times are numbers, and '5m' is none")

    def test_odd_names(self) -> None:
        odd = [{'a "b"': 1, "left": 3, "right": 4, "told": 5}]
        answer = join(odd, odd, left_time="left", right_time="left", on=['a "b"'])
        assert answer.values == [(1, 3, 4, 5, 3, 4, 5)]

    def test_names_that_still_clash_are_refused(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            join([{"t": 1, "t_left": 2}], [{"t": 1}])
        assert (caught.value.message, caught.value.field) == ("two columns would be called 't_left'", "suffixes")

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"direction": "both"}, "Input should be 'backward', 'forward' or 'nearest'"),
            ({"tolerance": -1}, "this cannot be less than nothing"),
            ({"tolerance": "-1s"}, "this cannot be less than nothing"),
            ({"on": [["a"]]}, "a key is a name that both tables have"),
        ],
    )
    def test_a_wrong_config_says_what_is_wrong(self, config: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=re.escape(message)):
            AsofJoin.model_validate({"left_time": "t", "right_time": "t", **config})


class TestAsofNowJoin:
    def test_a_later_row_replaces_the_one_of_its_key_before_it_and_changes_nothing_that_was(self) -> None:
        left = [{"t": tick} for tick in (0, 1, 5)]
        right = [{"at": 1, "v": "first"}, {"at": 5, "v": "second"}, {"at": 6, "v": "third"}]
        answer = join_now(left, right, left_time="t", right_time="at", how="left")
        assert in_order((row["t"], row["v"]) for row in answer.rows) == [(0, None), (1, "first"), (5, "second")]

    def test_without_times_the_whole_right_table_was_there_before(self) -> None:
        left, right = [{"k": 1}, {"k": 2}], [{"k": 1, "v": "a"}, {"k": 1, "v": "b"}]
        assert in_order(join_now(left, right, on=["k"]).values) == [(1, "a"), (1, "b")]
        assert in_order(join_now(left, right, on=["k"], how="left").values) == [(1, "a"), (1, "b"), (2, None)]

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"on": ["k"], "left_time": "t"}, "give left_time and right_time, or neither"),
            ({}, "give `on`, or left_time and right_time"),
            ({"on": ["k"], "how": "outer"}, "Input should be 'inner' or 'left'"),
        ],
    )
    def test_a_wrong_config_says_what_is_wrong(self, config: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=re.escape(message)):
            AsofNowJoin.model_validate(config)
