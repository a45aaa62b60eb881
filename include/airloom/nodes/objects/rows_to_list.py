"""Rows as a list, and a list as rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from airloom.engine.declared import declared_table
from airloom.engine.portable import check_declarable
from airloom.engine.types import clashing_names
from airloom.nodes.kinds import LIST_LIMIT
from airloom.nodes.objects._lists import PATH, list_at
from airloom.nodes.sdk import Batches, Column, Columns, ColumnType, Context, DataError, Example, Transform


class RowsToList(Transform):
    """Make a list of the rows of a table: of objects, or of the values of one column.

    Dates, times and exact numbers are texts in it, as JSON has no form for them.
    """

    column: Column | None = Field(None, description="Take the values of this column, instead of objects")
    limit: int = Field(
        LIST_LIMIT,
        ge=1,
        le=LIST_LIMIT,
        description="How many rows there may be: more are an error, and nothing is cut off",
    )

    examples = (
        Example("Objects", {}, {"rows": [{"id": 1}, {"id": 2}]}, {"value": [{"id": 1}, {"id": 2}]}),
        Example("One column", {"column": "id"}, {"rows": [{"id": 1}, {"id": 2}]}, {"value": [1, 2]}),
    )

    def run(self, rows: Batches) -> list[Any]:
        name = self._column(rows.columns) if self.column else None
        found: list[Any] = []
        for batch in rows:
            if len(found) + batch.num_rows > self.limit:
                raise DataError(
                    f"the table has more than {self.limit:,} rows",
                    field="limit",
                    hint=f"a list has at most {LIST_LIMIT:,} items: filter, aggregate or limit the rows before",
                )
            found.extend(batch.to_pylist() if name is None else batch.column(name).to_pylist())
        return found

    def _column(self, names: list[str]) -> str:
        wanted = (self.column or "").lower()
        name = next((name for name in names if name.lower() == wanted), None)
        if name is None:
            raise DataError(
                f"there is no column {self.column!r}", field="column", hint=f"columns: {', '.join(names[:20])}"
            )
        return name


class ListToRows(Transform):
    """Make a table of a list of objects: a row for each object.

    Without `columns`, they are found out: every field of every object is one, and has to be of one type. With them,
    each value is read as its column's type, and one that is not ends the run with its item and field. A field that
    an object lacks is null.
    """

    path: str = Field("", description=PATH)
    columns: dict[Annotated[str, Field(min_length=1)], ColumnType] | None = Field(
        None, min_length=1, description="Names and types of the columns, in order; an empty list needs them"
    )
    others: Literal["fail", "drop"] = Field(
        "fail", description="What becomes of fields that are not among the columns: fail, or drop them"
    )

    examples = (
        Example(
            "Columns found out",
            {},
            {"items": [{"id": 1, "name": "Ada"}, {"id": 2}]},
            {"rows": [{"id": 1, "name": "Ada"}, {"id": 2, "name": None}]},
        ),
        Example(
            "Columns declared",
            {"path": "body", "columns": {"id": "INTEGER", "day": "DATE"}, "others": "drop"},
            {"items": {"body": [{"id": "7", "day": "2026-01-31", "note": "x"}]}},
            {"rows": [{"id": 7, "day": "2026-01-31"}]},
        ),
    )

    @field_validator("columns")
    @classmethod
    def _can_be_declared(cls, columns: dict[str, str] | None) -> dict[str, str] | None:
        for kind in (columns or {}).values():
            check_declarable(kind)
            if "BLOB" in kind:
                raise ValueError("JSON has no bytes: declare VARCHAR")
        if clashes := clashing_names(list(columns or {})):
            raise ValueError(f"{clashes[0]!r} is there twice: SQL does not tell capital letters apart")
        return columns

    def describe(self, context: Context) -> Columns | None:
        """Return the declared columns, or None where only the run can tell."""
        return self.columns

    def run(self, items: Any) -> Batches:
        from airloom.engine.tables import arrow_of

        found = list_at(items, self.path)
        if not found and self.columns is None:
            raise DataError("an empty list does not say which columns there are", field="columns", hint="declare them")
        if self.columns is None:
            rows = arrow_of(found, "the list")
        else:
            rows = declared_table(found, self.columns, others=self.others == "drop")
        return Batches(rows.schema, rows.to_batches())
