"""Rows of a window of time, reduced to one row."""

from __future__ import annotations

from pydantic import Field, model_validator

from airloom.engine.relation import Inner
from airloom.engine.types import clashing_names
from airloom.nodes.sdk import Column, Example, Query, Relation, Table, column, exp, function, literal, name_as, nested
from airloom.nodes.tables._reducers import Measure, counted, reduced
from airloom.nodes.windows._time import Clock, TimeColumn
from airloom.nodes.windows._windows import START, AnyWindow, Grid, Session, in_sessions, in_windows

LAST = Inner("airloom_last")


class Window(Table, without_spark="count_distinct_approximate"):
    """Group rows by windows of time and reduce each window to one row."""

    time: Column = Field(
        description="The column with the time: a date, a timestamp or a number; rows without are left out"
    )
    window: AnyWindow = Field(description="tumbling, sliding or session, with its lengths")
    instance: list[Column] = Field(
        [], description="Columns whose every combination of values has windows of its own; null is a value"
    )
    measures: dict[str, Measure] = Field({}, description="Name of the new column → the figure in it")
    start: str = Field("window_start", min_length=1, description="The name of the column with the window's start")
    end: str = Field(
        "window_end",
        min_length=1,
        description="The name of the column with the window's end: the first time after it; of a session, its last",
    )

    examples = (
        Example(
            "Requests of each service in five minutes",
            {
                "time": "at",
                "window": {"type": "tumbling", "duration": 300},
                "instance": ["service"],
                "measures": {"requests": {"op": "count"}},
            },
            {
                "rows": [
                    {"at": 0, "service": "web"},
                    {"at": 299, "service": "web"},
                    {"at": 300, "service": "web"},
                    {"at": 301, "service": "api"},
                ]
            },
            {
                "rows": [
                    {"window_start": 0, "window_end": 300, "service": "web", "requests": 2},
                    {"window_start": 300, "window_end": 600, "service": "web", "requests": 1},
                    {"window_start": 300, "window_end": 600, "service": "api", "requests": 1},
                ]
            },
        ),
        Example(
            "The mean over ten units, anew after every five",
            {
                "time": "t",
                "window": {"type": "sliding", "hop": 5, "duration": 10},
                "measures": {"mean": {"op": "avg", "column": "v"}},
            },
            {"rows": [{"t": 1, "v": 1.0}, {"t": 7, "v": 4.0}]},
            {
                "rows": [
                    {"window_start": -5, "window_end": 5, "mean": 1},
                    {"window_start": 0, "window_end": 10, "mean": 2.5},
                    {"window_start": 5, "window_end": 15, "mean": 4},
                ]
            },
        ),
        Example(
            "Visits: clicks less than 30 apart",
            {
                "time": "t",
                "window": {"type": "session", "max_gap": 30},
                "instance": ["user"],
                "measures": {"clicks": {"op": "count"}},
            },
            {"rows": [{"user": "ada", "t": 0}, {"user": "ada", "t": 29}, {"user": "ada", "t": 59}]},
            {
                "rows": [
                    {"window_start": 0, "window_end": 29, "user": "ada", "clicks": 2},
                    {"window_start": 59, "window_end": 59, "user": "ada", "clicks": 1},
                ]
            },
        ),
    )

    @model_validator(mode="after")
    def _columns_differ(self) -> Window:
        clashes = clashing_names([self.start, self.end, *self.instance, *self.measures])
        if clashes:
            raise ValueError(f"two columns would be called {clashes[0]!r}; give one of them another name")
        return self

    def query(self, rows: Relation) -> Query:
        times = TimeColumn.of(rows, self.time, "time")
        by = [rows.resolve(name, f"instance/{at}") for at, name in enumerate(self.instance)]
        clock = Clock.of(times)
        windowed = Relation("windowed", rows.columns)
        start, end, placed = self._placed(times, clock, by)
        chosen = [
            name_as(start, self.start),
            name_as(end, self.end),
            *(name_as(windowed[name], name) for name in by),
            *(name_as(reduced(windowed, name, measure), name) for name, measure in self.measures.items()),
        ]
        with_start = Relation("windowed", {**rows.columns, START: clock.kind})
        source = counted(with_start, [*by, START], self.measures)
        if source is None:
            query = windowed.select(chosen)
        else:
            query = nested(source.select(*self._kept(), copy=False), "counted", chosen)
        query = query.group_by(column(START), *windowed.all(by), copy=False)
        return query.with_("windowed", as_=placed, copy=False)

    def _placed(self, times: TimeColumn, clock: Clock, by: list[str]) -> tuple[exp.Expr, exp.Expr, Query]:
        """Return start and end of a group, and the rows with the windows that they are in."""
        begun = column(START)
        if isinstance(self.window, Session):
            gap = clock.length(self.window.max_gap, "window/max_gap")
            placed = in_sessions(times, clock, gap, by)
            placed.select(name_as(column(times.name), LAST), copy=False)
            return begun, function("max", column(LAST)), placed
        grid = Grid.of(self.window, clock)
        ended = exp.Add(this=begun.copy(), expression=literal(grid.duration))
        return clock.time(begun), clock.time(ended), in_windows(times, clock, grid)

    def _kept(self) -> list[exp.Expr]:
        return [column(LAST)] if isinstance(self.window, Session) else []
