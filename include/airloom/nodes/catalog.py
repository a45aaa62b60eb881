"""The catalog: which node types there are, found by file name and class line, imported only when one is asked for."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from airloom import __version__
from airloom.nodes.sdk import BASES, Node, type_name
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import Problem, suggestion

# The models and tuples beside a node class are no node types.
CLASS_LINE = re.compile(r"^class ([A-Z]\w*)\((?!Model\b|BaseModel\b|NamedTuple\b)", re.MULTILINE)
ENTRY_POINTS = "airloom.nodes"


class UnknownNodeType(ConfigurationError):
    """Raise when a document names a node type, or a version of one, that is not there."""

    code = "node.unknown_type"


@dataclass(frozen=True)
class Home:
    """Say where the class of a type may stand: a module of the package, or a file of the user."""

    module: str
    path: Path

    @property
    def own(self) -> bool:
        """Tell whether it is a file of the user rather than an installed module."""
        return self.module.startswith("airloom_own_nodes.")


@dataclass
class Catalog:
    """Know every node type; `problems` say which files give none and why."""

    homes: dict[str, list[Home]] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()
    problems: list[Problem] = field(default_factory=list)
    _found: dict[str, dict[int, type[Node]]] = field(default_factory=dict)

    def get(self, name: str, version: int | None = None) -> type[Node]:
        """Return a node class, the newest version where none is named; raise UnknownNodeType."""
        versions = self._versions(name)
        if not versions:
            hint = suggestion(name, self.homes) or "`airloom nodes` lists all types"
            raise UnknownNodeType(f"there is no node type {name!r}", hint=hint)
        if name in self.disabled:
            raise UnknownNodeType(f"the node type {name!r} is switched off here", hint="ask an administrator")
        if version is None:
            return versions[max(versions)]
        if version not in versions:
            known = ", ".join(str(number) for number in sorted(versions))
            raise UnknownNodeType(f"{name!r} has no version {version}", hint=f"versions here: {known}")
        return versions[version]

    def all(self) -> list[type[Node]]:
        """Return the newest class of every type, by category and name; this imports every node module."""
        found = [self._versions(name) for name in sorted(self.homes) if name not in self.disabled]
        newest = [versions[max(versions)] for versions in found if versions]
        return sorted(newest, key=lambda node: (node.declaration.category, node.declaration.type))

    def fingerprint(self) -> str:
        """Return a hash of what plans depend on: the release, and the files of all node types."""
        own = {home.path for homes in self.homes.values() for home in homes if home.own}
        return hashlib.sha256((_installed_fingerprint() + _hash_of(own)).encode()).hexdigest()

    def _versions(self, name: str) -> dict[int, type[Node]]:
        if name not in self._found:
            self._found[name] = {}
            for home in self.homes.get(name, ()):
                module = self._load(home)
                if module is not None:
                    self._collect(name, home, module)
        return self._found[name]

    def _load(self, home: Home) -> ModuleType | None:
        if not home.own:
            return importlib.import_module(home.module)
        if home.module in sys.modules:
            return sys.modules[home.module]
        spec = importlib.util.spec_from_file_location(home.module, home.path)
        if spec is None or spec.loader is None:
            return None
        module = importlib.util.module_from_spec(spec)
        sys.modules[home.module] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # noqa: BLE001 a user's file may raise anything; it takes only its own types away
            del sys.modules[home.module]
            line = _line_of(error, home.path)
            self._report(
                Problem(
                    "node.broken_file",
                    f"{home.path.name} cannot be read{line}: {type(error).__name__}: {error}",
                    hint="its node types are missing until it is mended",
                )
            )
            return None
        return module

    def _collect(self, name: str, home: Home, module: ModuleType) -> None:
        for candidate in vars(module).values():
            if not _is_node(candidate, module) or candidate.declaration.type != name:
                continue
            known = self._found[name].get(candidate.declaration.version)
            if known is not None and known is not candidate:
                self._report(
                    Problem(
                        "node.duplicate_type",
                        f"{home.path.name} declares {name!r} version {candidate.declaration.version} again; "
                        f"{known.__module__} has it already",
                        hint="give the class another name",
                    )
                )
                continue
            self._found[name][candidate.declaration.version] = candidate

    def _report(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _is_node(candidate: object, module: ModuleType) -> bool:
    return (
        isinstance(candidate, type)
        and issubclass(candidate, Node)
        and candidate not in BASES
        and candidate.__module__ == module.__name__
    )


def _line_of(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f", line {error.lineno}"
    trace = error.__traceback__
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f", line {line}" if line else ""


def catalog() -> Catalog:
    """Return the catalog of this process; a new, changed or removed file of the user's folder shows at once."""
    settings = configuration()
    own = tuple(_stamp(path) for path in _python_files(settings.nodes_folder))
    return _catalog(own, frozenset(settings.disabled_nodes))


def _stamp(path: Path) -> tuple[str, str]:
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@functools.lru_cache(maxsize=2)
def _catalog(own: tuple[tuple[str, str], ...], disabled: frozenset[str]) -> Catalog:
    made = Catalog(disabled=disabled)
    made.homes = {name: list(homes) for name, homes in _installed().items()}
    for path, stamp in own:
        # The content is part of the module's name: a changed file is a new module, a pinned class stays as it was.
        _add(made.homes, Home(f"airloom_own_nodes.{Path(path).stem}_{stamp}", Path(path)))
    return made


@functools.cache
def _installed_fingerprint() -> str:
    # Asked once: what an update puts on the disk beside a process that runs is not what that process does.
    return __version__ + _hash_of({home.path for homes in _installed().values() for home in homes})


def _hash_of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


@functools.cache
def _installed() -> dict[str, list[Home]]:
    homes: dict[str, list[Home]] = {}
    folder = Path(__file__).parent
    for path in sorted(folder.glob("*/*.py")):
        if not path.stem.startswith("_") and path.parent.name != "dialects":
            _add(homes, Home(f"airloom.nodes.{path.parent.name}.{path.stem}", path))
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        spec = importlib.util.find_spec(entry.module)
        if spec is not None and spec.origin is not None:
            _add(homes, Home(entry.module, Path(spec.origin)))
    return homes


def _add(homes: dict[str, list[Home]], home: Home) -> None:
    for name in _types_in(home.path):
        homes.setdefault(name, []).append(home)


def _types_in(path: Path) -> Iterable[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return dict.fromkeys(type_name(name) for name in CLASS_LINE.findall(text))


def _python_files(folder: Path) -> list[Path]:
    return (
        sorted(path for path in folder.glob("*.py") if not path.name.startswith(("_", "."))) if folder.is_dir() else []
    )
