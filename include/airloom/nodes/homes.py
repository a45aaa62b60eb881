"""Where the class of a node type stands, found in the syntax of a file; the file runs only where syntax cannot tell."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import importlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from airloom.nodes import sdk
from airloom.nodes.sdk import BASES, Declaration, Node, category_of, title_of, type_name

NO_NODES = frozenset({*sys.stdlib_module_names, "pydantic", "pydantic_settings", "typing_extensions"})
"""Packages whose classes are not nodes: helpers, models and enumerations derive from them."""

WITHOUT_PORTS: dict[str, Any] = {"inputs": None, "outputs": None}
TOLD = frozenset({"type", "category", "title", "summary", "effect", "role"})
"""What comes of a class's name, place, docstring and base; where a keyword says otherwise, the class is asked."""
KEYWORDS = frozenset(field.name for field in dataclasses.fields(Declaration)) - TOLD


@dataclass(frozen=True)
class Home:
    """Say where the class of one version of a type stands, and what it declares beside its ports."""

    module: str
    name: str
    declaration: Declaration

    @classmethod
    def of(cls, node: type[Node]) -> Home:
        """Return the home of a class."""
        return cls(node.__module__, node.__name__, dataclasses.replace(node.declaration, **WITHOUT_PORTS))

    def load(self) -> type[Node]:
        """Import the class; raise what its module raises, and TypeError where the name is no such node type."""
        node: Any = getattr(importlib.import_module(self.module), self.name, None)
        wanted = (self.declaration.type, self.declaration.version)
        if not _is_node(node) or (node.declaration.type, node.declaration.version) != wanted:
            raise TypeError(f"{self.name} is not version {wanted[1]} of a node type {wanted[0]!r}")
        return node


def homes_in_module(name: str) -> list[Home]:
    """Import a module, and return the homes of the node types that it declares itself."""
    found = vars(importlib.import_module(name)).items()
    return [
        Home.of(node)
        for attribute, node in list(found)
        if _is_node(node) and node.__module__ == name and node.__name__ == attribute and not attribute.startswith("_")
    ]


def homes_in_text(module: str, text: str) -> list[Home] | None:
    """Return the homes of the node types in a module's text, or None where only running it can tell.

    Raises SyntaxError.
    """
    found = _Reader(module)
    try:
        found.read(ast.parse(text.removeprefix("\ufeff")).body)
    except _UnknownError:
        return None
    return found.homes


def _is_node(candidate: Any) -> TypeGuard[type[Node]]:
    return isinstance(candidate, type) and issubclass(candidate, Node) and candidate not in BASES


class _UnknownError(Exception):
    """Raise where syntax does not tell what a class is."""


class _Reader:
    """Read the classes of one module in their order, each by its bases."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.names: dict[str, str] = {}
        self.classes: dict[str, Declaration | None] = {}
        self.homes: list[Home] = []

    def read(self, body: Iterable[ast.stmt]) -> None:
        for statement in _statements(body):
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    bound, whole = alias.asname or alias.name.partition(".")[0], alias.name
                    self.names[bound] = whole if alias.asname else bound
            elif isinstance(statement, ast.ImportFrom):
                self._import_from(statement)
            elif isinstance(statement, ast.ClassDef):
                self._class(statement)

    def _import_from(self, statement: ast.ImportFrom) -> None:
        source = "." * statement.level + (statement.module or "")
        for alias in statement.names:
            if alias.name == "*" and source == sdk.__name__:
                self.names |= {name: f"{source}.{name}" for name in sdk.__all__}
            else:
                self.names[alias.asname or alias.name] = f"{source}.{alias.name}"

    def _class(self, statement: ast.ClassDef) -> None:
        if statement.name in self.classes:
            raise _UnknownError
        bases = [base for base in map(self._base, statement.bases) if base is not None]
        self.classes[statement.name] = None
        if not bases:
            return
        words = {word.arg: _literal(word.value) for word in statement.keywords if _tells(word)}
        keywords = {name: value for name, value in words.items() if value is not None}
        declaration = dataclasses.replace(
            bases[0],
            **keywords,  # type: ignore[arg-type]
            type=type_name(statement.name),
            category=category_of(self.module),
            title=title_of(type_name(statement.name)),
            summary=(ast.get_docstring(statement) or "").strip().split("\n")[0],
            **WITHOUT_PORTS,
        )
        if not isinstance(declaration.version, int):
            raise _UnknownError
        self.classes[statement.name] = declaration
        if not statement.name.startswith("_"):
            self.homes.append(Home(self.module, statement.name, declaration))

    def _base(self, base: ast.expr) -> Declaration | None:
        """Return what a base class declares, None for one that is no node; raise where that is not to be seen."""
        if isinstance(base, ast.Name) and base.id in self.classes:
            declaration = self.classes[base.id]
            if declaration is not None:
                # What a class inherits of its keywords only the class knows.
                raise _UnknownError
            return None
        dotted = self._dotted(base)
        package, _, name = dotted.rpartition(".")
        if package == sdk.__name__:
            found = getattr(sdk, name, None)
            if found is Node:
                raise _UnknownError
            return found.declaration if isinstance(found, type) and issubclass(found, Node) else None
        if dotted.partition(".")[0] not in NO_NODES:
            raise _UnknownError
        return None

    def _dotted(self, expression: ast.expr) -> str:
        if isinstance(expression, ast.Subscript):
            return self._dotted(expression.value)
        if isinstance(expression, ast.Attribute):
            return f"{self._dotted(expression.value)}.{expression.attr}"
        if isinstance(expression, ast.Name):
            if expression.id in self.names:
                return self.names[expression.id]
            if hasattr(builtins, expression.id):
                return f"builtins.{expression.id}"
        raise _UnknownError


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those under `if`, `try` and `with` too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _statements(statement.body)
            yield from _statements(getattr(statement, "orelse", []))
            yield from _statements(getattr(statement, "finalbody", []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)


def _tells(keyword: ast.keyword) -> bool:
    """Tell whether a class keyword is shown in lists; raise where only the class knows what it makes of it."""
    if keyword.arg not in KEYWORDS:
        raise _UnknownError
    return keyword.arg not in WITHOUT_PORTS


def _literal(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:
        raise _UnknownError from None
