"""CSV files."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from airloom.nodes.files._options import PACKED, REJECTS, Encoding, SortingSource, compression_of, given, made_from
from airloom.nodes.sdk import ColumnType, Copy, Example, FilePath, Files, FileSink, Scan

Delimiter = Literal[",", ";", "\t", "|"]


class CsvRead(SortingSource, outputs=REJECTS):
    """Read CSV files as one table; several files meet by column name."""

    path: FilePath = Field(description=f"A file, or a glob that names several; {PACKED}")
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="What stands between two values; found out where absent"
    )
    quote: str = Field(
        '"', max_length=1, description="What stands around a value that holds a delimiter; empty for none"
    )
    escape: str | None = Field(
        None, max_length=1, description="What stands before a quote inside a value; the quote itself where absent"
    )
    header: bool | None = Field(
        None, description="Whether the first line names the columns; found out from each file where absent"
    )
    columns: dict[str, ColumnType] | None = Field(
        None,
        min_length=1,
        description="Column → type, for those whose type is not to be found out from the file; "
        "with `header: false` all columns, in order",
    )
    null_values: list[str] = Field([], description="Texts that stand for null, besides the empty one: NA, n/a, -")
    skip_rows: int = Field(0, ge=0, description="Lines to pass over at the top of each file")
    encoding: Encoding = Field("utf-8", description="How letters are written in the file")
    decimal: Literal[".", ","] = Field(".", description="What stands before the digits behind the point")
    thousands: Literal[",", ".", " ", "'"] | None = Field(None, description="What stands between groups of digits")
    date_format: str | None = Field(
        None, min_length=1, description="How dates are written, 2026-01-31 where absent: %d.%m.%Y"
    )
    timestamp_format: str | None = Field(
        None,
        min_length=1,
        description="How dates with a time are written, 2026-01-31 10:00:00 where absent",
    )

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
        Example(
            "As a German office writes it, with what does not fit kept apart",
            {
                "path": "include/data/umsatz.csv",
                "encoding": "cp1252",
                "decimal": ",",
                "thousands": ".",
                "date_format": "%d.%m.%Y",
                "rejects": True,
            },
        ),
    )

    @model_validator(mode="after")
    def _check(self) -> CsvRead:
        if self.thousands == self.decimal:
            raise ValueError("decimal and thousands are the same")
        if self.delimiter and self.delimiter in (self.quote, self.escape, "\n", "\r"):
            raise ValueError("the delimiter is a quote, an escape or the end of a line as well")
        return self

    def scan(self, files: Files) -> Scan:
        options = given(
            delim=self.delimiter,
            quote=self.quote if self.quote != '"' else None,
            escape=self.escape,
            header=self.header,
            columns=self.columns,
            skip=self.skip_rows or None,
            nullstr=["", *self.null_values] if self.null_values else None,
            decimal_separator="," if self.decimal == "," else None,
            thousands=self.thousands,
            dateformat=self.date_format,
            timestampformat=self.timestamp_format,
        )
        return Scan("csv", files.find(self.path), options, made_from(self.encoding))


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
