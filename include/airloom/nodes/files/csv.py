"""CSV files."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from airloom.nodes.sdk import Copy, FilePath, Files, FileSink, FileSource, Scan

Delimiter = Literal[",", ";", "\t", "|"]


class CsvRead(FileSource):
    """Read CSV files as one table."""

    path: FilePath = Field(description="A file, or a glob that names several")
    delimiter: Delimiter | None = Field(None, description="Found out from the file where absent")
    header: bool | None = Field(None, description="Whether the first line names the columns; found out where absent")
    columns: dict[str, str] | None = Field(
        None, description="The columns with their DuckDB types, in order; found out from the file where absent"
    )

    def scan(self, files: Files) -> Scan:
        options: dict[str, Any] = {"delim": self.delimiter, "header": self.header, "columns": self.columns}
        return Scan("csv", files.find(self.path), {key: value for key, value in options.items() if value is not None})


class CsvWrite(FileSink):
    """Write a table to one CSV file."""

    path: FilePath = Field(description="The file to write; it is replaced")
    delimiter: Delimiter = ","
    header: bool = Field(True, description="Whether the first line names the columns")

    def copy_to(self) -> Copy:
        return Copy(self.path, "csv", {"delimiter": self.delimiter, "header": self.header})
