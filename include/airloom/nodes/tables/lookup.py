"""Columns from another table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from airloom.engine.relation import NUMBER, Inner
from airloom.engine.types import clashing_names
from airloom.nodes.sdk import (
    Column,
    ConfigurationError,
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
from airloom.nodes.tables._columns import fails_where
from airloom.nodes.tables._keys import Key, key_text, keys_meet, pair_of, pairs
from airloom.nodes.tables._values import Value, fitted
from airloom.spec.problem import pointer

FOUND = Inner("airloom_found")


class Lookup(Table, without_spark="several fail with keys of DOUBLE"):
    """Look up columns in another table; every row stays, and stays one row."""

    on: list[Annotated[Key, BeforeValidator(pair_of, json_schema_input_type=Column | Key)]] = Field(
        min_length=1, description="Columns that have to be equal: a name that both tables have, or [rows, table]"
    )
    columns: list[Column] = Field([], description="The columns to take from the table; all but its keys where left out")
    prefix: str = Field("", description="What is put before the names of the columns that are taken")
    defaults: dict[Column, Value] = Field(
        {}, description="Column of the table → what stands there where no row matches; null where left out"
    )
    several: Literal["fail", "first"] = Field(
        "fail",
        description="What to do where the table has several rows for a key: stop, or take the first by all columns",
    )

    examples = (
        Example(
            "The customer's country",
            {"on": [["customer", "id"]], "columns": ["country"], "defaults": {"country": "unknown"}},
            {
                "rows": [{"order": 1, "customer": 7}, {"order": 2, "customer": 8}],
                "table": [{"id": 7, "name": "Ada", "country": "GB"}],
            },
            {
                "rows": [
                    {"order": 1, "customer": 7, "country": "GB"},
                    {"order": 2, "customer": 8, "country": "unknown"},
                ]
            },
        ),
    )

    def query(self, rows: Relation, table: Relation) -> Query:
        left, right = rows.aliased("rows"), table.aliased("lookup")
        keys = pairs(self.on, left, right, ("in rows", "in the table"))
        taken = self._taken(rows, table, [theirs for _, theirs in keys])
        once = self._once(table, [theirs for _, theirs in keys], taken)
        found = Relation("lookup", {**table.columns, FOUND: "BOOLEAN"}, alias="lookup")
        matches = exp.and_(*(keys_meet(left, ours, found, theirs) for ours, theirs in keys))
        chosen = [name_as(left[name], name) for name in rows.columns]
        chosen += [name_as(self._value(found, name), self.prefix + name) for name in taken]
        joined = exp.Subquery(this=once, alias=exp.TableAlias(this=exp.to_identifier("lookup", quoted=True)))
        return left.select(chosen).join(joined, on=matches, join_type="left", copy=False)

    def _taken(self, rows: Relation, table: Relation, keys: list[str]) -> list[str]:
        named = [table.resolve(name, f"columns/{at}") for at, name in enumerate(self.columns)]
        taken = named or [name for name in table.columns if name not in keys]
        if not taken:
            raise ConfigurationError("the table has no column beside its keys", field="columns")
        for name in self.defaults:
            field = pointer("defaults", name)[1:]
            if table.resolve(name, field) not in taken:
                raise ConfigurationError(f"{name!r} is not among the columns that are taken", field=field)
        clashes = clashing_names([*rows.columns, *(self.prefix + name for name in taken)])
        if clashes:
            raise ConfigurationError(
                f"two columns would be called {clashes[0]!r}", field="prefix", hint="give a prefix, or other columns"
            )
        return taken

    def _once(self, table: Relation, keys: list[str], taken: list[str]) -> Query:
        """Return the table with one row for each key, and a column that is true in all of them."""
        kept = table.all(dict.fromkeys([*keys, *taken]))
        marked = [*kept, name_as(exp.true(), FOUND)]
        number = column(NUMBER)
        if self.several == "first":
            first = over(
                function("row_number"), table.all(keys), [ordered(value) for value in table.all(table.columns)]
            )
            numbered = table.select(kept, **{NUMBER: first})
            return nested(numbered, "numbered", marked).where(exp.EQ(this=number, expression=literal(1)), copy=False)
        counted = table.select(kept, **{NUMBER: over(function("count", exp.Star()), table.all(keys))})
        whole = [exp.Not(this=exp.Is(this=key, expression=exp.Null())) for key in table.all(keys)]
        twice = exp.and_(exp.GT(this=number, expression=literal(1)), *whole)
        guard = fails_where(twice, "the table has several rows with ", *key_text(table, keys))
        return nested(counted, "counted", marked).where(guard, copy=False)

    def _value(self, found: Relation, name: str) -> exp.Expr:
        default = next((value for key, value in self.defaults.items() if found.resolve(key) == name), None)
        if default is None:
            return found[name]
        other = fitted(default, found.columns[name], pointer("defaults", name)[1:])
        return exp.Case().when(found[FOUND], found[name]).else_(other)
