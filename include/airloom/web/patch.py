"""JSON Patch (RFC 6902) on documents."""

from __future__ import annotations

from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException

from airloom.web.error import ApiError

MOST_OPERATIONS = 1000


def patched(document: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a changed copy of a document; raise ApiError where an operation does not fit it."""
    if len(operations) > MOST_OPERATIONS:
        raise ApiError(422, f"a patch has at most {MOST_OPERATIONS} operations, not {len(operations)}")
    try:
        changed = jsonpatch.JsonPatch(operations).apply(document)
    except jsonpatch.JsonPatchTestFailed as error:
        raise ApiError(409, f"a test of the patch failed: {error}") from None
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, KeyError, ValueError) as error:
        raise ApiError(422, f"the patch does not fit the document: {error}") from None
    if not isinstance(changed, dict):
        raise ApiError(422, "the patch leaves no object")
    return changed
