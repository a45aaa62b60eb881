"""Match rows whose times are within an interval of each other."""

from __future__ import annotations

from pydantic import Field, model_validator

from airloom.nodes.sdk import Column, ConfigurationError, Example, Query, Relation, exp, literal, nested
from airloom.nodes.windows._sides import How, Side, Sides, TimeJoin
from airloom.nodes.windows._time import Shift
from airloom.nodes.windows._windows import FLOOR, START, TIME, Grid, floored, numbered, repeated, timed


class IntervalJoin(TimeJoin):
    """Match rows of two tables where left_time + lower <= right_time <= left_time + upper."""

    left_time: Column = Field(description="The left table's column with the time: a date, a timestamp or a number")
    right_time: Column = Field(description="The right table's column with the time, of the same sort")
    lower: Shift = Field(
        description="How far the right row may be before the left one (-30s), or has to be after it (30s); a number "
        "where times are numbers"
    )
    upper: Shift = Field(description="How far the right row may be after the left one, this far included")
    how: How = Field(
        "inner",
        description="Which rows come out: inner, matches alone; left, right, outer: also rows of that side without",
    )

    examples = (
        Example(
            "Errors within ten units of a deployment",
            {
                "on": ["service"],
                "left_time": "deployed",
                "right_time": "failed",
                "lower": 0,
                "upper": 10,
                "how": "left",
            },
            {
                "left": [{"service": "web", "deployed": 100}, {"service": "api", "deployed": 100}],
                "right": [
                    {"service": "web", "failed": 100},
                    {"service": "web", "failed": 110},
                    {"service": "web", "failed": 111},
                ],
            },
            {
                "rows": [
                    {"service": "web", "deployed": 100, "failed": 100},
                    {"service": "web", "deployed": 100, "failed": 110},
                    {"service": "api", "deployed": 100, "failed": None},
                ]
            },
        ),
    )

    @model_validator(mode="after")
    def _interval_is_one(self) -> IntervalJoin:
        if isinstance(self.lower, str) != isinstance(self.upper, str):
            raise ValueError("lower and upper are both durations, or both numbers")
        return self

    def query(self, left: Relation, right: Relation) -> Query:
        sides = self.sides(left, right, self.left_time, self.right_time)
        lower, upper = sides.clock.length(self.lower, "lower"), sides.clock.length(self.upper, "upper")
        if lower >= upper:
            raise ConfigurationError(
                f"lower has to be less than upper; {self.lower!r} is not less than {self.upper!r}",
                field="upper",
                hint="where both times are to be the same, use join",
            )
        chosen = self.columns_of_both(sides.left.rows, sides.right.rows, sides.keys, self.how)
        forward = (sides.left, sides.right, lower, upper)
        backward = (sides.right, sides.left, -upper, -lower)
        if self.how == "inner":
            return _matched(sides, *forward, chosen, "inner")
        if self.how == "right":
            return _matched(sides, *backward, chosen, "left")
        with_left = _matched(sides, *forward, chosen, "left")
        if self.how == "left":
            return with_left
        others = _matched(sides, *backward, [item.copy() for item in chosen], "left")
        others = others.where(exp.Is(this=sides.left.inner(START), expression=exp.Null()), copy=False)
        return nested(exp.union(with_left, others, distinct=False, copy=False), "both")


def _matched(sides: Sides, side: Side, other: Side, lower: int, upper: int, chosen: list[exp.Alias], how: str) -> Query:
    """Return the rows of `side` with those of `other` that are `lower` to `upper` after them.

    Time is cut into pieces of the interval's length. An interval that begins in a piece ends in it or in the next, so
    each other row stands in its own piece and the one before: the engine joins by pieces, and need not compare all.
    """
    width = upper - lower
    pieces = floored(numbered(side.times, sides.clock), TIME, Grid(width, width, -lower, bounded=False))
    others, _ = repeated(
        floored(timed(other.times, sides.clock), TIME, Grid(width, width, 0, bounded=False)), [0, width]
    )
    piece = exp.Add(this=side.inner(FLOOR), expression=literal(lower))
    after = exp.Paren(this=exp.Sub(this=other.inner(TIME), expression=side.inner(TIME)))
    matches = exp.and_(
        *sides.keys_are_equal(),
        exp.EQ(this=piece, expression=other.inner(START)),
        exp.Between(this=after, low=literal(lower), high=literal(upper)),
    )
    found = exp.Select(expressions=chosen).from_(side.given(pieces), copy=False)
    return found.join(other.given(others), on=matches, join_type=how, copy=False)
