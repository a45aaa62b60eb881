"""Times of every type as ticks, so that one definition in whole numbers holds for all of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

MONDAY = datetime(1973, 1, 1)  # noqa: DTZ001 a TIMESTAMP has no zone
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Kind:
    """A type of times: what stands in the column, as a length and as an origin in the config, for a number of ticks."""

    type: str
    value: Callable[[int], Any]
    length: Callable[[int], Any]
    instant: Callable[[int], Any]

    def column(self, tick: int | None) -> Any:
        """Return what stands in the column: null for no tick."""
        return None if tick is None else self.value(tick)


def tenths(tick: int) -> float:
    return tick / 10


def moment(tick: int) -> datetime:
    return MONDAY + timedelta(seconds=tick)


def day(tick: int) -> date:
    return (MONDAY + timedelta(days=tick)).date()


def zoned(tick: int) -> datetime:
    return moment(tick).replace(tzinfo=UTC)


def single(tick: int) -> float:
    found: float = struct.unpack("f", struct.pack("f", tick / 10))[0]
    return found


KINDS = {
    "BIGINT": Kind("BIGINT", int, int, int),
    "SMALLINT": Kind("SMALLINT", int, int, int),
    "DOUBLE": Kind("DOUBLE", tenths, tenths, tenths),
    "FLOAT": Kind("FLOAT", single, tenths, tenths),
    "DECIMAL": Kind("DECIMAL(9,1)", lambda tick: Decimal(tick) / 10, tenths, tenths),
    "DATE": Kind("DATE", day, "{}d".format, lambda tick: day(tick).isoformat()),
    "TIMESTAMP": Kind("TIMESTAMP", moment, "{}s".format, lambda tick: moment(tick).isoformat()),
    "TIMESTAMPTZ": Kind("TIMESTAMPTZ", zoned, "{}s".format, lambda tick: zoned(tick).isoformat()),
}
kinds = st.sampled_from(list(KINDS.values()))
ticks = st.none() | st.integers(-9, 9)
keys = st.sampled_from(["a", "b", None])


@dataclass(frozen=True)
class Windows:
    """Windows in ticks: what the config says, and which windows hold a tick."""

    type: str
    hop: int
    duration: int
    origin: int | None
    by_ratio: bool = False

    def config(self, kind: Kind) -> dict[str, Any]:
        """Return the config for times of a type."""
        if self.type == "session":
            return {"type": "session", "max_gap": kind.length(self.duration)}
        found: dict[str, Any] = {"type": self.type}
        if self.origin is not None:
            found["origin"] = kind.instant(self.origin)
        if self.type == "tumbling":
            return found | {"duration": kind.length(self.duration)}
        length = {"ratio": self.duration // self.hop} if self.by_ratio else {"duration": kind.length(self.duration)}
        return found | {"hop": kind.length(self.hop)} | length

    def holding(self, tick: int) -> list[tuple[int, int]]:
        """Return start and end of each window with start <= tick < end, and start = origin + k * hop."""
        origin = self.origin or 0
        starts = [origin + at * self.hop for at in range(-60, 61)]
        return [
            (start, start + self.duration)
            for start in starts
            if start <= tick < start + self.duration and (self.origin is None or start >= self.origin)
        ]

    def sessions(self, found: set[int]) -> dict[int, tuple[int, int]]:
        """Return first and last tick of the session of each tick: a new one begins where the gap is reached."""
        sessions: list[list[int]] = []
        for tick in sorted(found):
            if sessions and tick - sessions[-1][-1] < self.duration:
                sessions[-1].append(tick)
            else:
                sessions.append([tick])
        return {tick: (session[0], session[-1]) for session in sessions for tick in session}


lengths = st.integers(1, 7)
origins = st.none() | st.integers(-6, 6)
tumblings = st.builds(lambda size, origin: Windows("tumbling", size, size, origin), lengths, origins)
slidings = st.builds(
    lambda hop, size, origin: Windows("sliding", hop, size, origin), lengths, st.integers(1, 12), origins
)
ratios = st.builds(
    lambda hop, ratio, origin: Windows("sliding", hop, hop * ratio, origin, by_ratio=True),
    lengths,
    st.integers(1, 4),
    origins,
)
sessions = st.builds(lambda gap: Windows("session", gap, gap, None), lengths)
windows = tumblings | slidings | ratios | sessions


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return rows in an order of their own, with each number and time in one form: the engine promises neither."""
    return sorted((tuple(map(_plain, row)) for row in rows), key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, float | Decimal):
        return round(float(value), 6)
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).isoformat()
    return value


def nulls_last(row: Row) -> list[tuple[bool, Any]]:
    """Return what to sort rows by as the engine does."""
    return [(value is None, 0 if value is None else value) for value in row]
