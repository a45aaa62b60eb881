from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nodes.tables.tools import answer, fault, refusal, rows_of

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.tables.text import NormalizeText, SplitColumn, StringOperations
from airloom.nodes.testing import Rows

TEXT = st.none() | st.text(alphabet="ab-ä \t\u00a0🙂é'\\%", max_size=9)
TEXTS = st.lists(TEXT, min_size=10, max_size=40)


def table(values: list[str | None]) -> Rows:
    return Rows({"s": "VARCHAR"}, [(value,) for value in values])


def done(values: list[str | None], *operations: dict[str, Any]) -> list[Any]:
    config = {"column": "s", "operations": list(operations)}
    return [row[0] for row in answer(StringOperations, config, rows=table(values)).values]


def normalized(values: list[str | None], *operations: str) -> list[Any]:
    config = {"columns": ["s"], "operations": list(operations)}
    return [row[0] for row in answer(NormalizeText, config, rows=table(values)).values]


@given(TEXTS, st.sampled_from(["-", "a-", " ", "🙂"]), st.none() | st.integers(1, 4), st.integers(1, 4))
def test_a_column_is_split_as_python_does(
    values: list[str | None], separator: str, max_splits: int | None, count: int
) -> None:
    names = [f"p{at}" for at in range(count)]
    config = {"column": "s", "separator": separator, "names": names, "max_splits": max_splits}
    for value, parts in zip(values, answer(SplitColumn, config, rows=table(values)).values, strict=True):
        wanted = [] if value is None else value.split(separator, -1 if max_splits is None else max_splits)
        assert list(parts) == [*wanted, *[None] * count][:count]


def test_the_parts_stand_in_the_columns_place() -> None:
    rows = [{"a": 1, "s": "x y", "b": 2}]
    config = {"column": "S", "names": ["s", "rest"]}
    assert list(rows_of(SplitColumn, config, rows=rows)[0].items()) == [("a", 1), ("s", "x"), ("rest", "y"), ("b", 2)]
    config = {"column": "s", "names": ["p", "q"], "keep": True}
    assert list(rows_of(SplitColumn, config, rows=rows)[0]) == ["a", "s", "p", "q", "b"]


def test_a_part_that_clashes_or_is_no_text_is_refused() -> None:
    rows = [{"s": "x", "b": 2}]
    assert refusal(SplitColumn, {"column": "s", "names": ["B"]}, rows=rows)[:2] == (
        "there is a column 'b' already", "names",
    )  # fmt: skip
    kept = {"column": "s", "names": ["s"], "keep": True}
    assert refusal(SplitColumn, kept, rows=rows)[:2] == ("there is a column 's' already", "names")
    message, field, hint = refusal(SplitColumn, {"column": "b", "names": ["x"]}, rows=rows)
    assert (message, field, hint) == (
        "text is needed here; 'b' is BIGINT",
        "column",
        "cast the column to VARCHAR first",
    )
    assert "'X' stands here twice" in fault(SplitColumn, {"column": "s", "names": ["x", "X"]})
    assert "at least 1 character" in fault(SplitColumn, {"column": "s", "names": ["x"], "separator": ""})
    assert "greater than or equal to 1" in fault(SplitColumn, {"column": "s", "names": ["x"], "max_splits": 0})


@settings(max_examples=12)
@given(TEXTS)
def test_each_operation_is_what_python_does(values: list[str | None]) -> None:
    def of(function: Any) -> list[Any]:
        return [None if value is None else function(value) for value in values]

    def part(value: str) -> str | None:
        return value.split("-")[1] if value.count("-") else None

    assert done(values, {"op": "upper"}) == of(str.upper)
    assert done(values, {"op": "lower"}) == of(str.lower)
    assert done(values, {"op": "trim"}) == of(str.strip)
    assert done(values, {"op": "trim", "side": "left"}) == of(str.lstrip)
    assert done(values, {"op": "trim", "side": "right", "characters": "a-"}) == of(lambda value: value.rstrip("a-"))
    assert done(values, {"op": "replace", "find": "a", "by": "'"}) == of(lambda value: value.replace("a", "'"))
    assert done(values, {"op": "substring", "start": 2, "length": 3}) == of(lambda value: value[1:4])
    assert done(values, {"op": "pad", "width": 5, "by": "é"}) == of(lambda value: value.rjust(5, "é"))
    assert done(values, {"op": "pad", "width": 5, "side": "right"}) == of(lambda value: value.ljust(5))
    assert done(values, {"op": "split", "separator": "-", "part": 2}) == of(part)


def test_operations_follow_each_other_and_stay_small() -> None:
    chain = [{"op": "pad", "width": 9}, {"op": "split", "part": 3}, {"op": "concat", "columns": ["s"]}] * 5
    node = StringOperations.model_validate({"column": "s", "operations": chain})
    assert len(node.query(Relation("a.rows", {"s": "VARCHAR"})).sql("duckdb")) < 10_000
    assert done(["ab"], {"op": "upper"}, {"op": "pad", "width": 4, "by": "0"}, {"op": "substring", "start": -3}) == [
        "0AB"
    ]


