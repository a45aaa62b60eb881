from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.nodes.tables.test_aggregate import DEFINITIONS
from tests.nodes.windows.ticks import KINDS, Kind, Row, Windows, in_order, keys, kinds, ticks, windows

from airloom.engine.relation import ColumnError, ColumnsUnknown, Relation
from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.testing import Answer, Rows, run_table
from airloom.nodes.windows.window import Window

rows_in_ticks = st.lists(st.tuples(ticks, keys, st.none() | st.integers(-3, 3)), max_size=12)
COUNT = {"rows": {"op": "count"}}
COUNTS = {"n": {"op": "count"}, "total": {"op": "sum", "column": "v"}}
TUMBLING = {"type": "tumbling", "duration": 5}


def window(rows: Any, /, **config: Any) -> Answer:
    return run_table(Window.model_validate({"time": "t", **config}), rows=rows)["rows"]


def groups_of(rows: list[Row], found: Windows, *, instance: bool) -> dict[tuple[int, int, Any], list[Row]]:
    """Return the rows of each window, by start, end and instance; a row is its tick, its key, and others."""
    groups: dict[tuple[int, int, Any], list[Row]] = defaultdict(list)
    for row in rows:
        tick, key = row[0], row[1] if instance else None
        if tick is None:
            continue
        same = {other[0] for other in rows if other[0] is not None and (not instance or other[1] == key)}
        for start, end in [found.sessions(same)[tick]] if found.type == "session" else found.holding(tick):
            groups[start, end, key].append(row)
    return groups


@settings(max_examples=40)
@given(rows_in_ticks, windows, kinds, st.booleans(), st.randoms(use_true_random=False))
def test_windows_are_what_their_definition_says(
    rows: list[Row], found: Windows, kind: Kind, instance: bool, random: Any
) -> None:
    table = [(kind.column(tick), key, value) for tick, key, value in rows]
    random.shuffle(table)
    answer = window(
        Rows({"t": kind.type, "k": "VARCHAR", "v": "INTEGER"}, table),
        window=found.config(kind),
        instance=["k"] if instance else [],
        measures=COUNTS,
    )
    expected = []
    for (start, end, key), group in groups_of(rows, found, instance=instance).items():
        values = [value for _, _, value in group if value is not None]
        figures = (len(group), sum(values) if values else None)
        expected.append((kind.value(start), kind.value(end), *([key] if instance else []), *figures))
    assert in_order(answer.values) == in_order(expected)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(ticks, keys, st.none() | st.integers(-4, 4), st.none() | st.integers(0, 2)), max_size=14),
    windows,
)
def test_every_reducer_works_in_windows(rows: list[Row], found: Windows) -> None:
    measures = {op: {"op": op, **config} for op, (config, _) in DEFINITIONS.items()}
    measures |= {"same": {"op": "unique", "column": "s"}}
    kind = KINDS["BIGINT"]
    answer = window(
        Rows(
            {"at": "BIGINT", "g": "VARCHAR", "n": "INTEGER", "t": "INTEGER", "s": "VARCHAR"},
            [(*row, "s") for row in rows],
        ),
        time="at",
        window=found.config(kind),
        instance=["g"],
        measures=measures,
    )
    groups = groups_of(rows, found, instance=True)
    assert len(answer.rows) == len(groups)
    for row in answer.rows:
        group = [(key, n, t, None) for _, key, n, t in groups[row["window_start"], row["window_end"], row["g"]]]
        assert row["same"] == "s"
        for op, (_, definition) in DEFINITIONS.items():
            wanted = definition(group)
            assert row[op] == (wanted if wanted is None else pytest.approx(wanted)), op


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("TINYINT", "BIGINT"),
        ("BIGINT", "BIGINT"),
        ("FLOAT", "DOUBLE"),
        ("DECIMAL(9,2)", "DOUBLE"),
        ("DATE", "DATE"),
        ("TIMESTAMP", "TIMESTAMP"),
        ("TIMESTAMPTZ", "TIMESTAMPTZ"),
    ],
)
def test_start_and_end_are_times_of_the_same_sort(kind: str, start: str) -> None:
    length = "1d" if kind.startswith(("DATE", "TIME")) else 1
    empty = Rows({"t": kind, "n": "INTEGER"})
    answer = window(empty, window={"type": "tumbling", "duration": length}, instance=["n"], measures=COUNT)
    assert answer == Answer({"window_start": start, "window_end": start, "n": "INTEGER", "rows": "BIGINT"}, [])


