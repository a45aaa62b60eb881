"""JSON documents."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from airloom.engine.json_file import steps_of
from airloom.nodes.files._options import PACKED, REJECTS, Encoding, SortingSource, given, write_file
from airloom.nodes.sdk import Batches, ColumnType, Context, Example, FilePath, Files, Scan, Sink, Written


class JsonRead(SortingSource, outputs=REJECTS):
    """Read JSON documents, nested or not, as one table: one object a row."""

    path: FilePath = Field(description=f"A file, or a glob that names several; {PACKED}")
    json_path: str = Field(
        "$",
        min_length=1,
        description="Where in the document the rows are: $.data.items, $.pages[0].rows, $.pages[*].rows",
    )
    orient: Literal["records", "index", "columns", "values"] = Field(
        "records",
        description="How rows are written: a list of objects, an object of objects (its keys are the column `index`), "
        "an object of columns, a list of lists",
    )
    columns: dict[str, ColumnType] | None = Field(
        None,
        min_length=1,
        description="The fields to read with their types, all others stay out; found out from the file where absent; "
        "with orient `values` the columns, in order",
    )
    encoding: Encoding = Field("utf-8", description="How letters are written in the file")

    examples = (
        Example("An answer of an API", {"path": "include/data/answer.json", "json_path": "$.data.items"}),
        Example("A list of lists", {"path": "include/data/points.json", "orient": "values"}),
    )

    @field_validator("json_path")
    @classmethod
    def _is_path(cls, given_path: str) -> str:
        if "{{" not in given_path:
            steps_of(given_path)
        return given_path

    def scan(self, files: Files) -> Scan:
        found = files.find(self.path)
        by_name = True if len(found) > 1 and self.columns is None else None
        names = list(self.columns) if self.columns and self.orient == "values" else None
        document = given(path=self.json_path, orient=self.orient, names=names)
        made: dict[str, Any] = {"document": document, "encoding": self.encoding}
        return Scan("jsonl", found, given(columns=self.columns, union_by_name=by_name), made)


class JsonWrite(Sink):
    """Write a table to one JSON document."""

    path: FilePath = Field(description="The file to write; it is replaced; one that ends in .gz or .zst is packed")
    orient: Literal["records", "index", "values"] = Field(
        "records",
        description="How rows are written: a list of objects, an object of objects by number, a list of lists",
    )
    indent: bool = Field(False, description="Whether objects are spread over lines, for people to read")

    examples = (Example("A list of objects", {"path": "output/orders.json"}),)

    def run(self, rows: Batches, context: Context) -> Written:
        from airloom.engine.json_write import write_document

        return write_file(
            context, self.path, lambda place: write_document(rows, place, self.orient, indent=self.indent)
        )
