"""The order of rows, and how many of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from airloom.nodes.sdk import Column, Example, Part, Query, Relation, Table, ordered


class SortKey(Part):
    """A column to sort by, and in which direction."""

    column: Column = Field(description="The column")
    descending: bool = Field(False, description="The greatest first")


def _named(given: Any) -> Any:
    return {"column": given} if isinstance(given, str) else given


class Sort(Table, order="gives"):
    """Order the rows; nulls come last in both directions."""

    by: list[Annotated[SortKey, BeforeValidator(_named, json_schema_input_type=Column | SortKey)]] = Field(
        min_length=1,
        description="Columns, the first one decides; rows that are equal in all of them are ordered by the others",
    )

    examples = (
        Example(
            "The newest first",
            {"by": [{"column": "day", "descending": True}, "name"]},
            {
                "rows": [
                    {"name": "b", "day": "2026-01-02"},
                    {"name": "c", "day": None},
                    {"name": "a", "day": "2026-01-02"},
                    {"name": "d", "day": "2026-01-03"},
                ]
            },
            {
                "rows": [
                    {"name": "d", "day": "2026-01-03"},
                    {"name": "a", "day": "2026-01-02"},
                    {"name": "b", "day": "2026-01-02"},
                    {"name": "c", "day": None},
                ]
            },
        ),
    )

    def query(self, rows: Relation) -> Query:
        chosen = [ordered(rows[key.column], descending=key.descending) for key in self.by]
        # Ties are broken by all columns: a limit that follows keeps the same rows in every run.
        named = {rows.resolve(key.column) for key in self.by}
        rest = [ordered(rows[name]) for name in rows.columns if name not in named]
        return rows.select().order_by(*chosen, *rest, copy=False)


class Limit(Table, order="uses"):
    """Keep the first rows; without a sort before it, which ones these are is not certain."""

    rows: int = Field(ge=0, description="How many rows to keep at most")
    offset: int = Field(0, ge=0, description="How many rows to pass over first")

    examples = (
        Example(
            "The second and third row",
            {"rows": 2, "offset": 1},
            {"rows": [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}]},
            {"rows": [{"n": 2}, {"n": 3}]},
        ),
    )

    def query(self, rows: Relation) -> Query:
        kept = rows.select().limit(self.rows, copy=False)
        return kept.offset(self.offset, copy=False) if self.offset else kept
