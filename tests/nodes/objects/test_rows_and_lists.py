from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from airloom.engine.tables import first_rows, open_batches, write_batches
from airloom.nodes.kinds import LIST_LIMIT, TableValue, written
from airloom.nodes.objects.rows_to_list import ListToRows, RowsToList
from airloom.nodes.sdk import DataError
from airloom.nodes.testing import NoSurroundings, run_node


def rows_of(items: Any, **config: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_node(ListToRows.model_validate(config), items=items)["rows"]
    return rows


def list_of(rows: list[dict[str, Any]], **config: Any) -> Any:
    return run_node(RowsToList.model_validate(config), rows=rows)["value"]


def test_rows_become_objects_or_values() -> None:
    rows = [{"id": 1, "Name": "a"}, {"id": 2, "Name": None}]
    assert list_of(rows) == rows
    assert list_of(rows, column="name") == ["a", None]
    with pytest.raises(DataError, match="no column 'nam'"):
        list_of(rows, column="nam")


def test_more_rows_than_the_limit_are_an_error_that_names_it() -> None:
    rows = [{"id": number} for number in range(4)]
    assert len(list_of(rows, limit=4)) == 4
    with pytest.raises(DataError, match="the table has more than 3 rows") as caught:
        list_of(rows, limit=3)
    assert "10,000" in str(caught.value.hint)
    with pytest.raises(ValidationError, match="less than or equal to 10000"):
        RowsToList(limit=LIST_LIMIT + 1)


def test_a_list_is_that_which_an_edge_makes_of_the_table(tmp_path: Path) -> None:
    columns = {
        "id": "INTEGER", "price": "DECIMAL(10,2)", "day": "DATE", "at": "TIMESTAMP", "instant": "TIMESTAMPTZ",
        "clock": "TIME", "ok": "BOOLEAN", "share": "DOUBLE", "tags": "VARCHAR[]", "key": "UUID", "more": "JSON",
    }  # fmt: skip
    item = {
        "id": 1, "price": "12.50", "day": "2026-01-31", "at": "2026-01-31T10:00:00", "instant": "2026-01-31T10:00:00Z",
        "clock": "10:00:00", "ok": True, "share": 0.1, "tags": ["a", None],
        "key": "8c7f6ad0-4b1a-4a8c-9a3c-0d6f6a1b2c3d", "more": {"a": [1]},
    }  # fmt: skip
    node = ListToRows.model_validate({"columns": columns})
    made: Any = node.run([item, {}])
    reference = write_batches(made, str(tmp_path / "rows.parquet"))
    assert dict(reference.columns) == columns
    rows = first_rows(reference, 5)
    by_edge = json.dumps(TableValue(reference).first(5), default=written)
    with open_batches(reference) as batches:
        by_node = RowsToList().run(batches)
    assert json.loads(json.dumps(by_node, default=written)) == json.loads(by_edge)
    assert str(rows[0]["price"]) == "12.50"
    assert json.loads(rows[0]["more"]) == {"a": [1]}
    assert set(rows[1].values()) == {None}


def test_columns_are_found_out() -> None:
    assert rows_of([{"a": 1}, {"b": "x"}]) == [{"a": 1, "b": None}, {"a": None, "b": "x"}]
    with pytest.raises(DataError, match="field 'a' holds values of several types"):
        rows_of([{"a": 1}, {"a": "x"}])
    with pytest.raises(DataError, match="an empty list does not say which columns"):
        rows_of([])


def test_an_empty_list_has_the_declared_columns() -> None:
    node = ListToRows.model_validate({"columns": {"id": "INTEGER", "day": "DATE"}})
    assert node.describe(NoSurroundings()) == {"id": "INTEGER", "day": "DATE"}
    made: Any = node.run([])
    assert made.schema.names == ["id", "day"]
    assert rows_of([], columns={"id": "INTEGER"}) == []


@pytest.mark.parametrize(
    ("kind", "value", "answer"),
    [
        ("INTEGER", "7", 7),
        ("INTEGER", 7.0, 7),
        ("BIGINT", 2**63 - 1, 2**63 - 1),
        ("DOUBLE", "1.5", 1.5),
        ("DOUBLE", 1, 1.0),
        ("VARCHAR", 5, "5"),
        ("VARCHAR", True, "true"),
        ("BOOLEAN", "false", False),
        ("INTEGER[]", ["1", 2, None], [1, 2, None]),
    ],
)
def test_a_value_is_read_as_its_column_has_it(kind: str, value: Any, answer: Any) -> None:
    assert rows_of([{"c": value}], columns={"c": kind}) == [{"c": answer}]


@pytest.mark.parametrize(
    ("kind", "value", "article"),
    [
        ("INTEGER", "seven", "an INTEGER"),
        ("INTEGER", 7.5, "an INTEGER"),
        ("INTEGER", 2**31, "an INTEGER"),
        ("INTEGER", True, "an INTEGER"),
        ("BIGINT", 2**63, "a BIGINT"),
        ("DECIMAL(4,2)", 1.005, "a DECIMAL"),
        ("DECIMAL(4,2)", 100, "a DECIMAL"),
        ("VARCHAR", {"a": 1}, "a VARCHAR"),
        ("BOOLEAN", 1, "a BOOLEAN"),
        ("DATE", "2026-02-30", "a DATE"),
        ("DATE", 5, "a DATE"),
        ("TIMESTAMP", "soon", "a TIMESTAMP"),
        ("UUID", "x", "a UUID"),
        ("UUID", 5, "a UUID"),
        ("DOUBLE", "1e999", "a DOUBLE"),
        ("INTEGER[]", 5, "an INTEGER"),
        ("INTEGER[]", ["x"], "an INTEGER"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_item(kind: str, value: Any, article: str) -> None:
    with pytest.raises(DataError, match=f"item 2: .* in the field 'c' is not {article}"):
        rows_of([{"c": None}, {"c": value}], columns={"c": kind})


def test_nothing_is_dropped_unless_that_is_asked_for() -> None:
    items = [{"a": 1, "b": 2}]
    with pytest.raises(DataError, match="item 1 has the field 'b', which is not declared"):
        rows_of(items, columns={"a": "INTEGER"})
    assert rows_of(items, columns={"a": "INTEGER"}, others="drop") == [{"a": 1}]
    with pytest.raises(DataError, match="item 2 is a number, not an object"):
        rows_of([{}, 5], columns={"a": "INTEGER"}, others="drop")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "at least 1 item"),
        ({"a": "INTEGER", "A": "DATE"}, "'A' is there twice"),
        ({"a": "WHOLE"}, "'WHOLE' is not a column type"),
        ({"a": "BLOB"}, "JSON has no bytes"),
        ({"a": "JSON[]"}, r"declare VARCHAR\[\]"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(columns: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ListToRows.model_validate({"columns": columns})
