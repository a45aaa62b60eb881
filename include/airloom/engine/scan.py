"""Scans: files that a table step reads in place, without a copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Format = Literal["csv", "jsonl", "parquet"]


@dataclass(frozen=True)
class FileFacts:
    """Name a file as it was when it was looked at: size in bytes, and an etag that changes with its content."""

    uri: str
    size: int
    etag: str


@dataclass(frozen=True)
class Scan:
    """Say how files are read as one table; `options` are those of DuckDB's reader of the format."""

    format: Format
    files: tuple[FileFacts, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.size for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """Return the form that a reference carries."""
        return {"format": self.format, "files": [asdict(file) for file in self.files], "options": dict(self.options)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scan:
        """Read what `to_json` wrote."""
        return cls(data["format"], tuple(FileFacts(**file) for file in data["files"]), dict(data["options"]))


@dataclass(frozen=True)
class Copy:
    """Say how a table is written as one file; `options` are those of DuckDB's COPY."""

    path: str
    format: Format
    options: Mapping[str, Any] = field(default_factory=dict)
