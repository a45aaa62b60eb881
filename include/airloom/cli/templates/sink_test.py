"""new_node: what it writes."""

from __future__ import annotations

import logging

import pytest

from airloom.nodes.catalog import catalog
from airloom.nodes.testing import run_node

NewNode = catalog().get("new_node")


@pytest.mark.parametrize("count", [0, 2])
def test_every_row_is_written(count: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    done = run_node(NewNode.model_validate({}), rows=[{"number": 1}] * count)["done"]
    assert done.rows == count
    assert caplog.messages == ["row: {'number': 1}"] * count
