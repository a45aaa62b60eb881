from __future__ import annotations

from typing import Any

import duckdb
import pytest
from tests.nodes.tables.tools import answer, fault, refusal, rows_of

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.tables.columns import CaseStyle, Rename, in_style
from airloom.nodes.tables.map_schema import MapSchema
from airloom.nodes.testing import Rows


def test_names_types_and_order_come_from_the_schema() -> None:
    schema = {
        "Key": {"column": "ID", "type": "BIGINT"},
        "again": "id",
        "price": {"column": "p", "type": "DECIMAL(9,2)", "default": 0.5},
        "since": {"type": "DATE", "default": "2026-01-31"},
        "note": {"type": "VARCHAR"},
        "n": {"default": 7},
    }
    found = answer(
        MapSchema, {"columns": schema}, rows=Rows({"id": "INTEGER", "p": "VARCHAR"}, [(1, "1.25"), (2, None)])
    )
    assert found.columns == {
        "Key": "BIGINT", "again": "INTEGER", "price": "DECIMAL(9,2)", "since": "DATE", "note": "VARCHAR", "n": "BIGINT",
    }  # fmt: skip
    assert [[str(value) for value in row] for row in found.values] == [
        ["1", "1", "1.25", "2026-01-31", "None", "7"],
        ["2", "2", "0.50", "2026-01-31", "None", "7"],
    ]


def test_other_columns_follow_or_are_left_out() -> None:
    rows = [{"a": 1, "b": 2, "c": 3}]
    config = {"columns": {"x": "b"}}
    assert rows_of(MapSchema, config, rows=rows) == [{"x": 2}]
    assert list(rows_of(MapSchema, {**config, "drop_unmapped": False}, rows=rows)[0].items()) == [
        ("x", 2), ("a", 1), ("c", 3),
    ]  # fmt: skip
    assert refusal(MapSchema, {"columns": {"A": "b"}, "drop_unmapped": False}, rows=rows)[:2] == (
        "two columns would be called 'a'", "columns",
    )  # fmt: skip


def test_what_does_not_fit_fails_or_becomes_the_default() -> None:
    schema = {"n": {"column": "s", "type": "INTEGER", "default": 0}}
    rows = [{"s": "7"}, {"s": "seven"}]
    with pytest.raises(duckdb.InvalidInputException, match="'seven' is not an INTEGER"):
        rows_of(MapSchema, {"columns": schema}, rows=rows)
    assert rows_of(MapSchema, {"columns": schema, "on_error": "null"}, rows=rows) == [{"n": 7}, {"n": 0}]


def test_a_wrong_schema_says_what_is_wrong() -> None:
    rows = Rows({"id": "INTEGER"})
    assert refusal(MapSchema, {"columns": {"x/y": "idd"}}, rows=rows) == (
        "there is no column 'idd'", "columns/x~1y/column", "did you mean 'id'?",
    )  # fmt: skip
    wrong = {"columns": {"x": {"column": "id", "default": "none"}}}
    assert refusal(MapSchema, wrong, rows=rows)[1] == "columns/x/default"
    assert "'x' needs a column that it comes from, or a default" in fault(MapSchema, {"columns": {"x": {}}})
    assert "'X' stands here twice" in fault(MapSchema, {"columns": {"x": "a", "X": "b"}})
    assert "is not a column type" in fault(MapSchema, {"columns": {"x": {"column": "a", "type": "money"}}})
    with pytest.raises(ColumnsUnknown):
        MapSchema.model_validate({"columns": {"x": "a"}}).query(Relation("a.rows"))


@pytest.mark.parametrize(
    ("name", "style", "wanted"),
    [
        ("Order ID", "snake_case", "order_id"),
        ("orderID", "snake_case", "order_id"),
        ("HTTPServer2Name", "snake_case", "http_server2_name"),
        ("unit-price (EUR)", "camelCase", "unitPriceEur"),
        ("unit_price", "PascalCase", "UnitPrice"),
        ("unitPrice", "UPPER_CASE", "UNIT_PRICE"),
        ("größe Ä", "snake_case", "größe_ä"),
        ("2026 sales", "camelCase", "2026Sales"),
        ("__", "snake_case", "__"),
        ("Already", "PascalCase", "Already"),
    ],
)
def test_a_name_is_written_in_a_style(name: str, style: CaseStyle, wanted: str) -> None:
    assert in_style(name, style) == wanted
    assert in_style(wanted, style) == wanted


def test_rename_leaves_named_columns_as_they_are_named() -> None:
    config = {"mapping": {"a b": "As It Is"}, "case_style": "UPPER_CASE"}
    assert rows_of(Rename, config, rows=[{"a b": 1, "c d": 2}]) == [{"As It Is": 1, "C_D": 2}]
    found: Any = refusal(Rename, {"case_style": "snake_case"}, rows=[{"a b": 1, "A_B": 2}])
    assert found[:2] == ("two columns would be called 'a_b'", "case_style")
