"""Durations as documents write them: `30s`, `5m`, `2h`, `1d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,3})?[smhd]$"


def parse_duration(value: object) -> timedelta:
    """Read a duration; raise ValueError, saying the form, for anything else."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and re.fullmatch(PATTERN, value):
        try:
            return timedelta(seconds=float(value[:-1]) * SECONDS[value[-1]])
        except OverflowError:
            raise ValueError("a duration this long cannot be kept") from None
    raise ValueError("a duration is a number and a unit: 30s, 5m, 2h or 1d")


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