def test_a_session_keeps_the_type_of_its_times() -> None:
    for kind in ("SMALLINT", "FLOAT", "DECIMAL(9,2)", "DATE", "TIMESTAMP"):
        length = "1d" if kind in ("DATE", "TIMESTAMP") else 1
        answer = window(Rows({"t": kind}), window={"type": "session", "max_gap": length})
        assert answer == Answer({"window_start": kind, "window_end": kind}, [])


def starts(rows: Any, /, **config: Any) -> list[Any]:
    return sorted(row["window_start"] for row in window(rows, **config).rows)


def at(*times: Any) -> list[dict[str, Any]]:
    return [{"t": time} for time in times]


class TestTumblingAndSliding:
    def test_a_window_holds_its_start_and_not_its_end(self) -> None:
        answer = window(at(0, 4, 5), window=TUMBLING, measures=COUNT)
        assert sorted(answer.values) == [(0, 5, 2), (5, 10, 1)]

    def test_windows_before_zero_are_like_those_after_it(self) -> None:
        assert starts(at(-1, -5, -6), window=TUMBLING) == [-10, -5]

    def test_without_an_origin_weeks_begin_on_monday(self) -> None:
        days = at(date(2026, 1, 4), date(2026, 1, 5), date(1969, 12, 28), date(1969, 12, 29))
        mondays = [date(1969, 12, 22), date(1969, 12, 29), date(2025, 12, 29), date(2026, 1, 5)]
        assert starts(days, window={"type": "tumbling", "duration": "7d"}) == mondays

    def test_an_origin_shifts_windows_and_leaves_out_those_before_it(self) -> None:
        assert starts(at(1, 2, 3, 6, 7), window=TUMBLING | {"origin": 2}) == [2, 7]
        sliding = {"type": "sliding", "hop": 2, "duration": 4}
        assert starts(at(3), window=sliding) == [0, 2]
        assert starts(at(3), window=sliding | {"origin": 2}) == [2]

    def test_zero_is_an_origin(self) -> None:
        assert starts(at(-3, 3), window=TUMBLING | {"origin": 0}) == [0]

    def test_a_hop_longer_than_the_window_leaves_gaps(self) -> None:
        answer = window(at(0, 1, 2, 3, 9, 10), window={"type": "sliding", "hop": 5, "duration": 2}, measures=COUNT)
        assert sorted(answer.values) == [(0, 2, 2), (10, 12, 1)]

    def test_a_ratio_is_a_length_in_hops(self) -> None:
        given = {"type": "sliding", "hop": 0.1}
        expected = window(at(0.3, 0.7), window=given | {"duration": 0.3}, measures=COUNT).values
        answer = window(at(0.3, 0.7), window=given | {"ratio": 3}, measures=COUNT)
        assert sorted(answer.values) == sorted(expected)
        assert len(answer.values) == 6

    def test_windows_without_rows_are_not_there(self) -> None:
        assert starts(at(0, 100), window=TUMBLING) == [0, 100]

    def test_a_row_is_in_ten_thousand_windows_at_most(self) -> None:
        sliding = {"type": "sliding", "hop": 1, "ratio": 10_000}
        assert len(starts(at(5), window=sliding)) == 10_000
        with pytest.raises(ConfigurationError) as caught:
            window(at(5), window=sliding | {"ratio": 10_001})
        assert caught.value.message == "each row would be in 10001 windows; 10000 is the most"
        assert caught.value.field == "window/hop"


class TestSession:
    def test_a_gap_as_long_as_max_gap_ends_it(self) -> None:
        answer = window(at(0, 4, 8, 13), window={"type": "session", "max_gap": 5}, measures=COUNT)
        assert sorted(answer.values) == [(0, 8, 3), (13, 13, 1)]

    def test_rows_at_the_same_time_are_together(self) -> None:
        answer = window(at(1, 9, 9, 9, 1), window={"type": "session", "max_gap": 1}, measures=COUNT)
        assert sorted(answer.values) == [(1, 1, 2), (9, 9, 3)]


