"""Folders by their URLs: one whose package is not installed says so, and how to get it."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.engine.data_folder import DataFolder, read_json, remove_older_than
from airloom.engine.filesystem import EXTRAS, open_filesystem
from airloom.engine.storage import Files, local_file, put_file
from airloom.engine.upload_folder import UploadFolder
from airloom.engine.uploads import Incoming
from airloom.spec.error import ConfigurationError

URL = "s3://bucket/tables"
FILES = Files(Path("/"), (URL,))


def receive() -> None:
    """Receive a file into the folder."""
    with Incoming(UploadFolder(URL), "1" * 32, "a.csv", 100) as incoming:
        incoming.keep()


def fetch() -> None:
    """Fetch a file of the folder."""
    with local_file(f"{URL}/a"):
        pass


def clean_up(url: str, spared: str) -> None:
    """Remove what is old."""
    remove_older_than(url, 1, spared=spared, is_at_work=lambda pipeline, run: False)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: open_filesystem(URL),
        lambda: UploadFolder(URL).find("1" * 32),
        lambda: UploadFolder(URL).remove("1" * 32),
        lambda: UploadFolder(URL).identifiers(1),
        lambda: DataFolder(URL).remove_run("sales", "run"),
        lambda: DataFolder(URL).write_json(1, f"{URL}/value.json"),
        lambda: read_json(f"{URL}/value.json"),
        lambda: clean_up(URL, f"{URL}/_uploads"),
        lambda: clean_up("/none", URL),
        lambda: FILES.find(f"{URL}/a.csv"),
        lambda: put_file(__file__, f"{URL}/a"),
        receive,
        fetch,
    ],
)
def test_a_package_that_is_missing_is_named(ask: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    for name in ("s3", "s3a"):
        monkeypatch.delitem(importlib.import_module("fsspec.registry")._registry, name, raising=False)
    with pytest.raises(ConfigurationError, match="s3:// addresses need a package") as raised:
        ask()
    assert raised.value.hint == "airloom add s3"


def test_a_scheme_that_nothing_reads_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nothing reads gopherx:// addresses"):
        open_filesystem("gopherx://host/a")


def test_the_extras_exist() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS.values()) <= project["optional-dependencies"].keys()


def test_what_others_write_is_seen_at_once() -> None:
    system, path = open_filesystem("memory://listings")
    assert not system.dircache.use_listings_cache
    assert path == "/listings"


@pytest.mark.parametrize("url", ["s3://bucket/tables", "memory://tables", "/tables"])
def test_a_folder_holds_what_it_names_itself(url: str) -> None:
    folder = DataFolder(url)
    run = type("Run", (), {"pipeline": "sales", "run_id": "a/b:c", "node": "each", "index": "3/0", "attempt": 1})
    assert folder.holds(folder.place(run, "rows", "parquet"))
    assert not folder.holds(f"{url}/../other/rows.parquet")
    assert not folder.holds(f"{url}2/sales/rows.parquet")
    if "://" in url:
        assert not folder.holds(url)
        assert not folder.holds(f"{url}/sales/..%2F..%2Fother/rows.parquet")
        assert not folder.holds(f"{url}/sales::file://etc/passwd")
