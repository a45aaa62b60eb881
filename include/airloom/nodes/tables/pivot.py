"""Rows into columns, and columns into rows."""

from __future__ import annotations

import functools
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from airloom.engine.relation import Inner, family, identifier
from airloom.engine.types import clashing_names
from airloom.nodes.sdk import (
    Column,
    ConfigurationError,
    DataError,
    Example,
    Query,
    Relation,
    Table,
    cast,
    column,
    exp,
    literal,
    name_as,
    nested,
)
from airloom.nodes.tables._columns import NewName, as_common, common_type, number, resolved
from airloom.nodes.tables._reducers import Measure, reduced
from airloom.nodes.tables._values import Value, comparable, text_of

MOST_COLUMNS = 1_000


class Pivot(Table):
    """Turn rows into columns: one for each value of a column."""

    index: list[Column] = Field([], description="The columns that make a group: one row comes out for each")
    column: Column = Field(description="The column whose values become columns; rows where it is null are left out")
    value: Column | None = Field(None, description="The column of what stands there; count can do without")
    op: Literal["sum", "avg", "count", "min", "max", "first", "last"] = Field(
        "sum", description="What several values become; first and last need `by`; count is 0 where there is none"
    )
    by: Column | None = Field(None, description="Of first and last: the column that orders")
    values: list[Value] = Field(
        [],
        max_length=MOST_COLUMNS,
        description="The values that become columns, in this order; others are left out. Without them, all that there "
        "are: which columns come out is known in a run only",
    )
    prefix: str = Field("", description="What is put before the names of the new columns")

    examples = (
        Example(
            "A column for each quarter",
            {"index": ["shop"], "column": "quarter", "value": "amount", "values": ["q1", "q2"]},
            {
                "rows": [
                    {"shop": "a", "quarter": "q1", "amount": 1},
                    {"shop": "a", "quarter": "q1", "amount": 2},
                    {"shop": "b", "quarter": "q2", "amount": 4},
                ]
            },
            {"rows": [{"shop": "a", "q1": 3, "q2": None}, {"shop": "b", "q1": None, "q2": 4}]},
        ),
        Example(
            "How many of each",
            {"index": ["shop"], "column": "status", "op": "count", "values": ["paid", "open"], "prefix": "n_"},
            {
                "rows": [
                    {"shop": "a", "status": "paid"},
                    {"shop": "a", "status": "open"},
                    {"shop": "b", "status": "paid"},
                ]
            },
            {"rows": [{"shop": "a", "n_paid": 1, "n_open": 1}, {"shop": "b", "n_paid": 1, "n_open": 0}]},
        ),
    )

    @field_validator("values")
    @classmethod
    def _values_differ(cls, values: list[Any]) -> list[Any]:
        names = [text_of(value) for value in values]
        clashes = clashing_names(names)
        if clashes:
            raise ValueError(f"two columns would be called {clashes[0]!r}")
        return values

    @model_validator(mode="after")
    def _parts_fit(self) -> Pivot:
        if self.value is None and self.op != "count":
            raise ValueError(f"{self.op} needs `value`: the column of what stands in the new columns")
        if (self.by is not None) != (self.op in ("first", "last")):
            raise ValueError(
                f"{self.op} needs `by`: what to order by" if self.by is None else f"{self.op} takes no `by`"
            )
        return self

    def query(self, rows: Relation) -> Query:
        index = resolved(rows, self.index, "index")
        name = rows.resolve(self.column, "column")
        value = self._value(rows)
        values = self._values(rows, name)
        new = self._names(index, values)
        kinds = {key: rows.columns[key] for key in index}
        kept: list[exp.Expr] = [*rows.all(index)]
        by = None
        if self.by is not None:
            by = Inner("airloom_by")
            kinds[by] = rows.type_of(self.by)
            kept.append(name_as(rows[rows.resolve(self.by, "by")], by))
        for at, given in enumerate(values):
            here = exp.EQ(this=rows[name], expression=comparable(given, rows.columns[name], f"values/{at}"))
            shown = rows[value] if value else literal(1)
            kept.append(name_as(exp.Case().when(here, shown), Inner(f"airloom_{at}")))
            kinds[Inner(f"airloom_{at}")] = rows.columns[value] if value else "INTEGER"
        cases = Relation("cases", kinds)
        measures = [Measure(op=self.op, column=Inner(f"airloom_{at}"), by=by) for at in range(len(values))]
        figures = [name_as(reduced(cases, str(at), measure), new[at]) for at, measure in enumerate(measures)]
        query = nested(rows.select(kept), "cases", [*cases.all(index), *figures])
        return query.group_by(*cases.all(index), copy=False) if index else query

    def _value(self, rows: Relation) -> str | None:
        if self.value is None:
            return None
        return number(rows, self.value, "value") if self.op in ("sum", "avg") else rows.resolve(self.value, "value")

    def _values(self, rows: Relation, name: str) -> list[Any]:
        if self.values:
            return self.values
        found = rows.distinct(name, MOST_COLUMNS + 1)
        if len(found) > MOST_COLUMNS:
            raise DataError(
                f"{name!r} has more than {MOST_COLUMNS:,} values; each would become a column",
                field="column",
                hint="name the values, or filter the rows first",
            )
        if not found and not self.index:
            raise DataError(f"{name!r} has no value that could become a column", field="column", hint="name the values")
        return found

    def _names(self, index: list[str], values: list[Any]) -> list[str]:
        names = [self.prefix + text_of(value) for value in values]
        clashes = clashing_names([*index, *names])
        if clashes:
            raise ConfigurationError(
                f"two columns would be called {clashes[0]!r}",
                field="prefix" if self.values else "column",
                hint="give a prefix, or normalize the values first",
            )
        return names