class TestTimes:
    def test_rows_without_a_time_are_left_out(self) -> None:
        rows = Rows({"t": "BIGINT"}, [(None,), (3,), (None,)])
        assert window(rows, window=TUMBLING, measures=COUNT).values == [(0, 5, 1)]
        assert window(rows, window={"type": "session", "max_gap": 2}, measures=COUNT).values == [(3, 3, 1)]

    def test_an_infinite_date_is_no_time(self) -> None:
        for kind in ("TIMESTAMP", "DATE", "TIMESTAMPTZ"):
            rows = Rows({"t": kind}, [("infinity",), ("-infinity",), ("1973-01-01",)])
            assert len(window(rows, window={"type": "tumbling", "duration": "1d"}).values) == 1
            assert len(window(rows, window={"type": "session", "max_gap": "1d"}).values) == 1

    def test_not_a_number_ends_the_run(self) -> None:
        with pytest.raises(duckdb.Error, match="nan"):
            window(at(float("nan"), 1.0), window=TUMBLING)

    def test_null_in_an_instance_is_a_value(self) -> None:
        rows = [{"t": 1, "k": None}, {"t": 2, "k": "a"}, {"t": 3, "k": None}]
        for sort in (TUMBLING, {"type": "session", "max_gap": 5}):
            answer = window(rows, window=sort, instance=["k"], measures=COUNT)
            assert in_order((row["k"], row["rows"]) for row in answer.rows) == in_order([(None, 2), ("a", 1)])

    def test_fractions_are_exact_to_six_decimals(self) -> None:
        tenth = {"type": "tumbling", "duration": 0.1}
        assert starts(at(0.3, 0.7, 1.1), window=tenth) == [0.3, 0.7, 1.1]
        assert starts(at(0.2999999), window=tenth) == [0.3]
        assert starts(at(0.299999), window=tenth) == [0.2]
        for value, start in ((Decimal("0.2999999"), 0.3), (Decimal("0.299999"), 0.2)):
            assert starts(Rows({"t": "DECIMAL(18,9)"}, [(value,)]), window=tenth) == [start]

    def test_large_whole_numbers_are_exact(self) -> None:
        nanoseconds = 1_767_225_600_000_000_007
        assert starts(at(nanoseconds), window={"type": "tumbling", "duration": 30_000_000_000}) == [nanoseconds - 7]

    def test_days_and_hours_are_those_of_utc(self) -> None:
        berlin = Rows({"t": "TIMESTAMPTZ"}, [("2026-03-29 00:30:00+01",), ("2026-03-29 03:30:00+02",)])
        answer = starts(berlin, window={"type": "tumbling", "duration": "1d"})
        assert [start.astimezone(UTC) for start in answer] == [
            datetime(2026, 3, 28, tzinfo=UTC),
            datetime(2026, 3, 29, tzinfo=UTC),
        ]

    def test_an_origin_with_a_zone_means_that_moment(self) -> None:
        rows = Rows({"t": "TIMESTAMP"}, [("2026-01-01 23:30:00",)])
        given = {"type": "tumbling", "duration": "1d", "origin": "2026-01-01T00:00:00+01:00"}
        assert starts(rows, window=given) == [datetime(2026, 1, 1, 23)]  # noqa: DTZ001 a TIMESTAMP has no zone

    def test_an_origin_may_come_as_a_date_from_an_expression(self) -> None:
        given = {"type": "tumbling", "duration": "7d", "origin": date(2026, 1, 7)}
        assert starts(at(date(2026, 1, 15)), window=given) == [date(2026, 1, 14)]


class TestNames:
    def test_the_columns_of_start_and_end_may_be_called_otherwise(self) -> None:
        rows = [{"t": 7, "window_start": 1, "v": 2}]
        answer = window(rows, window=TUMBLING, start="t", end="until", instance=["WINDOW_START"], measures=COUNT)
        assert answer.rows == [{"t": 5, "until": 10, "window_start": 1, "rows": 1}]

    def test_windows_without_measures_are_the_windows_alone(self) -> None:
        assert window(at(1, 2), window=TUMBLING).rows == [{"window_start": 0, "window_end": 5}]

    def test_a_measure_may_be_called_like_a_column(self) -> None:
        answer = window(at(1, 2), window=TUMBLING, measures={"t": {"op": "max", "column": "t"}})
        assert answer.rows == [{"window_start": 0, "window_end": 5, "t": 2}]
        most = {"t": {"op": "mode", "column": "t"}}
        assert window(at(1, 2, 2), window={"type": "session", "max_gap": 5}, measures=most).values == [(1, 2, 2)]

    def test_odd_names(self) -> None:
        rows = [{'the "time"': 1, "ß ☃": "x", "timed": 1}]
        for sort in (TUMBLING, {"type": "session", "max_gap": 5}):
            answer = window(rows, time='THE "time"', window=sort, instance=["ß ☃", "timed"], measures=COUNT)
            assert list(answer.columns) == ["window_start", "window_end", "ß ☃", "timed", "rows"]
            assert answer.values[0][2:] == ("x", 1, 1)


