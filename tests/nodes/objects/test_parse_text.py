from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airloom.nodes.objects.parse_text import ParseText
from airloom.nodes.sdk import DataError
from airloom.nodes.testing import run_node


def parsed(text: str, **config: Any) -> Any:
    return run_node(ParseText.model_validate(config), text=text)["value"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        (" 5 ", 5),
        ('"x"', "x"),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ("Sure:\r\n```\r\n[1]\r\n```\r\nDone", [1]),
        ('```json {"a": 1}```', {"a": 1}),
        ('It is ```{"a": 1}``` there', {"a": 1}),
        ("```python\nx = 1\n```\n```json\n[2]\n```", [2]),
        ('```json\n{"code": "```inner```"}\n```', {"code": "```inner```"}),
    ],
)
def test_json_stands_alone_or_between_fences(text: str, answer: Any) -> None:
    assert parsed(text) == answer


@pytest.mark.parametrize(
    ("pattern", "answer"),
    [
        (r"(?P<n>\d+)(?P<unit>kg|g)?", {"n": "12", "unit": None}),
        (r"(\d)(\d)", ["1", "2"]),
        (r"\d+", "12"),
        (r"weight \b(\w+)", ["12"]),
    ],
)
def test_a_pattern_gives_its_groups_or_what_it_matches(pattern: str, answer: Any) -> None:
    assert parsed("weight 12, 13", format="regex", pattern=pattern) == answer


def test_a_list_loses_bullets_and_numbers_alone() -> None:
    text = "1. a\n 2) b\n(3) c\n- d\n* e\n• f\n\n   \n1.5 kg\n-5\n*bold* g\nA. Smith\n-\n"
    assert parsed(text, format="list") == ["a", "b", "c", "d", "e", "f", "1.5 kg", "-5", "*bold* g", "A. Smith"]
    assert parsed(" \n", format="list") == []


@pytest.mark.parametrize(
    ("text", "config", "message"),
    [
        ("no JSON", {}, "Expecting value"),
        ("```json\n{a: 1}\n```", {}, "Expecting property name"),
        ("NaN", {}, "NaN is not a value of JSON"),
        ("[" * 100_000, {}, "recursion"),
        ("x", {"format": "regex", "pattern": r"\d"}, "matches nowhere"),
    ],
)
def test_what_cannot_be_read_fails_or_stays_text(text: str, config: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        parsed(text, **config)
    assert parsed(text, on_failure="text", **config) == text


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"format": "regex"}, "regex needs a pattern"),
        ({"pattern": "x"}, "only regex has a pattern"),
        ({"format": "regex", "pattern": "("}, "the pattern is wrong"),
        ({"format": "yaml"}, "Input should be 'json'"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ParseText.model_validate(config)
