"""new_node: what it reads."""

from __future__ import annotations

import pytest

from airloom.nodes.catalog import catalog
from airloom.nodes.testing import NoSurroundings, run_node

NewNode = catalog().get("new_node")


@pytest.mark.parametrize("count", [0, 2])
def test_it_gives_as_many_rows_as_it_is_told(count: int) -> None:
    rows = run_node(NewNode.model_validate({"count": count}))["rows"]
    assert rows == [{"number": number} for number in range(count)]


def test_it_describes_its_columns() -> None:
    node = NewNode.model_validate({"count": 1})
    assert list(node.describe(NoSurroundings())) == list(run_node(node)["rows"][0])
