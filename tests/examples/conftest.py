"""The example pipelines in a project folder of their own, so that what they write lies in no one's way."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from airloom.runtime.trial import Trial, no_connections, try_document
from airloom.spec.configuration import Configuration
from airloom.spec.text import read_text

PROJECT = Path(__file__).parents[2]
PIPELINES = PROJECT / "include" / "pipelines"

Run = Callable[..., Trial]


def document(name: str) -> dict[str, Any]:
    """Return an example pipeline by its file name."""
    data, problems = read_text((PIPELINES / name).read_text(encoding="utf-8"), name)
    assert not problems
    assert isinstance(data, dict)
    return data


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project folder with the sample data, and nothing in output."""
    shutil.copytree(PROJECT / "include" / "data", tmp_path / "include" / "data")
    return tmp_path


@pytest.fixture
def run_example(project: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs an example to its end, writing into the project folder."""

    def run(
        name: str, params: Mapping[str, str] | None = None, connections: Callable[[str], Any] = no_connections
    ) -> Trial:
        settings = Configuration(root=project)
        return try_document(document(name), settings, params=params, write=True, sample=1000, connections=connections)

    return run
