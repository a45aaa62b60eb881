from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes.tables.tools import fault, in_any_order, refusal

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.calling import queries_of
from airloom.nodes.fields import SqlText
from airloom.nodes.tables.validate_rows import ValidateRows
from airloom.nodes.testing import Rows, run_table

TYPES = {"id": "INTEGER", "age": "INTEGER", "email": "VARCHAR"}
ROW = st.tuples(
    st.none() | st.integers(0, 3), st.none() | st.integers(-1, 2), st.none() | st.sampled_from(["a@b.c", "none"])
)
RULES = [
    {"columns": "id", "must": "not_null"},
    {"columns": ["id"], "must": "unique"},
    {"columns": "age", "must": ">", "value": 0, "name": "of age"},
    {"columns": "email", "must": "email"},
    {"where": "age < 2 OR id = 0"},
]


def broken(row: Any, rows: list[Any]) -> list[str]:
    id_, age, email = row
    found = {
        "id: not_null": id_ is None,
        "id: unique": id_ is not None and [other[0] for other in rows].count(id_) > 1,
        "of age": age is not None and age <= 0,
        "email: email": email == "none",
        # Null or false is false only where both are.
        "age < 2 OR id = 0": age == 2 and id_ is not None and id_ != 0,
    }
    return [name for name, is_broken in found.items() if is_broken]


@given(st.lists(ROW, max_size=8), st.sampled_from(["remove", "flag", "fail"]))
def test_rows_are_judged_by_every_rule(rows: list[Any], action: str) -> None:
    node = ValidateRows.model_validate({"rules": RULES, "action": action})
    judged = [(*row, "; ".join(broken(row, rows)) or None) for row in rows]
    bad = [row for row in judged if row[-1] is not None]
    if action == "fail" and bad:
        first = next(name for name in ("id: not_null", "id: unique", "of age", "email: email", "age < 2 OR id = 0")
                     if any(name in broken(row, rows) for row in rows))  # fmt: skip
        count = sum(first in broken(row, rows) for row in rows)
        with pytest.raises(duckdb.InvalidInputException) as caught:
            run_table(node, rows=Rows(TYPES, rows))
        assert f"rows that break the rule {first!r}: {count}" in str(caught.value)
        return
    found = run_table(node, rows=Rows(TYPES, rows))
    assert in_any_order(found["rejects"].values) == in_any_order(bad if action != "fail" else [])
    good = judged if action == "flag" else [row[:-1] for row in judged if row[-1] is None]
    assert in_any_order(found["rows"].values) == in_any_order(good)
    assert list(found["rejects"].columns) == [*TYPES, "reasons"]
    assert list(found["rows"].columns) == [*TYPES, "reasons"][: 4 if action == "flag" else 3]


