"""References as XCom holds them: PostgreSQL keeps XCom as JSONB, which sorts the keys of objects and refuses NUL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def packed(reference: Mapping[str, Any]) -> dict[str, Any]:
    """Return a reference for XCom: a value whose keys have an order, or a text with NUL, travels as JSON text."""
    value = reference.get("value")
    if isinstance(value, dict | list) or (isinstance(value, str) and "\0" in value):
        rest = {key: item for key, item in reference.items() if key != "value"}
        return {**rest, "json": json.dumps(value)}
    return dict(reference)


def unpacked(kept: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the reference that `packed` made ready."""
    if kept is None or "json" not in kept:
        return None if kept is None else dict(kept)
    rest = {key: item for key, item in kept.items() if key != "json"}
    return {**rest, "value": json.loads(kept["json"])}
