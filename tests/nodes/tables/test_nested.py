from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes.tables.tools import answer, fault, refusal, rows_of

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.tables.nested import Flatten, JsonSelect, path_steps
from airloom.nodes.testing import Rows

JSON = {"j": "JSON"}
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "it's", 'q"', "ä"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b c", "d.e"]), inner)
)
STEPS = st.lists(st.sampled_from(["a", "b c", "d.e"]) | st.integers(0, 2), min_size=1, max_size=3)


def selected(document: Any, path: str | int, kind: str = "JSON", **config: Any) -> Any:
    table = Rows({"j": kind}, [(document,)])
    return answer(JsonSelect, {"column": "j", "path": path, "name": "x", **config}, rows=table).values[0][-1]


def written(steps: list[str | int]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in steps)


@given(VALUES, STEPS)
def test_a_part_of_json_is_what_its_steps_lead_to(value: Any, steps: list[str | int]) -> None:
    wanted = value
    for step in steps:
        fits = isinstance(wanted, dict) if isinstance(step, str) else isinstance(wanted, list)
        try:
            wanted = wanted[step] if fits else None
        except (KeyError, IndexError):
            wanted = None
    found = selected(json.dumps(value), written(steps))
    assert (None if found is None else json.loads(found)) == wanted
    if isinstance(wanted, str):
        assert selected(json.dumps(value), written(steps), type="VARCHAR") == wanted


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ["a"]),
        ("$.a.b[0]", ["a", "b", 0]),
        ('a."b c".d', ["a", "b c", "d"]),
        ("$[2]", [2]),
        (3, [3]),
        ("order date", ["order date"]),
        ("a['b.c']", ["a", "b.c"]),
        ("7", ["7"]),
    ],
)
def test_a_path_has_steps(path: str | int, steps: list[str | int]) -> None:
    assert path_steps(path) == steps


@pytest.mark.parametrize("path", ["", "$", "a..b", "a[", "a[x]", 'a."b', "a[-1]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    assert "path" in fault(JsonSelect, {"column": "j", "path": path})


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("BIGINT", 7, 7),
        ("BIGINT", "7", 7),
        ("DOUBLE", 0.5, 0.5),
        ("BOOLEAN", True, True),
        ("VARCHAR", 7, "7"),
        ("VARCHAR", {"b": 1}, '{"b":1}'),
        ("VARCHAR[]", ["a", "it's"], ["a", "it's"]),
        ("BIGINT[]", [1, 2], [1, 2]),
        ("BIGINT", None, None),
        ("JSON", None, None),
    ],
)
def test_a_part_has_the_type_that_is_asked_for(kind: str, value: Any, wanted: Any) -> None:
    assert selected(json.dumps({"a": value}), "a", type=kind) == wanted
    assert selected(json.dumps({"a": value}), "a", "VARCHAR", type=kind) == wanted
    assert selected(None, "a", type=kind) is None


def test_what_does_not_fit_fails_or_is_null() -> None:
    with pytest.raises(duckdb.InvalidInputException, match="a: 'x' is not a BIGINT"):
        selected('{"a": "x"}', "a", type="BIGINT")
    assert selected('{"a": "x"}', "a", type="BIGINT", on_error="null") is None
    with pytest.raises(duckdb.ConversionException):
        selected("no json", "a", "VARCHAR")
    assert selected("no json", "a", "VARCHAR", on_error="null") is None


def test_structs_have_parts_with_types() -> None:
    kind = 'STRUCT(a INTEGER, "b c" STRUCT(l VARCHAR[], j JSON))'
    value = {"a": 7, "b c": {"l": ["x", "y"], "j": '{"k": [1]}'}}
    table = Rows({"s": kind}, [(value,), (None,)])
    for path, column, wanted in (
        ("A", "INTEGER", 7),
        ('"b c".l[1]', "VARCHAR", "y"),
        ('"b c".l[5]', "VARCHAR", None),
        ('"b c".j.k', "JSON", "[1]"),
    ):
        found = answer(JsonSelect, {"column": "s", "path": path, "name": "x"}, rows=table)
        assert (found.columns["x"], [row[-1] for row in found.values]) == (column, [wanted, None])
    assert rows_of(JsonSelect, {"column": "s", "path": "a", "type": "VARCHAR"}, rows=table)[0]["a"] == "7"
    message, field, hint = refusal(JsonSelect, {"column": "s", "path": "aa"}, rows=table)
    assert (message, field, hint) == ("there is no field 'aa'", "path", "fields here: a, b c")


