from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nodes.windows.ticks import Kind, Row, Windows, in_order, keys, kinds, ticks, windows

from airloom.engine.relation import ColumnError, ColumnsUnknown, Relation
from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.testing import Answer, Rows, run_table
from airloom.nodes.windows.window_join import WindowJoin

tables = st.lists(st.tuples(keys, ticks, st.integers(0, 3)), max_size=7)
TUMBLING = {"type": "tumbling", "duration": 5}
SESSION = {"type": "session", "max_gap": 5}


def join(left: Any, right: Any, **config: Any) -> Answer:
    node = WindowJoin.model_validate({"left_time": "t", "right_time": "t", **config})
    return run_table(node, left=left, right=right)["rows"]


def windows_of(row: Row, both: list[Row], found: Windows, *, by_key: bool) -> list[tuple[int, int]]:
    key, tick, _ = row
    if tick is None:
        return []
    if found.type != "session":
        return found.holding(tick)
    return [found.sessions({t for k, t, _ in both if t is not None and (not by_key or k == key)})[tick]]


def joined(left: list[Row], right: list[Row], found: Windows, how: str, *, by_key: bool) -> list[Row]:
    """Join as the definition says: start, end, left key, left time, left value, right key, right time, right value."""
    both = left + right

    def placed(rows: list[Row]) -> list[Row]:
        return [(window, row) for row in rows for window in windows_of(row, both, found, by_key=by_key)]

    def matches(ours: Row, theirs: Row) -> bool:
        equal = not by_key or (ours[1][0] == theirs[1][0] and ours[1][0] is not None)
        return ours[0] == theirs[0] and equal

    lefts, rights = placed(left), placed(right)
    found_rows = [(*ours[0], *ours[1], *theirs[1]) for ours in lefts for theirs in rights if matches(ours, theirs)]
    if how in ("left", "outer"):
        found_rows += [
            (*w, *row, None, None, None) for w, row in lefts if not any(matches((w, row), r) for r in rights)
        ]
    if how in ("right", "outer"):
        found_rows += [
            (*w, None, None, None, *row) for w, row in rights if not any(matches(x, (w, row)) for x in lefts)
        ]
    return found_rows


@settings(max_examples=40)
@given(tables, tables, windows, kinds, st.sampled_from(["inner", "left", "right", "outer"]), st.booleans())
def test_a_join_by_window_is_what_its_definition_says(
    left: list[Row], right: list[Row], found: Windows, kind: Kind, how: str, by_key: bool
) -> None:
    types = {"k": "VARCHAR", "t": kind.type, "v": "INTEGER"}
    answer = join(
        Rows(types, [(key, kind.column(tick), value) for key, tick, value in left]),
        Rows(
            {"key": "VARCHAR", "t": kind.type, "v": "INTEGER"},
            [(key, kind.column(tick), value) for key, tick, value in right],
        ),
        window=found.config(kind),
        how=how,
        on=[["k", "key"]] if by_key else [],
    )
    assert list(answer.columns) == ["window_start", "window_end", "k", "t_left", "v_left", "key", "t_right", "v_right"]
    expected = [
        (*map(kind.value, (start, end)), lk, kind.column(lt), lv, rk, kind.column(rt), rv)
        for start, end, lk, lt, lv, rk, rt, rv in joined(left, right, found, how, by_key=by_key)
    ]
    assert in_order(answer.values) == in_order(expected)


def test_rows_that_share_several_windows_meet_in_each() -> None:
    sliding = {"type": "sliding", "hop": 1, "duration": 3}
    answer = join([{"t": 4}], [{"t": 5}], window=sliding)
    assert sorted(answer.values) == [(3, 6, 4, 5), (4, 7, 4, 5)]


def test_a_session_is_made_of_the_rows_of_both_tables() -> None:
    answer = join([{"t": 0}, {"t": 8}], [{"t": 4}, {"t": 30}], window=SESSION, how="outer")
    assert in_order(answer.values) == in_order([(0, 8, 0, 4), (0, 8, 8, 4), (30, 30, None, 30)])


def test_rows_in_no_window_are_left_out_also_of_an_outer_join() -> None:
    rows = Rows({"t": "BIGINT"}, [(None,), (-1,), (3,)])
    answer = join(rows, Rows({"t": "BIGINT"}, [(None,)]), window=TUMBLING | {"origin": 0}, how="outer")
    assert answer.values == [(0, 5, 3, None)]


