"""The local time of a run, and the times of its schedule that it lies between: as Airflow's timetables have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.timetables.trigger import CronTriggerTimetable
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pendulum import instance

from airloom.spec.schedule import interval, local_time

ZONES = ["UTC", "Europe/Berlin", "Pacific/Auckland", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
CRONS = ["0 2 * * *", "30 2 * * *", "0 * * * *", "*/15 * * * *", "0 6 * * 1-5", "0 0 1 * *", "45 1,2,3 * * *", "@daily"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ({"cron": "41 1 * * *", "timezone": "Pacific/Auckland"}, "2026-11-29T12:41:00", "2026-11-30T01:41:00"),
        ({"cron": "0 2 * * *"}, "2026-11-29T12:41:00", "2026-11-29T12:41:00"),
        ({"every": "5m", "timezone": "America/New_York"}, "2026-07-01T02:00:00", "2026-06-30T22:00:00"),
        (None, "2026-07-01T02:00:00", "2026-07-01T02:00:00"),
    ],
)
def test_local_time(schedule: Any, moment: str, expected: str) -> None:
    assert local_time(schedule, at(moment)) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("schedule", "moment", "start", "end"),
    [
        ({"cron": "0 2 * * *"}, "2026-03-05T02:00:00", "2026-03-04T02:00:00", "2026-03-05T02:00:00"),
        ({"cron": "0 2 * * *"}, "2026-03-05T01:59:59", "2026-03-03T02:00:00", "2026-03-04T02:00:00"),
        ({"cron": "0 6 * * 1-5"}, "2026-03-09T06:00:00", "2026-03-06T06:00:00", "2026-03-09T06:00:00"),
        ({"every": "90m"}, "2026-03-05T02:00:00", "2026-03-05T00:30:00", "2026-03-05T02:00:00"),
        # Berlin has no 02:30 on March 29, and has it twice on October 25.
        ({"cron": "30 2 * * *", "timezone": "Europe/Berlin"}, "2026-03-29T01:30:00", "2026-03-28T01:30:00",
         "2026-03-29T01:30:00"),
        ({"cron": "30 2 * * *", "timezone": "Europe/Berlin"}, "2026-10-26T01:30:00", "2026-10-25T01:30:00",
         "2026-10-26T01:30:00"),
        ({"cron": "0 * * * *", "timezone": "Europe/Berlin"}, "2026-10-25T01:00:00", "2026-10-25T00:00:00",
         "2026-10-25T01:00:00"),
    ],
)  # fmt: skip
def test_interval(schedule: Any, moment: str, start: str, end: str) -> None:
    assert interval(schedule, at(moment)) == (at(start), at(end))


def test_without_a_schedule_there_is_no_interval() -> None:
    assert interval(None, at("2026-03-05T02:00:00")) is None
    assert interval({}, at("2026-03-05T02:00:00")) is None


@settings(deadline=None, max_examples=300)
@given(
    cron=st.sampled_from(CRONS),
    zone=st.sampled_from(ZONES),
    minutes=st.integers(0, 366 * 24 * 60) | st.sampled_from([125_000, 426_420, 134_460, 417_660]),
)
def test_it_is_what_airflow_says(cron: str, zone: str, minutes: int) -> None:
    moment = at("2026-01-01T00:00:00") + timedelta(minutes=minutes)
    timetable = CronTriggerTimetable(cron, timezone=zone)
    end = timetable._align_to_prev(instance(moment))
    start = timetable._get_prev(end)
    assume(start < end)  # Airflow's previous time of one that was moved by the clocks is that time itself
    assert interval({"cron": cron, "timezone": zone}, moment) == (start, end)
