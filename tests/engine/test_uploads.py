"""Files that are sent: whole or not at all, each in a folder of its own, on a disk or behind a URL."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from airloom.engine.storage import Files, UploadMissing
from airloom.engine.upload_folder import UploadFolder
from airloom.engine.uploads import Incoming, UploadTooLarge, file_name
from airloom.spec.configuration import Configuration
from airloom.spec.error import ConfigurationError

FIRST, SECOND = "1" * 32, "2" * 32


@pytest.fixture(params=["folder", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> UploadFolder:
    """Return a folder of uploads, on the disk or of fsspec's own."""
    return UploadFolder(f"memory://{tmp_path.name}" if request.param == "memory" else str(tmp_path / "uploads"))


def receive(folder: UploadFolder, identifier: str, *pieces: bytes, name: str = "a.csv", limit: int = 100) -> Incoming:
    """Receive a file to its end."""
    with Incoming(folder, identifier, name, limit) as incoming:
        for piece in pieces:
            incoming.write(piece)
        incoming.keep()
    return incoming


def test_pieces_make_one_file(folder: UploadFolder) -> None:
    incoming = receive(folder, FIRST, b"a,b\n", b"1,2\n", name="orders.csv.gz")
    assert (incoming.bytes, incoming.sha256) == (8, hashlib.sha256(b"a,b\n1,2\n").hexdigest())
    found = folder.find(FIRST)
    assert found is not None
    assert (found.size, found.uri.rsplit("/", 2)[-2:]) == (8, [FIRST, "orders.csv.gz"])
    assert folder.find(SECOND) is None
    folder.remove(FIRST)
    folder.remove(FIRST)
    assert folder.find(FIRST) is None


def test_what_is_not_kept_leaves_nothing(folder: UploadFolder) -> None:
    with pytest.raises(UploadTooLarge, match="at most 10 bytes"):
        receive(folder, FIRST, b"12345", b"678901", limit=10)
    with Incoming(folder, SECOND, "a.csv", 10) as incoming:
        incoming.write(b"12345")
    assert (folder.find(FIRST), folder.find(SECOND)) == (None, None)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("orders.csv", "orders.csv"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a*?[b].csv", "a_b_.csv"),
        ("...", "file"),
        ("Bücher.csv", "B_cher.csv"),
        ("x" * 300 + ".parquet", "x" * 92 + ".parquet"),
    ],
)
def test_a_name_leads_nowhere(name: str, kept: str) -> None:
    assert file_name(name) == kept


def test_paths_and_patterns_do_not_reach_uploads(tmp_path: Path) -> None:
    settings = Configuration(root=tmp_path, data=str(tmp_path / "data"), paths=[str(tmp_path / "data")])
    receive(UploadFolder(settings.uploads_url), FIRST, b"a\n1\n")
    files = Files.of(settings, readable=frozenset({FIRST}))
    (found,) = files.find(f"upload:{FIRST}")
    assert found.size == 4
    for path in (found.uri, f"data/_uploads/{FIRST}/*.csv", "data/**/*.csv"):
        with pytest.raises(ConfigurationError):
            files.find(path)
    for path in (f"upload:{SECOND}", "upload:", f"upload:{FIRST}/a.csv", "upload:../_uploads", f"upload:{FIRST}*"):
        with pytest.raises(UploadMissing):
            files.find(path)
    with pytest.raises(ConfigurationError, match="can only be read"):
        files.resolve(f"upload:{FIRST}")


def test_only_what_was_left_long_ago_is_told(tmp_path: Path) -> None:
    folder = UploadFolder(str(tmp_path))
    for identifier in (FIRST, SECOND):
        receive(folder, identifier, b"x")
    old = time.time() - 100
    for place in (tmp_path / FIRST, *(tmp_path / FIRST).iterdir()):
        os.utime(place, (old, old))
    assert folder.identifiers(50) == [FIRST]
    assert UploadFolder(str(tmp_path / "none")).identifiers(0) == []
