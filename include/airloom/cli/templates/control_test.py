"""new_node: its examples, and what they do not show."""

from __future__ import annotations

from airloom.nodes.catalog import catalog
from airloom.nodes.testing import outputs_of, run_node

NewNode = catalog().get("new_node")


def test_its_examples_come_true() -> None:
    for example in NewNode.examples:
        assert outputs_of(NewNode, example) == example.outputs


def test_a_field_that_is_missing_is_not_true() -> None:
    assert run_node(NewNode.model_validate({"key": "paid"}), value={}) == {"no": {}}
