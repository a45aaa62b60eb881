"""Some rows of many: a sample, one of each."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from airloom.engine.relation import NUMBER, Inner
from airloom.nodes.sdk import (
    Column,
    Example,
    Query,
    Relation,
    Table,
    column,
    exp,
    function,
    literal,
    name_as,
    nested,
    ordered,
    over,
)
from airloom.nodes.tables._columns import resolved

PARTS = 1_000_000


HASH = Inner("airloom_hash")


class Sample(Table, without_spark="everything: which rows are taken follows from DuckDB's own hash"):
    """Keep some rows by chance, the same ones in every run."""

    rows: int | None = Field(None, ge=0, description="How many rows to keep at most")
    fraction: float | None = Field(
        None, ge=0, le=1, description="Instead of `rows`: the share of rows to keep, about: 0.1 is a tenth"
    )
    seed: int = Field(0, description="Another number gives another sample")

    examples = (
        Example("No more than a hundred", {"rows": 100}, {"rows": [{"n": 1}]}, {"rows": [{"n": 1}]}),
        Example("All of them", {"fraction": 1}, {"rows": [{"n": 1}, {"n": 1}]}, {"rows": [{"n": 1}, {"n": 1}]}),
    )

    @model_validator(mode="after")
    def _one_size(self) -> Sample:
        if (self.rows is None) == (self.fraction is None):
            raise ValueError("give either rows (how many) or fraction (which share)")
        return self

    def query(self, rows: Relation) -> Query:
        # By what the rows hold, not by where they stand: a table has no order.
        kept = rows.all(rows.columns)
        mixed = function("hash", self.seed, *kept)
        if self.rows is not None:
            return rows.select(kept).order_by(ordered(mixed), *map(ordered, kept), copy=False).limit(self.rows)
        # Rows that are equal are numbered: each of them has its own chance.
        hashed = rows.select(kept, **{HASH: mixed})
        key = column(HASH)
        number = name_as(over(function("row_number"), [key], [ordered(key)]), NUMBER)
        numbered = nested(hashed, "hashed", [*kept, key, number])
        chance = exp.Mod(this=function("hash", key, column(NUMBER)), expression=literal(PARTS))
        share = literal(round((self.fraction or 0) * PARTS))
        return nested(numbered, "numbered", kept).where(exp.LT(this=chance, expression=share), copy=False)


class Deduplicate(Table):
    """Keep one row for each key, or for rows that are equal."""

    keys: list[Column] = Field([], description="The columns that name a row; all where left out")
    keep: Literal["first", "last", "none"] = Field(
        "first", description="Which of several rows stays; none: only rows whose key no other row has"
    )
    order: list[Column] = Field(
        [], description="What tells first and last apart; where rows tie, and where left out, all columns decide"
    )
    ignore_case: bool = Field(False, description="Whether keys that differ in capital letters alone are the same")

    examples = (
        Example(
            "The latest state of each order",
            {"keys": ["id"], "keep": "last", "order": ["changed"]},
            {
                "rows": [
                    {"id": 1, "status": "open", "changed": 1},
                    {"id": 1, "status": "paid", "changed": 2},
                    {"id": 2, "status": "open", "changed": 1},
                ]
            },
            {"rows": [{"id": 1, "status": "paid", "changed": 2}, {"id": 2, "status": "open", "changed": 1}]},
        ),
        Example(
            "Each row once",
            {},
            {"rows": [{"a": 1, "b": None}, {"a": 1, "b": None}, {"a": 1, "b": 2}]},
            {"rows": [{"a": 1, "b": None}, {"a": 1, "b": 2}]},
        ),
    )

    @model_validator(mode="after")
    def _order_is_of_use(self) -> Deduplicate:
        if self.keep == "none" and self.order:
            raise ValueError("keep: none keeps no one of several rows; leave order out")
        return self

    def query(self, rows: Relation) -> Query:
        if not self.keys and self.keep != "none" and not self.ignore_case:
            return rows.select().distinct(copy=False)
        keys = resolved(rows, self.keys, "keys") or list(rows.columns)
        order = resolved(rows, self.order, "order") or list(rows.columns)
        by = [self._folded(rows, name) for name in keys]
        if self.keep == "none":
            number = over(function("count", exp.Star()), by)
        else:
            last = self.keep == "last"
            places = [*(ordered(rows[name], descending=last) for name in order), *map(ordered, rows.all(rows.columns))]
            number = over(function("row_number"), by, places)
        kept = rows.all(rows.columns)
        only = exp.EQ(this=column(NUMBER), expression=literal(1))
        return nested(rows.select(kept, **{NUMBER: number}), "numbered", kept).where(only, copy=False)

    def _folded(self, rows: Relation, name: str) -> exp.Expr:
        fold = self.ignore_case and rows.columns[name] == "VARCHAR"
        return function("lower", rows[name]) if fold else rows[name]
