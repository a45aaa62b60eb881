"""Windows over time: what a document says of them, and the rows of a table with the windows that they are in.

Tumbling and sliding windows start at origin + k · hop for every whole k, and hold the rows with start <= time < end.
A session holds the rows whose neighbours in time are less than a gap apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from airloom.engine.relation import Inner, identifier
from airloom.nodes.sdk import (
    ConfigurationError,
    Part,
    Query,
    Relation,
    column,
    exp,
    function,
    literal,
    name_as,
    nested,
    not_null,
    ordered,
    over,
)
from airloom.nodes.windows._time import Clock, Length, Origin, TimeColumn

TIME = Inner("airloom_time")
START = Inner("airloom_start")
REST = Inner("airloom_rest")
FLOOR = Inner("airloom_floor")
BACK = Inner("airloom_back")
MOST_WINDOWS = 10_000
"""Windows that a row may be in: each is a row of its own before they are reduced."""

ORIGIN = (
    "Where windows start from: a time such as 2026-01-31T06:00:00 (UTC where it names no zone), or a number; windows "
    "that start before it are left out. Without one, windows are counted from Monday, 1973-01-01, or from 0, both ways"
)


class Tumbling(Part):
    """Windows of one length, one after the other: each row is in one of them."""

    type: Literal["tumbling"] = Field(description="Windows of one length, one after the other")
    duration: Length = Field(description="The length of a window: 30s, 5m, 2h, 1d, or a number where times are numbers")
    origin: Origin | None = Field(None, description=ORIGIN)


class Sliding(Part):
    """Windows of one length, of which a new one starts at every hop: a row is in each that covers it."""

    type: Literal["sliding"] = Field(description="Windows of one length, of which a new one starts at every hop")
    hop: Length = Field(description="From the start of one window to that of the next: 5m, or a number")
    duration: Length | None = Field(
        None, description="The length of a window: 1h, or a number. Shorter than the hop, it leaves gaps"
    )
    ratio: int | None = Field(None, ge=1, description="The length of a window in hops, in place of `duration`")
    origin: Origin | None = Field(None, description=ORIGIN)

    @model_validator(mode="after")
    def _one_length(self) -> Sliding:
        if (self.duration is None) == (self.ratio is None):
            raise ValueError("a sliding window needs `duration` or `ratio`, and not both")
        return self


class Session(Part):
    """Rows that follow each other closely: a gap in time ends a session."""

    type: Literal["session"] = Field(description="Rows that follow each other closely")
    max_gap: Length = Field(
        description="A row that comes this long after the one before it, or longer, starts a session: 30m, or a number"
    )


AnyWindow = Annotated[Tumbling | Sliding | Session, Field(discriminator="type")]


@dataclass(frozen=True)
class Grid:
    """Hold tumbling or sliding windows in whole numbers of a clock; `bounded` leaves out those before the origin."""

    hop: int
    duration: int
    origin: int
    bounded: bool

    @classmethod
    def of(cls, window: Tumbling | Sliding, clock: Clock) -> Grid:
        """Return the windows of a config; raise ConfigurationError where it does not fit the times."""
        if isinstance(window, Tumbling):
            hop = duration = clock.length(window.duration, "window/duration")
        else:
            hop = clock.length(window.hop, "window/hop")
            duration = (
                hop * (window.ratio or 1)
                if window.duration is None
                else clock.length(window.duration, "window/duration")
            )
        given = window.origin is not None
        origin = clock.instant(window.origin, "window/origin") if window.origin is not None else clock.origin
        grid = cls(hop, duration, origin, given)
        if grid.depth > MOST_WINDOWS:
            raise ConfigurationError(
                f"each row would be in {grid.depth} windows; {MOST_WINDOWS} is the most",
                field="window/hop",
                hint="choose a longer hop, or shorter windows",
            )
        return grid

    @property
    def depth(self) -> int:
        """Return how many windows a row is in at most."""
        return -(-self.duration // self.hop)


def floored(rows: Query, number: str, grid: Grid) -> Query:
    """Return a query's rows with the start, as `airloom_floor`, of the last window that starts at or before `number`.

    The remainder of a negative number is negative, in DuckDB and Spark; whole-number division would round up there.
    """
    value, rest, hop = column(number), column(REST), literal(grid.hop)
    since = exp.Paren(this=exp.Sub(this=value, expression=literal(grid.origin))) if grid.origin else value
    divided = nested(rows, "timed", [exp.Star(), name_as(exp.Mod(this=since, expression=hop), REST)])
    down = exp.Sub(this=value, expression=rest)
    start = exp.case().when(exp.LT(this=rest, expression=literal(0)), exp.Sub(this=down, expression=hop)).else_(down)
    return nested(divided, "divided", [exp.Star(), name_as(start, FLOOR)])


def repeated(rows: Query, steps: Sequence[int]) -> tuple[Query, exp.Expr]:
    """Return a query's rows, each once for every step, and their start: `airloom_floor` less the step.

    The start is in them as `airloom_start`; the expression is for conditions on it.
    """
    start: exp.Expr = column(FLOOR)
    if len(steps) > 1:
        start = exp.Sub(this=start, expression=column(BACK))
    found = nested(rows, "floored", [exp.Star(), name_as(start, START)])
    if len(steps) > 1:
        values = exp.Values(
            expressions=[exp.Tuple(expressions=[literal(step)]) for step in steps],
            alias=exp.TableAlias(this=identifier("steps"), columns=[identifier(BACK)]),
        )
        found = found.join(values, join_type="cross", copy=False)
    return found, start


def numbered(times: TimeColumn, clock: Clock) -> Query:
    """Return the rows of a table with the number of their time as `airloom_time`."""
    return times.rows.select(exp.Star(), **{TIME: clock.number(times)})


def timed(times: TimeColumn, clock: Clock) -> Query:
    """Return the rows of a table that have a time, with its number as `airloom_time`."""
    return numbered(times, clock).where(not_null(clock.number(times)), copy=False)


def in_windows(times: TimeColumn, clock: Clock, grid: Grid) -> Query:
    """Return the rows of a table, each once for every window that it is in, with the window's `airloom_start`."""
    steps = [grid.hop * at for at in range(grid.depth)]
    found, start = repeated(floored(timed(times, clock), TIME, grid), steps)
    if grid.duration % grid.hop:
        end = exp.Add(this=start.copy(), expression=literal(grid.duration))
        found = found.where(exp.LT(this=column(TIME), expression=end), copy=False)
    if grid.bounded:
        found = found.where(exp.GTE(this=start.copy(), expression=literal(grid.origin)), copy=False)
    return found


def in_sessions(times: TimeColumn, clock: Clock, gap: int, by: Sequence[str]) -> Query:
    """Return the rows of a table that have a time, with the first time of their session as `airloom_start`.

    Each combination of the columns `by` has its own sessions, null being a value like others.
    """
    rows = times.rows
    plain = Relation("timed", rows.columns)
    keys, time = plain.all(by), plain[times.name]
    before = over(function("lag", column(TIME)), keys, [ordered(time)])
    near = exp.LT(this=exp.Sub(this=column(TIME), expression=before), expression=literal(gap))
    first = exp.case().when(near, exp.Null()).else_(time)
    opened = nested(timed(times, clock), "timed", [*plain.all(plain.columns), name_as(first, START)])
    # In the default frame, of which rows with the same time are part, the order of these does not matter.
    latest = over(exp.IgnoreNulls(this=exp.LastValue(this=column(START))), keys, [ordered(time)])
    return nested(opened, "opened", [*plain.all(plain.columns), name_as(latest, START)])
