"""Match the rows of two tables."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from airloom.engine.relation import Inner, column, identifier
from airloom.nodes.sdk import (
    Column,
    Example,
    Query,
    Relation,
    Table,
    exp,
    function,
    literal,
    over,
)
from airloom.nodes.tables._columns import fails_where
from airloom.nodes.tables._keys import Key, columns_of_both, key_text, keys_meet, pair_of, pairs

How = Literal["inner", "left", "right", "outer", "semi", "anti", "cross"]


class Join(Table, without_spark="many_to_many fail with keys of DOUBLE"):
    """Match the rows of two tables by columns that are equal; null equals nothing."""

    on: list[Annotated[Key, BeforeValidator(pair_of, json_schema_input_type=Column | Key)]] = Field(
        [], description="Columns that have to be equal: a name that both tables have, or [left, right]"
    )
    how: How = Field(
        "inner",
        description="Which rows come out: inner, matches alone; left, right, outer: also rows of that side without; "
        "semi, anti: left rows with, or without, a match; cross: every pair",
    )
    suffixes: tuple[str, str] = Field(
        ("_left", "_right"), description="What is put behind names that both tables have and that are not keys of both"
    )
    many_to_many: Literal["allow", "fail"] = Field(
        "allow",
        description="Where a key stands in several rows of both tables: every pair comes out, or the run fails",
    )

    examples = (
        Example(
            "Orders with their customer",
            {"on": [["customer", "id"]], "how": "left"},
            {
                "left": [{"order": 1, "customer": 7}, {"order": 2, "customer": 8}],
                "right": [{"id": 7, "name": "Ada"}],
            },
            {
                "rows": [
                    {"order": 1, "customer": 7, "id": 7, "name": "Ada"},
                    {"order": 2, "customer": 8, "id": None, "name": None},
                ]
            },
        ),
        Example(
            "A key of the same name stands there once",
            {"on": ["id"], "how": "outer"},
            {"left": [{"id": 1, "n": 10}], "right": [{"id": 1, "n": 20}, {"id": 2, "n": 30}]},
            {"rows": [{"id": 1, "n_left": 10, "n_right": 20}, {"id": 2, "n_left": None, "n_right": 30}]},
        ),
        Example(
            "Who has not ordered",
            {"on": [["id", "customer"]], "how": "anti"},
            {"left": [{"id": 7}, {"id": 8}], "right": [{"customer": 8}, {"customer": 8}]},
            {"rows": [{"id": 7}]},
        ),
    )

    @model_validator(mode="after")
    def _keys_fit(self) -> Join:
        if self.how == "cross" and self.on:
            raise ValueError("a cross join has no key; leave `on` out")
        if self.how != "cross" and not self.on:
            raise ValueError(f"a join of sort {self.how} needs `on`: the columns that have to be equal")
        if self.many_to_many == "fail" and self.how in ("semi", "anti", "cross"):
            raise ValueError(f"a join of sort {self.how} does not match many to many; leave many_to_many out")
        return self

    def query(self, left: Relation, right: Relation) -> Query:
        left, right = left.aliased("left"), right.aliased("right")
        keys = pairs(self.on, left, right, ("on the left", "on the right"))
        equal = [keys_meet(left, ours, right, theirs) for ours, theirs in keys]
        matches = exp.and_(*equal) if equal else None
        if self.how in ("semi", "anti"):
            everything = exp.Column(this=exp.Star(), table=identifier("left"))
            return left.select(everything).join(right.table(), on=matches, join_type=self.how, copy=False)
        how = "full outer" if self.how == "outer" else self.how
        chosen = columns_of_both(left, right, keys, self.suffixes, self.how)
        if self.many_to_many == "allow":
            return left.select(chosen).join(right.table(), on=matches, join_type=how, copy=False)
        counted = exp.Select(expressions=chosen).from_(_counted(left, [ours for ours, _ in keys]), copy=False)
        counted = counted.join(_counted(right, [key for _, key in keys]), on=matches, join_type=how, copy=False)
        several = [exp.GT(this=column(COUNT, side), expression=literal(1)) for side in ("left", "right")]
        told = key_text(left, [ours for ours, _ in keys])
        guard = fails_where(exp.and_(*several), "several rows of both tables have ", *told)
        return counted.where(guard, copy=False)


COUNT = Inner("airloom_count")


def _counted(side: Relation, keys: list[str]) -> exp.Subquery:
    """Return a table with the number of rows of the same key in each."""
    plain = Relation(side.name, side.columns)
    count = over(function("count", exp.Star()), plain.all(keys))
    query = plain.select(plain.all(plain.columns), **{COUNT: count})
    return exp.Subquery(this=query, alias=exp.TableAlias(this=identifier(side.alias or side.name)))