class Unpivot(Table):
    """Turn columns into rows: one for each column, with its name and its value."""

    keys: list[Column] = Field([], description="The columns that stay, and are repeated in each row")
    values: list[Column] = Field([], description="The columns that become rows; all but the keys where left out")
    name: NewName = Field("variable", description="The column of the names")
    value: NewName = Field("value", description="The column of the values")
    drop_nulls: bool = Field(False, description="Whether rows whose value is null are left out")

    examples = (
        Example(
            "A row for each quarter",
            {"keys": ["shop"], "name": "quarter", "value": "amount"},
            {"rows": [{"shop": "a", "q1": 3, "q2": 5}]},
            {
                "rows": [
                    {"shop": "a", "quarter": "q1", "amount": 3},
                    {"shop": "a", "quarter": "q2", "amount": 5},
                ]
            },
        ),
    )

    def query(self, rows: Relation) -> Query:
        keys = resolved(rows, self.keys, "keys")
        values = resolved(rows, self.values, "values") or [name for name in rows.columns if name not in keys]
        self._check(rows, keys, values)
        at = column(Inner("airloom_at"))
        names, shown = exp.Case(this=at), exp.Case(this=at.copy())
        kind = functools.reduce(common_type, (rows.columns[name] for name in values))
        for place, name in enumerate(values):
            names = names.when(literal(place), cast(literal(name), "VARCHAR"), copy=False)
            shown = shown.when(literal(place), as_common(rows[name], rows.columns[name], kind, name), copy=False)
        places = exp.Values(
            expressions=[exp.Tuple(expressions=[literal(place)]) for place in range(len(values))],
            alias=exp.TableAlias(this=identifier("places"), columns=[identifier(Inner("airloom_at"))]),
        )
        chosen = [*rows.all(keys), name_as(names, self.name), name_as(shown, self.value)]
        query = rows.select(chosen).join(places, join_type="cross", copy=False)
        if not self.drop_nulls:
            return query
        there = exp.Not(this=exp.Is(this=column(self.value), expression=exp.Null()))
        outer = [column(name) for name in (*keys, self.name, self.value)]
        return nested(query, "unpivoted", outer).where(there, copy=False)

    def _check(self, rows: Relation, keys: list[str], values: list[str]) -> None:
        if not values:
            raise ConfigurationError("no column is left that could become rows", field="values")
        clashes = clashing_names([*keys, self.name, self.value])
        if clashes:
            field = "value" if clashes[0] == self.value else "name"
            raise ConfigurationError(f"two columns would be called {clashes[0]!r}", field=field)
        first = rows.columns[values[0]]
        for name in values:
            if family(rows.columns[name]) != family(first):
                raise ConfigurationError(
                    f"{values[0]!r} is {first}, {name!r} is {rows.columns[name]}: they cannot stand in one column",
                    field="values",
                    hint="cast them to one type first, or name the columns",
                )
