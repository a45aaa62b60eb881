"""What the nodes that run users' Python have in common: their fields, and what can be said of code before it runs."""

from __future__ import annotations

import ast
import warnings
from datetime import timedelta
from typing import Annotated, Protocol

from pydantic import AfterValidator, ByteSize, Field, PlainSerializer, WithJsonSchema

from airloom.engine.box import Code
from airloom.nodes.context import Context
from airloom.nodes.fields import Mark
from airloom.spec.configuration import configuration
from airloom.spec.document import IDENTIFIER
from airloom.spec.duration import Duration

__all__ = [
    "LONGEST_CODE", "CodeTime", "Memory", "Python", "TableFunction", "ValueFunction", "check_code",
    "check_one_source", "code_of",
]  # fmt: skip

LONGEST = timedelta(days=1)
LONGEST_CODE = 100_000
"""Characters of code."""
SMALLEST_MEMORY = 300_000_000
"""Bytes that an interpreter with pandas or polars needs before it has a table."""


def _bounded(memory: ByteSize) -> ByteSize:
    highest = configuration().memory_limit
    if not SMALLEST_MEMORY <= memory <= highest:
        raise ValueError(
            f"memory is from {ByteSize(SMALLEST_MEMORY).human_readable(decimal=True)} "
            f"to {highest.human_readable(decimal=True)} (AIRLOOM_MEMORY_LIMIT) here"
        )
    return memory


def _above_zero(time: timedelta) -> timedelta:
    if not timedelta() < time <= LONGEST:
        raise ValueError("a time limit is more than 0s and at most 1d")
    return time


Python = Annotated[str, Field(min_length=1, max_length=LONGEST_CODE), Mark("raw", language="python")]
"""Python source; not rendered, so braces are Python's own."""

TableFunction = Annotated[str, Field(pattern=IDENTIFIER), Mark("function", argument="df", language="python")]
"""The name of a user's function of a table."""

ValueFunction = Annotated[str, Field(pattern=IDENTIFIER), Mark("function", argument="value", language="python")]
"""The name of a user's function of a value."""

CodeTime = Annotated[Duration, AfterValidator(_above_zero)]
"""How long code may run."""

Memory = Annotated[
    ByteSize,
    AfterValidator(_bounded),
    PlainSerializer(lambda size: f"{int(size)}B", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ ?[KMG]?i?B$", "examples": ["500MB", "2GB"]}),
]
"""How much memory code may take, Python and its libraries included."""


class Coded(Protocol):
    """What a node is that runs users' Python."""

    code: str | None
    function: str | None
    timeout: timedelta
    memory: ByteSize


def check_one_source(node: Coded) -> None:
    """Raise ValueError where a node has code and the name of a function, or neither."""
    if (node.code is None) == (node.function is None):
        raise ValueError("give either code (the text) or function (the name of one in a file)")


def code_of(node: Coded, inline: str, context: Context) -> Code:
    """Return what a node runs in the box: its own code, whose function is `inline`, or the function that it names."""
    seconds = node.timeout.total_seconds()
    if node.function is None:
        return Code(node.code or "", inline, context.params, seconds, node.memory)
    file = context.function(node.function)
    return Code(file.text, node.function, context.params, seconds, node.memory, file.name)


def check_code(code: str, function: str, argument: str) -> str:
    """Return code as it is; raise ValueError, naming the line, where it does not define `function(argument, …)`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
            compile(tree, "<code>", "exec", dont_inherit=True)
    except SyntaxError as error:
        line = code.splitlines()[error.lineno - 1].strip() if error.lineno else ""
        place = f"line {error.lineno}: " if error.lineno else ""
        raise ValueError(f"{place}{error.msg}{': ' if line else ''}{line[:100]}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ValueError("this cannot be read as Python: it is nested too deeply, or no text") from None
    found = [part for part in tree.body if isinstance(part, ast.FunctionDef) and part.name == function]
    if not found:
        late = [part.lineno for part in ast.walk(tree) if isinstance(part, ast.AsyncFunctionDef | ast.FunctionDef)
                and part.name == function]  # fmt: skip
        where = (
            f"line {late[0]}: a plain function at the outermost level is needed: " if late else "the code defines no "
        )
        raise ValueError(f"{where}def {function}({argument})")
    given = found[-1].args
    plain = [*given.posonlyargs, *given.args]
    if not 1 <= len(plain) <= 2 or given.vararg or given.kwarg or given.kwonlyargs:
        raise ValueError(
            f"line {found[-1].lineno}: {function} takes {argument}, and params if it wants them: "
            f"def {function}({argument}) or def {function}({argument}, params)"
        )
    return code
