"""Calling a node's method, wherever its parameters stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from airloom.nodes.sdk import Context, Files, Transform
from airloom.nodes.testing import NoSurroundings, run_node


class ContextFirst(Transform):
    """Tell the run's parameters before its port."""

    def run(self, context: Context, value: Any = 3) -> Any:
        return [context.params["name"], value]


class ContextBetween(Transform):
    """Tell both ports around the run's parameters and the files."""

    def run(self, left: str, context: Context, files: Files, right: str = "no") -> Any:
        return [left, context.params["name"], files.allowed, right]


class ContextLast(Transform):
    """Tell all values behind the run's parameters."""

    def run(self, *values: int, context: Context) -> Any:
        return [context.params["name"], *values]


@pytest.mark.parametrize(
    ("node", "inputs", "answer"),
    [
        (ContextFirst(), {}, ["ann", 3]),
        (ContextFirst(), {"value": 5}, ["ann", 5]),
        (ContextBetween(), {"left": "l"}, ["l", "ann", (), "no"]),
        (ContextBetween(), {"left": "l", "right": "r"}, ["l", "ann", (), "r"]),
        (ContextLast(), {"values": [1, 2]}, ["ann", 1, 2]),
    ],
)
def test_a_context_may_stand_anywhere(node: Transform, inputs: Mapping[str, Any], answer: list[Any]) -> None:
    assert run_node(node, context=NoSurroundings({"name": "ann"}), **inputs)["value"] == answer
