"""Packed files: opening what gzip, Zstandard, bzip2, xz or zip has packed."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import zipfile
from collections.abc import Iterator
from typing import IO

from airloom.spec.error import ConfigurationError, DataError

READ_PACKED = (".gz", ".zst")
"""The endings of packed text files that DuckDB reads itself."""

UNPACKED = (".bz2", ".xz", ".zip")


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[IO[bytes]]:
    """Open a file, unpacked as its name says; raise DataError where it is not packed so."""
    try:
        with contextlib.ExitStack() as stack:
            yield _opened(path, stack)
    except (gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{os.path.basename(path)} cannot be unpacked: {error}", field="path") from None


def _opened(path: str, stack: contextlib.ExitStack) -> IO[bytes]:
    if path.endswith(".gz"):
        unzipped: IO[bytes] = stack.enter_context(gzip.open(path, "rb"))  # type: ignore[arg-type]  # noqa: SIM115
        return unzipped
    if path.endswith(".zst"):
        import pyarrow

        packed: IO[bytes] = stack.enter_context(pyarrow.input_stream(path, compression="zstd"))
        return packed
    if path.endswith(".bz2"):
        return stack.enter_context(bz2.open(path, "rb"))
    if path.endswith(".xz"):
        return stack.enter_context(lzma.open(path, "rb"))
    if path.endswith(".zip"):
        archive = stack.enter_context(zipfile.ZipFile(path))
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise ConfigurationError(
                f"{os.path.basename(path)} holds {len(names)} files: {', '.join(names[:5])}",
                field="path",
                hint="a zip file with one file in it is read; unpack this one",
            )
        return stack.enter_context(archive.open(names[0]))
    return stack.enter_context(open(path, "rb"))
