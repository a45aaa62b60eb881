"""What a node is: one class that declares config, ports and work.

The class is the Pydantic model of its config. Its name gives the type (`CsvRead` → `csv_read`), its folder the
category, its docstring the summary. Ports come from the signature of its one method: `query` (tables), `scan` and
`copy_to` (files), `run` (everything else).
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from airloom.engine.batches import Batches
from airloom.engine.relation import (
    Columns,
    Query,
    Relation,
    cast,
    column,
    exp,
    function,
    literal,
    name_as,
    nested,
    not_null,
    ordered,
    over,
    try_cast,
)
from airloom.engine.scan import Copy, Scan
from airloom.engine.storage import Files
from airloom.nodes.context import Context
from airloom.nodes.fields import Column, ColumnType, Condition, ConnectionId, FilePath, Formula, Raw, Secret, SqlQuery
from airloom.nodes.ports import (
    ERROR,
    Declared,
    Port,
    each,
    expand,
    inputs_of_signature,
    outputs_of_signature,
    port,
)
from airloom.spec.error import ConfigurationError, DataError, TransientError

__all__ = [
    "Action", "Batches", "Column", "ColumnType", "Columns", "Condition", "Config", "ConfigurationError",
    "ConnectionId", "Context", "Control", "Copy", "DataError", "Example", "FilePath", "FileSink", "FileSource",
    "Files", "Fired", "Formula", "Model", "Node", "Query", "Raw", "Relation", "Scan", "Secret", "Sink", "Source",
    "SqlQuery", "Table", "Transform", "TransientError", "Trigger", "Written", "cast", "column", "each", "exp",
    "function", "literal", "name_as", "nested", "not_null", "ordered", "over", "port", "try_cast",
]  # fmt: skip

Order = Literal["gives", "keeps", "uses"]
"""What a table node does with the order of rows: sorts them; hands them on as they came; needs them sorted."""

Effect = Literal["pure", "read", "write", "control", "config"]
ACRONYMS = {"csv": "CSV", "jsonl": "JSONL", "json": "JSON", "sql": "SQL", "http": "HTTP", "llm": "LLM"}


def type_name(class_name: str) -> str:
    """Return the node type of a class name: `CsvRead` → `csv_read`; a version at the end (`JoinV1`) is left out."""
    plain = re.sub(r"V\d+$", "", class_name)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()


def category_of(module: str) -> str:
    """Return the category of a module: its folder below `airloom.nodes`, or `own` for everybody else's nodes."""
    parts = module.split(".")
    return parts[2] if parts[:2] == ["airloom", "nodes"] and len(parts) > 3 else "own"


@dataclass(frozen=True)
class Example:
    """Show a node at work: a config, its inputs by port, and the outputs by port that come of them.

    A table is a list of rows (dictionaries). Tests run it; palette and docs show it.
    """

    title: str
    config: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fired:
    """Say which port a control node fires, and with what value."""

    outputs_from_config: ClassVar[bool] = True
    port: str
    value: Any = None


@dataclass(frozen=True)
class Written:
    """Say what a sink wrote: how many rows, and where to (for people; no secret)."""

    rows: int
    target: str


