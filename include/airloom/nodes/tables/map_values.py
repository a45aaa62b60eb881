"""Values in the place of others."""

from __future__ import annotations

from pydantic import Field, model_validator

from airloom.nodes.sdk import Column, ColumnType, ConfigurationError, Example, Query, Relation, Table, exp
from airloom.nodes.tables._columns import NewName
from airloom.nodes.tables._values import Value, fitted, python_value, type_of
from airloom.spec.problem import pointer


class MapValues(Table, order="keeps"):
    """Put other values in the place of those of a column."""

    column: Column = Field(description="The column")
    mapping: dict[str, Value | None] = Field(
        min_length=1, description="Value → what takes its place; the value is written as text and read as the column"
    )
    default: Value | None = Field(None, description="What takes the place of null and of values without an entry")
    keep_others: bool = Field(
        False, description="Instead of `default`: values without an entry stay, and so does the column's type"
    )
    type: ColumnType | None = Field(
        None, description="The type of the result; found out where left out: text, whole numbers, numbers, true/false"
    )
    name: NewName | None = Field(None, description="The column of the result; the same column where left out")

    examples = (
        Example(
            "Words for codes",
            {"column": "code", "mapping": {"1": "open", "2": "paid"}, "default": "unknown", "name": "status"},
            {"rows": [{"code": 1}, {"code": 2}, {"code": 9}]},
            {
                "rows": [
                    {"code": 1, "status": "open"},
                    {"code": 2, "status": "paid"},
                    {"code": 9, "status": "unknown"},
                ]
            },
        ),
        Example(
            "Some values, the others stay",
            {"column": "country", "mapping": {"UK": "GB"}, "keep_others": True},
            {"rows": [{"country": "UK"}, {"country": "FR"}, {"country": None}]},
            {"rows": [{"country": "GB"}, {"country": "FR"}, {"country": None}]},
        ),
    )

    @model_validator(mode="after")
    def _others_have_one_fate(self) -> MapValues:
        if self.keep_others and (self.default is not None or self.type is not None):
            raise ValueError("keep_others leaves other values as they are: leave default and type out")
        return self

    def query(self, rows: Relation) -> Query:
        name = rows.resolve(self.column, "column")
        made = exp.Case(this=rows[name])
        kind = rows.columns[name]
        result = kind if self.keep_others else self._result_type()
        seen: dict[object, str] = {}
        for key, value in self.mapping.items():
            field = pointer("mapping", key)[1:]
            wanted = python_value(key, kind, field)
            if wanted in seen:
                raise ConfigurationError(
                    f"{seen[wanted]!r} and {key!r} are the same {kind}", field=field, hint="leave one of them out"
                )
            seen[wanted] = key
            made = made.when(fitted(key, kind, field), fitted(value, result, field), copy=False)
        others = rows[name] if self.keep_others else fitted(self.default, result, "default")
        return rows.replace({self.name or name: made.else_(others, copy=False)})

    def _result_type(self) -> str:
        if self.type is not None:
            return self.type
        values = [value for value in (*self.mapping.values(), self.default) if value is not None]
        return type_of(values, "mapping") if values else "VARCHAR"
