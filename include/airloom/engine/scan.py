"""Scans: files that a table step reads in place, without a copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Format = Literal["csv", "jsonl", "parquet", "text"]


@dataclass(frozen=True)
class FileFacts:
    """Name a file as it was when it was looked at: size in bytes, and an etag that changes with its content."""

    uri: str
    size: int
    etag: str


@dataclass(frozen=True)
class Scan:
    """Say which files are read as one table, and how; `options` are those of DuckDB's reader of the format.

    `made` says what has to be made of a file before DuckDB can read it: `encoding`, which it is written in;
    `document`, where in a JSON document the rows are; `sheet`, which of a workbook.
    """

    format: Format
    files: tuple[FileFacts, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.size for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """Return the form that a reference carries."""
        found = {"format": self.format, "files": [asdict(file) for file in self.files], "options": dict(self.options)}
        return {**found, "made": dict(self.made)} if self.made else found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scan:
        """Read what `to_json` wrote."""
        files = tuple(FileFacts(**file) for file in data["files"])
        return cls(data["format"], files, dict(data["options"]), dict(data.get("made", {})))


@dataclass(frozen=True)
class Copy:
    """Say where and how a table is written as one file; `options` are those of DuckDB's COPY."""

    path: str
    format: Format
    options: Mapping[str, Any] = field(default_factory=dict)
