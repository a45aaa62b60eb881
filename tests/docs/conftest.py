"""The node types that pages show whole, for the tests of pages that use them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airloom.spec.configuration import configuration

PAGES = [Path(__file__).parents[2] / "docs" / name for name in ("write-a-node.md", "packages.md")]
FILE = re.compile(r'^```python\n("""(.*?)\.""".*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture
def own_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with every file of node types that the pages show, in use as the folder of one's own types."""
    folder = tmp_path / "own_types"
    folder.mkdir()
    for text, title in (file for page in PAGES for file in FILE.findall(page.read_text())):
        (folder / f"{re.sub(r'[^a-z]+', '_', title.lower())}.py").write_text(text)
    monkeypatch.setenv("AIRLOOM_NODES", str(folder))
    configuration.cache_clear()
    return folder
