"""The files of the drop folder: which there are, whether they may be read, and what they hold."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airloom.spec.places import located
from airloom.spec.problem import Problem
from airloom.spec.text import LARGEST_TEXT, read_text

SUFFIXES = (".json", ".yaml", ".yml")


@dataclass(frozen=True)
class File:
    """Say which file stands at a path; two equal ones hold the same, and `refusal` says why it is not read."""

    path: str
    location: Path
    signature: tuple[int, ...]
    refusal: Problem | None = None


@dataclass(frozen=True)
class Content:
    """Hold what a file says, or what is wrong with it; `hash` changes with either."""

    hash: str
    data: Any
    problems: list[Problem]
    name: str = ""
    text: str = ""

    @classmethod
    def of(cls, content: bytes, name: str) -> Content:
        """Read the content of a document's file, whose name tells JSON from YAML."""
        digest = hashlib.sha256(content).hexdigest()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            message = f"the file is not UTF-8 text (byte {error.start + 1})"
            return cls(digest, None, [Problem("file.encoding", message, hint="save it as UTF-8", line=line)])
        return cls(digest, *read_text(text, name), name, text)

    def located(self, problems: list[Problem]) -> list[Problem]:
        """Return problems of the document with their line and column in this file."""
        return located(problems, self.text, self.name)

    @property
    def declares(self) -> str | None:
        """Return the id of the pipeline, where one can be read."""
        identifier = self.data.get("id") if isinstance(self.data, dict) else None
        return identifier if isinstance(identifier, str) else None


def list_files(folder: Path) -> dict[str, File]:
    """Return the documents below a folder by their path in it, without hidden ones and what other suffixes name.

    Raises OSError where the folder, or one in it, can't be read: what is in there must not be taken for gone.
    """
    root = Path(os.path.realpath(folder))
    os.listdir(root)
    found = (_file(root, Path(parent) / name) for parent, name in _entries(root))
    return {file.path: file for file in found if file is not None}


def read_file(file: File) -> Content | None:
    """Return what a file holds; None where it is gone, or not the file that was listed."""
    if file.refusal is not None:
        return _refused(file, file.refusal)
    try:
        # Neither a link nor a pipe that took the file's place meanwhile is followed or waited for.
        descriptor = os.open(file.location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            if _signature(os.fstat(stream.fileno())) != file.signature:
                return None
            content = stream.read(LARGEST_TEXT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return _refused(file, Problem("file.unreadable", f"the file can't be read: {reason}"))
    return Content.of(content, file.path)


def _entries(root: Path) -> Iterator[tuple[str, str]]:
    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for parent, folders, names in os.walk(root, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if os.path.islink(os.path.join(parent, name)):
                yield parent, name
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield parent, name


def _file(root: Path, location: Path) -> File | None:
    path = location.relative_to(root).as_posix()
    try:
        facts = location.stat()
    except FileNotFoundError:
        if not location.is_symlink():
            return None
        return File(path, location, (), Problem("file.link", "this link leads nowhere"))
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return File(path, location, (), Problem("file.unreadable", f"the file can't be read: {reason}"))
    target = Path(os.path.realpath(location))
    refusal = None
    if not path.isprintable():
        path = path.encode("unicode_escape").decode()
        refusal = Problem("file.name", "the name of the file holds characters that can't be shown", hint="rename it")
    elif not target.is_relative_to(root):
        refusal = Problem("file.link", "this link leads out of the folder", hint="put the file itself here")
    elif stat.S_ISDIR(facts.st_mode):
        refusal = Problem("file.link", "links to folders are not followed", hint="put the files themselves here")
    elif not stat.S_ISREG(facts.st_mode):
        refusal = Problem("file.type", "this is not an ordinary file")
    elif facts.st_size > LARGEST_TEXT:
        refusal = Problem("file.large", f"a document has at most {LARGEST_TEXT:,} bytes, this one {facts.st_size:,}")
    return File(path, target, _signature(facts), refusal)


def _signature(facts: os.stat_result) -> tuple[int, ...]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _refused(file: File, problem: Problem) -> Content:
    named = repr((problem.code, file.signature))
    return Content(f"refused-{hashlib.sha256(named.encode()).hexdigest()}", None, [problem])
