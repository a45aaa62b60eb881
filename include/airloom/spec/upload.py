"""Uploads, as documents name them: `upload:` and an id in place of the path of a file that is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

PREFIX = "upload:"
ID = r"[0-9a-f]{32}"
_NAMED = re.compile(f"{PREFIX}({ID})(?![0-9a-f])")


def is_upload(path: str) -> bool:
    """Tell whether a path names an upload, rightly or not."""
    return path.startswith(PREFIX)


def upload_id(path: str) -> str | None:
    """Return the id of the upload that a path names, None where it names none."""
    found = _NAMED.fullmatch(path)
    return None if found is None else found[1]


def uploads_named(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Yield each upload that a text of a JSON value names, wherever it stands, with the JSON Pointer of the text."""
    if isinstance(value, str):
        yield from ((at, found) for found in _NAMED.findall(value))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from uploads_named(inner, f"{at}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from uploads_named(inner, f"{at}/{index}")
