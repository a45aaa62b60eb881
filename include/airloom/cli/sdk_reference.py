"""The reference of `airloom.nodes.sdk`, read from the source: signatures as they are written there, and docstrings.

From the source, because Python keeps no docstring of an alias such as `Column`, and annotations read best as written.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator, Sequence

from airloom.nodes import sdk

GROUPS = {
    "Base classes": (
        "Node", "Table", "Transform", "Control", "FileSource", "FileSink", "Source", "Sink", "Action", "Loop", "Config",
        "Trigger",
    ),
    "Fields of a config": (
        "Column", "ColumnType", "Condition", "Formula", "SqlQuery", "FilePath", "ConnectionId", "PipelineId", "Raw",
        "Secret", "Part",
    ),
    "Queries of table nodes": (
        "Relation", "Columns", "Query", "column", "literal", "function", "cast", "try_cast", "name_as", "not_null",
        "over", "ordered", "nested", "exp",
    ),
    "Values that ports carry": (
        "Batches", "File", "Messages", "Model", "Offer", "Recall", "LanguageModel", "AnswerParser",
    ),
    "While a node runs": ("Context", "LoopBody", "ItemFailed", "Fired", "Written"),
    "Files": ("Files", "Scan", "Copy"),
    "Ports and examples": ("port", "each", "interface_ports", "Interface", "Example", "Preset"),
    "Errors": ("ConfigurationError", "DataError", "TransientError"),
}  # fmt: skip
"""The names of the SDK under the headings of the page, those that an author meets first at the top."""


def sdk_reference() -> str:
    """Return a section for every name of the SDK; raise ValueError where a name has no heading, or a docstring."""
    grouped = [name for names in GROUPS.values() for name in names]
    if sorted(grouped) != sorted(sdk.__all__):
        raise ValueError(f"GROUPS and airloom.nodes.sdk differ in: {sorted(set(grouped) ^ set(sdk.__all__))}")
    homes = _homes()
    parts = []
    for title, names in GROUPS.items():
        parts.append(f"## {title}")
        for name in names:
            parts += _section(name, homes.get(name, sdk.__name__))
    return "\n\n".join(parts)


def _homes() -> dict[str, str]:
    """Return the module that each name is imported from."""
    tree = ast.parse(inspect.getsource(sdk))
    return {
        alias.asname or alias.name: str(statement.module)
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


def _section(name: str, module: str) -> Iterator[str]:
    yield f"### `{name}`"
    for statement, docstring in _statements(ast.parse(inspect.getsource(importlib.import_module(module))).body):
        if _name_of(statement) != name:
            continue
        if not docstring:
            raise ValueError(f"{module}.{name} has no docstring")
        if signature := _signature(statement):
            yield f"```python\n{signature}\n```"
        yield textwrap.dedent(docstring).strip()
        if isinstance(statement, ast.ClassDef):
            members = [_member(member) for member in statement.body if _is_public_method(member)]
            if members:
                yield "\n".join(members)
        return
    raise ValueError(f"{module} defines no {name}")


def _statements(body: Sequence[ast.stmt]) -> Iterator[tuple[ast.stmt, str | None]]:
    """Yield each definition of a module with its docstring; of an alias, the text that follows it."""
    for at, statement in enumerate(body):
        if isinstance(statement, ast.If):
            yield from _statements(statement.orelse)
        elif isinstance(statement, ast.ClassDef | ast.FunctionDef):
            yield statement, ast.get_docstring(statement)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            following = body[at + 1] if at + 1 < len(body) else None
            yield statement, _text(following)


def _text(statement: ast.stmt | None) -> str | None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return str(statement.value.value)
    return None


def _name_of(statement: ast.stmt) -> str:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return statement.name
    target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
    return target.id if isinstance(target, ast.Name) else ""


def _signature(statement: ast.stmt) -> str:
    """Return a function's or a class's head, and the fields of a class; nothing of a name that is made by a call."""
    if isinstance(statement, ast.FunctionDef):
        return _call(statement)
    if isinstance(statement, ast.ClassDef):
        keywords = [f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in statement.keywords]
        bases = ", ".join([*map(ast.unparse, statement.bases), *keywords])
        head = f"class {statement.name}({bases})" if bases else f"class {statement.name}"
        fields = [f"    {ast.unparse(field)}" for field in statement.body if _is_public_field(field)]
        return "\n".join([f"{head}:", *fields] if fields else [head])
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Subscript):
        # What stands in an annotation beside the type is for the checks, not for an author.
        base, _, rest = ast.unparse(statement.value).removeprefix("Annotated[").partition(", ")
        annotated = ast.unparse(statement.value).startswith("Annotated[") and rest
        return f"{_name_of(statement)} = {f'Annotated[{base}, …]' if annotated else ast.unparse(statement.value)}"
    return ""


def _call(function: ast.FunctionDef) -> str:
    arguments = function.args
    for names in (arguments.posonlyargs, arguments.args):
        names[:] = [argument for argument in names if argument.arg not in ("self", "cls")]
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{function.name}({ast.unparse(arguments)}){returns}"


def _member(method: ast.stmt) -> str:
    if not isinstance(method, ast.FunctionDef):
        raise TypeError("a member is a method")
    is_property = any("property" in ast.unparse(decorator) for decorator in method.decorator_list)
    shown = f"{method.name}: {ast.unparse(method.returns)}" if is_property and method.returns else _call(method)
    return f"- `{shown}`: {' '.join((ast.get_docstring(method) or '').split())}"


def _is_public_method(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.FunctionDef):
        return False
    return not statement.name.startswith("_") or (
        statement.name == "__getitem__" and bool(ast.get_docstring(statement))
    )


def _is_public_field(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.AnnAssign)
        and not _name_of(statement).startswith("_")
        and "ClassVar" not in ast.unparse(statement.annotation)
    )
