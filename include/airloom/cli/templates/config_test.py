"""new_node: what it offers."""

from __future__ import annotations

from airloom.nodes.catalog import catalog
from airloom.nodes.testing import NoSurroundings

NewNode = catalog().get("new_node")


def test_the_tool_does_what_it_says() -> None:
    (offer,) = NewNode.model_validate({"factor": 3}).make(NoSurroundings())
    assert offer.name == "multiply"
    assert offer.parameters["required"] == ["number"]
    assert offer.call({"number": 2.5}) == 7.5
