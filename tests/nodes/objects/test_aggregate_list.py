from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from airloom.nodes.objects.aggregate_list import AggregateList
from airloom.nodes.sdk import DataError
from airloom.nodes.testing import run_node


def made(items: Any, op: str, **config: Any) -> Any:
    return run_node(AggregateList.model_validate({"op": op, **config}), items=items)["value"]


@pytest.mark.parametrize(
    ("op", "items", "answer"),
    [
        ("count", [1, None, 2], 3),
        ("count", [], 0),
        ("sum", [1, None, 2], 3),
        ("sum", [], 0),
        ("sum", [0.1, 0.2], 0.3),
        ("sum", [0.1] * 10, 1.0),
        ("sum", [2**63, 1], 2**63 + 1),
        ("sum", ["12.50", "0.10", 1], "13.60"),
        ("sum", [Decimal("1.10"), 2], "3.10"),
        ("sum", [1e300, 1, -1e300], 1.0),
        ("avg", [1, 2, None], 1.5),
        ("avg", [1, 3], 2),
        ("avg", ["1.00", "2.00"], 1.5),
        ("avg", [None], None),
        ("min", [3, 1.5, None, 2], 1.5),
        ("max", ["9.50", "10.00"], "10.00"),
        ("max", ["b", "a"], "b"),
        ("min", ["2026-10-01", "2026-09-30"], "2026-09-30"),
        ("max", [], None),
        ("first", [None, 1], None),
        ("first", [], None),
        ("last", [1, 2], 2),
        ("list", [1, None, [2]], [1, None, [2]]),
        ("json", ["ä", None], '["ä", null]'),
        ("concat", ["a", None, 1, True, {"b": 2}], 'a1true{"b": 2}'),
        ("concat", [], ""),
    ],
)
def test_one_value(op: str, items: list[Any], answer: Any) -> None:
    found = made(items, op)
    assert found == answer
    assert type(found) is type(answer)


def test_a_field_of_each_item() -> None:
    items = [{"n": {"x": 2}}, {"n": {"x": None}}, {}, {"n": {"x": 5}}]
    assert made(items, "sum", field="n.x") == 7
    assert made(items, "count", field="n.x") == 2
    assert made(items, "count") == 4
    assert made(items, "list", field="n.x") == [2, None, None, 5]


def test_groups_stand_in_the_order_of_their_first_items() -> None:
    items = [{"k": "b", "n": 1}, {"k": None, "n": 2}, {"k": "b", "n": 3}, {"k": 5, "n": 4}, {"k": True, "n": 5}]
    answer = made(items, "sum", field="n", by="k")
    assert list(answer.items()) == [("b", 4), ("null", 2), ("5", 4), ("true", 5)]
    assert made(items, "list", by="k")["5"] == [{"k": 5, "n": 4}]
    assert made([], "sum", by="k") == {}


def test_an_object_of_keys_and_values() -> None:
    items = [{"k": "a", "v": 1}, {"k": 2, "v": None}]
    assert made(items, "object", key="k", field="v") == {"a": 1, "2": None}
    assert made(items, "object", key="k")["a"] == {"k": "a", "v": 1}
    with pytest.raises(DataError, match="item 2 has the key 'a' of an item before it"):
        made([{"k": "a"}, {"k": "a"}], "object", key="k")


@pytest.mark.parametrize(
    ("op", "items", "message"),
    [
        ("sum", [1, "many"], "sum takes numbers, and item 2 has a text"),
        ("sum", [True], "sum takes numbers, and item 1 has a boolean"),
        ("avg", [None, {}], "avg takes numbers, and item 2 has an object"),
        ("max", ["a", 1], "max compares numbers, or texts, and item 2"),
        ("min", [[1]], "min compares numbers, or texts, and item 1"),
        ("sum", {"a": 1}, "there came an object, not a list"),
        ("sum", None, "there came null, not a list"),
    ],
)
def test_what_does_not_fit_is_named(op: str, items: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        made(items, op)


def test_a_path_that_leads_to_no_list_is_named() -> None:
    with pytest.raises(DataError, match=r"at 'a\.b' stands null, not a list"):
        made({"a": {}}, "count", path="a.b")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"op": "object"}, "object needs a key"),
        ({"op": "sum", "key": "k"}, "only object has a key"),
        ({"op": "sum", "separator": ","}, "only concat has a separator"),
        ({"op": "total"}, "Input should be 'count'"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AggregateList.model_validate(config)


NUMBERS = st.lists(st.integers() | st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=8)


@given(NUMBERS)
def test_a_sum_is_that_of_what_json_writes(numbers: list[int | float]) -> None:
    exact = sum((Fraction(json.dumps(number)) for number in numbers), Fraction(0))
    assert made(numbers, "sum") == (int(exact) if all(isinstance(n, int) for n in numbers) else float(exact))
