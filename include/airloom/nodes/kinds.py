"""Kinds of ports: what travels from node to node, and how each kind is written, read, shown and converted.

To add a kind, add an entry to `KINDS`: its name as documents and plans have it, and the classes that name it in a
node's signature.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import sys
import types
import typing
from abc import ABC
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import ConfigDict, TypeAdapter, ValidationError

from airloom.engine.batches import Batches
from airloom.engine.reference import TableReference, kind_of_value
from airloom.engine.relation import Query, Relation
from airloom.spec.error import DataError
from airloom.spec.expression import Exposed

LIST_LIMIT = 10_000
"""Rows that a table may have where it becomes a list."""


# What the kinds are called in a node's signature


class TableValue(Exposed):
    """A table as expressions and control nodes see it: `rows`, `columns`, `uri` and `first(n)`."""

    exposed = frozenset({"rows", "columns", "uri", "first"})

    def __init__(self, reference: TableReference) -> None:
        self.reference = reference

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        from airloom.engine import tables

        return tables.count(self.reference)

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns."""
        return list(self.reference.columns)

    @property
    def uri(self) -> str:
        """Return where the first file of the table lies."""
        return self.reference.files[0]

    def first(self, number: int) -> list[dict[str, Any]]:
        """Return the first rows, at most 10,000, as objects."""
        from airloom.engine import tables

        return tables.first_rows(self.reference, min(int(number), LIST_LIMIT))

    def __repr__(self) -> str:
        return f"a table of columns {', '.join(self.columns)}"


class Messages(list[dict[str, Any]]):
    """A conversation: messages with role and content."""


@dataclass(frozen=True)
class File:
    """A file: its address, its size in bytes, and its SHA-256 where Airloom wrote it, else the etag of its storage."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    uri: str
    bytes: int | None = None
    media_type: str | None = None
    sha256: str | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Model:
    """A trained model: its file, the framework that reads it, and the notes of its training."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", protected_namespaces=())

    uri: str
    bytes: int
    sha256: str
    framework: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        raise TypeError("Model is a trained model; a part of a node's config derives from Part")


class LanguageModel(ABC):  # noqa: B024 its methods come with the nodes that have one
    """A language model that is wired to an agent."""


@dataclass(frozen=True)
class Offer:
    """A tool that is wired to an agent: what it is called, what it is for, and the function behind it.

    `parameters` is the JSON Schema of the object that `call` takes.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    effect: Literal["pure", "read", "write"]
    call: Callable[[Mapping[str, Any]], Any]


class Recall(ABC):  # noqa: B024 its methods come with the nodes that have one
    """A memory that is wired to an agent: what was said before."""


class AnswerParser(ABC):  # noqa: B024 its methods come with the nodes that have one
    """A parser of a model's answer that is wired to an agent."""


# Writing: what JSON has no form for


CARRIED = (
    "null, booleans, numbers, texts, lists, objects with texts as keys, dates and times, decimals, UUIDs, paths, "
    "enums, sets, dataclasses, Pydantic models, files and models can be"
)


TEXTS = (datetime, date, Decimal, time, timedelta, UUID)
"""Classes whose objects are written as Python writes them."""


