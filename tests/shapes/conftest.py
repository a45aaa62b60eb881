"""Documents of the node types that only tests know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.runtime.trial import Trial, try_document
from airloom.spec.configuration import Configuration, configuration

NODES = Path(__file__).parents[1] / "conformance" / "nodes"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """Return settings that know the node types of these tests."""
    monkeypatch.setenv("AIRLOOM_NODES", str(NODES))
    configuration.cache_clear()
    return Configuration(root=tmp_path, data=str(tmp_path / "data"))


@pytest.fixture
def tried(settings: Configuration) -> Callable[[dict[str, Any]], Trial]:
    """Return a function that tries a document, nodes that write included."""
    return lambda document: try_document(document, settings, write=True)
