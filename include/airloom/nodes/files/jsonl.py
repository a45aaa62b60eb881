"""JSON Lines files: one object a line."""

from __future__ import annotations

from pydantic import Field

from airloom.nodes.files._options import PACKED, REJECTS, Encoding, SortingSource, compression_of, given, made_from
from airloom.nodes.sdk import ColumnType, Copy, Example, FilePath, Files, FileSink, Scan


class JsonlRead(SortingSource, outputs=REJECTS):
    """Read JSON Lines files, one object a line, as one table; several files meet by column name."""

    path: FilePath = Field(description=f"A file, or a glob that names several; {PACKED}")
    columns: dict[str, ColumnType] | None = Field(
        None,
        min_length=1,
        description="The fields to read with their types, all others stay out; found out from the file where absent",
    )
    encoding: Encoding = Field("utf-8", description="How letters are written in the file")

    examples = (
        Example("A file, its fields found out", {"path": "include/data/events.jsonl"}),
        Example(
            "Certain fields", {"path": "include/data/events.jsonl", "columns": {"id": "VARCHAR", "at": "TIMESTAMP"}}
        ),
    )

    def scan(self, files: Files) -> Scan:
        found = files.find(self.path)
        by_name = True if len(found) > 1 and self.columns is None else None
        options = given(columns=self.columns, union_by_name=by_name)
        return Scan("jsonl", found, options, made_from(self.encoding))


class JsonlWrite(FileSink):
    """Write a table to one JSON Lines file, one object a line."""

    path: FilePath = Field(description="The file to write; it is replaced; one that ends in .gz or .zst is packed")

    examples = (Example("A packed file", {"path": "output/events.jsonl.gz"}),)

    def copy_to(self) -> Copy:
        return Copy(self.path, "jsonl", compression_of(self.path))