def test_a_regular_expression_replaces_every_match() -> None:
    swap = {"op": "replace", "find": r"(\w)-(\w)", "by": r"\2-\1", "regex": True}
    assert done(["a-b c-d", None, "x"], swap) == ["b-a d-c", None, "x"]


def test_concat_leaves_nulls_out_and_writes_all_that_has_one_value() -> None:
    columns = {"s": "VARCHAR", "n": "INTEGER", "d": "DATE", "b": "BOOLEAN"}
    values = [("x", 7, "2026-01-31", True), (None, 7, None, None), (None, None, None, None)]
    config = {
        "column": "s",
        "operations": [{"op": "concat", "columns": ["N", "d", "b"], "separator": "/"}],
        "name": "k",
    }
    found = [row["k"] for row in rows_of(StringOperations, config, rows=Rows(columns, values))]
    assert found == ["x/7/2026-01-31/true", "7", None]
    number = {"column": "n", "operations": [{"op": "pad", "width": 3, "by": "0"}]}
    found = rows_of(StringOperations, number, rows=Rows({"n": "INTEGER"}, [(7,)]))
    assert found == [{"n": "007"}]
    assert refusal(
        StringOperations, {"column": "l", "operations": [{"op": "upper"}]}, rows=Rows({"l": "INTEGER[]"})
    )[1] == "column"  # fmt: skip
    wrong = {"column": "s", "operations": [{"op": "upper"}, {"op": "concat", "columns": ["s", "x"]}]}
    assert refusal(StringOperations, wrong, rows=[{"s": "a"}])[:2] == (
        "there is no column 'x'", "operations/1/columns/1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({}, "Unable to extract tag"),
        ({"op": "reverse"}, "does not match any of the expected tags"),
        ({"op": "replace"}, "replace/find: Field required"),
        ({"op": "replace", "find": "(", "regex": True}, "the regular expression '(' is wrong"),
        ({"op": "substring", "start": 0}, "the first character is 1"),
        ({"op": "pad", "width": 5, "by": "ab"}, "at most 1 character"),
        ({"op": "pad", "width": 1_000_000}, "less than or equal to 10000"),
        ({"op": "upper", "side": "left"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_operation_says_what_is_wrong(operation: dict[str, Any], message: str) -> None:
    assert message in fault(StringOperations, {"column": "s", "operations": [operation]})


@settings(max_examples=12)
@given(TEXTS)
def test_text_is_normalized_step_by_step(values: list[str | None]) -> None:
    def plain(value: str) -> str:
        return "".join(c for c in value if c.isspace() or unicodedata.category(c)[0] in "LMN")

    def of(function: Any) -> list[Any]:
        return [None if value is None else function(value) for value in values]

    assert normalized(values, "uppercase") == of(str.upper)
    assert normalized(values, "remove_special", "lowercase") == of(lambda value: plain(value).lower())
    assert normalized(values, "trim") == of(str.strip)
    assert normalized(values, "collapse_whitespace", "trim") == of(lambda value: " ".join(value.split()))


@pytest.mark.parametrize(
    ("given_text", "operation", "wanted"),
    [
        ("<p class='a>b'>x</p>", "remove_html", "b'>x"),  # as every parser that knows no attributes
        ("<b>bold</b> a < b and c > d", "remove_html", "bold a < b and c > d"),
        ("<script>alert('<p>')</script>text<!-- <b> -->", "remove_html", "text"),
        ("<STYLE>\np {}\n</STYLE >text<br/>", "remove_html", "text"),
        ("AT&amp;T &lt;b&gt;", "remove_html", "AT&T <b>"),
        ("see https://a.example/x?y=1#z, or WWW.b.example now", "remove_urls", "see  or  now"),
        ("e\u0301 ½ ²", "remove_special", "e\u0301 ½ ²"),
        ("a\u00a0\t\n b", "collapse_whitespace", "a b"),
    ],
)
def test_what_is_taken_out_of_text(given_text: str, operation: str, wanted: str) -> None:
    assert normalized([given_text], operation) == [wanted]


def test_only_text_is_normalized() -> None:
    config = {"columns": ["s", "n"], "operations": ["trim"]}
    assert refusal(NormalizeText, config, rows=[{"s": "a", "n": 1}])[:2] == (
        "text is needed here; 'n' is BIGINT", "columns/1",
    )  # fmt: skip
    assert "Input should be 'lowercase'" in fault(NormalizeText, {"columns": ["s"], "operations": ["shout"]})


def test_unknown_columns_stay_unknown_and_tables_may_be_empty() -> None:
    nodes = [
        SplitColumn(column="s", names=["a"]),
        StringOperations.model_validate({"column": "s", "operations": [{"op": "upper"}]}),
        NormalizeText(columns=["s"], operations=["trim"]),
    ]
    for node in nodes:
        with pytest.raises(ColumnsUnknown):
            node.query(Relation("a.rows"))
    assert done([], {"op": "upper"}) == []
