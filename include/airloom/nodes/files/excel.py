"""Excel workbooks."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airloom.nodes.files._options import REJECTS, SortingSource, given, write_file
from airloom.nodes.sdk import Batches, ColumnType, Context, Example, FilePath, Files, Scan, Sink, Written


class ExcelRead(SortingSource, outputs=REJECTS):
    """Read a sheet of Excel workbooks (.xlsx, .xlsm, .xlsb, .xls) or OpenDocument ones (.ods) as one table."""

    path: FilePath = Field(description="A workbook, or a glob that names several")
    sheet: str | int = Field(0, description="The sheet by its name, or by its place, from 0")
    header: bool = Field(True, description="Whether the first row names the columns")
    skip_rows: int = Field(0, ge=0, description="Rows to pass over at the top of the sheet")
    columns: dict[str, ColumnType] | None = Field(
        None,
        min_length=1,
        description="Column → type, for those whose type is not to be found out from the cells; "
        "with `header: false` all columns, in order",
    )
    null_values: list[str] = Field([], description="Texts that stand for null, besides the empty cell: n/a, -, #N/A")

    examples = (
        Example("The first sheet", {"path": "include/data/orders.xlsx"}),
        Example("A sheet with two title rows", {"path": "include/data/report.xlsx", "sheet": "Q1", "skip_rows": 2}),
    )

    def scan(self, files: Files) -> Scan:
        sheet: dict[str, Any] = given(
            sheet=self.sheet,
            skip=self.skip_rows,
            header=self.header,
            nulls=self.null_values,
            names=list(self.columns) if self.columns and not self.header else None,
        )
        return Scan("jsonl", files.find(self.path), given(columns=self.columns), {"sheet": sheet})


class ExcelWrite(Sink):
    """Write a table to a sheet of a new Excel workbook (.xlsx)."""

    path: FilePath = Field(pattern=r"\.xlsx$|\{\{", description="The workbook to write; it is replaced")
    sheet: str = Field(
        "Sheet1", min_length=1, max_length=31, pattern=r"^[^\[\]:*?/\\']+$", description="What the sheet is called"
    )
    header: bool = Field(True, description="Whether the first row names the columns")

    examples = (Example("For a spreadsheet", {"path": "output/orders.xlsx", "sheet": "Orders"}),)

    def run(self, rows: Batches, context: Context) -> Written:
        from airloom.engine.sheet_write import write_workbook

        return write_file(context, self.path, lambda place: write_workbook(rows, place, self.sheet, header=self.header))
