from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nodes.tables.tools import answer, fault, refusal, rows_of

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.tables.dates import DateDifference, DateParts, ParseDates
from airloom.nodes.testing import Rows

MOMENTS = st.datetimes(datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2100-01-01"))
AT = datetime.fromisoformat


def parsed(text: Any, kind: str = "VARCHAR", **config: Any) -> Any:
    found = answer(ParseDates, {"columns": ["t"], **config}, rows=Rows({"t": kind}, [(text,)]))
    assert found.columns["t"] in ("TIMESTAMP", "TIMESTAMPTZ", "DATE")
    return found.values[0][0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31 10:30", "2026-01-31T10:30"),
        ("2026-01-31T10:30:15.25", "2026-01-31T10:30:15.250"),
        ("2026-01-31T10:30:00Z", "2026-01-31T10:30"),
        ("2026-01-31T10:30:00+02:00", "2026-01-31T08:30"),
        ("2026-01-31 10:30:00-0530", "2026-01-31T16:00"),
        ("31.01.2026", "2026-01-31"),
        ("31.1.2026 10:30", "2026-01-31T10:30"),
        ("01/31/2026", "2026-01-31"),
        ("2026/01/31 10:30:15", "2026-01-31T10:30:15"),
        ("20260131", "2026-01-31"),
        ("31 Jan 2026", "2026-01-31"),
        ("31 January 2026", "2026-01-31"),
        ("Jan 31, 2026", "2026-01-31"),
        ("January 31, 2026 10:30", "2026-01-31T10:30"),
        ("2026-02-30", None),
        ("31.02.2026", None),
        ("31/01/2026", None),
        ("26-01-31", None),
        ("31.01.26", None),
        ("2026", None),
        ("10:30", None),
        ("soon", None),
        ("infinity", None),
        ("", None),
    ],
)
def test_common_forms_are_read_and_nothing_is_guessed(text: str, wanted: str | None) -> None:
    assert parsed(text, on_error="null") == (AT(wanted) if wanted else None)


def test_the_day_comes_first_where_it_is_said() -> None:
    assert parsed("07/08/2026") == AT("2026-07-08")
    assert parsed("07/08/2026", day_first=True) == AT("2026-08-07")


def test_a_zone_in_one_row_is_not_that_of_the_next() -> None:
    texts = ["2026-01-31T10:00+02:00", "2026-01-31T10:00", "2026-01-31T10:00-05:00", "31.01.2026", "2026-01-31T10:00"]
    table = Rows({"t": "VARCHAR"}, [(text,) for text in texts])
    for formats in ([], ["%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M", "%d.%m.%Y"]):
        found = answer(ParseDates, {"columns": ["t"], "formats": formats}, rows=table).values
        hours = ["08", "10", "15", "00", "10"]
        assert found == [(AT(f"2026-01-31T{hour}:00"),) for hour in hours]


@given(MOMENTS, st.sampled_from(["%Y-%m-%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S.%f", "%j/%Y %I:%M:%S %p .%f"]))
def test_what_strftime_writes_is_read_again(moment: datetime, form: str) -> None:
    assert parsed(moment.strftime(form), formats=form) == moment


@pytest.mark.parametrize(
    ("form", "kind", "number"),
    [
        ("unix_seconds", "BIGINT", 1_767_225_600),
        ("unix_seconds", "DOUBLE", 1_767_225_600.0),
        ("unix_seconds", "DECIMAL(18,3)", "1767225600.000"),
        ("unix_milliseconds", "BIGINT", 1_767_225_600_000),
        ("unix_microseconds", "BIGINT", 1_767_225_600_000_000),
        ("unix_nanoseconds", "BIGINT", 1_767_225_600_000_000_000),
        ("unix_nanoseconds", "UBIGINT", 1_767_225_600_000_000_000),
    ],
)
def test_numbers_are_counted_from_1970(form: str, kind: str, number: Any) -> None:
    assert parsed(number, kind, formats=form) == AT("2026-01-01")
    assert parsed(number, kind, formats=form, type="DATE") == date(2026, 1, 1)
    beyond = {"unix_seconds": 10**12, "unix_milliseconds": 10**15, "unix_microseconds": 9 * 10**17}.get(form)
    if beyond and kind != "DECIMAL(18,3)":
        assert parsed(beyond, kind, formats=form, on_error="null") is None


def test_fractions_of_a_second_stay() -> None:
    assert parsed(1.5, "DOUBLE", formats="unix_seconds") == AT("1970-01-01T00:00:01.5")
    assert parsed(-1, "BIGINT", formats="unix_milliseconds") == AT("1969-12-31T23:59:59.999")


def test_the_first_format_that_fits_counts() -> None:
    assert parsed("02.03.2026", formats=["%m.%d.%Y", "%d.%m.%Y"]) == AT("2026-02-03")
    assert parsed("13.03.2026", formats=["%m.%d.%Y", "%d.%m.%Y"]) == AT("2026-03-13")


