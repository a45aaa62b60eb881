"""The files that pipelines may touch; files that are fetched, and put into their place whole."""

from __future__ import annotations

import contextlib
import errno
import glob
import itertools
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airloom.engine.address import Url, is_url, lies_in
from airloom.engine.filesystem import local_facts, open_filesystem, remote_facts
from airloom.engine.scan import FileFacts
from airloom.engine.upload_folder import UploadFolder
from airloom.spec.configuration import Configuration
from airloom.spec.error import ConfigurationError, DataError, SystemFault
from airloom.spec.problem import suggestion
from airloom.spec.upload import is_upload, upload_id

PART = ".part-"
MOST_NEIGHBOURS = 1_000
"""Files of a folder among which one of nearly the same name is looked for."""
ABANDONED_AFTER = 86400.0
"""Seconds; a step is at work for less, but for an AIRLOOM_QUERY_TIMEOUT beyond it."""


class FileMissing(ConfigurationError):
    """Raise when there is no file where one is to be read; it may still come."""

    code = "path.missing"


class UploadMissing(ConfigurationError):
    """Raise when there is no upload where one is to be read, or none that may be read."""

    code = "upload.unknown"


class DiskFault(SystemFault):
    """Raise when a disk is full, or may not be written."""

    code = "disk"


def _near_file(place: str) -> str | None:
    """Return a hint at a file of nearly the same name in the same folder, or None."""
    folder, name = os.path.split(place)
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in itertools.islice(entries, MOST_NEIGHBOURS)]
    except OSError:
        return None
    # A file of another day is not what is meant.
    alike = [other for other in names if re.findall(r"\d+", other) == re.findall(r"\d+", name)]
    return None if glob.has_magic(place) else suggestion(name, alike)


def disk_fault(error: Exception) -> DiskFault | None:
    """Return what an error of Python or DuckDB says of the disk, or None where it is about something else."""
    number, file = getattr(error, "errno", None), getattr(error, "filename", None)
    if number is None:
        # DuckDB tells it in its text alone.
        found = re.search(r'"errno":"(\d+)"', str(error))
        named = re.search(r'file \\*"([^"\\]+)', str(error))
        number, file = int(found[1]) if found else None, named[1] if named else None
    at = f" for {file}" if file else ""
    if number in (errno.ENOSPC, errno.EDQUOT):
        hint = "make room there, and the step works; airloom doctor shows how much is free"
        return DiskFault(f"no room is left on the disk{at}", hint=hint)
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        hint = "let the user who runs tasks write there; airloom doctor names the folders"
        return DiskFault(f"there is no right to write{at}: {os.strerror(number).lower()}", hint=hint)
    return None


@dataclass(frozen=True)
class Files:
    """The files that pipelines may read and write: what lies below the allowed folders, and nothing else.

    What lies below a protected folder is refused, though an allowed one holds it.
    """

    root: Path
    allowed: tuple[str, ...]
    protected: tuple[str, ...] = ()
    uploads: UploadFolder | None = None
    readable: frozenset[str] | None = None
    """The ids of the uploads that may be read, None for all."""

    @classmethod
    def of(cls, configuration: Configuration, *, readable: frozenset[str] | None = None) -> Files:
        """Return the files that an installation allows, and of its uploads those that are `readable`."""
        protected = tuple(str(folder) for folder in configuration.protected_folders)
        uploads = UploadFolder(configuration.uploads_url)
        return cls(configuration.root.absolute(), tuple(configuration.allowed_paths), protected, uploads, readable)

    def resolve(self, path: str) -> str:
        """Return the absolute place of a path; raise ConfigurationError where it lies outside the allowed folders."""
        if "\0" in path:
            raise ConfigurationError("a path holds no NUL character", field="path")
        if is_upload(path):
            raise ConfigurationError("an upload can only be read", field="path", hint="write to a path of its own")
        if is_url(path):
            url = Url.read(path)
            allowed = [Url.read(given) for given in self.allowed if is_url(given)]
            if url is None or not any(found is not None and found.holds(url) for found in allowed):
                raise self._refused(path)
            return str(url)
        # The pattern of a glob is resolved as far as its folders are plain, so that a link cannot lead outside.
        absolute = Path(os.path.abspath(self.root / path))
        real = Path(os.path.realpath(absolute))
        if not lies_in(real, [folder for folder in self.allowed if not is_url(folder)]):
            raise self._refused(path)
        if lies_in(real, self.protected):
            raise ConfigurationError(
                f"{path!r} lies in a folder that Airloom itself lives in",
                field="path",
                hint="the folders of pipelines, of node types and of the installation's state are closed to pipelines",
            )
        return str(absolute)

    def _refused(self, path: str) -> ConfigurationError:
        return ConfigurationError(
            f"{path!r} lies outside the folders that pipelines may use",
            field="path",
            hint=f"allowed: {', '.join(self.allowed) or 'nothing'}; an administrator sets AIRLOOM_PATHS",
        )

    def find(self, pattern: str) -> tuple[FileFacts, ...]:
        """Return the files that a path or glob names, sorted; raise FileMissing where there is none.

        Raises ConfigurationError where they lie outside the allowed folders.
        """
        if is_upload(pattern):
            return (self._find_upload(pattern),)
        place = self.resolve(pattern)
        if is_url(place):
            return self._find_remote(place)
        names = sorted(glob.glob(place, recursive=True)) if glob.has_magic(place) else [place]
        found = [local_facts(self.resolve(name)) for name in names if os.path.isfile(name)]
        if not found:
            what = "no file matches" if glob.has_magic(place) else "there is no file"
            raise FileMissing(f"{what} {pattern!r}", field="path", hint=_near_file(place) or f"looked at {place}")
        return tuple(found)

    def _find_upload(self, path: str) -> FileFacts:
        identifier = upload_id(path)
        allowed = identifier is not None and (self.readable is None or identifier in self.readable)
        found = self.uploads.find(identifier) if self.uploads and identifier and allowed else None
        if found is None:
            hint = (
                "was it deleted, or is it somebody else's? The document itself has to name it, as `upload:` and its id"
            )
            raise UploadMissing(f"there is no upload {path.partition(':')[2]!r}", field="path", hint=hint)
        return found

    def _find_remote(self, place: str) -> tuple[FileFacts, ...]:
        system, path = open_filesystem(place)
        names = sorted(system.glob(path)) if glob.has_magic(path) else [path]
        found = []
        for name in names:
            if system.isfile(name):
                found.append(remote_facts(system, name))
        if not found:
            raise FileMissing(f"there is no file {place!r}", field="path")
        return tuple(found)


