"""Files that somebody has sent: received piece by piece, and kept each in a folder of its own."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from types import TracebackType
from typing import Self

from airloom.engine.storage import disk_fault, part_folder, put_file
from airloom.engine.upload_folder import UploadFolder
from airloom.spec.error import DataError

LONGEST_NAME = 100


class UploadTooLarge(DataError):
    """Raise where a file goes on beyond the limit."""

    def __init__(self, limit: int) -> None:
        hint = "an administrator sets AIRLOOM_UPLOAD_LIMIT"
        super().__init__(f"an upload has at most {limit:,} bytes", hint=hint)


class Incoming:
    """Receive a file under a new id; it is there once `keep` has put it in its place, and else leaves nothing."""

    def __init__(self, folder: UploadFolder, identifier: str, name: str, limit: int) -> None:
        self._place = folder.place(identifier, file_name(name))
        self._limit = limit
        self._digest = hashlib.sha256()
        self.bytes = 0
        self._folder = part_folder(self._place)
        self._local = os.path.join(self._folder, "file")
        # Pieces are large: a buffer would copy each once more.
        self._file = open(self._local, "wb", buffering=0)  # noqa: SIM115 `__exit__` closes it

    @property
    def sha256(self) -> str:
        """Return the hash of what has come so far."""
        return self._digest.hexdigest()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def write(self, piece: bytes) -> None:
        """Add a piece; raise UploadTooLarge beyond the limit, DiskFault where the disk takes no more."""
        self.bytes += len(piece)
        if self.bytes > self._limit:
            raise UploadTooLarge(self._limit)
        self._digest.update(piece)
        try:
            left = memoryview(piece)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise disk_fault(error) or error from None

    def keep(self) -> None:
        """Put the file in its place, whole."""
        self._file.close()
        put_file(self._local, self._place)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what is not kept."""
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def file_name(name: str) -> str:
    """Return a name for the file of an upload: its ending says how it is packed, and nothing in it leads elsewhere."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-LONGEST_NAME:].lstrip(".")
    return plain or "file"
