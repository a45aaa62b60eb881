"""new_node: its examples, and what they do not show."""

from __future__ import annotations

from airloom.nodes.catalog import catalog
from airloom.nodes.testing import outputs_of, run_table

NewNode = catalog().get("new_node")


def test_its_examples_come_true() -> None:
    for example in NewNode.examples:
        assert outputs_of(NewNode, example) == example.outputs


def test_null_stays_null() -> None:
    node = NewNode.model_validate({"columns": ["name"]})
    assert run_table(node, rows=[{"name": "b"}, {"name": None}])["rows"].rows == [{"name": "B"}, {"name": None}]