@pytest.mark.parametrize(
    ("kind", "rule", "good", "bad"),
    [
        ("VARCHAR", {"must": "email"}, ["a@b.co", "a.b+c@d-e.example.org"], ["", "a@b", "a@@b.c", "a b@c.d", "@b.c"]),
        (
            "VARCHAR",
            {"must": "url"},
            ["https://a.example/x?y", "HTTP://localhost"],
            ["a.example", "https://", "ftp://a"],
        ),
        ("VARCHAR", {"must": "type", "value": "INTEGER"}, ["7", " -7 "], ["1.5", "1e3", "x", "", "9999999999"]),
        ("VARCHAR", {"must": "type", "value": "DOUBLE"}, ["1.5", "1e3"], ["x", ""]),
        ("VARCHAR", {"must": "type", "value": "DATE"}, ["2026-01-31"], ["2026-02-30", "31.01.2026"]),
        ("VARCHAR", {"must": "type", "value": "BOOLEAN"}, ["true", "FALSE"], ["maybe"]),
        ("DOUBLE", {"must": "type", "value": "bigint"}, [1.0], [1.5]),
        ("VARCHAR", {"must": "matches_regex", "value": "^[A-Z]{2}$"}, ["DE"], ["de", "DEU"]),
        ("INTEGER", {"must": "between", "value": [1, 3]}, [1, 3], [0, 4]),
        ("VARCHAR", {"must": "in", "value": ["a", "b"]}, ["a"], ["A", "c"]),
        ("DATE", {"must": "after", "value": "2026-01-31"}, ["2026-02-01"], ["2026-01-31"]),
        ("INTEGER", {"must": "unique"}, [1, 2], [3, 3]),
        ("VARCHAR", {"must": "is_not_empty"}, ["a"], [""]),
    ],
)
def test_each_kind_of_rule(kind: str, rule: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    node = ValidateRows.model_validate({"rules": [{"columns": "x", **rule}]})
    nulls = [] if rule["must"] == "is_not_empty" else [None, None]
    found = run_table(node, rows=Rows({"x": kind}, [(value,) for value in (*good, *nulls, *bad)]))
    assert len(found["rows"].values) == len(good) + len(nulls)
    assert len(found["rejects"].values) == len(bad)


def test_unique_takes_several_columns_together() -> None:
    node = ValidateRows.model_validate({"rules": [{"columns": ["a", "b"], "must": "unique"}]})
    rows = Rows({"a": "INTEGER", "b": "INTEGER"}, [(1, 1), (1, 2), (2, 2), (2, 2), (3, None), (3, None)])
    assert [row[:2] for row in run_table(node, rows=rows)["rejects"].values] == [(2, 2), (2, 2)]


def test_a_filter_behind_it_hides_no_broken_row() -> None:
    connection = duckdb.connect()
    connection.execute('CREATE TABLE "a.rows" AS SELECT i AS id FROM range(10) t(i)')
    node = ValidateRows.model_validate({"rules": [{"columns": "id", "must": "<", "value": 9}], "action": "fail"})
    query = queries_of(node, {"rows": Relation("a.rows", {"id": "BIGINT"})})["rows"].sql("duckdb")
    with pytest.raises(duckdb.InvalidInputException, match="break the rule 'id: < 9': 1"):
        connection.execute(f"SELECT count(*) FROM ({query}) WHERE id = 1").fetchall()


@pytest.mark.parametrize(
    ("rule", "message", "field"),
    [
        ({"columns": ["id", "x"], "must": "not_null"}, "there is no column 'x'", "rules/0/columns/1"),
        ({"columns": "age", "must": "email"}, "email is asked of text; 'age' is INTEGER", "rules/0/must"),
        ({"columns": "age", "must": ">", "value": "old"}, "'old' is not a number", "rules/0/value"),
    ],
)
def test_a_rule_that_does_not_fit_is_named(rule: dict[str, Any], message: str, field: str) -> None:
    said, at, _ = refusal(ValidateRows, {"rules": [rule]}, rows=Rows(TYPES))
    assert message in said
    assert at == field


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([], "at least 1 item"),
        ([{}], "a rule needs columns and must"),
        ([{"columns": "a"}], "a rule needs columns and must"),
        ([{"where": "a > 1", "columns": "a"}], "a rule with where (in SQL) takes no columns"),
        ([{"columns": "a", "must": "unique", "value": 1}], "unique takes no value"),
        ([{"columns": "a", "must": "type"}], "Input should be a valid string"),
        ([{"columns": "a", "must": "type", "value": "int"}], "'int' is not a column type; write INTEGER"),
        ([{"columns": "a", "must": ">"}], "> needs a value"),
        ([{"columns": "a", "must": "even"}], "Input should be '=='"),
        ([{"columns": "a", "must": "not_null"}] * 2, "two rules are called 'a: not_null'"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(rules: list[dict[str, Any]], message: str) -> None:
    assert message in fault(ValidateRows, {"rules": rules})


def test_a_rule_shows_no_placeholder() -> None:
    text = SqlText.of("age > airloom_ph_0_", [3])
    node = ValidateRows.model_validate({"rules": [{"where": text}]})
    found = run_table(node, rows=Rows(TYPES, [(1, 2, None)]))["rejects"].rows
    assert found[0]["reasons"] == "age > {{ … }}"


def test_the_column_of_reasons_has_a_name_of_its_own() -> None:
    config = {"rules": RULES[:1], "reasons": "ID"}
    assert refusal(ValidateRows, config, rows=Rows(TYPES))[:2] == ("there is a column 'id' already", "reasons")
    with pytest.raises(ColumnsUnknown):
        ValidateRows.model_validate({"rules": RULES}).query(Relation("a.rows"))