@pytest.mark.parametrize("text", ["3.2.26", "03.02.026", "infinity"])
def test_a_year_has_four_digits(text: str) -> None:
    assert parsed(text, formats="%d.%m.%Y", on_error="null") is None
    assert parsed("03.02.0026", formats="%d.%m.%Y") == AT("0026-02-03")
    assert parsed("3.2.26", formats=["%d.%m.%Y", "%d.%m.%y"]) == AT("2026-02-03")


def test_what_cannot_be_read_stops_the_run_and_is_shown() -> None:
    with pytest.raises(duckdb.InvalidInputException, match="t: no format fits soon"):
        parsed("soon")
    with pytest.raises(duckdb.InvalidInputException, match="no format fits 31-01-2026"):
        parsed("31-01-2026", formats="%Y-%m-%d")
    with pytest.raises(duckdb.InvalidInputException, match="no format fits 999999999999999"):
        parsed(999_999_999_999_999, "BIGINT", formats="unix_seconds")
    assert parsed(None) is None


def test_dates_and_times_pass() -> None:
    assert parsed("2026-01-31", "DATE") == AT("2026-01-31")
    assert parsed("2026-01-31 10:30", "TIMESTAMP", type="DATE") == date(2026, 1, 31)
    assert parsed("2026-01-31 10:30+02", "TIMESTAMPTZ") == AT("2026-01-31T08:30")


def test_a_zone_may_be_kept() -> None:
    config = {"columns": ["t"], "type": "TIMESTAMPTZ"}
    found = answer(ParseDates, config, rows=Rows({"t": "VARCHAR"}, [("2026-01-31T10:30+02:00",)]))
    assert found.columns == {"t": "TIMESTAMPTZ"}
    assert found.values[0][0].astimezone(UTC) == AT("2026-01-31T08:30+00:00")


def test_a_column_that_cannot_hold_dates_is_named() -> None:
    table = Rows({"n": "INTEGER", "b": "BOOLEAN", "s": "VARCHAR"})
    assert refusal(ParseDates, {"columns": ["s", "n"]}, rows=table) == (
        "text is needed here; 'n' is INTEGER", "columns/1", "give unix_seconds or its like as format",
    )  # fmt: skip
    assert refusal(ParseDates, {"columns": ["b"]}, rows=table)[2] == "cast it to VARCHAR first"
    assert refusal(ParseDates, {"columns": ["s"], "formats": "unix_seconds"}, rows=table)[0].startswith("a number")


@pytest.mark.parametrize(
    ("given", "text", "value"),
    [
        ("%Y%m%d", "20260111", "2026-01-11T00:00"), ("%Y%m%d", "2026111", None), ("%Y%m%d", "202601110", None),
        ("%d.%m.%y", "1.2.26", "2026-02-01T00:00"), ("%y%m%d-%H%M", "260111-0905", "2026-01-11T09:05"),
        ("%y%m%d-%H%M", "260111-905", None), ("20%y%m%d", "20260111", "2026-01-11T00:00"),
        ("%Y%m%d%H%M%S%f", "20260111090500123", "2026-01-11T09:05:00.123"), ("%Y%j", "2026011", "2026-01-11T00:00"),
        ("%Y%j", "202611", None),
    ],
)  # fmt: skip
def test_parts_that_touch_have_all_their_digits(given: str, text: str, value: str | None) -> None:
    rows = Rows({"t": "VARCHAR"}, [(text,)])
    found = answer(ParseDates, {"columns": ["t"], "formats": given, "on_error": "null"}, rows=rows)
    assert found.values == [(value and AT(value),)]


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        ("%Y-%m-%q", "%q in the format '%Y-%m-%q' is not known"),
        ("%Y-%m-%d %H:%M:%s", "%s in the format '%Y-%m-%d %H:%M:%s' is not known; did you mean %S?"),
        ("%H:%M", "the format '%H:%M' has no year"),
        ("yyyy-mm-dd", "has no year; write it as in %d.%m.%Y %H:%M"),
        ("%Y-%", "% in the format '%Y-%' is not known"),
        (["unix_seconds", "%Y"], "unix_seconds stands alone"),
    ],
)
def test_a_wrong_format_says_what_is_wrong(formats: Any, message: str) -> None:
    assert message in fault(ParseDates, {"columns": ["t"], "formats": formats})


PARTS = {
    "year": lambda t: t.year,
    "quarter": lambda t: (t.month + 2) // 3,
    "month": lambda t: t.month,
    "week": lambda t: t.isocalendar().week,
    "day": lambda t: t.day,
    "weekday": lambda t: t.isoweekday(),
    "day_of_year": lambda t: t.timetuple().tm_yday,
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
    "second": lambda t: t.second,
    "iso_year": lambda t: t.isocalendar().year,
    "date": lambda t: t.date(),
}


@settings(max_examples=15)
@given(st.lists(st.none() | MOMENTS, min_size=10, max_size=40))
def test_the_parts_of_a_time_are_pythons(moments: list[datetime | None]) -> None:
    config = {"column": "t", "parts": list(PARTS), "prefix": ""}
    found = answer(DateParts, config, rows=Rows({"t": "TIMESTAMP"}, [(moment,) for moment in moments]))
    assert set(found.columns.values()) == {"TIMESTAMP", "INTEGER", "DATE"}
    for moment, row in zip(moments, found.values, strict=True):
        assert row[1:] == tuple(None if moment is None else part(moment) for part in PARTS.values())


