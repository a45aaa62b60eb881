"""The columns at a port, asked for while a pipeline is being built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airloom.checks.facts import Facts
from airloom.checks.ports import columns_at
from airloom.engine.storage import Files

KEEP = "def transform(df):\n    return df\n"
DOCUMENT: dict[str, Any] = {
    "id": "made",
    "nodes": [
        {"id": "orders", "type": "csv_read", "config": {"path": "orders.csv", "rejects": True}},
        {"id": "paid", "type": "filter", "config": {"where": "amount > 1"}},
        {"id": "by_day", "type": "aggregate", "config": {"by": ["day"], "measures": {"n": {"op": "count"}}}},
        {"id": "own", "type": "python_transform", "config": {"code": KEEP, "columns": {"x": "DATE", "y": "BIGINT[]"}}},
        {"id": "later", "type": "python_transform", "config": {"code": KEEP}},
        {"id": "last", "type": "limit", "config": {"rows": 3}},
        {"id": "first", "type": "limit", "config": {"rows": 3}},
        {"id": "wrong", "type": "filter", "config": {"where": "nothing = 1"}},
        {"id": "below", "type": "limit", "config": {"rows": 3}},
        {"id": "all", "type": "concat"},
        {"id": "unfinished", "type": "join", "config": {}},
    ],
    "edges": [
        {"from": "orders.rows", "to": "paid"}, {"from": "paid", "to": "by_day"}, {"from": "paid", "to": "own.rows"},
        {"from": "paid", "to": "later"}, {"from": "later", "to": "last"}, {"from": "own", "to": "first"},
        {"from": "paid", "to": "wrong"}, {"from": "wrong", "to": "below"}, {"from": "paid", "to": "all"},
        {"from": "first", "to": "all"}, {"from": "paid", "to": "unfinished.left"},
    ],
}  # fmt: skip
ORDERS = {"day": "DATE", "amount": "DOUBLE"}


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    (tmp_path / "orders.csv").write_text("day,amount\n2026-01-31,2.5\n")
    return Facts(files=Files(tmp_path, (str(tmp_path),)))


@pytest.mark.parametrize(
    ("node", "port", "columns"),
    [
        ("orders", "rows", ORDERS),
        ("orders", "rejects", {
            "file": "VARCHAR", "line": "BIGINT", "column": "VARCHAR", "text": "VARCHAR", "reason": "VARCHAR",
        }),
        ("paid", "rows", ORDERS),
        ("by_day", "rows", {"day": "DATE", "n": "BIGINT"}),
        ("own", "rows", {"x": "DATE", "y": "BIGINT[]"}),
        ("first", "rows", {"x": "DATE", "y": "BIGINT[]"}),
        ("later", "rows", None),
        ("last", "rows", None),
        ("wrong", "rows", None),
        ("below", "rows", None),
        ("unfinished", "rows", None),
        ("paid", "error", None),
        ("paid", "nothing", None),
        ("nobody", "rows", None),
    ],
)  # fmt: skip
def test_columns_at_a_port(facts: Facts, node: str, port: str, columns: dict[str, str] | None) -> None:
    assert columns_at(DOCUMENT, node, port, facts) == columns


@pytest.mark.parametrize(
    ("node", "port", "columns"),
    [
        ("paid", "rows", ORDERS),
        ("own", "rows", ORDERS),
        ("wrong", "rows", ORDERS),
        ("below", "rows", None),
        ("unfinished", "left", ORDERS),
        ("unfinished", "right", None),
        ("all", "tables", None),
        ("orders", "rows", None),
    ],
)
def test_columns_that_come_in_at_a_port(facts: Facts, node: str, port: str, columns: dict[str, str] | None) -> None:
    assert columns_at(DOCUMENT, node, port, facts, side="input") == columns


@pytest.mark.parametrize("data", [None, [], {}, {"nodes": 3}, {"nodes": [3, {"id": 7}], "edges": [{}, 4, {"to": 1}]}])
def test_no_document_whatever_makes_it_raise(data: object) -> None:
    assert columns_at(data, "paid", "rows") is None


def test_what_a_node_declares_is_known_without_files_and_connections() -> None:
    assert columns_at(DOCUMENT, "own", "rows") == {"x": "DATE", "y": "BIGINT[]"}
    source = {"id": "table", "type": "postgres_read", "config": {"connection": "warehouse", "table": "orders"}}
    assert columns_at({"id": "made", "nodes": [source]}, "table", "rows") is None
