"""Disks that are full or may not be written, and what killed tries leave on them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import duckdb
import pytest

from airloom.engine.data_folder import DataFolder
from airloom.engine.storage import ABANDONED_AFTER, PART, DiskFault, disk_fault, part_folder

FULL = (
    'Async write failed for range [offset=21307563, size=3966566]: {"exception_type":"IO","exception_message":'
    '"Could not write file \\"/data/rows.parquet\\": No space left on device","errno":"28"}'
)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/a"), "no room is left on the disk for /data/a"),
        (duckdb.IOException(FULL), "no room is left on the disk for /data/rows.parquet"),
        (PermissionError(errno.EACCES, "", "/data"), "there is no right to write for /data: permission denied"),
        (OSError(errno.EROFS, "", None), "there is no right to write: read-only file system"),
        (OSError(errno.ENOTDIR, "", "/data"), None),
        (duckdb.ConversionException("Could not convert string 'seven'"), None),
    ],
)
def test_a_fault_of_the_disk_is_told_from_others(error: Exception, message: str | None) -> None:
    fault = disk_fault(error)
    assert (fault and fault.message) == message
    if fault:
        assert fault.failure == "system", "another attempt may find room"
        assert fault.hint


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path))

    monkeypatch.setattr(os, "makedirs", refuse)
    with pytest.raises(DiskFault, match=str(tmp_path)):
        DataFolder(str(tmp_path)).write_json({}, str(tmp_path / "value.json"))


def test_what_killed_tries_left_goes_a_day_later(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").mkdir()
    old = part_folder(str(tmp_path / "rows.parquet"))
    Path(old, "rows.parquet").touch()
    just = part_folder(str(tmp_path / "rows.parquet"))
    for name in (old, tmp_path / "rows.parquet"):
        before = os.stat(name).st_mtime - ABANDONED_AFTER - 1
        os.utime(name, (before, before))
    now = part_folder(str(tmp_path / "rows.parquet"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["rows.parquet", os.path.basename(just), os.path.basename(now)]
    )
    assert os.path.basename(now).startswith(PART)
