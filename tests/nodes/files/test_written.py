"""Workbooks and JSON documents that are written: what is read again, and what cannot be held."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pytest
from tests.nodes.files.conftest import Desk
from tests.runtime.conftest import node

from airloom.engine.batches import Batches
from airloom.engine.sheet_write import write_workbook
from airloom.spec.error import DataError

ODD = """SELECT 1 AS id, 'x "y"' AS "the text", DATE '2026-01-31' AS day, TIMESTAMP '2026-01-31 10:00:00' AS at,
2.5::DOUBLE AS x, true AS yes, 9007199254740993 AS large, DATE '0001-01-01' AS early, [1, 2] AS list,
1.10::DECIMAL(9,2) AS price
UNION ALL BY NAME SELECT 2 AS id, '=1+1' AS "the text" """


def written(desk: Desk, kind: str, path: str, query: str, **config: Any) -> tuple[Any, Path]:
    """Write the rows of a query to a file; return the sink's result and the place."""
    duckdb.connect().sql(query).write_parquet(str(desk.workshop.folder / "rows.parquet"))
    results = desk.workshop.run(
        node("file", "parquet_read", path="rows.parquet"), node("out", kind, path=path, **config), edges="file>out"
    )
    return results["out"], desk.workshop.folder / path


def test_a_workbook_is_read_as_it_was_written(desk: Desk) -> None:
    result, _ = written(desk, "excel_write", "out/odd.xlsx", ODD, sheet="März")
    assert result.outputs["done"]["value"]["rows"] == 2
    columns, rows = desk.read("excel_read", "out/odd.xlsx", sheet="März")
    assert columns == {
        "id": "BIGINT", "the text": "VARCHAR", "day": "DATE", "at": "TIMESTAMP", "x": "DOUBLE", "yes": "BOOLEAN",
        "large": "VARCHAR", "early": "VARCHAR", "list": "VARCHAR", "price": "DOUBLE",
    }  # fmt: skip
    assert rows == [
        (
            1, 'x "y"', date(2026, 1, 31), datetime.fromisoformat("2026-01-31 10:00"), 2.5, True, "9007199254740993",
            "0001-01-01", "[1, 2]", 1.1,
        ),
        (2, "=1+1", *[None] * 8),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 'NaN'::DOUBLE AS x", "row 1, column x: nan is not a number that a sheet can hold"),
        (
            "SELECT repeat('x', 40000) AS s",
            "row 1, column s: a cell has room for 32767 letters, and the text has 40000",
        ),
    ],
)
def test_what_a_sheet_cannot_hold_is_refused_and_nothing_is_written(desk: Desk, query: str, message: str) -> None:
    result, place = written(desk, "excel_write", "a.xlsx", query)
    assert (result.state, (result.error or {})["message"]) == ("failed", message)
    assert sorted(found.name for found in place.parent.iterdir()) == ["rows.parquet"]


def test_a_sheet_has_room_for_so_many_columns(tmp_path: Path) -> None:
    table = pyarrow.table({f"c{at}": [1] for at in range(16_385)})
    with pytest.raises(DataError, match="a sheet has 16384 columns, and the table 16385"):
        write_workbook(Batches(table.schema, table.to_batches()), str(tmp_path / "a.xlsx"), "Sheet1", header=True)


@pytest.mark.parametrize(
    ("config", "document"),
    [
        ({}, [{"a": 1, "b": "ü"}, {"a": 2, "b": None}]),
        ({"indent": True}, [{"a": 1, "b": "ü"}, {"a": 2, "b": None}]),
        ({"orient": "values"}, [[1, "ü"], [2, None]]),
        ({"orient": "index"}, {"0": {"a": 1, "b": "ü"}, "1": {"a": 2, "b": None}}),
    ],
)
def test_a_document_says_all_rows(desk: Desk, config: dict[str, Any], document: Any) -> None:
    rows = "SELECT 1 AS a, 'ü' AS b UNION ALL SELECT 2, NULL"
    result, place = written(desk, "json_write", "a.json", rows, **config)
    assert result.outputs["done"]["value"] == {"rows": 2, "target": str(place)}
    assert json.loads(place.read_text()) == document
    again = {**config, "columns": {"a": "BIGINT", "b": "VARCHAR"}} if config.get("orient") == "values" else config
    _, found = desk.read("json_read", "a.json", **{key: again[key] for key in again if key != "indent"})
    assert [row[-2:] for row in found] == [(1, "ü"), (2, None)]


def test_a_document_may_be_empty_or_packed(desk: Desk) -> None:
    _, place = written(desk, "json_write", "a.json", "SELECT 1 AS a WHERE false")
    assert json.loads(place.read_text()) == []
    _, place = written(desk, "json_write", "a.json.gz", "SELECT 1 AS a")
    assert json.loads(gzip.decompress(place.read_bytes())) == [{"a": 1}]
    _, place = written(desk, "json_write", "a.json.zst", "SELECT 1 AS a")
    assert desk.read("json_read", "a.json.zst") == ({"a": "BIGINT"}, [(1,)])


def test_json_holds_no_nan(desk: Desk) -> None:
    result, place = written(desk, "json_write", "a.json", "SELECT 'inf'::DOUBLE AS x")
    assert (result.error or {})["message"] == "column x holds NaN or infinity, which JSON cannot say"
    assert not place.exists()