def unchanged(file: FileFacts) -> None:
    """Raise DataError, naming the file, where it has changed or gone since it was looked at."""
    if is_url(file.uri):
        return
    try:
        now = local_facts(file.uri)
    except OSError:
        raise DataError(f"the file {file.uri} is gone since it was scanned", hint="run the pipeline again") from None
    if now != file:
        raise DataError(f"the file {file.uri} has changed since it was scanned", hint="run the pipeline again")


@contextlib.contextmanager
def local_file(uri: str) -> Iterator[str]:
    """Give a local path of a file; a remote one is fetched into a temporary folder."""
    if not is_url(uri):
        yield uri
        return
    with tempfile.TemporaryDirectory(prefix="airloom-") as folder:
        system, path = open_filesystem(uri)
        target = os.path.join(folder, os.path.basename(path))
        if system.isdir(path):
            system.get(path, target, recursive=True)
        else:
            system.get_file(path, target)
        yield target


def parts(path: str) -> list[str]:
    """Return the files of a table that is at a local path: itself, or those of a folder in the order of their rows."""
    if not os.path.isdir(path):
        return [path]
    return [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(".parquet")]


def put_file(local: str, uri: str) -> None:
    """Put a finished local file at a place, so that it is there whole or not at all."""
    if is_url(uri):
        system, path = open_filesystem(uri)
        system.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.isdir(local):
            system.put(local, path, recursive=True)
        else:
            system.put_file(local, path)
        return
    os.makedirs(os.path.dirname(uri), exist_ok=True)
    if os.path.isdir(local) or os.path.isdir(uri):
        # No rename puts a folder where something is.
        with contextlib.suppress(FileNotFoundError):
            os.rename(uri, os.path.join(tempfile.mkdtemp(dir=os.path.dirname(local)), "before"))
    try:
        os.replace(local, uri)
    except OSError as error:
        if error.errno != 18:  # EXDEV: another file system; copy beside the target, then rename
            raise
        beside = f"{uri}.{os.getpid()}.part"
        shutil.copyfile(local, beside)
        os.replace(beside, uri)


def part_folder(uri: str) -> str:
    """Return a local folder to write a file in before `put_file` puts it at `uri`; on its disk where that is local.

    Raises DiskFault where it can't be made. What killed tries left beside it goes, a day later.
    """
    if is_url(uri):
        return tempfile.mkdtemp(prefix="airloom-")
    folder = os.path.dirname(uri)
    try:
        os.makedirs(folder, exist_ok=True)
        remove_abandoned(folder, PART)
        return tempfile.mkdtemp(prefix=PART, dir=folder)
    except OSError as error:
        raise disk_fault(error) or error from None


def remove_abandoned(folder: str, *prefixes: str) -> int:
    """Remove what lies in a folder under names that begin so, and was left a day ago; return how many went."""
    removed = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefixes) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED_AFTER:
                        shutil.rmtree(entry.path, ignore_errors=True)
                        removed += 1
    return removed
