"""Durations, the clocks of a schedule, and what no expression may use: refused where it is written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from airloom.nodes.fields import ColumnType
from airloom.spec.document import Schedule
from airloom.spec.duration import format_duration, parse_duration
from airloom.spec.expression import check_expression


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1w", 604_800),
        ("1w2d", 777_600),
        ("1d1h1m1.5s", 90_061.5),
        ("5ms", 0.005),
        ("1s500ms", 1.5),
    ],
)
def test_a_duration_comes_back_the_same(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)


@pytest.mark.parametrize("text", ["30m1h", "1ms1s", "1h1h", "1", "", "h", "1h 30m", "-1h", "1y"])
def test_what_is_no_duration_says_the_form(text):
    with pytest.raises(ValueError, match="numbers with units, the largest first: 500ms, 30s, 5m, 1h30m, 1d or 1w"):
        parse_duration(text)


@pytest.mark.parametrize("cron", ["0 0 31 2 *", "0 0 30 2 *", "* * 31 4,6 *"])
def test_a_clock_that_never_comes_is_refused(cron):
    with pytest.raises(ValidationError, match="no time fits this cron expression"):
        Schedule(cron=cron)


@pytest.mark.parametrize("cron", ["0 0 29 2 *", "0 0 31 1 *", "@daily", "0 0 31 2,3 *"])
def test_a_clock_that_comes_seldom_is_one(cron):
    assert Schedule(cron=cron).cron == cron


def test_a_start_after_the_end_is_refused():
    for start in ("2026-11-01", "2026-02-01T00:00:01Z"):
        with pytest.raises(ValidationError, match="the start of this schedule is after its end"):
            Schedule.model_validate({"every": "1h", "start": start, "end": "2026-02-01T00:00:00"})
    assert Schedule.model_validate({"every": "1h", "start": "2026-02-01", "end": "2026-02-01T00:00:00Z"})


@pytest.mark.parametrize(
    "text",
    ["{{ ''.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ params.x.__init__ }}", "{{ 'a'['__class__'] }}",
     "{{ 'a'.nothing }}", "{{ 5 .real }}", "{{ run.__dict__ }}"],
)  # fmt: skip
def test_what_no_value_may_give_is_refused_where_it_is_written(text):
    assert {problem.code for problem in check_expression(text)} == {"expression.attribute"}


@pytest.mark.parametrize("text", ["{{ 'a'.upper() }}", "{{ params.x.y }}", "{{ params['_x'] }}", "{{ 'abc'[0] }}"])
def test_what_may_be_there_is_left_to_the_run(text):
    assert check_expression(text) == []


def test_a_type_is_taken_as_it_is_shown():
    from pydantic import TypeAdapter

    adapter = TypeAdapter(ColumnType)
    assert adapter.validate_python("TIMESTAMP WITH TIME ZONE") == "TIMESTAMPTZ"
    assert adapter.validate_python("timestamp  with time zone[]") == "TIMESTAMPTZ[]"
