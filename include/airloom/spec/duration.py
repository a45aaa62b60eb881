"""Durations as documents write them: `500ms`, `30s`, `5m`, `2h`, `1d`, `1w`, and several together: `1h30m`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
PATTERN = r"^([0-9]{1,9}(\.[0-9]{1,3})?(ms|[wdhms]))+$"


def parse_duration(value: object) -> timedelta:
    """Read a duration; raise ValueError, saying the form, for anything else."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and re.fullmatch(PATTERN, value):
        try:
            parts = re.findall(r"([0-9.]+)(ms|[wdhms])", value)
            units = [unit for _, unit in parts]
            if units == sorted(set(units), key=list(SECONDS).index):
                return timedelta(seconds=sum(float(number) * SECONDS[unit] for number, unit in parts))
        except OverflowError:
            raise ValueError("a duration this long cannot be kept") from None
    raise ValueError(
        f"a duration is numbers with units, the largest first: 500ms, 30s, 5m, 1h30m, 1d or 1w{meant(value)}"
    )


_WORDS = re.compile(r"\s*(\d{1,9})\s*([a-z]+)\s*", re.IGNORECASE)
_UNITS = {
    **dict.fromkeys(("w", "wk", "week", "weeks"), "w"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), "ms"),
}


def meant(value: object) -> str:
    """Return advice for a value that is not a duration, to stand behind a message; empty where there is none."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return f"; did you mean {value}s?"
    found = _WORDS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return ""
    unit = "m" if found[2] == "M" else found[2].lower()
    if unit in ("mo", "mon", "month", "months", "q", "quarter", "quarters", "y", "yr", "year", "years"):
        return "; a month and a year have no fixed length"
    return f"; did you mean {found[1]}{_UNITS[unit]}?" if unit in _UNITS else ""


def format_duration(value: timedelta) -> str:
    """Write a duration in the largest unit that keeps it a whole number."""
    seconds = value.total_seconds()
    for unit in "dhm":
        if seconds and seconds % SECONDS[unit] == 0:
            return f"{int(seconds // SECONDS[unit])}{unit}"
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["30s", "5m", "2h", "1d"]}),
]


def retry_pause(delay: float, retry: int, *, doubles: bool, longest: float) -> float:
    """Return the seconds before a retry, the first being 1.

    That is `delay`; where it `doubles`, twice as long each time, up to `longest`, or `delay` where that is longer.
    """
    # Beyond 2 ** 60 it is the longest whatever the delay is.
    return min(delay * 2.0 ** min(retry - 1, 60), max(longest, delay)) if doubles else delay
