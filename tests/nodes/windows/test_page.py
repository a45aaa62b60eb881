"""What the page about windows shows can be written so; the rules on it are the names of the other tests here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airloom.nodes.catalog import catalog
from airloom.spec.text import read_text

PAGE = (Path(__file__).parents[3] / "docs" / "windows.md").read_text()


def nodes() -> list[dict[str, Any]]:
    found = []
    for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        data, problems = read_text("nodes:\n" + block, "block.yaml")
        assert not problems
        assert isinstance(data, dict)
        found += data["nodes"]
    return found


@pytest.mark.parametrize("node", nodes(), ids=lambda node: node["id"])
def test_a_config_on_the_page_is_right(node: dict[str, Any]) -> None:
    assert catalog().get(node["type"]).model_validate(node["config"])


def test_the_page_shows_every_type() -> None:
    here = {node.declaration.type for node in catalog().all() if node.declaration.category == "windows"}
    assert {node["type"] for node in nodes()} == here
