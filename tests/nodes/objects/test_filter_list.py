from __future__ import annotations

from typing import Any

import pytest

from airloom.nodes.objects.filter_list import FilterList
from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.testing import run_node


def kept(items: Any, rules: list[dict[str, Any]], path: str = "") -> Any:
    return run_node(FilterList.model_validate({"rules": rules, "path": path}), items=items)["value"]


def test_all_rules_have_to_hold() -> None:
    rules = [{"field": "n", "operator": "gt", "value": 1}, {"field": "n", "operator": "lt", "value": 4}]
    assert kept([{"n": n} for n in range(6)], rules) == [{"n": 2}, {"n": 3}]
    assert kept([1, None, 3], []) == [1, None, 3]


def test_a_rule_reads_each_item_with_the_coercions_of_every_rule() -> None:
    rules = [{"field": "n", "operator": "gte", "value": 0}]
    assert kept([{"n": "-1"}, {"n": "many"}, {}, "text", None], rules) == [{"n": "many"}, {}, "text", None]


@pytest.mark.parametrize("value", [None, 5, "abc", {"a": [1]}, True])
def test_what_is_no_list_is_passed_on(value: Any) -> None:
    assert kept(value, [{"operator": "does_not_exist"}]) == value


def test_a_path_leads_to_the_list() -> None:
    assert kept({"body": {"items": [1, 2]}}, [{"value": 2}], "body.items") == [2]
    assert kept({"body": {"items": 5}}, [{"value": 2}], "body.items") == 5
    assert kept({"body": {}}, [{"value": 2}], "body.items") is None


def test_a_rule_that_cannot_be_asked_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        kept(["x"], [{"operator": "exists"}, {"operator": "matches_regex", "value": "["}])
    assert caught.value.field == "rules/1/value"
