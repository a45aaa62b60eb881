"""Options of readers and writers."""

from __future__ import annotations

from typing import Any


def given(**options: Any) -> dict[str, Any]:
    """Return the options that are set; DuckDB finds out the others."""
    return {name: value for name, value in options.items() if value is not None}


def compression_of(path: str) -> dict[str, str]:
    """Return the option that packs a text file as its name says; the engine writes under another name first."""
    if path.endswith(".gz"):
        return {"compression": "gzip"}
    if path.endswith(".zst"):
        return {"compression": "zstd"}
    return {}
