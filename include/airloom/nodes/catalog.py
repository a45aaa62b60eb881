"""The catalog: which node types there are. Lists and look-ups read a manifest, or the syntax of a file.

A class is imported when it is asked for; Python's own locks see to it that each thread gets it whole.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from airloom import __version__
from airloom.nodes import functions, own
from airloom.nodes.homes import Home, homes_in_module, homes_in_text
from airloom.nodes.manifest import FOLDER, manifest
from airloom.nodes.modules import module_spec
from airloom.nodes.own import Folder, remember
from airloom.nodes.sdk import Declaration, Node, type_name
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError
from airloom.spec.node_file import NodeFile
from airloom.spec.problem import Problem, nearest

__all__ = ["Catalog", "NodeFileUnknown", "UnknownNodeType", "catalog", "remember"]

ENTRY_POINTS = "airloom.nodes"
CLASS = re.compile(r"^class[ \t]+(\w+)", re.MULTILINE)


class UnknownNodeType(ConfigurationError):
    """Raise when a document names a node type, or a version of one, that is not there."""

    code = "node.unknown_type"
    near: str | None = None
    """The type that may be meant."""


class NodeFileUnknown(UnknownNodeType):
    """Raise when a node type is asked for by the hash of a file whose text this process does not know."""


@dataclass
class Shelf:
    """Hold the homes of all node types by type and version, and what is wrong with files that give none."""

    homes: dict[str, dict[int, Home]] = field(default_factory=dict)
    # A dictionary for its order; two threads may find the same problem.
    problems: dict[Problem, None] = field(default_factory=dict)
    broken: dict[tuple[str, str], Problem] = field(default_factory=dict)
    unread: dict[str, Problem] = field(default_factory=dict)
    """What is wrong with the file that seems to hold a type, by the type's name."""

    def add(self, home: Home) -> None:
        """Put a home in; the first one of a version stays, another is a problem."""
        declared = home.declaration
        known = self.homes.setdefault(declared.type, {}).setdefault(declared.version, home)
        if known is not home and (known.module, known.name) != (home.module, home.name):
            self.report(
                Problem(
                    "node.duplicate_type",
                    f"{_place_of(home)} declares {declared.type!r} version {declared.version} again; "
                    f"{known.module} has it already",
                    hint="give the class another name",
                )
            )

    def report(self, problem: Problem) -> None:
        """Keep a problem, each once."""
        self.problems.setdefault(problem)

    def load(self, home: Home) -> type[Node] | Problem:
        """Return the class of a home, or why it cannot be had; raise what a module of the package raises."""
        place = (home.module, home.name)
        if place in self.broken:
            return self.broken[place]
        try:
            return home.load()
        except Exception as error:
            # A user's file may raise anything; it takes only its own types away.
            if home in manifest():
                raise
            problem = self.broken[place] = _unreadable(home.module, error)
            self.report(problem)
            return problem


@dataclass(frozen=True)
class Catalog:
    """Know every node type: those of the package, of other packages, and of a user's folder as it is at first need."""

    folder: Path
    disabled: frozenset[str] = frozenset()

    def get(self, name: str, version: int | None = None, file: str = "") -> type[Node]:
        """Return a node class, the newest version where none is named.

        With the hash of a user's `file`, the class is the one of that text, whatever the folder holds now.

        Raises UnknownNodeType, and NodeFileUnknown where this process does not know the text.
        """
        if file:
            shelf = self._shelf_of(file, name)
        else:
            # A task asks for a version: what the package has is not searched for elsewhere.
            built_in = _built_in().get(name, {})
            shelf = Shelf({name: built_in}) if version in built_in else self._shelf
        return self._class(shelf, name, version)

    def all(self) -> list[type[Node]]:
        """Return the newest class of every type, by category and name; this imports every node module."""
        newest = [self._newest(name) for name in self._shelf.homes if name not in self.disabled]
        found = [node for node in newest if node is not None]
        return sorted(found, key=lambda node: (node.declaration.category, node.declaration.type))

    def types(self) -> list[str]:
        """Return the names of all types, those that are switched off too."""
        return sorted(self._shelf.homes)

    def declarations(self) -> list[Declaration]:
        """Return what the newest class of every type declares beside its ports, by category and name.

        No module of a node is imported where its file can be read without.
        """
        found = [
            versions[max(versions)].declaration
            for name, versions in self._shelf.homes.items()
            if name not in self.disabled
        ]
        return sorted(found, key=lambda declaration: (declaration.category, declaration.type))

    @property
    def problems(self) -> list[Problem]:
        """Return what is wrong with files of node types, as far as it is known: a file may fail when it is imported."""
        return list(self._shelf.problems)

    def file_of(self, node_class: type[Node]) -> NodeFile | None:
        """Return the file of a user's own class, None for an installed one."""
        return own.file_of_module(node_class.__module__)

    def fingerprint(self) -> str:
        """Return a hash of what plans depend on: the release, and the files of node types and of code."""
        texts = [f"{file.name} {file.hash}" for file in self._files.files]
        texts += ["code", *code] if (code := functions.fingerprint()) else []
        return hashlib.sha256("\n".join([_installed_fingerprint(), *texts]).encode()).hexdigest()

    @functools.cached_property
    def _files(self) -> Folder:
        return own.read_folder(self.folder)

    @property
    def _shelf(self) -> Shelf:
        return _shelf(self._files)

    def _shelf_of(self, digest: str, name: str) -> Shelf:
        file = own.known_file(digest)
        if file is None:
            file = next((file for file in self._files.files if file.hash == digest), None)
        if file is None:
            raise NodeFileUnknown(
                f"the file that node type {name!r} was published from is not known here ({digest[:12]})",
                hint="publish the pipeline again where its file is",
            )
        return _shelf_of(file)

    def _class(self, shelf: Shelf, name: str, version: int | None) -> type[Node]:
        versions = shelf.homes.get(name)
        if versions is None:
            if name in shelf.unread:
                raise _unloadable(name, shelf.unread[name])
            broken = [problem for problem in shelf.problems if problem.code == "node.broken_file"]
            near = nearest(name, set(shelf.homes) - {name})
            hint = broken[0].message if broken else "`airloom nodes` lists all types"
            error = UnknownNodeType(f"there is no node type {name!r}", hint=f"did you mean {near!r}?" if near else hint)
            error.near = near
            raise error
        if name in self.disabled:
            raise UnknownNodeType(f"the node type {name!r} is switched off here", hint="ask an administrator")
        problem = None
        for number in sorted(versions, reverse=True) if version is None else [version]:
            if number not in versions:
                known = ", ".join(str(number) for number in sorted(versions))
                raise UnknownNodeType(f"{name!r} has no version {version}", hint=f"versions here: {known}")
            found = shelf.load(versions[number])
            if not isinstance(found, Problem):
                return found
            problem = problem or found
        if problem is not None:
            raise _unloadable(name, problem)
        raise UnknownNodeType(f"there is no node type {name!r}")

    def _newest(self, name: str) -> type[Node] | None:
        try:
            return self._class(self._shelf, name, None)
        except UnknownNodeType:
            return None


