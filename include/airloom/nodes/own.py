"""A user's own node types: files of Python that are imported under `airloom.nodes.own`, by name and hash of their text.

What is hashed is what runs: a text is read once and compiled as it was read; no bytecode is read or written. A changed
file is another module, so that a class that is at work stays as it was. A child that was spawned finds the modules of
the folder by their names.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from airloom.spec.configuration import configuration
from airloom.spec.node_file import NodeFile
from airloom.spec.problem import Problem

# Python asks the finders for what is imported below a module that has a path.
__path__: list[str] = []
DIGITS = 16
"""How much of a hash stands in a module's name."""


@dataclass(frozen=True)
class Folder:
    """Hold the files of a folder as they were when it was read, and by name what is wrong with those without text."""

    files: tuple[NodeFile, ...]
    problems: tuple[tuple[str, Problem], ...]


def read_folder(folder: Path) -> Folder:
    """Read the files of node types in a folder; their texts are known to this process from now on."""
    files: list[NodeFile] = []
    problems: list[tuple[str, Problem]] = []
    for path in sorted(folder.glob("*.py")):
        if path.name.startswith(("_", ".")):
            continue
        try:
            file = NodeFile(path.name, path.read_bytes().decode("utf-8"))
        except FileNotFoundError:
            continue  # removed since the folder was listed
        except (OSError, UnicodeDecodeError) as error:
            problems.append((path.name, unreadable(path.name, error, "")))
            continue
        _remember(file, str(path))
        files.append(file)
    return Folder(tuple(files), tuple(problems))


def remember(file: NodeFile) -> None:
    """Make a text known to this process, so that its classes can be had by its hash without any folder."""
    # No file on disk: traces take their lines from the loader.
    _remember(file, f"{file.name}@{file.hash[:DIGITS]}")


def known_file(digest: str) -> NodeFile | None:
    """Return the file of a hash where this process knows its text."""
    return next((loader.file for loader in list(_loaders.values()) if loader.file.hash == digest), None)


def file_of_module(module: str) -> NodeFile | None:
    """Return the file that a module was made of, None for modules that are not a user's file."""
    loader = _loaders.get(module)
    return loader.file if loader is not None else None


def filename_of(module: str) -> str | None:
    """Return what traces call the file that a module was made of, None for modules that are not a user's file."""
    loader = _loaders.get(module)
    return loader.filename if loader is not None else None


def module_of(file: NodeFile) -> str:
    """Return the name of a file's module."""
    stem = re.sub(r"\W", "_", file.name.removesuffix(".py"))
    return f"{__name__}.{stem}_{file.hash[:DIGITS]}"


def unreadable(name: str, error: Exception, filename: str) -> Problem:
    """Return the problem of a file that Python cannot read or run, with the line of `filename` where that is known."""
    return Problem(
        "node.broken_file",
        f"{name} cannot be read{_line_of(error, filename)}: {type(error).__name__}: {_text_of(error)}",
        hint=f"correct {name}: its node types are missing until then",
    )


def _text_of(error: Exception) -> str:
    """Return what an error says, of a syntax error also the text it is about."""
    if not isinstance(error, SyntaxError):
        return str(error)
    text = (error.text or "").strip()
    return f"{error.msg}: {text}" if text else str(error.msg)


def _line_of(error: Exception, filename: str) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f", line {error.lineno}"
    trace = error.__traceback__
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f", line {line}" if line else ""


class _Loader(importlib.abc.ExecutionLoader):
    """Run the text of one file."""

    def __init__(self, file: NodeFile, filename: str) -> None:
        self.file = file
        self.filename = filename

    def get_source(self, fullname: str) -> str:
        return self.file.text.removeprefix("\ufeff")

    def get_filename(self, fullname: str) -> str:
        return self.filename

    def is_package(self, fullname: str) -> bool:
        return False


_loaders: dict[str, _Loader] = {}
"""The loader of every text that this process knows, by the name of its module."""


def _remember(file: NodeFile, filename: str) -> None:
    _loaders.setdefault(module_of(file), _Loader(file, filename))


class _Finder(importlib.abc.MetaPathFinder):
    """Find the modules below this one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(f"{__name__}."):
            return None
        if fullname not in _loaders:
            # A spawned child knows no texts yet.
            read_folder(configuration().nodes_folder)
        loader = _loaders.get(fullname)
        return importlib.util.spec_from_loader(fullname, loader) if loader is not None else None


sys.meta_path.append(_Finder())
