"""new_node: what it makes of its body's results."""

from __future__ import annotations

from typing import Any

import pytest

from airloom.nodes.catalog import catalog
from airloom.nodes.sdk import DataError

NewNode = catalog().get("new_node")


class Numbered:
    """A body whose result is the item with its number."""

    def run(self, item: Any, index: int) -> Any:
        return f"{index}: {item}"


def test_the_body_runs_for_each_item_in_order() -> None:
    node = NewNode.model_validate({})
    assert node.run(["a", "b"], Numbered()) == ["0: a", "1: b"]
    assert node.run([], Numbered()) == []


def test_too_many_items_are_refused() -> None:
    with pytest.raises(DataError, match="2 items"):
        NewNode.model_validate({"most": 1}).run(["a", "b"], Numbered())
