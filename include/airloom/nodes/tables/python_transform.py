"""Tables by users' Python."""

from __future__ import annotations

import importlib.util
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from airloom.engine.box import Library, run_table
from airloom.engine.portable import check_declarable
from airloom.engine.types import clashing_names
from airloom.nodes.code import CodeTime, Memory, Python, TableFunction, check_code, check_one_source, code_of
from airloom.nodes.sdk import Batches, Columns, ColumnType, Context, Example, Node

MODULES = {"pandas": "pandas", "polars": "polars", "arrow": "pyarrow"}


class PythonTransform(Node, code=True):
    """Make a table of a table with Python of your own.

    The code defines `transform(df)`, or `transform(df, params)` with the run's parameters, and returns a data frame of
    the same library. It runs in a box: it reaches its packages and the rows, and nothing else. Instead, `function`
    names a function of the folder of code, which is called in the same way.
    """

    code: Python | None = Field(None, description="Python that defines `transform(df)`, or `transform(df, params)`")
    function: TableFunction | None = Field(
        None, description="In place of code: `clean` of `include/code/clean.py`, which takes `df`, and `params`"
    )
    library: Library = Field("pandas", description="What `df` is: a data frame of pandas or polars, or an Arrow table")
    columns: dict[Annotated[str, Field(min_length=1)], ColumnType] | None = Field(
        None, min_length=1, description="Names and types of all columns that come out, in order; a run is held to them"
    )
    timeout: CodeTime = Field("5m", validate_default=True, description="After this time the code is stopped")
    memory: Memory = Field(
        "1GB", validate_default=True, description="What the code may take, Python and library included"
    )

    examples = (
        Example(
            "A column more, with pandas",
            {"code": 'def transform(df):\n    df["total"] = df["price"] * df["pieces"]\n    return df\n'},
            {"rows": [{"price": 2.5, "pieces": 4}]},
            {"rows": [{"price": 2.5, "pieces": 4, "total": 10.0}]},
        ),
        Example(
            "Rows for each group, with polars",
            {
                "library": "polars",
                "code": (
                    "import polars as pl\n\n"
                    "def transform(df):\n"
                    '    return df.sort("score").group_by("team", maintain_order=True).tail(1)\n'
                ),
                "columns": {"team": "VARCHAR", "score": "INTEGER"},
            },
            {"rows": [{"team": "a", "score": 1}, {"team": "b", "score": 2}, {"team": "a", "score": 3}]},
            {"rows": [{"team": "b", "score": 2}, {"team": "a", "score": 3}]},
        ),
    )

    @field_validator("code")
    @classmethod
    def _has_transform(cls, code: str | None) -> str | None:
        return None if code is None else check_code(code, "transform", "df")

    @model_validator(mode="after")
    def _one_source(self) -> PythonTransform:
        check_one_source(self)
        return self

    @field_validator("library")
    @classmethod
    def _is_installed(cls, library: Library) -> Library:
        if importlib.util.find_spec(MODULES[library]) is None:
            raise ValueError(f"{library} is not installed: airloom add {library}")
        return library

    @field_validator("columns")
    @classmethod
    def _can_be_declared(cls, columns: dict[str, str] | None) -> dict[str, str] | None:
        for kind in (columns or {}).values():
            check_declarable(kind)
        clashes = clashing_names(list(columns or {}))
        if clashes:
            raise ValueError(f"{clashes[0]!r} is there twice: SQL does not tell capital letters apart")
        return columns

    def describe(self, context: Context) -> Columns | None:
        """Return the declared columns, or None where only the run can tell."""
        return self.columns

    def run(self, rows: Batches, *, context: Context) -> Batches:
        """Run the code on the rows; raise what `engine.box` raises."""
        return run_table(code_of(self, "transform", context), self.library, rows, self.columns, context.log)