def catalog() -> Catalog:
    """Return the catalog as it is now; a new, changed or removed file of the user's folder shows at once."""
    settings = configuration()
    return Catalog(settings.nodes_folder, frozenset(settings.disabled_nodes))


@functools.lru_cache(maxsize=2)
def _shelf(folder: Folder) -> Shelf:
    made = Shelf()
    for home in manifest():
        made.add(home)
    for module in _entry_points():
        _add_module(made, module, _text_of(module))
    for name, problem in folder.problems:
        made.report(problem)
        made.unread.setdefault(Path(name).stem, problem)
    for file in folder.files:
        _add_module(made, own.module_of(file), file.text)
    return made


@functools.lru_cache(maxsize=64)
def _shelf_of(file: NodeFile) -> Shelf:
    made = Shelf()
    _add_module(made, own.module_of(file), file.text)
    return made


def _add_module(shelf: Shelf, module: str, text: str | None) -> None:
    try:
        homes = homes_in_text(module, text) if text is not None else None
        for home in homes_in_module(module) if homes is None else homes:
            shelf.add(home)
    except Exception as error:  # noqa: BLE001 a user's file may raise anything; it takes only its own types away
        problem = _unreadable(module, error)
        shelf.report(problem)
        for name in _types_named(module, text or ""):
            shelf.unread.setdefault(name, problem)


def _types_named(module: str, text: str) -> list[str]:
    """Return the types that a file which cannot be read seems to hold: that of its name, and those of its classes."""
    file = own.file_of_module(module)
    stem = file.name.removesuffix(".py") if file else module.rpartition(".")[2]
    return [stem, *(type_name(name) for name in CLASS.findall(text))]


def _unloadable(name: str, problem: Problem) -> UnknownNodeType:
    return UnknownNodeType(f"the node type {name!r} cannot be loaded: {problem.message}", hint=problem.hint)


def _unreadable(module: str, error: Exception) -> Problem:
    file = own.file_of_module(module)
    filename = own.filename_of(module) or str(_path_of(module))
    return own.unreadable(file.name if file else module, error, filename)


def _place_of(home: Home) -> str:
    file = own.file_of_module(home.module)
    return file.name if file else home.module


@functools.cache
def _built_in() -> dict[str, dict[int, Home]]:
    found: dict[str, dict[int, Home]] = {}
    for home in manifest():
        found.setdefault(home.declaration.type, {})[home.declaration.version] = home
    return found


@functools.cache
def _entry_points() -> tuple[str, ...]:
    """Return the modules in which other packages offer node types."""
    from importlib.metadata import entry_points

    return tuple(dict.fromkeys(entry.module for entry in entry_points(group=ENTRY_POINTS)))


def _text_of(module: str) -> str | None:
    """Return the text of an installed module, or None where it has none, or is not there."""
    path = _path_of(module)
    return path.read_bytes().decode("utf-8", "replace") if path is not None else None


def _path_of(module: str) -> Path | None:
    spec = module_spec(module)
    path = Path(spec.origin) if spec is not None and spec.origin else None
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


@functools.cache
def _installed_fingerprint() -> str:
    # Asked once: what an update puts on the disk beside a process that runs is not what that process does.
    paths = [*FOLDER.rglob("*.py"), *filter(None, map(_path_of, _entry_points()))]
    return f"{__version__} {_hash_of(paths)}"


def _hash_of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