class TestWrong:
    @pytest.mark.parametrize(
        ("kind", "given", "message"),
        [
            ("BIGINT", {"duration": "5m"}, "the times are numbers, and '5m' is none"),
            ("BIGINT", {"duration": 2.5}, "the times are whole numbers, and 2.5 is none"),
            ("BIGINT", {"duration": 5, "origin": "2026-01-01"}, "the times are numbers, and '2026-01-01' is none"),
            ("BIGINT", {"duration": 10**19}, "10000000000000000000 is too large"),
            ("DOUBLE", {"duration": 1e-7}, "the times are numbers with at most 6 decimals, and 1e-07 is none"),
            ("DOUBLE", {"duration": 1e13}, "10000000000000.0 is too large"),
            ("TIMESTAMP", {"duration": 300}, "the times are TIMESTAMP, and 300 is not a duration"),
            ("TIMESTAMPTZ", {"duration": "1h", "origin": 0}, "the times are TIMESTAMPTZ, and 0 is none"),
            ("DATE", {"duration": "36h"}, "the times are days, and '36h' is not a whole number of them"),
            ("DATE", {"duration": 1, "origin": "1973-01-01"}, "the times are DATE, and 1 is not a duration"),
            (
                "DATE",
                {"duration": "1d", "origin": "1973-01-01T06"},
                "the times are days, and '1973-01-01T06' is within one",
            ),
        ],
    )
    def test_lengths_and_origin_have_to_fit_the_times(self, kind: str, given: dict[str, Any], message: str) -> None:
        field = "window/duration" if "duration" in message or "origin" not in given else "window/origin"
        with pytest.raises(ConfigurationError) as caught:
            window(Rows({"t": kind}), window={"type": "tumbling", **given})
        assert (caught.value.message, caught.value.field) == (message, field)

    def test_whole_numbers_fit_fractions_and_fractions_that_are_whole_fit_whole_numbers(self) -> None:
        assert starts(at(1.5), window=TUMBLING) == [0.0]
        assert starts(at(7), window={"type": "tumbling", "duration": 5.0}) == [5]
        assert starts(at(date(1973, 1, 2)), window={"type": "tumbling", "duration": "48h"}) == [date(1973, 1, 1)]

    @pytest.mark.parametrize("kind", ["VARCHAR", "BOOLEAN", "TIME", "INTERVAL", "TIMESTAMP[]"])
    def test_a_column_that_holds_no_times_is_refused(self, kind: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            window(Rows({"t": kind}), window=TUMBLING)
        assert caught.value.message == f"times are dates, timestamps or numbers; 't' is {kind}"
        assert (caught.value.field, caught.value.hint) == ("time", "cast the column first, to TIMESTAMP or to a number")

    def test_missing_columns_are_named_with_their_place(self) -> None:
        for config, field in (
            ({"time": "tt"}, "time"),
            ({"time": "t", "instance": ["t", "tt"]}, "instance/1"),
            ({"time": "t", "measures": {"x": {"op": "max", "column": "tt"}}}, "measures/x/column"),
        ):
            with pytest.raises(ColumnError) as caught:
                window(at(1), **{"window": TUMBLING, **config})
            assert (caught.value.field, caught.value.hint) == (field, "did you mean 't'?")

    def test_figures_of_what_is_no_number_are_refused(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            window(
                Rows({"t": "DATE"}),
                window={"type": "session", "max_gap": "1d"},
                measures={"x": {"op": "sum", "column": "t"}},
            )
        assert (caught.value.message, caught.value.field) == ("sum needs numbers; 't' is DATE", "measures/x/column")

    def test_without_columns_nothing_is_known(self) -> None:
        with pytest.raises(ColumnsUnknown):
            Window.model_validate({"time": "t", "window": TUMBLING}).query(Relation("source.rows"))

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"window": {"type": "hopping"}}, "expected tags: 'tumbling', 'sliding', 'session'"),
            ({"window": {"type": "tumbling"}}, "Field required"),
            ({"window": {"type": "session", "max_gap": 0}}, "this has to be longer than nothing"),
            ({"window": {"type": "session", "max_gap": "0s"}}, "this has to be longer than nothing"),
            ({"window": {"type": "session", "max_gap": "-5m"}}, "this has to be longer than nothing"),
            ({"window": {"type": "tumbling", "duration": True}}, "a length of time is a duration such as 30s"),
            ({"window": {"type": "tumbling", "duration": "5 minutes"}}, "a length of time is a duration such as 30s"),
            ({"window": {"type": "tumbling", "duration": float("inf")}}, "a length of time is a duration such as 30s"),
            ({"window": {"type": "tumbling", "duration": 5, "origin": "noon"}}, "an origin is a time such as"),
            ({"window": {"type": "tumbling", "duration": 5, "origin": True}}, "an origin is a time such as"),
            ({"window": {"type": "sliding", "hop": 5}}, "needs `duration` or `ratio`, and not both"),
            ({"window": {"type": "sliding", "hop": 5, "duration": 5, "ratio": 1}}, "needs `duration` or `ratio`"),
            ({"window": {"type": "sliding", "hop": 5, "ratio": 0}}, "greater than or equal to 1"),
            ({"window": {"type": "session", "max_gap": 5, "origin": 0}}, "Extra inputs are not permitted"),
            ({"instance": ["Window_Start"]}, "two columns would be called 'Window_Start'"),
            ({"measures": {"window_end": {"op": "count"}}}, "two columns would be called 'window_end'"),
            ({"start": "x", "end": "X"}, "two columns would be called 'X'"),
        ],
    )  # fmt: skip
    def test_a_wrong_config_says_what_is_wrong(self, config: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=re.escape(message)):
            Window.model_validate({"time": "t", "window": TUMBLING, **config})


