"""CSV files."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from airloom.nodes.files._options import compression_of, given
from airloom.nodes.sdk import ColumnType, Copy, Example, FilePath, Files, FileSink, FileSource, Scan

Delimiter = Literal[",", ";", "\t", "|"]
Encoding = Literal["utf-8", "utf-16", "latin-1"]


class CsvRead(FileSource):
    """Read CSV files as one table; several files meet by column name."""

    path: FilePath = Field(description="A file, or a glob that names several; .gz and .zst are unpacked")
    delimiter: Delimiter | None = Field(None, description="Found out from the file where absent")
    header: bool | None = Field(None, description="Whether the first line names the columns; found out where absent")
    columns: dict[str, ColumnType] | None = Field(
        None,
        min_length=1,
        description="Column → type, for those whose type is not to be found out from the file; "
        "with `header: false` all columns, in order",
    )
    null_values: list[str] = Field([], description="Texts that stand for null, besides the empty one: NA, n/a, -")
    skip_rows: int = Field(0, ge=0, description="Lines to pass over at the top of each file")
    encoding: Encoding = Field("utf-8", description="How letters are written in the file")

    examples = (
        Example("A file, its format found out", {"path": "include/data/orders.csv"}),
        Example(
            "All files of a folder, types given",
            {
                "path": "include/data/orders/*.csv",
                "delimiter": ";",
                "header": True,
                "columns": {"id": "BIGINT", "day": "DATE", "amount": "DECIMAL(12,2)"},
            },
        ),
    )

    def scan(self, files: Files) -> Scan:
        found = files.find(self.path)
        options = given(
            delim=self.delimiter,
            header=self.header,
            columns=self.columns if self.header is False else None,
            types=self.columns if self.header is not False else None,
            skip=self.skip_rows or None,
            nullstr=["", *self.null_values] if self.null_values else None,
            encoding=self.encoding if self.encoding != "utf-8" else None,
            union_by_name=True if len(found) > 1 and self.header is not False else None,
        )
        return Scan("csv", found, options)


class CsvWrite(FileSink):
    """Write a table to one CSV file."""

    path: FilePath = Field(description="The file to write; it is replaced; one that ends in .gz or .zst is packed")
    delimiter: Delimiter = Field(",", description="What stands between two values")
    header: bool = Field(True, description="Whether the first line names the columns")
    null_value: str = Field("", description="The text that stands for null")
    quote_all: bool = Field(False, description="Whether every value stands in quotes, not only where it has to")

    examples = (
        Example("A file", {"path": "output/orders.csv"}),
        Example("For a spreadsheet of a German office", {"path": "output/orders.csv", "delimiter": ";"}),
    )

    def copy_to(self) -> Copy:
        options: dict[str, Any] = {"delimiter": self.delimiter, "header": self.header, "nullstr": self.null_value}
        if self.quote_all:
            options["force_quote"] = "*"
        return Copy(self.path, "csv", {**options, **compression_of(self.path)})
