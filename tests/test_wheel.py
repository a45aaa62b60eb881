"""A wheel holds all that the package reads when it runs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from tests import wheels

PACKAGE = wheels.ROOT / "include" / "airloom"


def _is_made(path: Path) -> bool:
    return "__pycache__" in path.parts


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds what is in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(wheels.build(folder / "dist")) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_it_holds_every_file_of_the_package(unpacked: Path) -> None:
    wanted = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file() and not _is_made(path)}
    assert Path("store/migrations/env.py") in wanted
    held = {path.relative_to(unpacked / "airloom") for path in (unpacked / "airloom").rglob("*") if path.is_file()}
    assert sorted(wanted - held) == []
    assert sorted(held - wanted) == []


def test_it_names_its_entry_points_and_its_licence(unpacked: Path) -> None:
    (information,) = unpacked.glob("*.dist-info")
    entry_points = (information / "entry_points.txt").read_text()
    for group in ("[console_scripts]", "[airflow.plugins]", "[apache_airflow_provider]"):
        assert group in entry_points
    assert (information / "licenses" / "LICENSE").exists()
