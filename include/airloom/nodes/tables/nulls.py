"""What is missing: left out, or filled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from airloom.engine.relation import Inner, family
from airloom.nodes.sdk import (
    Column,
    ConfigurationError,
    Example,
    Query,
    Relation,
    Table,
    cast,
    column,
    exp,
    function,
    name_as,
    nested,
    not_null,
    ordered,
    over,
)
from airloom.nodes.tables._columns import number, resolved
from airloom.nodes.tables._values import Value, fitted

Strategy = Literal["constant", "mean", "median", "mode", "forward", "backward"]


class RemoveNulls(Table, order="keeps"):
    """Leave out rows in which something is missing."""

    columns: list[Column] = Field([], description="The columns to look at; all where left out")
    when: Literal["any", "all"] = Field(
        "any", description="any: a row goes if one of them is null; all: only if each of them is"
    )

    examples = (
        Example(
            "A key has to be there",
            {"columns": ["id"]},
            {"rows": [{"id": 1, "note": None}, {"id": None, "note": "x"}]},
            {"rows": [{"id": 1, "note": None}]},
        ),
        Example(
            "Empty rows",
            {"when": "all"},
            {"rows": [{"id": 1, "note": None}, {"id": None, "note": None}]},
            {"rows": [{"id": 1, "note": None}]},
        ),
    )

    def query(self, rows: Relation) -> Query:
        names = resolved(rows, self.columns, "columns") or list(rows.columns)
        there = [not_null(rows[name]) for name in names]
        return rows.where((exp.and_ if self.when == "any" else exp.or_)(*there, copy=False))


class FillNulls(Table):
    """Fill in what is missing."""

    columns: list[Column] = Field([], description="The columns to fill; where left out, all that the strategy fits")
    strategy: Strategy = Field(
        description="constant (`value`); mean, median (of numbers), mode (the most frequent value, of several the "
        "least); forward, backward (the value before, or after, by `order`)"
    )
    value: Value | None = Field(None, description="Of constant: what to fill in, read as the column's type")
    by: list[Column] = Field([], description="The columns that make a group: only its own rows fill it")
    order: list[Column] = Field(
        [], description="Of forward and backward: what comes before and after; where rows tie, all columns decide"
    )

    examples = (
        Example(
            "The last reading of each sensor goes on",
            {"columns": ["value"], "strategy": "forward", "by": ["sensor"], "order": ["time"]},
            {
                "rows": [
                    {"sensor": "a", "time": 1, "value": 20.5},
                    {"sensor": "a", "time": 2, "value": None},
                    {"sensor": "b", "time": 3, "value": None},
                ]
            },
            {
                "rows": [
                    {"sensor": "a", "time": 1, "value": 20.5},
                    {"sensor": "a", "time": 2, "value": 20.5},
                    {"sensor": "b", "time": 3, "value": None},
                ]
            },
        ),
        Example(
            "A constant",
            {"columns": ["status"], "strategy": "constant", "value": "unknown"},
            {"rows": [{"status": "paid"}, {"status": None}]},
            {"rows": [{"status": "paid"}, {"status": "unknown"}]},
        ),
        Example(
            "The mean of the others",
            {"strategy": "mean"},
            {"rows": [{"n": 1.0}, {"n": None}, {"n": 2.0}]},
            {"rows": [{"n": 1.0}, {"n": 1.5}, {"n": 2.0}]},
        ),
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> FillNulls:
        if (self.value is None) == (self.strategy == "constant"):
            raise ValueError("constant needs `value`" if self.value is None else f"{self.strategy} takes no `value`")
        if bool(self.order) != (self.strategy in ("forward", "backward")):
            raise ValueError(f"{self.strategy} takes no `order`" if self.order else f"{self.strategy} needs `order`")
        if self.strategy == "constant" and self.by:
            raise ValueError("a constant is the same for each group; leave `by` out")
        return self

    def query(self, rows: Relation) -> Query:
        names = self._names(rows)
        if self.strategy == "constant":
            values = {name: fitted(self.value, rows.columns[name], "value") for name in names}
            return rows.replace({name: function("coalesce", rows[name], value) for name, value in values.items()})
        by = rows.all(resolved(rows, self.by, "by"))
        if self.strategy != "mode":
            return rows.replace({name: self._filled(rows, name, by) for name in names})
        counts = {name: over(function("count", rows[name]), [*by, rows[name]]) for name in names}
        counted = rows.select(
            rows.all(rows.columns), [name_as(count, Inner(f"airloom_count_{name}")) for name, count in counts.items()]
        )
        filled = Relation("counted", rows.columns).replace({name: self._filled(rows, name, by) for name in names})
        return nested(counted, "counted", filled.expressions)

    def _names(self, rows: Relation) -> list[str]:
        figure = self.strategy in ("mean", "median")
        if self.columns:
            if figure:
                return [number(rows, name, f"columns/{at}") for at, name in enumerate(self.columns)]
            return resolved(rows, self.columns, "columns")
        used = {name.lower() for name in (*self.by, *self.order)}
        others = [name for name in rows.columns if name.lower() not in used]
        if figure:
            return [name for name in others if name in rows.numeric()]
        return [name for name in others if self.strategy != "constant" or self._takes_constant(rows, name)]

    def _takes_constant(self, rows: Relation, name: str) -> bool:
        sorts = {bool: "BOOLEAN", str: "VARCHAR", int: "number", float: "number"}
        if family(rows.columns[name]) != sorts.get(type(self.value)):
            return False
        try:
            fitted(self.value, rows.columns[name], "value")
        except ConfigurationError:
            return False
        return True

    def _filled(self, rows: Relation, name: str, by: Sequence[exp.Expr]) -> exp.Expr:
        value = rows[name]
        match self.strategy:
            case "mean" | "median":
                double = cast(value.copy(), "DOUBLE")
                figure = function("avg", double) if self.strategy == "mean" else function("quantile_cont", double, 0.5)
                other: exp.Expr = over(figure, by)
                if rows.columns[name].startswith("DECIMAL"):
                    other = cast(other, rows.columns[name])
            case "mode":
                places = [ordered(column(Inner(f"airloom_count_{name}")), descending=True), ordered(value.copy())]
                other = over(function("first_value", value.copy()), by, places)
            case _:
                other = self._neighbor(rows, value, by)
        return function("coalesce", value, other)

    def _neighbor(self, rows: Relation, value: exp.Expr, by: Sequence[exp.Expr]) -> exp.Expr:
        forward = self.strategy == "forward"
        places = [*rows.all(resolved(rows, self.order, "order")), *rows.all(rows.columns)]
        nearest = (exp.LastValue if forward else exp.FirstValue)(this=value.copy())
        window = over(exp.IgnoreNulls(this=nearest), by, [ordered(place) for place in places])
        frame = exp.WindowSpec(
            kind="ROWS",
            start="UNBOUNDED" if forward else "CURRENT ROW",
            start_side="PRECEDING" if forward else None,
            end="CURRENT ROW" if forward else "UNBOUNDED",
            end_side=None if forward else "FOLLOWING",
        )
        window.set("spec", frame)
        return window
