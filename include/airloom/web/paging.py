"""Pages of lists: each continues behind the key of its last entry, so that none is missed or seen twice."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from airloom.web.error import ApiError

Item = TypeVar("Item")
LARGEST = 200

Limit = Annotated[int, Query(ge=1, le=LARGEST, description="How many entries to return at most")]
Cursor = Annotated[
    str | None, Query(max_length=2000, description="The `next_cursor` of the page before; absent for the first page")
]


class Page(BaseModel, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(description="Where the next page begins; null where there is none")


def page_of(rows: Sequence[Any], limit: int, key: Callable[[Any], Sequence[Any]]) -> tuple[list[Any], str | None]:
    """Return the rows of a page and the cursor of the next; one row more than the limit has to be read."""
    shown = list(rows[:limit])
    return shown, write_cursor(key(shown[-1])) if len(rows) > limit else None


def write_cursor(key: Sequence[Any]) -> str:
    """Return the cursor that stands for a key of texts and numbers."""
    text = json.dumps(list(key), default=str, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, *types: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    """Return the key that a cursor stands for, each part by its type; raise ApiError where it is none of ours."""
    if cursor is None:
        return None
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(parts, list) or len(parts) != len(types):
            raise ValueError
        return tuple(kind(part) for kind, part in zip(types, parts, strict=True))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise ApiError(422, "the cursor is not one of this list", details=[{"field": "query/cursor"}]) from None
