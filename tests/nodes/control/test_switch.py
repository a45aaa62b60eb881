from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airloom.nodes.control.switch import Switch
from airloom.nodes.sdk import ConfigurationError, ports_of
from airloom.nodes.testing import run_node

RULES = [
    {"id": "large", "field": "total", "operator": "gt", "value": 100},
    {"id": "positive", "field": "total", "operator": "gt", "value": 0},
]


class Table:
    """Stand for a table as the runtime hands it to a control node."""

    rows = 3

    @property
    def columns(self) -> list[str]:
        return ["a", "b"]

    def first(self, number: int) -> list[Any]:
        raise AssertionError("a switch reads no rows")


def sent(value: Any, rules: list[dict[str, Any]], *, fallback: bool = False) -> dict[str, Any]:
    return run_node(Switch.model_validate({"rules": rules, "fallback": fallback}), value=value)


def test_the_first_rule_that_holds_sends_the_value_on_as_it_came() -> None:
    value = {"total": 500, "lines": [1]}
    answer = sent(value, RULES)
    assert list(answer) == ["large"]
    assert answer["large"] is value
    assert sent({"total": 5}, RULES) == {"positive": {"total": 5}}


def test_what_meets_no_rule_takes_the_fallback_or_no_port() -> None:
    assert sent({"total": -1}, RULES, fallback=True) == {"fallback": {"total": -1}}
    assert sent({"total": -1}, RULES) == {}
    assert sent(None, RULES) == {}


def test_a_table_passes_untouched() -> None:
    table = Table()
    assert sent(table, [{"id": "some", "field": "rows", "operator": "gt", "value": 0}]) == {"some": table}
    assert sent(table, [{"id": "b", "field": "columns.1", "value": "b"}]) == {"b": table}
    assert sent(table, [{"id": "b", "field": "columns", "operator": "contains", "value": "b"}]) == {"b": table}


def test_ports_follow_the_config() -> None:
    def outputs(config: Any) -> list[str]:
        return [port.name for port in ports_of(Switch, config).outputs]

    assert outputs({"rules": RULES}) == ["large", "positive"]
    assert outputs({"rules": RULES, "fallback": True}) == ["large", "positive", "fallback"]
    assert outputs(Switch.model_validate({"rules": RULES, "fallback": True})) == ["large", "positive", "fallback"]
    assert outputs({"rules": "{{ nonsense }}"}) == []


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([], "at least 1 item"),
        ([{"id": "a"}, {"id": "a"}], "two rules are called 'a'"),
        ([{"id": "fallback"}], "'fallback' is the name of another port"),
        ([{"id": "error"}], "'error' is the name of another port"),
        ([{"id": "Not a name"}], "String should match pattern"),
        ([{"id": "a", "operator": "is"}], "Input should be 'exists'"),
        ([{"id": "a", "filed": "x"}], "Extra inputs are not permitted"),
        ([{"field": "x"}], "Field required"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(rules: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Switch.model_validate({"rules": rules})


def test_a_bad_pattern_is_named_with_its_rule() -> None:
    rules = [{"id": "a", "value": "no"}, {"id": "b", "operator": "matches_regex", "value": "("}]
    with pytest.raises(ConfigurationError) as caught:
        sent("yes", rules)
    assert caught.value.field == "rules/1/value"