class Model(BaseModel):
    """A part of a node's config; unknown fields are refused, for a misspelt one would be ignored in silence."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


@dataclass(frozen=True)
class Declaration:
    """Hold what a class says about itself beside its config.

    `code` says that who writes one writes a program; `without_spark`, what of a table node Spark lacks: nothing where
    it is empty, all of it where it begins with "everything".
    """

    type: str
    version: int
    category: str
    title: str
    summary: str
    effect: Effect
    requires: str | None
    order: Order | None
    without_spark: str
    code: bool
    inputs: tuple[Declared, ...] | None
    outputs: tuple[Declared, ...] | None


class Node(Model):
    """The base of all nodes; subclass one of `Source`, `Table`, `Transform`, `Sink`, `Action`, `Control`, `Config`."""

    declaration: ClassVar[Declaration]
    examples: ClassVar[Sequence[Example]] = ()
    method: ClassVar[str] = "run"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # The keywords are read below; `object` refuses them.
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        effect: Effect | None = None,
        version: int = 1,
        requires: str | None = None,
        order: Order | None = None,
        without_spark: str = "",
        code: bool = False,
        inputs: Sequence[Declared] | None = None,
        outputs: Sequence[Declared] | None = None,
        **kwargs: Any,
    ) -> None:
        """Read the class keywords into the declaration."""
        super().__pydantic_init_subclass__(**kwargs)
        inherited = getattr(cls, "declaration", None)
        name = type_name(cls.__name__)
        cls.declaration = Declaration(
            type=name,
            version=version,
            category=category_of(cls.__module__),
            title=" ".join(
                ACRONYMS.get(word, word if at else word.capitalize()) for at, word in enumerate(name.split("_"))
            ),
            summary=(cls.__doc__ or "").strip().split("\n")[0],
            effect=effect or (inherited.effect if inherited else "pure"),
            requires=requires,
            order=order,
            without_spark=without_spark,
            code=code,
            inputs=tuple(inputs) if inputs is not None else None,
            outputs=tuple(outputs) if outputs is not None else None,
        )

    @classmethod
    def input_ports(cls, config: Any) -> list[Port]:
        """Return the input ports for a config (an instance, or a mapping as the document has it)."""
        declared = cls.declaration.inputs
        if declared is not None:
            return expand(declared, cls._with_defaults(config))
        return inputs_of_signature(getattr(cls, cls.method), (Context, Files))

    @classmethod
    def output_ports(cls, config: Any) -> list[Port]:
        """Return the output ports for a config, without `error`, which every node that runs has."""
        declared = cls.declaration.outputs
        if declared is not None:
            return expand(declared, cls._with_defaults(config))
        return outputs_of_signature(getattr(cls, cls.method)) or []

    @classmethod
    def _with_defaults(cls, config: Any) -> Any:
        if not isinstance(config, Mapping):
            return config
        defaults = {
            name: field.get_default(call_default_factory=True, validated_data={})
            for name, field in cls.model_fields.items()
            if not field.is_required() and name not in config
        }
        return {**defaults, **config}

    @classmethod
    def missing_extra(cls) -> str | None:
        """Return the extra that has to be installed before this node can run, or None."""
        requires = cls.declaration.requires
        if requires is None:
            return None
        extra, _, module = requires.partition(":")
        return None if importlib.util.find_spec(module or extra) else extra

    @classmethod
    @functools.cache
    def config_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the config."""
        return cls.model_json_schema()

    @classmethod
    def migrate(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Turn a config of the version before this one into one of this version."""
        return config

    def describe(self, context: Context) -> Columns | None:
        """Return the columns that a run will give at the first output, or None where only the run can tell."""
        return None


class Table(Node):
    """A pure node on tables: its `query` returns a sqlglot query and never sees rows."""

    method: ClassVar[str] = "query"


class Source(Node, effect="read"):
    """A node that reads from outside."""


class FileSource(Source):
    """A source whose files are read in place: `scan` says which and how."""

    method: ClassVar[str] = "scan"

    @classmethod
    def output_ports(cls, config: Any) -> list[Port]:
        """Return rows, and what class keywords declare instead."""
        declared = cls.declaration.outputs
        return expand(declared, cls._with_defaults(config)) if declared is not None else [Port("rows", "table")]

    def scan(self, files: Files) -> Scan:
        """Return the files with the options to read them; raise ConfigurationError where there is none."""
        raise NotImplementedError


class Sink(Node, effect="write"):
    """A node that writes outside; its one output `done` tells rows and target, so that work can follow it."""

    @classmethod
    def output_ports(cls, config: Any) -> list[Port]:
        """Return the one output, done."""
        return [Port("done", "object")]


class FileSink(Sink):
    """A sink that writes one file: `copy_to` says where and how; the file appears whole or not at all."""

    method: ClassVar[str] = "copy_to"

    @classmethod
    def input_ports(cls, config: Any) -> list[Port]:
        """Return the one input, rows."""
        return [Port("rows", "table")]

    def copy_to(self) -> Copy:
        """Return the file and the options to write it."""
        raise NotImplementedError


class Transform(Node):
    """A pure node on objects."""


class Action(Node, effect="write"):
    """A node that does something outside and is neither source nor sink of a table."""


class Control(Node, effect="control"):
    """A node that chooses which of its ports fire."""


class Trigger(Node, effect="control"):
    """A node that starts a run by an event which carries data."""


class Config(Node, effect="config"):
    """A node without a task of its own: it is wired to another one's port."""


BASES = (Node, Table, Source, FileSource, Sink, FileSink, Transform, Action, Control, Trigger, Config)


@dataclass(frozen=True)
class Ports:
    """Hold the ports of a node for one config."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def input(self, name: str) -> Port | None:
        """Return an input by name, or None."""
        return next((found for found in self.inputs if found.name == name), None)

    def output(self, name: str) -> Port | None:
        """Return an output by name, `error` among them, or None."""
        return next((found for found in (*self.outputs, ERROR_PORT) if found.name == name), None)


ERROR_PORT = Port(ERROR, "object")


def ports_of(node_class: type[Node], config: Any) -> Ports:
    """Return the ports of a node for one config: the one function that checks, plan and API ask."""
    return Ports(tuple(node_class.input_ports(config)), tuple(node_class.output_ports(config)))