def test_no_query_holds_what_spark_lacks() -> None:
    for sort in (
        TUMBLING,
        {"type": "sliding", "hop": 2, "duration": 5, "origin": 1},
        {"type": "session", "max_gap": 5},
    ):
        node = Window.model_validate({"time": "t", "window": sort, "measures": COUNT})
        text = node.query(Relation("source.rows", {"t": "BIGINT"})).sql("spark")
        # A frame of ROWS would part rows with the same time, wherever two sorts of them differ.
        assert not {word for word in ("QUALIFY", "ASOF", "//", " DIV ", " ROWS ") if word in text}


WHOLE = [0, 10, 17, 20, -3, 1_700_000_000_000, 1_700_000_000_010, 1_700_000_000_020, -1_700_000_000_001, 4 * 10**12]


class TestWholeNumbersOfAnySize:
    @pytest.mark.parametrize("kind", ["BIGINT", "DOUBLE", "DECIMAL(18,3)", "DECIMAL(38,0)"])
    @pytest.mark.parametrize(
        "found",
        [
            TUMBLING,
            {"type": "tumbling", "duration": 10},
            {"type": "session", "max_gap": 10},
            {"type": "sliding", "hop": 10, "duration": 30},
        ],
    )
    def test_windows_are_those_of_whole_numbers(self, kind, found):
        def answer(kind: str) -> list[Any]:
            rows = Rows({"t": kind}, [[value] for value in WHOLE])
            return sorted(
                tuple(map(int, row)) for row in window(rows, window=found, measures={"n": COUNTS["n"]}).values
            )

        def ends(kind: str) -> list[Any]:
            rows = Rows({"t": kind}, [[value] for value in WHOLE])
            values = window(rows, window=found, measures={}).values
            return sorted((float(start), float(end)) for start, end in values)

        assert answer(kind) == answer("BIGINT")
        assert ends(kind) == ends("BIGINT")

    @given(st.lists(st.integers(-4 * 10**12, 4 * 10**12), min_size=1, max_size=5), st.integers(1, 10**6))
    @settings(max_examples=50, deadline=None)
    def test_whole_doubles_are_exact(self, values, length):
        config = {"window": {"type": "tumbling", "duration": length}, "measures": {"n": COUNTS["n"]}}
        exact = window(Rows({"t": "BIGINT"}, [[value] for value in values]), **config).values
        double = window(Rows({"t": "DOUBLE"}, [[value] for value in values]), **config).values
        assert sorted(tuple(map(float, row)) for row in exact) == sorted(double)

    @pytest.mark.parametrize(("kind", "value"), [("DOUBLE", 1.7e15), ("DECIMAL(20,3)", 17 * 10**14)])
    def test_a_time_too_large_says_what_to_do(self, kind, value):
        with pytest.raises(duckdb.Error, match=r"'t' holds a time that is too large; cast the column to BIGINT"):
            window(Rows({"t": kind}, [[value]]), window=TUMBLING, measures=COUNT)
