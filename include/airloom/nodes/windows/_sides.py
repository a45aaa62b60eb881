"""Two tables that meet in time: their keys, their times, and the columns that come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from airloom.engine.relation import identifier
from airloom.nodes.sdk import Column, Relation, Table, column, exp
from airloom.nodes.tables._keys import Key, Pair, columns_of_both, keys_meet, pair_of, pairs
from airloom.nodes.windows._time import Clock, TimeColumn

How = Literal["inner", "left", "right", "outer"]


class TimeJoin(Table):
    """The base of joins by time."""

    on: list[Annotated[Key, BeforeValidator(pair_of, json_schema_input_type=Column | Key)]] = Field(
        [],
        description="Columns that have to be equal as well: a name that both tables have, or [left, right]",
    )
    suffixes: tuple[str, str] = Field(
        ("_left", "_right"), description="What is put behind names that both tables have and that are not keys of both"
    )

    def sides(self, left: Relation, right: Relation, left_time: str, right_time: str) -> Sides:
        """Return the two tables under the names left and right; raise ConfigurationError where they do not fit."""
        left, right = left.aliased("left"), right.aliased("right")
        keys = pairs(self.on, left, right, ("on the left", "on the right"))
        times = TimeColumn.of(left, left_time, "left_time"), TimeColumn.of(right, right_time, "right_time")
        return Sides(
            Side(left, times[0], [ours for ours, _ in keys]),
            Side(right, times[1], [theirs for _, theirs in keys]),
            Clock.of(*times),
        )

    def columns_of_both(self, left: Relation, right: Relation, keys: Sequence[Pair], how: How) -> list[exp.Alias]:
        """Return the columns of both tables, as `airloom.nodes.tables._keys.columns_of_both` does."""
        return columns_of_both(left, right, keys, self.suffixes, how)


@dataclass(frozen=True)
class Side:
    """One of two tables: the rows under its alias, its times, its keys."""

    rows: Relation
    times: TimeColumn
    keys: list[str]

    @property
    def alias(self) -> str:
        """Return the side's name: left or right."""
        return self.rows.alias or self.rows.name

    def inner(self, name: str) -> exp.Column:
        """Return a column that this side has been given on the way, by its exact name."""
        return column(name, self.alias)

    def given(self, query: exp.Query) -> exp.Subquery:
        """Return a query that stands for this side in a join."""
        return exp.Subquery(this=query, alias=exp.TableAlias(this=identifier(self.alias)))


@dataclass(frozen=True)
class Sides:
    """Two tables that meet, and the clock of their times."""

    left: Side
    right: Side
    clock: Clock

    @property
    def keys(self) -> list[Pair]:
        """Return the names of the keys, left and right."""
        return list(zip(self.left.keys, self.right.keys, strict=True))

    def keys_are_equal(self) -> list[exp.Expr]:
        """Return a condition for each key."""
        return [keys_meet(self.left.rows, ours, self.right.rows, theirs) for ours, theirs in self.keys]
