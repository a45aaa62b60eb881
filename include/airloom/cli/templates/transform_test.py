"""new_node: its examples, and what they do not show."""

from __future__ import annotations

import pytest

from airloom.nodes.catalog import catalog
from airloom.nodes.sdk import DataError
from airloom.nodes.testing import outputs_of, run_node

NewNode = catalog().get("new_node")


def test_its_examples_come_true() -> None:
    for example in NewNode.examples:
        assert outputs_of(NewNode, example) == example.outputs


def test_a_field_that_is_missing_is_named() -> None:
    node = NewNode.model_validate({"key": "nam"})
    with pytest.raises(DataError, match="'nam'"):
        run_node(node, value={"name": "ann"})
