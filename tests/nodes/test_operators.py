from __future__ import annotations

import itertools
from datetime import date, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.nodes.operators import OPERATORS, Operator, Rule, compare, field_of, implies, opposite, plain_rule
from airloom.nodes.sdk import ConfigurationError

EMPTY: list[Any] = [None, "", [], {}]
FALSE: list[Any] = [False, "no", "", "on", 0, None, []]

# Operator, value, wanted, answer.
CASES: list[tuple[str, Any, Any, bool]] = [
    ("exists", 0, "", True),
    ("exists", "", "", True),
    ("exists", None, "", False),
    ("does_not_exist", None, "", True),
    ("does_not_exist", False, "", False),
    *(("is_empty", value, "", True) for value in EMPTY),
    *(("is_empty", value, "", False) for value in (0, False, " ", [None], {"a": None})),
    *(("is_not_empty", value, "", False) for value in EMPTY),
    *(("is_not_empty", value, "", True) for value in (0, False, " ", [None])),
    ("equals", 5, "5", True),
    ("equals", "5", 5, True),
    ("equals", 5.0, 5, False),
    ("equals", "a", "A", False),
    ("equals", True, "True", True),
    ("equals", True, "true", False),
    ("equals", None, "None", True),
    ("not_equals", 5, "5", False),
    ("not_equals", 5.0, 5, True),
    ("contains", ["a", 1], 1, True),
    ("contains", ["a", 1], "1", False),
    ("contains", "invoice 12", 12, True),
    ("contains", "Invoice", "invoice", False),
    ("not_contains", ["a"], "b", True),
    ("not_contains", "abc", "b", False),
    ("starts_with", 123, 12, True),
    ("starts_with", "abc", "b", False),
    ("not_starts_with", "abc", "b", True),
    ("not_starts_with", "abc", "a", False),
    ("ends_with", "abc", "c", True),
    ("ends_with", "abc", "b", False),
    ("not_ends_with", "abc", "b", True),
    ("not_ends_with", "abc", "c", False),
    ("matches_regex", "order 12", r"\d+$", True),
    ("matches_regex", "order", r"^rder", False),
    ("not_matches_regex", "order", r"^rder", True),
    ("not_matches_regex", "order 12", r"\d", False),
    ("gt", "10", 9, True),
    ("gt", 9, 9, False),
    ("gt", "many", -1, True),
    ("gt", None, 0, False),
    ("gt", 2**53 + 1, float(2**53), True),
    ("gt", "9007199254740993", 2**53, True),
    ("lt", 8.5, "9", True),
    ("lt", 9, 9, False),
    ("lt", "many", 1, True),
    ("gte", 9, "9", True),
    ("gte", None, 0, True),
    ("gte", 8, 9, False),
    ("lte", 9, 9, True),
    ("lte", 10, 9, False),
    ("after", "2026-01-02", "2026-01-01", True),
    ("after", "2026-01-01", "2026-01-01", False),
    ("after", "2026-01-01T12:00:00Z", "2026-01-01T12:30:00+01:00", True),
    ("after", "2026-01-01T12:00:00", "2026-01-01T11:59:59Z", True),
    ("after", "soon", "2026-01-01", False),
    ("after", "2026-01-01", "soon", False),
    ("after", date(2026, 1, 2), datetime(2026, 1, 1, 23), True),  # noqa: DTZ001 a time without a zone is meant
    ("before", "2026-01-01", "2026-01-02", True),
    ("before", "2026-01-01", "2026-01-01", False),
    ("before", None, "2026-01-01", False),
    ("after_or_equal", "2026-01-01", "2026-01-01T00:00:00Z", True),
    ("after_or_equal", "2025-12-31", "2026-01-01", False),
    ("after_or_equal", "soon", "soon", False),
    ("before_or_equal", "2026-01-01", "2026-01-01", True),
    ("before_or_equal", "2026-01-02", "2026-01-01", False),
    ("before_or_equal", 5, "2026-01-01", False),
    *(("is_true", value, "", True) for value in (True, "true", "TRUE", "1", "yes", 1, [0])),
    *(("is_true", value, "", False) for value in FALSE),
    *(("is_false", value, "", True) for value in FALSE),
    *(("is_false", value, "", False) for value in (True, "yes", 1)),
    ("length_eq", "abc", 3, True),
    ("length_eq", [1, 2], "2", True),
    ("length_eq", {"a": 1}, 1, False),
    ("length_eq", None, 0, False),
    ("length_neq", "abc", 2, True),
    ("length_neq", "abc", 3, False),
    ("length_neq", 5, 1, True),
    ("length_gt", "abc", 2, True),
    ("length_gt", "abc", 3, False),
    ("length_gt", None, -1, False),
    ("length_lt", [], 1, True),
    ("length_lt", [1], 1, False),
    ("length_gte", [1], 1, True),
    ("length_gte", [], 1, False),
    ("length_lte", "a", 1, True),
    ("length_lte", "ab", 1, False),
    ("length_lte", 7, 9, False),
]


def test_there_are_thirty_operators_and_each_is_seen_true_and_false() -> None:
    assert len(OPERATORS) == 30
    assert tuple(OPERATORS) == get_args(Operator)
    assert {(name, answer) for name, _, _, answer in CASES} == {
        (name, answer) for name in OPERATORS for answer in (True, False)
    }