def test_what_has_no_parts_is_refused() -> None:
    assert refusal(JsonSelect, {"column": "n", "path": "a"}, rows=[{"n": 1}])[:2] == (
        "'n' is BIGINT where 'a' is looked for", "path",
    )  # fmt: skip
    assert refusal(JsonSelect, {"column": "j", "path": 0}, rows=Rows(JSON))[2] == "name it, such as j_0"


def test_the_last_key_names_the_column() -> None:
    assert list(rows_of(JsonSelect, {"column": "j", "path": "a.b[0]"}, rows=Rows(JSON, [("{}",)]))[0]) == ["j", "b"]


@given(st.lists(st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3), max_size=5), st.booleans())
def test_a_list_becomes_rows(lists: list[Any], keep_empty: bool) -> None:
    wanted = [(at, item) for at, items in enumerate(lists) for item in (items or ([None] if keep_empty else []))]
    config = {"column": "L", "keep_empty": keep_empty}
    plain = answer(Flatten, config, rows=Rows({"i": "INTEGER", "l": "INTEGER[]"}, list(enumerate(lists))))
    assert plain.columns == {"i": "INTEGER", "l": "INTEGER"}
    assert plain.values == wanted
    texts = [(at, None if items is None else json.dumps(items)) for at, items in enumerate(lists)]
    found = answer(Flatten, config, rows=Rows({"i": "INTEGER", "l": "JSON"}, texts))
    assert found.columns["l"] == "JSON"
    assert found.values == [(at, None if item is None else str(item)) for at, item in wanted]


def test_lists_of_structs_and_lists_of_lists() -> None:
    inner = answer(Flatten, {"column": "x"}, rows=Rows({"x": "STRUCT(a INTEGER)[]"}, [([{"a": 1}, None],)]))
    assert (inner.columns, inner.values) == ({"x": "STRUCT(a INTEGER)"}, [({"a": 1},), (None,)])
    lists = answer(Flatten, {"column": "x"}, rows=Rows({"x": "INTEGER[][]"}, [([[1, 2], []],)]))
    assert (lists.columns, lists.values) == ({"x": "INTEGER[]"}, [([1, 2],), ([],)])


def test_a_struct_becomes_columns_in_its_place() -> None:
    table = Rows(
        {"i": "INTEGER", "s": 'STRUCT(a INTEGER, "b c" VARCHAR)', "z": "INTEGER"}, [(1, {"a": 2, "b c": "x"}, 3)]
    )
    assert list(rows_of(Flatten, {"column": "s"}, rows=table)[0].items()) == [
        ("i", 1), ("s_a", 2), ("s_b c", "x"), ("z", 3),
    ]  # fmt: skip
    assert list(rows_of(Flatten, {"column": "s", "prefix": ""}, rows=table)[0]) == ["i", "a", "b c", "z"]
    clash = Rows({"s": "STRUCT(a INTEGER)", "S_A": "INTEGER"})
    assert refusal(Flatten, {"column": "s"}, rows=clash)[:2] == ("there is a column 'S_A' already", "prefix")


def test_what_is_neither_is_refused() -> None:
    assert refusal(Flatten, {"column": "t"}, rows=[{"t": "[1]"}])[2] == "cast it to JSON first"
    assert "neither a list nor a struct" in refusal(Flatten, {"column": "n"}, rows=[{"n": 1}])[0]
    with pytest.raises(duckdb.ConversionException, match="Expected ARRAY"):
        rows_of(Flatten, {"column": "j"}, rows=Rows(JSON, [("{}",)]))
    for node in (JsonSelect(column="j", path="a"), Flatten(column="j")):
        with pytest.raises(ColumnsUnknown):
            node.query(Relation("a.rows"))
