"""The usual cleaning of a table, in one step."""

from __future__ import annotations

from pydantic import Field, model_validator

from airloom.nodes.sdk import Example, Query, Relation, Table, exp, function, name_as, nested, not_null
from airloom.nodes.tables.text import trimmed


class Clean(Table, order="keeps"):
    """Do what most tables need first: trim text, drop what is empty, write column names in one way."""

    trim_whitespace: bool = Field(True, description="White space goes from both ends of every text")
    empty_to_null: bool = Field(False, description="Text that is empty (after trimming) becomes null")
    remove_nulls: bool = Field(False, description="Rows in which any column is null are left out")
    lowercase_columns: bool = Field(False, description="Column names are written in small letters")

    examples = (
        Example(
            "All of it",
            {"empty_to_null": True, "remove_nulls": True, "lowercase_columns": True},
            {"rows": [{"Id": 1, "Name": " Ada "}, {"Id": 2, "Name": "  "}]},
            {"rows": [{"id": 1, "name": "Ada"}]},
        ),
    )

    @model_validator(mode="after")
    def _does_something(self) -> Clean:
        if not (self.trim_whitespace or self.empty_to_null or self.remove_nulls or self.lowercase_columns):
            raise ValueError("nothing is to be cleaned; set at least one of the fields")
        return self

    def query(self, rows: Relation) -> Query:
        names = {name: name.lower() if self.lowercase_columns else name for name in rows.columns}
        cleaned = rows.select([name_as(self._cleaned(rows, name), new) for name, new in names.items()])
        if not self.remove_nulls:
            return cleaned
        outer = Relation("cleaned", {new: rows.columns[name] for name, new in names.items()})
        there = [not_null(outer[name]) for name in outer.columns]
        return nested(cleaned, "cleaned", outer.all(outer.columns)).where(exp.and_(*there, copy=False), copy=False)

    def _cleaned(self, rows: Relation, name: str) -> exp.Expr:
        value: exp.Expr = rows[name]
        if rows.columns[name] != "VARCHAR":
            return value
        if self.trim_whitespace:
            value = trimmed(value)
        return function("nullif", value, "") if self.empty_to_null else value
