"""Which columns there are, what they are called, and what stands in them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from airloom.engine.types import clashing_names
from airloom.nodes.sdk import (
    Column,
    ColumnType,
    ConfigurationError,
    Example,
    Formula,
    Query,
    Relation,
    Table,
    name_as,
)
from airloom.nodes.tables._columns import NewName, cast_column, refuse_clashes
from airloom.spec.problem import pointer

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z\W_]+|[^\W_]+")
CaseStyle = Literal["snake_case", "camelCase", "PascalCase", "UPPER_CASE"]


def in_style(name: str, style: CaseStyle) -> str:
    """Return a name in a style: its words begin at capital letters and behind what is not a letter or digit."""
    words = [word.lower() for word in WORD.findall(name)]
    if not words:
        return name
    if style == "snake_case":
        return "_".join(words)
    if style == "UPPER_CASE":
        return "_".join(words).upper()
    joined = "".join(word.capitalize() for word in words)
    return joined if style == "PascalCase" else words[0] + joined[len(words[0]) :]


class Select(Table, order="keeps"):
    """Keep some columns, in a given order."""

    columns: list[Column] = Field([], description="The columns to keep, in this order")
    drop: list[Column] = Field([], description="Instead of `columns`: those to leave out; all others stay")

    examples = (
        Example(
            "Two columns",
            {"columns": ["city", "id"]},
            {"rows": [{"id": 1, "name": "Ada", "city": "Rome"}]},
            {"rows": [{"city": "Rome", "id": 1}]},
        ),
        Example(
            "All but one",
            {"drop": ["name"]},
            {"rows": [{"id": 1, "name": "Ada", "city": "Rome"}]},
            {"rows": [{"id": 1, "city": "Rome"}]},
        ),
    )

    @field_validator("columns")
    @classmethod
    def _columns_differ(cls, columns: list[str]) -> list[str]:
        refuse_clashes(columns)
        return columns

    @model_validator(mode="after")
    def _one_list(self) -> Select:
        if bool(self.columns) == bool(self.drop):
            raise ValueError("give either columns (to keep) or drop (to leave out)")
        return self

    def query(self, rows: Relation) -> Query:
        kept = rows.all(self.columns) if self.columns else rows.except_for(self.drop)
        if not kept:
            raise ConfigurationError("no column is left", field="drop", hint="a table has at least one column")
        return rows.select(kept)


class Rename(Table, order="keeps"):
    """Give columns other names."""

    mapping: dict[Column, NewName] = Field({}, description="Old name → new name; other columns stay")
    case_style: CaseStyle | None = Field(
        None, description="How to write the names of all columns that `mapping` does not name"
    )

    examples = (
        Example(
            "One column",
            {"mapping": {"nm": "name"}},
            {"rows": [{"id": 1, "nm": "Ada"}]},
            {"rows": [{"id": 1, "name": "Ada"}]},
        ),
        Example(
            "Two columns change names",
            {"mapping": {"a": "b", "b": "a"}},
            {"rows": [{"a": 1, "b": 2}]},
            {"rows": [{"b": 1, "a": 2}]},
        ),
        Example(
            "All in one style",
            {"case_style": "snake_case"},
            {"rows": [{"Order ID": 1, "unitPrice": 2}]},
            {"rows": [{"order_id": 1, "unit_price": 2}]},
        ),
    )

    @model_validator(mode="after")
    def _something_to_do(self) -> Rename:
        if not self.mapping and self.case_style is None:
            raise ValueError("give mapping (old name → new name), case_style, or both")
        return self

    @field_validator("mapping")
    @classmethod
    def _columns_differ(cls, mapping: dict[str, str]) -> dict[str, str]:
        refuse_clashes(list(mapping))
        return mapping

    def query(self, rows: Relation) -> Query:
        new = {rows.resolve(old, pointer("mapping", old)[1:]): name for old, name in self.mapping.items()}
        if self.case_style is not None:
            new = {name: new.get(name, in_style(name, self.case_style)) for name in rows.columns}
        names = [new.get(name, name) for name in rows.columns]
        clashes = clashing_names(names)
        if clashes:
            # Of the two, the one that the mapping names can be mended there.
            named = [old for old, name in self.mapping.items() if name.lower() == clashes[0].lower()]
            raise ConfigurationError(
                f"two columns would be called {(self.mapping[named[0]] if named else clashes[0])!r}",
                field=pointer("mapping", named[0])[1:] if named else "case_style",
                hint="choose another name, or rename or drop the other column",
            )
        return rows.select([name_as(rows[name], new[name]) if name in new else rows[name] for name in rows.columns])


class Derive(Table, order="keeps", without_spark="functions of SQL that are not in the list"):
    """Add columns, or replace them, by formulas."""

    columns: dict[NewName, Formula] = Field(
        min_length=1, description="Name → formula in SQL over the columns of the input (not those made here)"
    )

    examples = (
        Example(
            "An amount",
            {"columns": {"amount": "price * quantity"}},
            {"rows": [{"price": 2.5, "quantity": 2}]},
            {"rows": [{"price": 2.5, "quantity": 2, "amount": 5.0}]},
        ),
        Example(
            "A column in the place of another",
            {"columns": {"name": "upper(name)"}},
            {"rows": [{"name": "Ada", "id": 1}, {"name": None, "id": 2}]},
            {"rows": [{"name": "ADA", "id": 1}, {"name": None, "id": 2}]},
        ),
    )

    @field_validator("columns")
    @classmethod
    def _columns_differ(cls, columns: dict[str, Formula]) -> dict[str, Formula]:
        refuse_clashes(list(columns))
        return columns

    def query(self, rows: Relation) -> Query:
        return rows.replace({name: rows.formula(text) for name, text in self.columns.items()})


class Cast(Table, order="keeps", without_spark="casts that are not in the list"):
    """Change the types of columns."""

    columns: dict[Column, ColumnType] = Field(
        min_length=1, description="Column → type: INTEGER, BIGINT, DOUBLE, DECIMAL(12,2), VARCHAR, DATE, TIMESTAMP, …"
    )
    on_error: Literal["fail", "null"] = Field(
        "fail", description="What a value becomes that does not fit: an error that stops the step, or null"
    )

    examples = (
        Example(
            "Text to numbers and dates",
            {"columns": {"n": "INTEGER", "day": "DATE"}},
            {"rows": [{"n": "7", "day": "2026-01-31"}]},
            {"rows": [{"n": 7, "day": "2026-01-31"}]},
        ),
        Example(
            "What is not a number becomes null",
            {"columns": {"n": "INTEGER"}, "on_error": "null"},
            {"rows": [{"n": "7"}, {"n": "seven"}]},
            {"rows": [{"n": 7}, {"n": None}]},
        ),
    )

    @field_validator("columns")
    @classmethod
    def _columns_differ(cls, columns: dict[str, str]) -> dict[str, str]:
        refuse_clashes(list(columns))
        return columns

    def query(self, rows: Relation) -> Query:
        kinds = {rows.resolve(name, pointer("columns", name)[1:]): kind for name, kind in self.columns.items()}
        fields = dict(zip(kinds, (pointer("columns", name)[1:] for name in self.columns), strict=True))
        return rows.replace(
            {name: cast_column(rows, name, kind, fields[name], self.on_error) for name, kind in kinds.items()}
        )
