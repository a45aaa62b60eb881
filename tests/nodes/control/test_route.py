from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airloom.nodes.control.route import Route
from airloom.nodes.sdk import ports_of
from airloom.nodes.testing import run_node


def sent(value: Any, **config: Any) -> str:
    (fired,) = run_node(Route.model_validate({"routes": ["a", "b", "true"], **config}), value=value).items()
    assert fired[1] is value
    return fired[0]


def test_a_value_a_field_or_an_expression_names_the_route() -> None:
    assert sent("a") == "a"
    assert sent({"deep": ["x", "b"]}, field="deep.1") == "b"
    assert sent({"state": 1, "kind": "b"}, field="kind") == "b"
    assert sent("a", by="b") == "b"
    assert sent({"paid": True}, field="paid") == "true"


@pytest.mark.parametrize("named", [None, "", "A", " a", 1, ["a"], {"a": 1}, False, "other", "error"])
def test_whatever_else_comes_leaves_by_other(named: Any) -> None:
    assert sent(named) == "other"
    assert sent("a", by=named) == "other"


def test_an_expression_that_gives_null_is_not_the_same_as_none_in_the_config() -> None:
    assert sent("a", by=None) == "other"
    assert sent("a") == "a"


def test_ports_follow_the_routes() -> None:
    assert [port.name for port in ports_of(Route, {"routes": ["a", "b"]}).outputs] == ["a", "b", "other"]
    assert [port.name for port in ports_of(Route, {"routes": "{{ nonsense }}"}).outputs] == ["other"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "Field required"),
        ({"routes": []}, "at least 1 item"),
        ({"routes": ["a", "a"]}, "the route 'a' is there twice"),
        ({"routes": ["other"]}, "'other' is the name of another port"),
        ({"routes": ["error"]}, "'error' is the name of another port"),
        ({"routes": ["Not a name"]}, "String should match pattern"),
        ({"routes": ["a"], "by": "x", "field": "y"}, "by and field both name the route"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Route.model_validate(config)
