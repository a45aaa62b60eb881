from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes.tables.tools import answer, fault, refusal

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.tables._conditions import OPERATORS, SPELLINGS
from airloom.nodes.tables.filter import Filter
from airloom.nodes.testing import Rows

TYPES = {"n": "INTEGER", "s": "VARCHAR", "b": "BOOLEAN", "l": "INTEGER[]"}
TEXTS = st.sampled_from(["", "a", "ab", "b%", "true", "Yes", "ä_"])
ROW = st.tuples(
    st.none() | st.integers(-2, 3),
    st.none() | TEXTS,
    st.none() | st.booleans(),
    st.none() | st.lists(st.integers(0, 2), max_size=2),
)
N, S, B, L = range(4)

# Operator → column, value, and what it says of a value that is not null.
DEFINITIONS: dict[str, list[tuple[int, Any, Callable[[Any], bool]]]] = {
    "==": [(N, 1, lambda n: n == 1), (S, "ab", lambda s: s == "ab"), (N, 1.5, lambda n: n == 1.5)],
    "!=": [(N, 1, lambda n: n != 1), (B, True, lambda b: b is not True)],
    "<": [(N, 1, lambda n: n < 1), (S, "b", lambda s: s < "b")],
    "<=": [(N, 0.5, lambda n: n <= 0.5)],
    ">": [(N, "1", lambda n: n > 1)],
    ">=": [(N, 1, lambda n: n >= 1)],
    "between": [(N, [0, 1.5], lambda n: 0 <= n <= 1.5), (N, [2, 1], lambda n: False)],
    "in": [(N, [1, 2], lambda n: n in (1, 2)), (S, ["a", "ä_"], lambda s: s in ("a", "ä_")), (N, [], lambda n: False)],
    "not_in": [(N, [1, 2], lambda n: n not in (1, 2)), (S, [], lambda s: True)],
    "is_true": [(B, None, lambda b: b), (N, None, lambda n: n != 0), (S, None, lambda s: s.lower() in ("true", "yes"))],
    "is_false": [(B, None, lambda b: not b), (N, None, lambda n: n == 0)],
    "contains": [(S, "b", lambda s: "b" in s), (S, "%", lambda s: "%" in s), (L, 1, lambda values: 1 in values)],
    "not_contains": [(S, "b", lambda s: "b" not in s), (L, 2, lambda values: 2 not in values)],
    "starts_with": [(S, "a", lambda s: s.startswith("a"))],
    "not_starts_with": [(S, "a", lambda s: not s.startswith("a"))],
    "ends_with": [(S, "_", lambda s: s.endswith("_"))],
    "not_ends_with": [(S, "%", lambda s: not s.endswith("%"))],
    "matches_regex": [(S, "^[ab]+", lambda s: re.search("^[ab]+", s) is not None)],
    "not_matches_regex": [(S, "b.", lambda s: re.search("b.", s) is None)],
    "length_eq": [(S, 2, lambda s: len(s) == 2)],
    "length_neq": [(S, 2, lambda s: len(s) != 2)],
    "length_lt": [(L, 1, lambda values: len(values) < 1)],
    "length_lte": [(L, 1, lambda values: len(values) <= 1)],
    "length_gt": [(S, 1, lambda s: len(s) > 1)],
    "length_gte": [(L, 2, lambda values: len(values) >= 2)],
}
OF_NULLS: dict[str, Callable[[Any], bool]] = {
    "is_null": lambda value: value is None,
    "not_null": lambda value: value is not None,
    "is_empty": lambda value: value in (None, "", []),
    "is_not_empty": lambda value: value not in (None, "", []),
}


def kept(conditions: list[Any], rows: Any, **more: Any) -> list[Any]:
    return answer(Filter, {"conditions": conditions, **more}, rows=rows).values


def test_every_operator_has_a_definition_here() -> None:
    assert {*DEFINITIONS, *OF_NULLS} == set(OPERATORS)