class Unwritable(Exception):
    """Raise for what no kind of port can carry; `what` names it, `hint` says what to do instead."""

    def __init__(self, what: str, hint: str = CARRIED) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def written(value: Any) -> Any:
    """Return the form for JSON of a value that JSON has none for; parts of it may still need one.

    Times, exact numbers, UUIDs and paths become text, sets sorted lists, dataclasses and Pydantic models objects.
    Raises Unwritable for what no kind of port can carry.
    """
    if type(value) in TEXTS:
        # First, for there may be thousands of them.
        return _as_text(value)
    known = _class_kind(type(value))
    if known is not None and known.write is not None:
        return known.write(value)
    if isinstance(value, (*TEXTS, PurePath)):
        return _as_text(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return _in_order(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise Unwritable("bytes", "write them to a file, and pass on the file")
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {found.name: getattr(value, found.name) for found in dataclasses.fields(value) if found.init}
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return _of_numpy(value, numpy)
    raise Unwritable(kind_of_value(value))


def _as_text(value: Any) -> str:
    if isinstance(value, Decimal) and not value.is_finite():
        raise Unwritable("a number that is infinite or not a number", "give null in its place")
    if value != value:
        raise Unwritable("a time that is not a time (NaT)", "give null in its place")
    return str(value)


def _in_order(value: Iterable[Any]) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        return sorted(value, key=lambda item: json.dumps(item, ensure_ascii=False, default=written))


def _of_numpy(value: Any, numpy: Any) -> Any:
    # An instant in nanoseconds has no class of Python's.
    if isinstance(value, numpy.datetime64 | numpy.timedelta64):
        return _as_text(value)
    plain = value.item()
    if isinstance(plain, numpy.generic):
        raise Unwritable(kind_of_value(value))
    return plain


def _write_table(value: Any) -> Any:
    if not isinstance(value, TableValue):
        raise Unwritable("a table within a value", "let the port carry the table alone, or take its rows: rows_to_list")
    # Its rows are not counted here: whoever writes a value may fork, which DuckDB's threads forbid.
    return {"columns": value.columns, "rows": value.reference.rows}


def _write_nothing(value: Any) -> Any:
    raise Unwritable(kind_of_value(value), "it is wired to the node that uses it, and never passed on")


def _write_fields(value: Any) -> dict[str, Any]:
    return {found.name: getattr(value, found.name) for found in dataclasses.fields(value)}


# Reading: what an input makes of what comes


def _same(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if isinstance(value, TableValue):
        raise DataError("a table does not fit a text input", hint="take its rows first: rows_to_list")
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _rows(value: Any) -> Any:
    if not isinstance(value, TableValue):
        return value
    if value.rows > LIST_LIMIT:
        raise DataError(
            f"a table of {value.rows} rows is too long for a list (at most {LIST_LIMIT})", hint="limit it first"
        )
    return value.first(LIST_LIMIT)


def _messages(value: Any) -> Any:
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


@functools.cache
def _adapter(class_: type) -> TypeAdapter[Any]:
    return TypeAdapter(class_)


def _object_of(value: Any, class_: type, name: str, fields: str) -> Any:
    try:
        return _adapter(class_).validate_python(value)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        found = f"{fault['msg'].lower()} at {place}" if place else f"it is {kind_of_value(value)}"
        raise DataError(f"the input takes a {name}: {found}", hint=f"a {name} is an object with {fields}") from None


def _file(value: Any) -> Any:
    return _object_of(value, File, "file", "uri, and bytes, media_type, sha256, etag where they are known")


def _model(value: Any) -> Any:
    return _object_of(value, Model, "model", "uri, bytes, sha256, framework and metadata")


# Showing


def plain(value: Any) -> Any:
    """Return a value as JSON can say it: dates and exact numbers beyond JSON's as text, NaN and infinities too."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(_write_fields(value))
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


# The table


@dataclass(frozen=True)
class PortKind:
    """Say of a kind of port what names it, and what becomes of its values.

    `classes` are the annotations that name it. A `wiring` kind never travels: a config node is wired to the node that
    uses it. `write` gives the form for JSON of an object of the classes, None where JSON has it or `written` knows it;
    `read` makes of that form, or of what came by a port of kind any, what an input takes, and raises DataError where
    it does not fit; `preview` makes of the form what people are shown. `conversions` are the other kinds of input that
    an output of this kind may feed, with what makes of its form what they take.
    """

    name: str
    classes: tuple[Any, ...] = ()
    wiring: bool = False
    write: Callable[[Any], Any] | None = None
    read: Callable[[Any], Any] = _same
    preview: Callable[[Any], Any] = plain
    conversions: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


KINDS: dict[str, PortKind] = {
    kind.name: kind
    for kind in (
        PortKind("table", (Relation, Batches, Query, TableValue), write=_write_table, conversions={"list": _rows}),
        PortKind("object", (dict,), conversions={"text": _text}),
        PortKind("list", (list,), read=_rows, conversions={"text": _text, "table": _same}),
        PortKind("text", (str,), read=_text, conversions={"messages": _messages}),
        PortKind("number", (int, float), conversions={"text": _text}),
        PortKind("boolean", (bool,), conversions={"text": _text}),
        PortKind("messages", (Messages,), read=_messages),
        PortKind("file", (File,), write=_write_fields, read=_file, conversions={"object": _same}),
        PortKind("model", (Model,), write=_write_fields, read=_model, conversions={"object": _same}),
        PortKind("any", (Any, object)),
        PortKind("llm", (LanguageModel,), wiring=True, write=_write_nothing),
        PortKind("tool", (Offer, list[Offer]), wiring=True, write=_write_nothing),
        PortKind("memory", (Recall,), wiring=True, write=_write_nothing),
        PortKind("parser", (AnswerParser,), wiring=True, write=_write_nothing),
    )
}
"""Every kind of port by its name."""


def kind_of(annotation: Any) -> str:
    """Return the port kind of an annotation; raise TypeError for one that names none."""
    for kind in KINDS.values():
        if annotation in kind.classes:
            return kind.name
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(annotation) if member is not type(None)]
        kinds = {kind_of(member) for member in members}
        return kinds.pop() if len(kinds) == 1 else "any"
    if origin is not None:
        annotation = origin
    if isinstance(annotation, type):
        known = _class_kind(annotation)
        if known is not None:
            return known.name
        if issubclass(annotation, Mapping) or hasattr(annotation, "model_fields"):
            return "object"
        if issubclass(annotation, Iterable):
            return "list"
        if hasattr(annotation, "__dataclass_fields__"):
            return "object"
    raise TypeError(f"{annotation!r} names no port kind; see docs/write-a-node.md")


def _class_kind(class_: type) -> PortKind | None:
    """Return the kind that a class, or the nearest of its bases, names."""
    for base in class_.__mro__[:-1]:
        for kind in KINDS.values():
            if base in kind.classes:
                return kind
    return None
