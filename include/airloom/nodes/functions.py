"""Functions that users keep in files: `clean.py` of the folder of code holds `clean`, `clean_test.py` its tests.

A version is published with the text of such a file, and a run has it by its hash: it needs no folder.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from airloom.nodes.code import LONGEST_CODE, check_code
from airloom.nodes.modules import module_spec
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError
from airloom.spec.node_file import NodeFile
from airloom.spec.problem import suggestion

TESTS = "_test"
"""What the name of a file of tests ends with, behind the name of the function."""
PLACE = "the folder of code (include/code)"


class UnknownFunction(ConfigurationError):
    """Raise where no file holds a function of that name."""

    code = "code.unknown"


class WrongFunction(ConfigurationError):
    """Raise where the file of a function cannot be read, or does not hold what it should."""

    code = "code.wrong"


def names() -> list[str]:
    """Return the names of all functions that have a file."""
    return [path.stem for path in _files() if not path.stem.endswith(TESTS)]


def read_function(name: str, argument: str = "value") -> NodeFile:
    """Return the file of a function that takes `argument`; its text is known to this process from now on.

    Raises UnknownFunction, or WrongFunction with the line.
    """
    path = configuration().code_folder / f"{name}.py"
    if path not in _files():
        hint = suggestion(name, names()) or f"write {name}.py with `def {name}({argument})` into {PLACE}"
        raise UnknownFunction(f"there is no function {name!r}: {PLACE} has no {name}.py", hint=hint)
    if name in sys.stdlib_module_names:
        hint = f"give the function and its file another name, such as {name}_of_rows"
        raise WrongFunction(f"{name!r} is the name of a module of Python", hint=hint)
    file = _read(path)
    try:
        if len(file.text) > LONGEST_CODE:
            raise ValueError(f"it has more than {LONGEST_CODE:,} characters")
        check_code(file.text, name, argument)
        _check_imports(file.text)
    except ValueError as error:
        raise WrongFunction(f"{file.name}, {error}", hint=f"correct {file.name}") from None
    remember(file)
    return file


def read_tests(name: str) -> NodeFile | None:
    """Return the file of a function's tests, None where it has none; raise WrongFunction where it cannot be read."""
    path = configuration().code_folder / f"{name}{TESTS}.py"
    return _read(path) if path in _files() else None


def remember(file: NodeFile) -> None:
    """Make a text known to this process, so that it can be had by its hash without any folder."""
    _known[file.hash] = file


def known_file(digest: str) -> NodeFile | None:
    """Return the file of a hash where this process knows its text, or the folder has it."""
    if digest not in _known:
        for path in _files():
            try:
                remember(_read(path))
            except WrongFunction:
                continue  # it cannot be the one that was published
    return _known.get(digest)


def fingerprint() -> list[str]:
    """Return what tells all files of code from those of another time, tests too: one of them may forbid to publish."""
    texts = []
    for path in _files():
        try:
            texts.append(f"{path.name} {_read(path).hash}")
        except WrongFunction as error:
            texts.append(f"{path.name} {error.message}")
    return texts


_known: dict[str, NodeFile] = {}


def _files() -> list[Path]:
    return [path for path in sorted(configuration().code_folder.glob("*.py")) if not path.name.startswith(("_", "."))]


def _read(path: Path) -> NodeFile:
    try:
        return NodeFile(path.name, path.read_bytes().decode("utf-8").removeprefix("\ufeff"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise WrongFunction(f"{path.name} cannot be read: {reason}", hint=f"correct {path.name}") from None


def _check_imports(text: str) -> None:
    """Raise ValueError where code imports a file that stands beside it: only its own text is published."""
    beside = {path.stem for path in _files()}
    for line, module in _imported(text):
        if module in beside and module_spec(module) is None:
            raise ValueError(f"line {line}: it imports {module}, a file beside it, and has only its packages in a run")


def _imported(text: str) -> Iterator[tuple[int, str]]:
    for part in ast.walk(ast.parse(text)):
        if isinstance(part, ast.Import):
            yield from ((part.lineno, name.name.partition(".")[0]) for name in part.names)
        elif isinstance(part, ast.ImportFrom):
            if part.level:
                raise ValueError(f"line {part.lineno}: it belongs to no package, so nothing is imported by a dot")
            yield part.lineno, (part.module or "").partition(".")[0]
