"""Columns as another table has them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from airloom.engine.types import clashing_names
from airloom.nodes.sdk import (
    Column,
    ColumnType,
    ConfigurationError,
    Example,
    Part,
    Query,
    Relation,
    Table,
    exp,
    function,
    name_as,
)
from airloom.nodes.tables._columns import NewName, cast_column, refuse_clashes
from airloom.nodes.tables._values import Value, fitted, type_of
from airloom.spec.problem import pointer


class Target(Part):
    """Where a column comes from, and its type."""

    column: Column | None = Field(None, description="The column that it is made of; none for a constant")
    type: ColumnType | None = Field(None, description="Its type; that of the column where left out")
    default: Value | None = Field(None, description="What stands there in the place of null")


def _target(given: Any) -> Any:
    return {"column": given} if isinstance(given, str) else given


class MapSchema(Table, order="keeps", without_spark="casts that are not in the list"):
    """Bring a table into a schema: names, types and order of its columns."""

    columns: dict[NewName, Annotated[Target, BeforeValidator(_target, json_schema_input_type=Column | Target)]] = Field(
        min_length=1, description="New name → the column that it comes from, or column, type and default"
    )
    drop_unmapped: bool = Field(True, description="Whether columns that are not named here are left out, or follow")
    on_error: Literal["fail", "null"] = Field(
        "fail", description="What becomes of a value that does not fit its type: an error that stops the step, or null"
    )

    examples = (
        Example(
            "The warehouse's columns",
            {
                "columns": {
                    "id": {"column": "order_no", "type": "INTEGER"},
                    "name": "customer",
                    "country": {"column": "land", "default": "DE"},
                    "source": {"default": "shop"},
                }
            },
            {"rows": [{"customer": "Ada", "land": None, "order_no": "7", "note": "x"}]},
            {"rows": [{"id": 7, "name": "Ada", "country": "DE", "source": "shop"}]},
        ),
        Example(
            "The others follow",
            {"columns": {"key": "id"}, "drop_unmapped": False},
            {"rows": [{"a": 1, "id": 2}]},
            {"rows": [{"key": 2, "a": 1}]},
        ),
    )

    @field_validator("columns")
    @classmethod
    def _each_is_something(cls, columns: dict[str, Target]) -> dict[str, Target]:
        refuse_clashes(list(columns))
        for name, target in columns.items():
            if target.column is None and target.default is None and target.type is None:
                raise ValueError(f"{name!r} needs a column that it comes from, or a default")
        return columns

    def query(self, rows: Relation) -> Query:
        chosen = [name_as(self._value(rows, name), name) for name in self.columns]
        if not self.drop_unmapped:
            used = {rows.resolve(target.column) for target in self.columns.values() if target.column}
            chosen += [name_as(rows[name], name) for name in rows.columns if name not in used]
        clashes = clashing_names([item.alias for item in chosen])
        if clashes:
            raise ConfigurationError(
                f"two columns would be called {clashes[0]!r}",
                field="columns",
                hint="set drop_unmapped, or choose another name",
            )
        return rows.select(chosen)

    def _value(self, rows: Relation, name: str) -> exp.Expr:
        target, field = self.columns[name], pointer("columns", name)[1:]
        if target.column is None:
            default = target.default
            kind = target.type or (type_of([default], field) if default is not None else "VARCHAR")
            return fitted(default, kind, f"{field}/default")
        column = rows.resolve(target.column, f"{field}/column")
        value: exp.Expr = rows[column]
        kind = target.type or rows.columns[column]
        if target.type is not None:
            value = cast_column(rows, column, kind, f"{field}/type", self.on_error)
        if target.default is None:
            return value
        return function("coalesce", value, fitted(target.default, kind, f"{field}/default"))
