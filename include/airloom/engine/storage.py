"""Where data lie: the files that pipelines may touch, and the store of tables between steps."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import itertools
import json
import os
import re
import shutil
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airloom.engine.scan import FileFacts
from airloom.spec.configuration import Configuration
from airloom.spec.error import ConfigurationError, DataError, SystemFault
from airloom.spec.problem import suggestion
from airloom.spec.upload import is_upload, upload_id

PART = ".part-"
MOST_NEIGHBOURS = 1_000
"""Files of a folder among which one of nearly the same name is looked for."""
NO_INDEX = "-"
"""The folder of what lies in no mapped task and no loop; no index path is called so."""
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


def is_url(path: str) -> bool:
    """Tell whether a path is a URL rather than a local path."""
    return "://" in path


@dataclass(frozen=True)
class Url:
    """Hold a URL by the parts that say where it leads: scheme, host with port, path; `rest` is a query of HTTP."""

    scheme: str
    host: str
    path: str
    rest: str = ""

    @classmethod
    def read(cls, text: str) -> Url | None:
        """Return the parts of a URL, or None where it could lead elsewhere than its text says.

        That is so of one URL within another (fsspec's `::`), of names and passwords before the host, of steps upwards,
        and of separators that are written as `%2F`.
        """
        scheme, _, after = text.partition("://")
        host, slash, path = after.partition("/")
        rest = ""
        if scheme.lower() in ("http", "https"):
            path, mark, rest = path.partition("?")
            rest = mark + rest
        segments = [urllib.parse.unquote(segment) for segment in path.split("/")]
        unclear = any(segment in (".", "..") or set(segment) & set("/\\\0") for segment in segments)
        if "::" in text or not re.fullmatch(r"[A-Za-z0-9._:\[\]-]*", host) or unclear or set(text) & set("\\\0\r\n"):
            return None
        return cls(scheme.lower(), host.lower(), slash + path, rest)

    def holds(self, other: Url) -> bool:
        """Tell whether another URL lies below this one."""
        own = self.path.rstrip("/").split("/")
        same = (self.scheme, self.host) == (other.scheme, other.host)
        inside = other.path.split("/")
        return same and inside[: len(own)] == own and any(inside[len(own) :])

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}{self.rest}"


@dataclass(frozen=True)
class UploadFolder:
    """The place of the files that people have sent, each in a folder that its id names."""

    url: str

    def place(self, identifier: str, name: str) -> str:
        """Return where the file of an upload lies."""
        return "/".join([self._folder(identifier), name])

    def find(self, identifier: str) -> FileFacts | None:
        """Return the file of an upload, None where there is none."""
        folder = self._folder(identifier)
        if not is_url(self.url):
            if not os.path.isdir(folder):
                return None
            with os.scandir(folder) as entries:
                return next(
                    (local_facts(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)), None
                )
        import fsspec

        system, path = fsspec.core.url_to_fs(folder)
        names = system.ls(path, detail=False) if system.isdir(path) else []
        return next((_remote_facts(system, name) for name in names if system.isfile(name)), None)

    def remove(self, identifier: str) -> None:
        """Remove the file of an upload; do nothing where there is none."""
        import fsspec

        system, folder = fsspec.core.url_to_fs(self._folder(identifier))
        with contextlib.suppress(FileNotFoundError):
            system.rm(folder, recursive=True)

    def identifiers(self, older_than: float) -> list[str]:
        """Return the ids of what lies here and has not changed for so many seconds."""
        import fsspec

        system, root = fsspec.core.url_to_fs(self.url)
        if not system.exists(root):
            return []
        limit = time.time() - older_than
        folders = [name for name in system.ls(root, detail=False) if system.isdir(name)]
        return [
            os.path.basename(folder)
            for folder in folders
            if all(_modified(facts) < limit for facts in [system.info(folder), *_files_below(system, folder)])
        ]

    def _folder(self, identifier: str) -> str:
        return "/".join([self.url.rstrip("/"), _path_part(identifier)])


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
        if not _lies_in(real, [folder for folder in self.allowed if not is_url(folder)]):
            raise self._refused(path)
        if _lies_in(real, self.protected):
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
        import fsspec

        system, path = fsspec.core.url_to_fs(place)
        names = sorted(system.glob(path)) if glob.has_magic(path) else [path]
        found = []
        for name in names:
            if system.isfile(name):
                found.append(_remote_facts(system, name))
        if not found:
            raise FileMissing(f"there is no file {place!r}", field="path")
        return tuple(found)


def _remote_facts(system: Any, name: str) -> FileFacts:
    facts = system.info(name)
    etag = str(facts.get("ETag") or facts.get("etag") or facts.get("mtime") or facts.get("size"))
    return FileFacts(system.unstrip_protocol(name), int(facts["size"]), etag)


def _files_below(system: Any, folder: str) -> list[dict[str, Any]]:
    return list(system.find(folder, detail=True).values())


def _lies_in(path: Path, folders: Iterable[str]) -> bool:
    reals = [Path(os.path.realpath(folder)) for folder in folders]
    return any(path == folder or folder in path.parents for folder in reals)


def local_facts(path: str) -> FileFacts:
    """Return the facts of a local file."""
    status = os.stat(path)
    return FileFacts(path, status.st_size, f"{status.st_mtime_ns}-{status.st_ino}")


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
    import fsspec

    with tempfile.TemporaryDirectory(prefix="airloom-") as folder:
        system, path = fsspec.core.url_to_fs(uri)
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
        import fsspec

        system, path = fsspec.core.url_to_fs(uri)
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


@dataclass(frozen=True)
class DataFolder:
    """The place of the tables and large objects that pass between steps."""

    url: str

    def place(self, run: Any, port: str, suffix: str) -> str:
        """Return where an output of a node lies: pipeline, run, node, index path, port and try name it.

        `run` has pipeline, run_id, node, index and attempt. An index path is one folder, `-` where it is empty.
        """
        parts = [run.node, run.index or NO_INDEX, f"{port}-{run.attempt}.{suffix}"]
        return "/".join([self.run_folder(run.pipeline, run.run_id), *(_path_part(part) for part in parts)])

    def run_folder(self, pipeline: str, run_id: str) -> str:
        """Return the folder of all that a run leaves."""
        return "/".join([self.url.rstrip("/"), _path_part(pipeline), _path_part(run_id)])

    def holds(self, uri: str) -> bool:
        """Tell whether a place lies in this folder, wherever links lead."""
        if is_url(self.url) or is_url(uri):
            folder, place = Url.read(self.url), Url.read(uri)
            return folder is not None and place is not None and folder.holds(place)
        return _lies_in(Path(os.path.realpath(uri)), [self.url])

    def remove_run(self, pipeline: str, run_id: str) -> None:
        """Remove all that a run has left; do nothing where that is nothing."""
        import fsspec

        system, folder = fsspec.core.url_to_fs(self.run_folder(pipeline, run_id))
        with contextlib.suppress(FileNotFoundError):
            system.rm(folder, recursive=True)

    def write_json(self, value: Any, uri: str) -> int:
        """Write a JSON value; return its size in bytes."""
        data = json.dumps(value, ensure_ascii=False).encode()
        folder = part_folder(uri)
        try:
            local = os.path.join(folder, "value.json")
            Path(local).write_bytes(data)
            put_file(local, uri)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return len(data)


def _path_part(text: str) -> str:
    """Return a text as the name of one folder or file, which leads nowhere else."""
    quoted = urllib.parse.quote(text, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")


def read_json(uri: str) -> Any:
    """Read a JSON value that `DataFolder.write_json` wrote."""
    with existing(uri), local_file(uri) as path:
        return json.loads(Path(path).read_bytes())


@contextlib.contextmanager
def existing(uri: str) -> Iterator[None]:
    """Turn a missing file of an earlier step into an error that says what to do."""
    try:
        yield
    except FileNotFoundError:
        raise gone(uri) from None


def gone(uri: str) -> DataError:
    """Return the error for an output that clean-up has removed."""
    parts = uri.split("/")
    node = urllib.parse.unquote(parts[-3]) if len(parts) >= 3 else uri
    return DataError(
        f"the output of node {node!r} is gone: {uri}",
        hint=f"clean-up has removed it; clear the run from node {node!r} on",
    )


@dataclass(frozen=True)
class Removed:
    """Say how many runs lost their data, and how many files that was.

    `at_work` is how many stay though they are old; `complete` is False where time was over before all were looked at.
    """

    runs: int
    files: int
    at_work: int
    complete: bool


def remove_older_than(
    url: str, days: float, *, spared: str, is_at_work: Callable[[str, str], bool], until: float | None = None
) -> Removed:
    """Remove the data of runs whose newest file is older than `days`, and which are not at work.

    `spared` is a place that may lie among them, which stays. `is_at_work` is asked for a pipeline and a run, just
    before. No run is begun with after `until`, by the clock of `time.monotonic`.
    """
    import fsspec

    limit = time.time() - days * 86400
    system, root = fsspec.core.url_to_fs(url)
    runs = files = at_work = 0
    for folder in _folders_of_runs(system, root, fsspec.core.url_to_fs(spared)[1]):
        if until is not None and time.monotonic() > until:
            return Removed(runs, files, at_work, complete=False)
        found = _files_below(system, folder)
        if any(_modified(facts) >= limit for facts in found):
            continue
        pipeline, run_id = (urllib.parse.unquote(part) for part in folder.rstrip("/").split("/")[-2:])
        if is_at_work(pipeline, run_id):
            at_work += 1
            continue
        system.rm(folder, recursive=True)
        runs, files = runs + 1, files + len(found)
    return Removed(runs, files, at_work, complete=True)


def _folders_of_runs(system: Any, root: str, spared: str) -> Iterator[str]:
    if system.exists(root):
        for pipeline in system.ls(root, detail=False):
            if system.isdir(pipeline) and not _holds(pipeline, spared):
                yield from system.ls(pipeline, detail=False)


def _holds(folder: str, place: str) -> bool:
    outer, inner = (f"{os.path.realpath(path)}/" for path in (folder, place))
    return inner.startswith(outer)


def _modified(facts: dict[str, Any]) -> float:
    value = facts.get("mtime") or facts.get("LastModified") or facts.get("created") or 0
    return float(value.timestamp() if hasattr(value, "timestamp") else value)


def content_hash(path: str) -> str:
    """Return the SHA-256 of a local file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
