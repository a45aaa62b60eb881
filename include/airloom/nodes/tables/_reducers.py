"""Reducers: what becomes of the values of a group; each is one expression, exact, and the same on every engine.

Nulls are left out by all of them. Where values tie, the least or greatest value itself decides: so the result never
depends on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from airloom.engine.relation import NUMERIC, Inner, identifier
from airloom.nodes.sdk import (
    Column,
    ConfigurationError,
    Part,
    Query,
    Relation,
    cast,
    column,
    exp,
    function,
    name_as,
    not_null,
    over,
)
from airloom.spec.problem import pointer

Op = Literal[
    "count", "count_distinct", "count_distinct_approximate", "sum", "avg", "min", "max", "median", "p90", "p95", "p99",
    "quantile", "stddev", "variance", "argmin", "argmax", "first", "last", "earliest", "latest", "any", "unique",
    "mode", "tuple", "sorted_tuple",
]  # fmt: skip

QUANTILES = {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
LEAST_BY = ("argmin", "first", "earliest")
GREATEST_BY = ("argmax", "last", "latest")
ORDERED = (*LEAST_BY, *GREATEST_BY, "tuple")
NUMBERS = ("sum", "avg", "stddev", "variance", "quantile", *QUANTILES)


class Measure(Part):
    """One figure for each group."""

    op: Op = Field(
        description="count (rows, or values of the column), count_distinct, count_distinct_approximate; sum, avg, min, "
        "max; median, p90, p95, p99, quantile; stddev and variance (of a sample); argmin, first, earliest (the value "
        "where `by` is least), argmax, last, latest (where it is greatest); any, unique (fails where values differ), "
        "mode (the most frequent); tuple (a list, ordered by `by`, null last), sorted_tuple (a list, ordered by value)"
    )
    column: Column | None = Field(None, description="The column to reduce; count alone can do without")
    by: Column | None = Field(
        None, description="The column that orders: of argmin, first, latest, tuple and their like"
    )
    value: float | None = Field(None, ge=0, le=1, description="Of quantile: 0.5 is the median, 0.9 the same as p90")

    @model_validator(mode="after")
    def _parts_fit(self) -> Measure:
        if self.column is None and self.op != "count":
            raise ValueError(f"{self.op} needs a column")
        if (self.by is not None) != (self.op in ORDERED):
            raise ValueError(
                f"{self.op} needs `by`: what to order by" if self.by is None else f"{self.op} takes no `by`"
            )
        if (self.value is not None) != (self.op == "quantile"):
            wanted = "quantile needs `value`, between 0 and 1" if self.value is None else f"{self.op} takes no `value`"
            raise ValueError(wanted)
        return self


def reduced(rows: Relation, name: str, measure: Measure) -> exp.Expr:
    """Return the figure `name` of a group of rows; raise ConfigurationError where a column does not fit.

    A `mode` reads a column that `counted` adds.
    """
    if measure.column is None:
        return function("count", exp.Star())
    where = pointer("measures", name)[1:]
    value = column(rows.resolve(measure.column, f"{where}/column"))
    if measure.op in NUMBERS:
        kind = rows.type_of(measure.column)
        if not NUMERIC.match(kind):
            raise ConfigurationError(
                f"{measure.op} needs numbers; {measure.column!r} is {kind}",
                field=f"{where}/column",
                hint="cast the column to a number first, or count it",
            )
        return _figure(measure, value, kind)
    if measure.by is not None:
        return _ordered(measure.op, value, column(rows.resolve(measure.by, f"{where}/by")))
    return _chosen(measure.op, name, value)


def _figure(measure: Measure, value: exp.Expr, kind: str) -> exp.Expr:
    if measure.op == "sum":
        total = function("sum", value)
        # DuckDB's sum of integers is a HUGEINT, which a Parquet file turns into a DOUBLE.
        return cast(total, "DECIMAL(38,0)") if "INT" in kind else total
    if measure.op == "avg":
        return cast(function("avg", value), "DOUBLE")
    if measure.op in ("stddev", "variance"):
        return function({"stddev": "stddev_samp", "variance": "var_samp"}[measure.op], cast(value, "DOUBLE"))
    share = QUANTILES.get(measure.op, measure.value)
    return function("quantile_cont", cast(value, "DOUBLE"), share)


def _ordered(op: str, value: exp.Expr, by: exp.Expr) -> exp.Expr:
    both = exp.and_(not_null(value), not_null(by))
    pairs = _struct(order=by, value=value)
    if op == "tuple":
        # What has no place stands last, on every engine.
        places = _struct(late=exp.Is(this=by.copy(), expression=exp.Null()), order=by.copy(), value=value.copy())
        ordered = function("list_sort", _where(function("list", places), not_null(value.copy())))
        taken = exp.Lambda(
            this=exp.Dot(this=identifier("pair"), expression=identifier("value")), expressions=[identifier("pair")]
        )
        return _or_empty(exp.Transform(this=ordered, expression=taken))
    return _where(function("arg_min" if op in LEAST_BY else "arg_max", value, pairs), both)


def _chosen(op: str, name: str, value: exp.Expr) -> exp.Expr:
    least, greatest = function("min", value), function("max", value)
    match op:
        case "count":
            return function("count", value)
        case "count_distinct":
            return exp.Count(this=exp.Distinct(expressions=[value]))
        case "count_distinct_approximate":
            return function("approx_count_distinct", value)
        case "max":
            return greatest
        case "unique":
            differ = function("error", f"{name}: a group has several values where one is expected (unique)")
            return exp.case().when(exp.NEQ(this=least, expression=greatest), differ).else_(least)
        case "mode":
            rank = _struct(order=exp.Neg(this=column(_count_name(value.name))), value=value)
            return _where(function("arg_min", value, rank), not_null(value))
        case "sorted_tuple":
            return _or_empty(function("list_sort", _where(function("list", value), not_null(value))))
        case _:  # min; any: the least is as good as another, and the same in every run
            return least


def counted(rows: Relation, by: list[str], measures: Mapping[str, Measure]) -> Query | None:
    """Return the columns that keys and measures need, each value of a `mode` with its frequency; None without one."""
    modes = [rows.resolve(measure.column) for measure in measures.values() if measure.op == "mode" and measure.column]
    if not modes:
        return None
    named = [*by, *(name for measure in measures.values() for name in (measure.column, measure.by) if name)]
    kept = dict.fromkeys(rows.resolve(name) for name in named)
    counts = [
        name_as(over(function("count", rows[name]), rows.all([*by, name])), _count_name(name))
        for name in dict.fromkeys(modes)
    ]
    return rows.select(rows.all(kept), counts)


def _count_name(name: str) -> Inner:
    return Inner(f"airloom_count_{name}")


def _struct(**values: exp.Expr) -> exp.Struct:
    return exp.Struct(
        expressions=[exp.PropertyEQ(this=identifier(name), expression=value) for name, value in values.items()]
    )


def _where(aggregate: exp.Expr, condition: exp.Expr) -> exp.Filter:
    return exp.Filter(this=aggregate, expression=exp.Where(this=condition))


def _or_empty(values: exp.Expr) -> exp.Expr:
    return function("coalesce", values, exp.Array(expressions=[]))