@given(st.lists(ROW, max_size=8), st.sampled_from([(op, *case) for op, cases in DEFINITIONS.items() for case in cases]))
def test_an_operator_is_what_its_definition_says_and_null_is_left_out(
    rows: list[tuple[Any, ...]], case: tuple[str, int, Any, Callable[[Any], bool]]
) -> None:
    operator, at, value, holds = case
    condition = {"column": list(TYPES)[at], "operator": operator, "value": value}
    assert kept([condition], Rows(TYPES, rows)) == [row for row in rows if row[at] is not None and holds(row[at])]


@given(st.lists(ROW, max_size=6), st.sampled_from(sorted(OF_NULLS)), st.sampled_from([N, S, B, L]))
def test_some_operators_ask_for_null(rows: list[tuple[Any, ...]], operator: str, at: int) -> None:
    condition = {"column": list(TYPES)[at], "operator": operator}
    assert kept([condition], Rows(TYPES, rows)) == [row for row in rows if OF_NULLS[operator](row[at])]


def test_groups_stand_in_groups() -> None:
    rows = [{"a": a, "b": b} for a in (1, 2) for b in (1, 2, 3)]
    group = {
        "logic": "or",
        "conditions": [
            {"column": "a", "value": 2},
            {"logic": "and", "conditions": [{"column": "b", "operator": "between", "value": [2, 2]}]},
        ],
    }
    assert kept([{"column": "b", "operator": "<=", "value": 2}, group], rows) == [(1, 2), (2, 1), (2, 2)]
    assert kept([{"column": "a", "value": 2}, {"column": "b", "value": 3}], rows, logic="or") == [
        (1, 3), (2, 1), (2, 2), (2, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(("other", "name"), SPELLINGS.items())
def test_operators_have_other_names(other: str, name: str) -> None:
    value = None if name in ("is_null", "not_null") else "a"
    made = Filter.model_validate({"conditions": [{"column": "s", "operator": other, "value": value}]})
    assert made.model_dump()["conditions"][0]["operator"] == name


@pytest.mark.parametrize(
    ("kind", "there", "value"),
    [
        ("DATE", date(2026, 1, 31), "2026-01-31"),
        ("DATE", date(2026, 1, 31), date(2026, 1, 31)),
        ("TIMESTAMP", "2026-01-31 10:00", "2026-01-31T10:00:00"),
        ("TIMESTAMP", "2026-01-31 10:00", "2026-01-31T12:00:00+02:00"),
        ("TIMESTAMPTZ", "2026-01-31 10:00", "2026-01-31T10:00:00Z"),
        ("TIMESTAMPTZ", "2026-01-31 10:00", "2026-01-31T10:00:00"),
        ("TIME", "10:30:00", "10:30"),
        ("DECIMAL(9,2)", Decimal("1.10"), 1.1),
        ("FLOAT", 1.1, 1.1),
        ("DOUBLE", 1.1, "1.1"),
        ("BOOLEAN", True, "True"),
        ("UUID", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"),
        ("VARCHAR", "5", 5),
        ("VARCHAR", "true", True),
        ("BIGINT", 2**62, 2**62),
        ("UBIGINT", 2**64 - 1, str(2**64 - 1)),
    ],
)
def test_a_value_is_read_as_the_type_of_its_column(kind: str, there: Any, value: Any) -> None:
    table = Rows({"x": kind, "i": "INTEGER"}, [(there, 1), (None, 2)])
    condition = {"conditions": [{"column": "x", "value": value}]}
    node = Filter.model_validate(condition)
    assert [row[1] for row in answer(Filter, node.model_dump(), rows=table).values] == [1]


def test_a_day_meets_a_time_as_its_midnight() -> None:
    table = Rows({"x": "DATE"}, [(date(2026, 1, 31),), (date(2026, 2, 1),)])
    assert kept([{"column": "x", "operator": "<", "value": "2026-01-31T01:00"}], table) == [(date(2026, 1, 31),)]


@pytest.mark.parametrize(
    ("condition", "message", "field"),
    [
        ({"column": "x", "value": 1}, "there is no column 'x'", "conditions/0/column"),
        ({"column": "n", "value": "much"}, "the column is INTEGER, and 'much' is not a number", "conditions/0/value"),
        ({"column": "n", "value": True}, "the column is INTEGER, and True is not a number", "conditions/0/value"),
        ({"column": "n", "operator": "in", "value": [1, "x"]}, "'x' is not a number", "conditions/0/value/1"),
        ({"column": "n", "value": 1e300}, "a whole number this large cannot stand in SQL", "conditions/0/value"),
        ({"column": "b", "value": "maybe"}, "'maybe' is not true or false", "conditions/0/value"),
        ({"column": "n", "operator": "contains", "value": "1"}, "'n' is INTEGER", "conditions/0/operator"),
        ({"column": "n", "operator": "length_gt", "value": 1}, "'n' is INTEGER", "conditions/0/operator"),
        ({"column": "l", "value": 1}, "a value of type INTEGER[] cannot stand in a config", "conditions/0/value"),
    ],
)
def test_what_does_not_fit_the_column_is_named(condition: dict[str, Any], message: str, field: str) -> None:
    said, at, hint = refusal(Filter, {"conditions": [condition]}, rows=Rows(TYPES))
    assert message in said
    assert at == field
    assert hint or "large" in message
    _, nested, _ = refusal(Filter, {"conditions": [{"logic": "or", "conditions": [condition]}]}, rows=Rows(TYPES))
    assert nested == field.replace("conditions/0", "conditions/0/conditions/0")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "give either where (in SQL) or conditions"),
        ({"where": "n > 1", "conditions": [{"column": "n", "value": 1}]}, "give either where"),
        ({"conditions": [{"column": "n"}]}, "== needs a value; whether a column is null is asked by is_null"),
        ({"conditions": [{"column": "n", "operator": "is_null", "value": 1}]}, "is_null takes no value"),
        ({"conditions": [{"column": "n", "operator": "in", "value": 1}]}, "in takes a list of values"),
        ({"conditions": [{"column": "n", "operator": "between", "value": [1]}]}, "between takes two values"),
        ({"conditions": [{"column": "n", "operator": "<", "value": [1]}]}, "< takes one value; a list is for in"),
        (
            {"conditions": [{"column": "s", "operator": "matches_regex", "value": "("}]},
            "expression '(' is wrong",
        ),
        (
            {"conditions": [{"column": "s", "operator": "matches_regex", "value": "(?=a)"}]},
            "(?= in a regular",
        ),
        ({"conditions": [{"column": "s", "operator": "length_gt", "value": "x"}]}, "length_gt takes a whole number"),
        ({"conditions": [{"column": "s", "operator": "like", "value": "x"}]}, "Input should be '=='"),
        ({"conditions": [{"logic": "or", "conditions": []}]}, "at least 1 item"),
        ({"conditions": [{"logic": "nor", "conditions": [{"column": "n", "value": 1}]}]}, "'and' or 'or'"),
    ],
)
def test_a_wrong_condition_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    assert message in fault(Filter, config)


def test_a_wrong_condition_is_one_fault() -> None:
    assert fault(Filter, {"conditions": [{"column": "n", "operator": "<"}]}).count(";") == 1


def test_groups_in_groups_without_end_are_refused() -> None:
    part: dict[str, Any] = {"column": "n", "value": 1}
    for _ in range(25):
        part = {"conditions": [part]}
    assert "at most 20 deep" in refusal(Filter, {"conditions": [part]}, rows=Rows(TYPES))[0]


def test_types_have_to_be_known_and_the_table_may_be_empty() -> None:
    node = Filter.model_validate({"conditions": [{"column": "n", "value": 1}]})
    with pytest.raises(ColumnsUnknown):
        node.query(Relation("a.rows"))
    assert kept([{"column": "n", "value": 1}], Rows(TYPES)) == []
