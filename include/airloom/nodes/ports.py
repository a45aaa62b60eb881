"""Ports: what goes into a node and what comes out, read from its signature and its class keywords."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airloom.engine.batches import Batches
from airloom.engine.relation import Query, Relation

Kind = Literal[
    "table", "object", "list", "text", "number", "boolean", "messages", "file", "model", "any",
    "llm", "tool", "memory", "parser",
]  # fmt: skip
WIRING: frozenset[str] = frozenset({"llm", "tool", "memory", "parser"})
ERROR = "error"
RESERVED: frozenset[str] = frozenset({ERROR, "fired", "statistics"})
"""What a run keeps of a node beside its outputs, under the same names: no output is called so."""

# What connects besides the same kind and `any`: output kind → input kinds.
CONVERSIONS: dict[str, frozenset[str]] = {
    "number": frozenset({"text"}),
    "boolean": frozenset({"text"}),
    "object": frozenset({"text"}),
    "list": frozenset({"text", "table"}),
    "table": frozenset({"list"}),
    "text": frozenset({"messages"}),
}
TABLE_FIELDS = frozenset({"rows", "columns", "uri", "first"})
"""What expressions may use of a table."""
LIST_LIMIT = 10_000
"""Rows that a table may have where it becomes a list."""


@dataclass(frozen=True)
class Port:
    """Name one port of a node; `many` and `required` speak of inputs alone."""

    name: str
    kind: Kind = "any"
    many: bool = False
    required: bool = True


@dataclass(frozen=True)
class Each:
    """Declare one port for each entry of a config field."""

    field: str
    name: str | None
    kind: Kind


@dataclass(frozen=True)
class Maybe:
    """Declare a port that is there only where a config field is set."""

    port: Port
    when: str


Declared = Port | Each | Maybe


def each(field: str, name: str | None = None, kind: Kind = "any") -> Each:
    """Declare a port for each entry of the config list `field`, named by its key `name` (or by the entry itself)."""
    return Each(field, name, kind)


def port(name: str, kind: Kind = "any", when: str | None = None) -> Port | Maybe:
    """Declare a port; with `when`, only where that config field is set."""
    declared = Port(name, kind)
    return Maybe(declared, when) if when else declared


class Messages(list[dict[str, Any]]):
    """A conversation: messages with role and content."""


class File(str):
    """A file by its URL."""


class Model:
    """A trained model."""


class Llm:
    """A language model that is wired to an agent."""


class Tool:
    """A tool that is wired to an agent."""


class Memory:
    """A memory that is wired to an agent."""


class Parser:
    """A parser of a model's answer that is wired to an agent."""


KINDS: dict[Any, Kind] = {
    Relation: "table", Batches: "table", Query: "table",
    str: "text", int: "number", float: "number", bool: "boolean",
    dict: "object", list: "list", Any: "any", object: "any",
    Messages: "messages", File: "file", Model: "model",
    Llm: "llm", Tool: "tool", Memory: "memory", Parser: "parser",
}  # fmt: skip


def kind_of(annotation: Any) -> Kind:
    """Return the port kind of an annotation; raise TypeError for one that names none."""
    if annotation in KINDS:
        return KINDS[annotation]
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(annotation) if member is not type(None)]
        kinds = {kind_of(member) for member in members}
        return kinds.pop() if len(kinds) == 1 else "any"
    if origin in KINDS:
        return KINDS[origin]
    if isinstance(annotation, type):
        if issubclass(annotation, Mapping) or hasattr(annotation, "model_fields"):
            return "object"
        if issubclass(annotation, Iterable):
            return "list"
        if hasattr(annotation, "__dataclass_fields__"):
            return "object"
    raise TypeError(f"{annotation!r} names no port kind; see docs/write-a-node.md")


@functools.lru_cache(maxsize=1000)
def signature_of(function: Any) -> inspect.Signature:
    """Return the signature of a function, its annotations read as what they name."""
    return inspect.signature(function, eval_str=True)


def inputs_of_signature(function: Any, ignored: tuple[type, ...]) -> list[Port]:
    """Return the inputs that a method's parameters declare; parameters of the `ignored` types are no ports."""
    found = []
    for parameter in list(signature_of(function).parameters.values())[1:]:
        if parameter.annotation in ignored:
            continue
        kind = kind_of(parameter.annotation)
        many = parameter.kind is inspect.Parameter.VAR_POSITIONAL
        required = parameter.default is inspect.Parameter.empty and not (many and kind in WIRING)
        found.append(Port(parameter.name, kind, many, required))
    return found


def outputs_of_signature(function: Any) -> list[Port] | None:
    """Return the outputs that a method's return annotation declares, or None where config decides."""
    annotation = signature_of(function).return_annotation
    if isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
        hints = typing.get_type_hints(annotation)
        return [Port(name, kind_of(hints[name])) for name in annotation._fields]
    if typing.get_origin(annotation) is dict and typing.get_args(annotation)[1:] == (Query,):
        return None
    if getattr(annotation, "outputs_from_config", False):
        return None
    kind = kind_of(annotation)
    return [Port("rows" if kind == "table" else "value", kind)]


def expand(declared: Iterable[Declared], config: Any) -> list[Port]:
    """Return the ports that declarations give for one configuration (a node instance or a plain mapping)."""
    found: list[Port] = []
    for item in declared:
        if isinstance(item, Port):
            found.append(item)
        elif isinstance(item, Maybe):
            if _field(config, item.when):
                found.append(item.port)
        else:
            found.extend(Port(name, item.kind) for name in _names(_field(config, item.field), item.name))
    return found


def _field(config: Any, name: str) -> Any:
    return config.get(name) if isinstance(config, Mapping) else getattr(config, name, None)


def _names(entries: Any, key: str | None) -> list[str]:
    if isinstance(entries, Mapping):
        return [str(name) for name in entries]
    if not isinstance(entries, list | tuple):
        return []
    names = [entry if key is None else _field(entry, key) for entry in entries]
    return [name for name in names if isinstance(name, str)]


def connects(output: str, target: str) -> bool:
    """Tell whether an output of one kind may feed an input of another."""
    if output in WIRING or target in WIRING:
        return output == target
    return output == target or "any" in (output, target) or target in CONVERSIONS.get(output, frozenset())
