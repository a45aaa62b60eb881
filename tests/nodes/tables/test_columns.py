from __future__ import annotations

from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from airloom.engine.relation import ColumnError, ColumnsUnknown, Relation
from airloom.nodes.sdk import ConfigurationError, Table
from airloom.nodes.tables.columns import Cast, Derive, Rename, Select
from airloom.nodes.testing import Rows, run_table

ODD_NAMES = ['order "date"', "größe ☃", "a.b", "select", "tab\there", "self", "it's", " ", "x" * 200]
UNKNOWN = Relation("source.rows")


def rows_of(node: Table, rows: Any) -> list[dict[str, Any]]:
    return run_table(node, rows=rows)["rows"].rows


def messages(error: pytest.ExceptionInfo[ValidationError]) -> str:
    return "; ".join(f"{'/'.join(map(str, item['loc']))}: {item['msg']}" for item in error.value.errors())


def test_select_keeps_the_order_of_its_list() -> None:
    answer = run_table(Select(columns=["c", "a"]), rows=[{"a": 1, "b": 2, "c": 3}])["rows"]
    assert list(answer.columns) == ["c", "a"]
    assert answer.values == [(3, 1)]


def test_names_are_found_whatever_their_case_and_keep_that_of_the_table() -> None:
    assert rows_of(Select(columns=["ID"]), [{"Id": 1, "b": 2}]) == [{"Id": 1}]
    assert rows_of(Select(drop=["B"]), [{"Id": 1, "b": 2}]) == [{"Id": 1}]
    assert rows_of(Rename(mapping={"ID": "key"}), [{"Id": 1}]) == [{"key": 1}]
    assert rows_of(Cast(columns={"ID": "VARCHAR"}), [{"Id": 1}]) == [{"Id": "1"}]


def test_any_name_can_be_selected_renamed_cast_and_derived() -> None:
    row = {name: at for at, name in enumerate(ODD_NAMES)}
    assert rows_of(Select(columns=ODD_NAMES[::-1]), [row]) == [row]
    assert rows_of(Select(drop=ODD_NAMES[1:]), [row]) == [{ODD_NAMES[0]: 0}]
    renamed = rows_of(Rename(mapping={name: f"{name}!" for name in ODD_NAMES}), [row])
    assert renamed == [{f"{name}!": value for name, value in row.items()}]
    cast = rows_of(Cast(columns=dict.fromkeys(ODD_NAMES, "VARCHAR")), [row])
    assert cast == [{name: str(value) for name, value in row.items()}]
    assert rows_of(Derive(columns=dict.fromkeys(ODD_NAMES, "1 + 1")), [{"n": 1}]) == [
        {"n": 1, **dict.fromkeys(ODD_NAMES, 2)}
    ]


def test_an_empty_table_keeps_its_columns() -> None:
    empty = Rows({"a": "INTEGER", "b": "DATE"})
    answer = run_table(Select(columns=["b"]), rows=empty)["rows"]
    assert (answer.columns, answer.values) == ({"b": "DATE"}, [])
    answer = run_table(Cast(columns={"a": "VARCHAR"}), rows=empty)["rows"]
    assert (answer.columns, answer.values) == ({"a": "VARCHAR", "b": "DATE"}, [])


def test_a_missing_column_is_named_with_its_place_and_the_nearest_name() -> None:
    with pytest.raises(ColumnError) as caught:
        run_table(Rename(mapping={"amout": "total"}), rows=[{"amount": 1}])
    assert caught.value.message == "there is no column 'amout'"
    assert caught.value.field == "mapping/amout"
    assert caught.value.hint == "did you mean 'amount'?"
    with pytest.raises(ColumnError) as caught:
        run_table(Cast(columns={"a/b": "DATE"}), rows=[{"x": 1}])
    assert caught.value.field == "columns/a~1b"
    assert caught.value.hint == "columns here: x"


def test_rename_refuses_two_columns_of_one_name() -> None:
    with pytest.raises(ConfigurationError) as caught:
        run_table(Rename(mapping={"a": "B"}), rows=[{"a": 1, "b": 2}])
    assert caught.value.message == "two columns would be called 'B'"
    assert caught.value.field == "mapping/a"
    assert rows_of(Rename(mapping={"a": "b", "b": "a"}), [{"a": 1, "b": 2}]) == [{"b": 1, "a": 2}]
    assert rows_of(Rename(mapping={"a": "A"}), [{"a": 1}]) == [{"A": 1}]


