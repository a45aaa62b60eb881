from __future__ import annotations

from typing import Any

import pytest
from tests.nodes.control.test_switch import Table

from airloom.nodes.control.check import Check
from airloom.nodes.operators import OPERATORS
from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.testing import run_node


def checked(value: Any, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return run_node(Check.model_validate({"rules": rules}), value=value)


def test_all_rules_have_to_hold_and_each_is_in_the_results() -> None:
    rules = [{"field": "n", "operator": "gt", "value": 1}, {"name": "short", "operator": "length_lt", "value": 9}]
    answer = checked({"n": 5}, rules)
    assert list(answer) == ["fail"]
    assert answer["fail"]["passed"] is False
    assert answer["fail"]["results"] == [
        {"check": "n gt", "passed": True, "actual": 5, "expected": 1},
        {"check": "short", "passed": False, "actual": {"n": 5}, "expected": 9},
    ]


def test_without_rules_everything_passes() -> None:
    assert checked(None, []) == {"pass": {"value": None, "passed": True, "results": []}}


@pytest.mark.parametrize("name", OPERATORS)
def test_only_operators_that_compare_have_something_expected(name: str) -> None:
    (answer,) = checked("5", [{"operator": name, "value": "5"}]).values()
    assert answer["results"][0]["expected"] == (None if OPERATORS[name].unary else "5")


def test_a_table_can_be_asked_for_its_rows_and_columns() -> None:
    rules = [{"field": "rows", "value": 3}, {"field": "columns", "operator": "contains", "value": "a"}]
    assert [result["actual"] for result in checked(Table(), rules)["pass"]["results"]] == [3, ["a", "b"]]


def test_a_rule_that_cannot_be_asked_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked("x", [{"operator": "exists"}, {"operator": "length_gt", "value": "many"}])
    assert caught.value.field == "rules/1/value"
