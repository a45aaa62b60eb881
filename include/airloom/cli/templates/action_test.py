"""new_node: what it does, and which port it fires."""

from __future__ import annotations

import logging

import pytest

from airloom.nodes.catalog import catalog
from airloom.nodes.sdk import Fired
from airloom.nodes.testing import NoSurroundings

NewNode = catalog().get("new_node")


@pytest.mark.parametrize(("longest", "port", "sent"), [(5, "sent", ["text: hello"]), (4, "refused", [])])
def test_it_fires_the_port_that_says_how_it_went(
    longest: int, port: str, sent: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    node = NewNode.model_validate({"longest": longest})
    assert node.run("hello", NoSurroundings()) == Fired(port, {"characters": 5})
    assert caplog.messages == sent