def test_null_in_a_key_equals_nothing() -> None:
    rows = Rows({"k": "VARCHAR", "t": "BIGINT"}, [(None, 1)])
    for window in (TUMBLING, SESSION):
        assert join(rows, rows, on=["k"], window=window).values == []
        assert [row[2] for row in join(rows, rows, on=["k"], window=window, how="outer").values] == [None, None]


def test_a_key_of_the_same_name_stands_there_once() -> None:
    left, right = [{"k": 1, "t": 0, "a": 1}], [{"K": 1, "t": 1, "b": 2}, {"K": 2, "t": 2, "b": 3}]
    answer = join(left, right, on=["k"], window=TUMBLING, how="right")
    assert list(answer.columns) == ["window_start", "window_end", "k", "t_left", "a", "t_right", "b"]
    assert in_order(answer.values) == in_order([(0, 5, 1, 0, 1, 1, 2), (0, 5, 2, None, None, 2, 3)])


def test_days_meet_timestamps_in_windows_of_hours() -> None:
    left = Rows({"t": "DATE"}, [("2026-01-01",)])
    right = Rows({"u": "TIMESTAMP"}, [("2026-01-01 00:59:00",), ("2026-01-01 01:00:00",)])
    for window in ({"type": "tumbling", "duration": "1h"}, {"type": "session", "max_gap": "1h"}):
        answer = join(left, right, right_time="u", window=window)
        assert answer.columns["window_start"] == "TIMESTAMP"
    assert len(answer.values) == 2
    assert len(join(left, right, right_time="u", window={"type": "tumbling", "duration": "1h"}).values) == 1


def test_the_columns_of_start_and_end_may_be_called_otherwise() -> None:
    rows = [{"t": 1, "window_start": 0}]
    answer = join(rows, rows, window=TUMBLING, start="from", end="until")
    assert list(answer.columns)[:4] == ["from", "until", "t_left", "window_start_left"]
    assert join(rows, rows, window=TUMBLING).values == [(0, 5, 1, 0, 1, 0)]
    for config, field, name in (({}, "start", "window_start"), ({"start": "x", "end": "t"}, "end", "t")):
        with pytest.raises(ConfigurationError) as caught:
            join(rows, [{"u": 1}], right_time="u", window=TUMBLING, **config)
        assert (caught.value.message, caught.value.field) == (f"two columns would be called {name!r}", field)


def test_times_have_to_be_of_one_sort() -> None:
    for right in ("DOUBLE", "TIMESTAMP", "DATE"):
        with pytest.raises(ConfigurationError) as caught:
            join(Rows({"t": "INTEGER"}), Rows({"u": right}), right_time="u", window=TUMBLING)
        assert caught.value.message == f"'t' on the left is INTEGER, 'u' on the right {right}"
        assert (caught.value.field, caught.value.hint) == ("right_time", "cast one of them before the join")
    with pytest.raises(ConfigurationError) as caught:
        join(Rows({"t": "TIMESTAMP"}), Rows({"t": "TIMESTAMPTZ"}), window=TUMBLING)
    assert caught.value.field == "right_time"
    with pytest.raises(ConfigurationError) as caught:
        join(Rows({"t": "BIGINT"}), Rows({"t": "VARCHAR"}), window=TUMBLING)
    assert (caught.value.message, caught.value.field) == (
        "times are dates, timestamps or numbers; 't' is VARCHAR",
        "right_time",
    )
    assert join([{"t": 1}], Rows({"t": "TINYINT"}, [(2,)]), window=TUMBLING).values == [(0, 5, 1, 2)]


def test_missing_columns_are_named_with_their_place() -> None:
    for config, field in (
        ({"left_time": "tt"}, "left_time"),
        ({"right_time": "tt"}, "right_time"),
        ({"on": ["tt"]}, "on/0"),
    ):
        with pytest.raises(ColumnError) as caught:
            join([{"t": 1}], [{"t": 1}], window=TUMBLING, **config)
        assert (caught.value.field, caught.value.hint) == (field, "did you mean 't'?")


def test_a_fault_on_the_known_side_is_found_though_the_other_is_unknown() -> None:
    known, unknown = Relation("a.rows", {"t": "BIGINT"}), Relation("b.rows")
    node = WindowJoin.model_validate({"left_time": "t", "right_time": "x", "window": TUMBLING})
    with pytest.raises(ColumnsUnknown):
        node.query(known, unknown)
    with pytest.raises(ColumnError, match="the right table has no column 'x'"):
        node.query(unknown, known)