@pytest.mark.parametrize(("name", "value", "wanted", "answer"), CASES)
def test_an_operator(name: str, value: Any, wanted: Any, answer: bool) -> None:
    assert compare(name, value, wanted) is answer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
OPPOSITES = [
    ("exists", "does_not_exist"), ("is_empty", "is_not_empty"), ("equals", "not_equals"), ("contains", "not_contains"),
    ("starts_with", "not_starts_with"), ("ends_with", "not_ends_with"), ("is_true", "is_false"),
]  # fmt: skip


@given(JSON, JSON, st.sampled_from(OPPOSITES))
def test_opposites_never_agree(value: Any, wanted: Any, names: tuple[str, str]) -> None:
    assert compare(names[0], value, wanted) is not compare(names[1], value, wanted)


@given(JSON, JSON, st.sampled_from([name for name in OPERATORS if "regex" not in name and "length" not in name]))
def test_any_two_values_can_be_compared(value: Any, wanted: Any, name: str) -> None:
    assert compare(name, value, wanted) in (True, False)


def test_a_bad_pattern_or_length_is_a_fault_of_the_config() -> None:
    with pytest.raises(ConfigurationError, match=r"the pattern '\(' is wrong"):
        compare("matches_regex", "x", "(")
    with pytest.raises(ConfigurationError, match="length_gt compares with a whole number, not 'three'"):
        compare("length_gt", "x", "three")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("", {"order": {"lines": [{"n": 1}, {"n": 2}], "a.b": 3}, "nothing": None}),
        ("order.lines.1.n", 2),
        ("state.order.lines.0.n", 1),
        ("order.lines.2.n", None),
        ("order.lines.-1", None),
        ("order.lines.n", None),
        ("order.missing.deeper", None),
        ("nothing.deeper", None),
        ("order.lines.0.n.deeper", None),
    ],
)
def test_a_path_leads_to_a_field_or_nowhere(path: str, wanted: Any) -> None:
    assert field_of({"order": {"lines": [{"n": 1}, {"n": 2}], "a.b": 3}, "nothing": None}, path) == wanted


def test_a_field_called_state_can_be_reached() -> None:
    assert field_of({"state": {"x": 1}}, "state.x") == 1
    assert field_of({"state": "new"}, "state") == "new"


def test_a_rule_has_the_defaults_of_a_new_one() -> None:
    assert Rule().holds("")
    assert Rule(field="a", value=1).holds({"a": 1})


WANTED: list[Any] = [0, 1, 2, "1", "2", "a", "2026-01-01", "2026-01-02T00:00:00Z", "", "nan", None]
VALUES: list[Any] = [
    None, 0, 1, 1.5, 2, 3, True, False, "", "1", "2", "a", "ab", "nan", "yes", [], [1], ["a", "b"], {}, {"a": 1},
    "2026-01-01", "2026-01-01T12:00:00", "2026-01-03", float("nan"),
]  # fmt: skip


def answers(rule: tuple[str, str, Any]) -> list[bool] | None:
    try:
        return [compare(rule[1], value, rule[2]) for value in VALUES]
    except ConfigurationError:
        return None


def test_what_is_said_of_two_rules_is_true_of_every_value() -> None:
    known = {rule: found for rule in itertools.product([""], OPERATORS, WANTED) if (found := answers(rule)) is not None}
    seen: set[tuple[str, str]] = set()
    for one, other in itertools.product(known, known):
        pairs = zip(known[one], known[other], strict=True)
        if implies(one, other):
            seen.add((one[1], other[1]))
            assert not any(mine and not yours for mine, yours in pairs), (one, other)
        elif opposite(one, other):
            assert all(mine is not yours for mine, yours in pairs), (one, other)
    assert len(seen) > 40


@pytest.mark.parametrize(
    ("one", "other", "implied"),
    [
        (("n", "gt", 100), ("n", "gt", 0), True),
        (("n", "gt", "100"), ("n", "gte", 100), True),
        (("n", "gte", 100), ("n", "gt", 100), False),
        (("n", "lt", 5), ("n", "lte", 5), True),
        (("n", "gt", 0), ("n", "gt", 100), False),
        (("n", "gt", 100), ("m", "gt", 0), False),
        (("d", "after", "2026-02-01"), ("d", "after_or_equal", "2026-01-01"), True),
        (("d", "after", "2026-02-01"), ("d", "after", "soon"), False),
        (("t", "length_lte", 3), ("t", "length_lt", 5), True),
        (("t", "length_gt", "x"), ("t", "length_gt", 1), False),
        (("t", "exists", 1), ("t", "exists", 2), True),
        (("t", "equals", "a"), ("t", "equals", "a"), True),
        (("t", "equals", "a"), ("t", "equals", "b"), False),
        (("t", "does_not_exist", ""), ("t", "is_empty", ""), True),
    ],
)
def test_one_rule_implies_another(one: Any, other: Any, implied: bool) -> None:
    assert implies(one, other) is implied


def test_a_rule_with_an_expression_says_nothing_before_the_run() -> None:
    assert plain_rule({"field": "a", "operator": "gt", "value": 1}) == ("a", "gt", 1)
    assert plain_rule({}) == ("", "equals", "")
    assert plain_rule({"value": ["{{ params.x }}"]}) is None