def test_dates_and_times_with_a_zone_have_parts() -> None:
    table = Rows({"d": "DATE", "z": "TIMESTAMPTZ"}, [("2026-01-31", "2026-01-31 01:30+02")])
    assert rows_of(DateParts, {"column": "d", "parts": ["hour", "day"]}, rows=table)[0]["d_hour"] == 0
    row = rows_of(DateParts, {"column": "z", "parts": ["hour", "day"], "prefix": "p_"}, rows=table)[0]
    assert (row["p_hour"], row["p_day"]) == (23, 30)
    clash = Rows({"d": "DATE", "d_day": "INTEGER"})
    assert refusal(DateParts, {"column": "d", "parts": ["day"]}, rows=clash)[:2] == (
        "there is a column 'd_day' already", "prefix",
    )  # fmt: skip
    assert refusal(DateParts, {"column": "s", "parts": ["day"]}, rows=[{"s": "2026"}])[2] == "use parse_dates first"
    assert "'day' stands here twice" in fault(DateParts, {"column": "d", "parts": ["day", "day"]})


def months(start: datetime, end: datetime) -> int:
    """Return the whole months: the last of them is over on the start's day of the month, at its hour."""

    def inside(moment: datetime) -> timedelta:
        return moment - datetime(moment.year, moment.month, 1, tzinfo=moment.tzinfo)

    count = (end.year - start.year) * 12 + end.month - start.month
    if count > 0 and inside(end) < inside(start):
        return count - 1
    return count + 1 if count < 0 and inside(end) > inside(start) else count


UNITS = {"milliseconds": 0.001, "seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}


@settings(max_examples=15)
@given(st.lists(st.tuples(st.none() | MOMENTS, st.none() | MOMENTS), min_size=10, max_size=40))
def test_a_difference_is_in_whole_units(pairs: list[tuple[datetime | None, datetime | None]]) -> None:
    table = Rows({"a": "TIMESTAMP", "b": "TIMESTAMP"}, pairs)

    def found(unit: str, **config: Any) -> list[Any]:
        given_config = {"start": "a", "end": "b", "unit": unit, "name": "x", **config}
        return [row[-1] for row in answer(DateDifference, given_config, rows=table).values]

    def wanted(function: Any) -> list[Any]:
        return [None if a is None or b is None else function(a, b) for a, b in pairs]

    def whole(unit: timedelta) -> Any:
        return lambda a, b: (b - a) // unit if b >= a else -((a - b) // unit)

    for unit, seconds in UNITS.items():
        assert found(unit) == wanted(whole(timedelta(seconds=seconds)))
    assert found("months") == wanted(months)
    assert found("years") == wanted(lambda a, b: int(months(a, b) / 12))
    exact = wanted(lambda a, b: (b - a) / timedelta(days=1))
    assert found("days", decimals=True) == [None if x is None else pytest.approx(x) for x in exact]


def test_days_of_the_calendar() -> None:
    def between(start: str, end: str, unit: str) -> int:
        table = Rows({"a": "DATE", "b": "TIMESTAMPTZ"}, [(start, end + "+00")])
        count: int = rows_of(DateDifference, {"start": "a", "end": "b", "unit": unit, "name": "x"}, rows=table)[0]["x"]
        return count

    assert between("2026-01-31", "2026-02-28 23:59", "months") == 0
    assert between("2026-01-31", "2026-03-31 00:00", "months") == 2
    assert between("2024-02-29", f"2025-02-{calendar.monthrange(2025, 2)[1]} 12:00", "years") == 0
    assert between("2026-03-28", "2026-03-30 00:00", "days") == 2


def test_the_end_may_be_one_for_all() -> None:
    table = Rows({"a": "DATE"}, [(date(2026, 1, 1),)])
    config = {"start": "a", "value": "2026-01-02T12:00", "name": "x"}
    assert rows_of(DateDifference, config, rows=table)[0]["x"] == 1
    assert rows_of(DateDifference, {**config, "decimals": True}, rows=table)[0]["x"] == 1.5
    assert refusal(DateDifference, {**config, "value": "soon"}, rows=table)[1] == "value"
    assert refusal(DateDifference, {"start": "s", "value": "2026-01-01", "name": "x"}, rows=[{"s": "a"}])[1] == "start"
    for wrong, message in (
        ({}, "give what the time runs to"),
        ({"end": "b", "value": "2026-01-01"}, "give what the time runs to"),
        ({"end": "b", "unit": "months", "decimals": True}, "months and years are of different lengths"),
        ({"end": "b", "unit": "fortnights"}, "Input should be 'milliseconds'"),
    ):
        assert message in fault(DateDifference, {"start": "a", "name": "x", **wrong})


def test_unknown_columns_stay_unknown() -> None:
    for node in (
        ParseDates(columns=["t"]),
        DateParts(column="t", parts=["day"]),
        DateDifference(start="a", end="b", name="x"),
    ):
        with pytest.raises(ColumnsUnknown):
            node.query(Relation("a.rows"))
