"""Which node type reads a file of a name, without further settings."""

from __future__ import annotations

import os

from airloom.engine.packed import READ_PACKED, UNPACKED

READERS = {
    ".csv": "csv_read",
    ".tsv": "csv_read",
    ".jsonl": "jsonl_read",
    ".ndjson": "jsonl_read",
    ".json": "json_read",
    ".parquet": "parquet_read",
    ".xlsx": "excel_read",
    ".txt": "text_read",
    ".log": "text_read",
}
TEXTS = frozenset({"csv_read", "jsonl_read", "json_read", "text_read"})
"""Those that read packed files, too."""


def reader_of(name: str) -> str | None:
    """Return the type of node that reads a file of this name, None where none does."""
    stem, ending = os.path.splitext(name.lower())
    if ending not in (*READ_PACKED, *UNPACKED):
        return READERS.get(ending)
    found = READERS.get(os.path.splitext(stem)[1])
    return found if found in TEXTS else None
