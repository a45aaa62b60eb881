"""The times of a schedule around one moment: what a run by the clock, or by hand, covers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from airloom.spec.duration import parse_duration

Schedule = Mapping[str, Any]


def local_time(schedule: Schedule | None, moment: datetime) -> datetime:
    """Return what a clock in the schedule's time zone shows at a moment; in UTC where there is no schedule."""
    return moment.astimezone(_zone(schedule)).replace(tzinfo=None)


def interval(schedule: Schedule | None, moment: datetime) -> tuple[datetime, datetime] | None:
    """Return the last two times of a schedule that are not after a moment, in UTC; None without a schedule.

    With `every`, whose times are counted from a run, the moment itself is the second one.
    """
    if not schedule:
        return None
    if schedule.get("cron") is None:
        return (moment - parse_duration(schedule["every"])).astimezone(UTC), moment.astimezone(UTC)
    zone = _zone(schedule)
    end = _before(schedule["cron"], zone, moment)
    if _after(schedule["cron"], zone, end) == moment:
        end = moment.astimezone(UTC)
    return _before(schedule["cron"], zone, end), end


def _zone(schedule: Schedule | None) -> ZoneInfo:
    return ZoneInfo((schedule or {}).get("timezone", "UTC"))


def _before(cron: str, zone: ZoneInfo, moment: datetime) -> datetime:
    clock = _Clock(cron, zone, moment)
    while (found := clock.previous()) >= moment:
        pass
    return found


def _after(cron: str, zone: ZoneInfo, moment: datetime) -> datetime:
    return _Clock(cron, zone, moment).next()


class _Clock:
    """Go through the times of a cron expression from a moment on, as Airflow's timetables do."""

    def __init__(self, cron: str, zone: ZoneInfo, moment: datetime) -> None:
        from croniter import croniter

        self._zone = zone
        self._moment = moment.astimezone(UTC)
        self._local = moment.astimezone(zone).replace(tzinfo=None, fold=0)
        self._clock = croniter(cron, self._local)
        self._each_hour = self._clock.expanded[1] == ["*"]

    def next(self) -> datetime:
        return self._in_utc(self._clock.get_next(datetime))

    def previous(self) -> datetime:
        return self._in_utc(self._clock.get_prev(datetime))

    def _in_utc(self, local: datetime) -> datetime:
        if self._each_hour:  # by real hours: none is missed or doubled when the clocks change
            return self._moment + (local - self._local)
        # A time that is there twice is the later one; one that is not there is as much later as the clock jumps.
        return max(local.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1))
