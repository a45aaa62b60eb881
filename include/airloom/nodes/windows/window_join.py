"""Match rows that are in the same window of time."""

from __future__ import annotations

from pydantic import Field

from airloom.engine.relation import Inner, identifier
from airloom.engine.types import clashing_names
from airloom.nodes.sdk import (
    Column,
    ConfigurationError,
    Example,
    Query,
    Relation,
    cast,
    column,
    exp,
    function,
    literal,
    name_as,
    nested,
    not_null,
    over,
)
from airloom.nodes.windows._sides import How, Side, Sides, TimeJoin
from airloom.nodes.windows._time import TimeColumn
from airloom.nodes.windows._windows import START, AnyWindow, Grid, Session, in_sessions, in_windows

END = Inner("airloom_end")
MOMENT = Inner("airloom_moment")


class WindowJoin(TimeJoin):
    """Match rows of two tables that are in the same window of time; in each window that they share, again."""

    left_time: Column = Field(
        description="The left table's column with the time: a date, a timestamp or a number; rows without are left out"
    )
    right_time: Column = Field(description="The right table's column with the time, of the same sort")
    window: AnyWindow = Field(
        description="tumbling, sliding or session, with its lengths; a session is made of the rows of both tables"
    )
    how: How = Field(
        "inner",
        description="Which rows come out: inner, matches alone; left, right, outer: also rows of that side without",
    )
    start: str = Field("window_start", min_length=1, description="The name of the column with the window's start")
    end: str = Field("window_end", min_length=1, description="The name of the column with the window's end")

    examples = (
        Example(
            "Failures and recoveries in the same ten units",
            {"left_time": "failed", "right_time": "recovered", "window": {"type": "tumbling", "duration": 10}},
            {"left": [{"failed": 1}, {"failed": 12}], "right": [{"recovered": 3}, {"recovered": 9}, {"recovered": 25}]},
            {
                "rows": [
                    {"window_start": 0, "window_end": 10, "failed": 1, "recovered": 3},
                    {"window_start": 0, "window_end": 10, "failed": 1, "recovered": 9},
                ]
            },
        ),
        Example(
            "What a user did and saw in one visit",
            {
                "on": ["user"],
                "left_time": "t",
                "right_time": "at",
                "window": {"type": "session", "max_gap": 5},
                "how": "left",
            },
            {
                "left": [{"user": "ada", "t": 0}, {"user": "ada", "t": 20}],
                "right": [{"user": "ada", "at": 4}, {"user": "bob", "at": 0}],
            },
            {
                "rows": [
                    {"window_start": 0, "window_end": 4, "user": "ada", "t": 0, "at": 4},
                    {"window_start": 20, "window_end": 20, "user": "ada", "t": 20, "at": None},
                ]
            },
        ),
    )

    def query(self, left: Relation, right: Relation) -> Query:
        sides = self.sides(left, right, self.left_time, self.right_time)
        columns = self.columns_of_both(sides.left.rows, sides.right.rows, sides.keys, self.how)
        clashes = clashing_names([*(item.alias for item in columns), self.start, self.end])
        if clashes:
            at = "end" if clashes[0] == self.end else "start"
            raise ConfigurationError(
                f"two columns would be called {clashes[0]!r}", field=at, hint="choose another name for the window's"
            )
        if isinstance(self.window, Session):
            gap = sides.clock.length(self.window.max_gap, "window/max_gap")
            placed = [_with_sessions(sides, side) for side in (sides.left, sides.right)]
            start, end = self._either(sides, START), self._either(sides, END)
        else:
            grid = Grid.of(self.window, sides.clock)
            placed = [in_windows(side.times, sides.clock, grid) for side in (sides.left, sides.right)]
            begun = self._either(sides, START)
            start = sides.clock.time(begun)
            end = sides.clock.time(exp.Add(this=begun.copy(), expression=literal(grid.duration)))
        chosen = [name_as(start, self.start), name_as(end, self.end), *columns]
        same = exp.EQ(this=sides.left.inner(START), expression=sides.right.inner(START))
        query = exp.Select(expressions=chosen).from_(sides.left.given(placed[0]), copy=False)
        how = "full outer" if self.how == "outer" else self.how
        query = query.join(
            sides.right.given(placed[1]), on=exp.and_(same, *sides.keys_are_equal()), join_type=how, copy=False
        )
        if isinstance(self.window, Session):
            query = query.with_("events", as_=_events(sides), copy=False)
            query = query.with_("sessions", as_=_sessions(sides, gap), copy=False)
        return query

    def _either(self, sides: Sides, name: str) -> exp.Expr:
        left, right = sides.left.inner(name), sides.right.inner(name)
        if self.how == "outer":
            return function("coalesce", left, right)
        return right if self.how == "right" else left


def _key_names(sides: Sides) -> list[str]:
    return [Inner(f"airloom_key_{at}") for at in range(len(sides.keys))]


def _moment(sides: Sides, side: Side) -> exp.Expr:
    """Return the time of a row in the type that both sides have."""
    plain = side.times.type == sides.clock.kind
    return side.times.value if plain else cast(side.times.value, sides.clock.kind)


def _events(sides: Sides) -> Query:
    """Return each time of both tables by keys, once."""

    def events(side: Side) -> Query:
        keys = [name_as(value, key) for value, key in zip(side.rows.all(side.keys), _key_names(sides), strict=True)]
        timed = not_null(sides.clock.number(side.times))
        return side.rows.select(keys, **{MOMENT: _moment(sides, side)}).where(timed, copy=False)

    both = exp.union(events(sides.left), events(sides.right), distinct=True, copy=False)
    return nested(both, "both")


def _sessions(sides: Sides, gap: int) -> Query:
    """Return the events with start and end of their session."""
    keys = _key_names(sides)
    events = Relation("events", {**dict.fromkeys(keys, "VARCHAR"), MOMENT: sides.clock.kind})
    placed = in_sessions(TimeColumn(events, MOMENT, "left_time"), sides.clock, gap, keys)
    named = [column(name) for name in (*keys, MOMENT, START)]
    last = over(function("max", column(MOMENT)), [column(name) for name in (*keys, START)])
    return nested(placed, "placed", [*named, name_as(last, END)])


def _with_sessions(sides: Sides, side: Side) -> Query:
    """Return the rows of a side that have a time, with start and end of their session."""
    sessions = Relation("sessions", alias="sessions")
    same: list[exp.Expr] = [exp.EQ(this=sessions[MOMENT], expression=_moment(sides, side))]
    for name, key in zip(side.keys, _key_names(sides), strict=True):
        same.append(exp.NullSafeEQ(this=sessions[key], expression=side.rows[name]))
    everything = exp.Column(this=exp.Star(), table=identifier(side.alias))
    return side.rows.select(everything, sessions[START], sessions[END]).join(
        sessions.table(), on=exp.and_(*same), copy=False
    )
