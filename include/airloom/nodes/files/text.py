"""Text files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airloom.nodes.files._options import PACKED, Encoding, made_from
from airloom.nodes.sdk import Example, FilePath, Files, FileSource, Scan


class TextRead(FileSource):
    """Read text files as a table of texts and the files that they stand in: a row for each line, or for each file."""

    path: FilePath = Field(description=f"A file, or a glob that names several; {PACKED}")
    rows: Literal["lines", "files"] = Field("lines", description="Whether a row is a line or a whole file")
    encoding: Encoding = Field("utf-8", description="How letters are written in the file")

    examples = (
        Example("The lines of all logs", {"path": "include/data/logs/*.log"}),
        Example("Whole letters", {"path": "include/data/letters/*.txt", "rows": "files"}),
    )

    def scan(self, files: Files) -> Scan:
        return Scan("text", files.find(self.path), {"rows": self.rows}, made_from(self.encoding))
