"""References survive what PostgreSQL does to XCom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airloom.dags.xcom import packed, unpacked


@pytest.mark.parametrize(
    "value",
    [{"verdict": "ok", "a": {"z": 1, "b": [2, None]}}, [{"b": 1, "a": 2}], "a\0b", "text", 1, None, True, [], {}],
    ids=repr,
)
def test_a_value_keeps_its_order_and_every_character(value: Any) -> None:
    kept = packed({"kind": "object", "value": value})
    assert "\\u0000" not in json.dumps(kept).replace("\\\\u0000", "")
    # As JSONB: keys by length, then by letters.
    stored = json.loads(json.dumps(kept, sort_keys=True))
    found = unpacked(stored)
    assert found is not None
    assert json.dumps(found["value"]) == json.dumps(value)


def test_what_is_no_value_is_left_as_it_is() -> None:
    table = {"kind": "table", "uri": "x", "rows": 1, "bytes": 2, "columns": [["b", "DATE"], ["a", "DATE"]]}
    assert unpacked(packed(table)) == table
    assert unpacked(None) is None