def test_select_refuses_to_leave_nothing() -> None:
    with pytest.raises(ConfigurationError, match="no column is left"):
        run_table(Select(drop=["a"]), rows=[{"a": 1}])


@pytest.mark.parametrize(
    ("node", "config", "message"),
    [
        (Select, {}, "give either columns (to keep) or drop (to leave out)"),
        (Select, {"columns": ["a"], "drop": ["b"]}, "give either columns"),
        (Select, {"columns": ["a", "A"]}, "columns: Value error, 'A' stands here twice"),
        (Select, {"columns": [""]}, "at least 1 character"),
        (Select, {"colums": ["a"]}, "Extra inputs are not permitted"),
        (Rename, {"mapping": {}}, "give mapping (old name → new name), case_style, or both"),
        (Rename, {"mapping": {"a": ""}}, "at least 1 character"),
        (Rename, {"mapping": {"a": "x", "A": "y"}}, "'A' stands here twice"),
        (Derive, {"columns": {"x": "1", "X": "2"}}, "'X' stands here twice"),
        (Derive, {"columns": {"": "1"}}, "at least 1 character"),
        (Cast, {"columns": {"a": "int"}}, "columns/a: Value error, 'int' is not a column type; write INTEGER"),
        (Cast, {"columns": {"a": "DATE) --"}}, "is not a column type; types are INTEGER"),
        (Cast, {"columns": {"a": "DECIMAL(39,2)"}}, "1 to 38 digits"),
        (Cast, {"columns": {"a": "DECIMAL(2,3)"}}, "more digits behind the point"),
        (Cast, {"columns": {"a": "DATE"}, "on_error": "skip"}, "on_error"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(node: type[Table], config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        node.model_validate(config)
    assert message in messages(caught)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("INTEGER", "7", 7),
        ("decimal(9,2)", "1.25", pytest.approx(1.25)),
        ("VARCHAR[]", "[a, b]", ["a", "b"]),
        ("BOOLEAN", "true", True),
        ("DOUBLE", "1e3", 1000.0),
        ("JSON", '{"a": 1}', '{"a": 1}'),
        ("INTEGER", None, None),
    ],
)
def test_cast_changes_types(kind: str, value: Any, wanted: Any) -> None:
    answer = run_table(Cast(columns={"a": kind}), rows=Rows({"a": "VARCHAR"}, [[value]]))["rows"]
    assert answer.columns["a"] == kind.upper()
    got = answer.rows[0]["a"]
    assert (float(got) if kind.startswith("dec") else got) == wanted


def test_cast_fails_or_gives_null() -> None:
    with pytest.raises(duckdb.InvalidInputException, match="a: 'seven' is not an INTEGER"):
        run_table(Cast(columns={"a": "INTEGER"}), rows=[{"a": "seven"}])
    assert rows_of(Cast(columns={"a": "INTEGER"}, on_error="null"), [{"a": "seven"}, {"a": "7"}]) == [
        {"a": None},
        {"a": 7},
    ]


def test_derive_reads_the_columns_of_the_input_alone() -> None:
    node = Derive(columns={"a": "a + 1", "b": "a * 10"})
    assert rows_of(node, [{"a": 1}]) == [{"a": 2, "b": 10}]
    with pytest.raises(ConfigurationError):
        run_table(Derive(columns={"b": "a + 1", "c": "b + 1"}), rows=[{"a": 1}])


def test_derive_puts_a_column_in_its_place_whatever_its_case() -> None:
    assert rows_of(Derive(columns={"A": "a + 1"}), [{"a": 1, "b": 2}]) == [{"a": 2, "b": 2}]


def test_what_needs_the_columns_says_that_they_are_unknown() -> None:
    for node in (
        Rename(mapping={"a": "b"}),
        Cast(columns={"a": "DATE"}),
        Derive(columns={"a": "1"}),
        Select(drop=["a"]),
    ):
        with pytest.raises(ColumnsUnknown):
            node.query(UNKNOWN)
    assert Select(columns=["a", "b"]).query(UNKNOWN).sql("duckdb") == 'SELECT "a", "b" FROM "source.rows"'
