"""What a node is: one class that declares config, ports and work.

The class is the Pydantic model of its config. Its name gives the type (`CsvRead` → `csv_read`), its folder the
category, its docstring the summary. Ports come from the signature of its one method: `query` (tables), `scan` and
`copy_to` (files), `run` (everything else).
"""

from __future__ import annotations

import functools
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
from airloom.nodes.context import Context, ItemFailed, LoopBody
from airloom.nodes.fields import (
    Column,
    ColumnType,
    Condition,
    ConnectionId,
    FilePath,
    Formula,
    PipelineId,
    Raw,
    Secret,
    SqlQuery,
)
from airloom.nodes.kinds import AnswerParser, File, LanguageModel, Messages, Model, Offer, Recall
from airloom.nodes.modules import MissingModule, missing_module
from airloom.nodes.ports import (
    ERROR,
    Declared,
    Interface,
    Interfaces,
    Port,
    each,
    expand,
    inputs_of_signature,
    interface_ports,
    no_interfaces,
    outputs_of_signature,
    port,
)
from airloom.spec.error import ConfigurationError, DataError, TransientError

__all__ = [
    "Action", "AnswerParser", "Batches", "Column", "ColumnType", "Columns", "Condition", "Config",
    "ConfigurationError", "ConnectionId", "Context", "Control", "Copy", "DataError", "Example", "File", "FilePath",
    "FileSink", "FileSource", "Files", "Fired", "Formula", "Interface", "ItemFailed", "LanguageModel", "Loop",
    "LoopBody", "Messages", "Model", "Node", "Offer", "Part", "PipelineId", "Preset", "Query", "Raw", "Recall",
    "Relation", "Scan", "Secret", "Sink", "Source", "SqlQuery", "Table", "Transform", "TransientError", "Trigger",
    "Written", "cast", "column", "each", "exp", "function", "interface_ports", "literal", "name_as", "nested",
    "not_null", "ordered", "over", "port", "try_cast",
]  # fmt: skip

Order = Literal["gives", "keeps", "uses"]
"""What a table node does with the order of rows: sorts them; hands them on as they came; needs them sorted."""

Effect = Literal["pure", "read", "write"]
"""What a node may touch outside: nothing; it reads; it writes."""
EFFECTS: tuple[Effect, ...] = ("pure", "read", "write")
"""The effects, the stronger the later: what a node runs inside itself, or is wired to, makes its own stronger."""
Role = Literal["work", "choice", "loop", "wait", "trigger", "config"]
"""How a node runs: it works; it chooses which of its ports fires; it runs its body again and again; it waits; it starts
a run; it is made for the node that it is wired to, and has no task."""
ACRONYMS = {"csv": "CSV", "jsonl": "JSONL", "json": "JSON", "sql": "SQL", "http": "HTTP", "llm": "LLM"}

Stability = Literal["stable", "preview"]
"""Whether documents can rely on a node type: a preview may change in any release."""

ICONS = {
    "control": "split",
    "databases": "database",
    "files": "file-text",
    "objects": "braces",
    "own": "puzzle",
    "tables": "table-2",
    "windows": "timer",
}
"""The icon of each category, a name of Lucide's; a type may have one of its own."""


def type_name(class_name: str) -> str:
    """Return the node type of a class name: `CsvRead` → `csv_read`; a version at the end (`JoinV1`) is left out."""
    plain = re.sub(r"V\d+$", "", class_name)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()


def category_of(module: str) -> str:
    """Return the category of a module: its folder below `airloom.nodes`, or `own` for everybody else's nodes."""
    parts = module.split(".")
    return parts[2] if parts[:2] == ["airloom", "nodes"] and len(parts) > 3 else "own"


def title_of(name: str) -> str:
    """Return the title of a node type: `csv_read` → `CSV read`."""
    return " ".join(ACRONYMS.get(word, word if at else word.capitalize()) for at, word in enumerate(name.split("_")))


@dataclass(frozen=True)
class Example:
    """Show a node at work: a config, its inputs by port, and the outputs by port that result.

    A table is a list of rows (dictionaries). A loop has a `body`, as documents do. A class lists its examples in
    `examples`; tests run them, palette and docs show them.
    """

    title: str
    config: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Preset:
    """Offer a node type with a ready config, as a palette's entry of its own; `name` is unique among the type's."""

    name: str
    title: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Fired:
    """Say which port a node of role choice fires, and with what value; an empty name fires none.

    A `Control`, or another node with `role="choice"`, returns it.
    """

    outputs_from_config: ClassVar[bool] = True
    port: str
    value: Any = None


@dataclass(frozen=True)
class Written:
    """Say what a sink wrote: how many rows, and where to. People read `target`, so it holds no secret."""

    rows: int
    target: str


class Part(BaseModel):
    """The base of an object within a node's config; unknown fields are refused, so that no misspelt one is ignored."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


@dataclass(frozen=True)
class Declaration:
    """Hold what a class says about itself beside its config.

    `code` says that who writes one writes a program; `without_spark`, what of a table node Spark lacks: nothing where
    it is empty, all of it where it begins with "everything"; `icon` is a name of Lucide's.
    """

    type: str
    version: int
    category: str
    title: str
    summary: str
    effect: Effect
    role: Role
    requires: str | None
    order: Order | None
    without_spark: str
    code: bool
    icon: str
    stability: Stability
    presets: tuple[Preset, ...]
    inputs: tuple[Declared, ...] | None
    outputs: tuple[Declared, ...] | None

    def __post_init__(self) -> None:
        # A category that the table does not name has the icon of one's own nodes.
        object.__setattr__(self, "icon", self.icon or ICONS.get(self.category, ICONS["own"]))


class Node(Part):
    """The base of all nodes: derive from one of the classes below, which say what kind of work a node does.

    The class name is the type (`RoundPrices` → `round_prices`), the first line of the docstring its summary, and the
    fields are its config. The parameters of its one method are its inputs, the return annotation is its output.

    Class keywords, as in `class RoundPrices(Table, version=2)`:

    - `version`: the version of the type, from 1.
    - `role`: `work`, `choice`, `loop` or `config`, in place of that of the base class.
    - `effect`: `pure`, `read` or `write`, in place of that of the base class.
    - `inputs`, `outputs`: lists of `port(…)` and `each(…)`, in place of what the method's signature says.
    - `requires`: the optional package that the type needs, as `extra` or `extra:module`.
    - `order`: what a table node does with the order of rows: `gives`, `keeps`, `uses`.
    - `without_spark`: what of a table node Spark cannot do.
    - `icon`, `stability`, `presets`: how a palette offers the type.
    """

    declaration: ClassVar[Declaration]
    examples: ClassVar[Sequence[Example]] = ()
    method: ClassVar[str] = "run"
    step_kind: ClassVar[str] = "node"
    """The kind of the step that the node is by itself; `dags.factory.OPERATORS` has the operator of each kind."""
    may_be_handled: ClassVar[bool] = True
    """Whether an `error` edge or `on_error: continue` may take care of the node's failure."""
    describes_by_config: ClassVar[bool] = False
    """Whether `describe` reads the config alone, though the config names a Connection."""
    libraries: ClassVar[Sequence[str]] = ()
    """Modules that `describe` imports: whatever forks processes for it imports them once."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # The keywords are read below; `object` refuses them.
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        effect: Effect | None = None,
        role: Role | None = None,
        version: int = 1,
        requires: str | None = None,
        order: Order | None = None,
        without_spark: str = "",
        code: bool = False,
        icon: str = "",
        stability: Stability = "stable",
        presets: Sequence[Preset] = (),
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
            title=title_of(name),
            summary=(cls.__doc__ or "").strip().split("\n")[0],
            effect=effect or (inherited.effect if inherited else "pure"),
            role=role or (inherited.role if inherited else "work"),
            requires=requires,
            order=order,
            without_spark=without_spark,
            code=code,
            icon=icon,
            stability=stability,
            presets=tuple(presets),
            inputs=tuple(inputs) if inputs is not None else None,
            outputs=tuple(outputs) if outputs is not None else None,
        )

    @classmethod
    def input_ports(cls, config: Any, interfaces: Interfaces = no_interfaces) -> list[Port]:
        """Return the input ports for a config (an instance, or a mapping as the document has it)."""
        declared = cls.declaration.inputs
        if declared is not None:
            return expand(declared, cls._with_defaults(config), interfaces, "inputs")
        return list(inputs_of_signature(getattr(cls, cls.method), GIVEN))

    @classmethod
    def output_ports(cls, config: Any, interfaces: Interfaces = no_interfaces) -> list[Port]:
        """Return the output ports for a config, without `error`, which every node that runs has."""
        declared = cls.declaration.outputs
        if declared is not None:
            return expand(declared, cls._with_defaults(config), interfaces, "outputs")
        return list(outputs_of_signature(getattr(cls, cls.method)) or ())

    @classmethod
    def effect_of(cls, config: Any) -> Effect:
        """Return the effect of a node of this config (an instance, or a mapping as the document has it)."""
        return cls.declaration.effect

    @classmethod
    def never_fires(cls, config: Mapping[str, Any]) -> Mapping[str, tuple[str, str]]:
        """Return the ports that never fire for a config as the document has it: the field at fault, and why."""
        return {}

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
    def missing_module(cls) -> MissingModule | None:
        """Return the module that has to be installed before this node can run, with how to get it, or None."""
        requires = cls.declaration.requires
        return None if requires is None else missing_module(requires)

    @classmethod
    @functools.cache
    def config_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the config."""
        return cls.model_json_schema()

    @classmethod
    def migrate(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Return a config of this version for one of the version before; documents are migrated by it."""
        return config

    def describe(self, context: Context) -> Columns | None:
        """Return the columns of the first output as they are known before the run, or None where only the run can tell.

        For sources and other nodes without `query`, so that later nodes are checked against these columns.
        """
        return None


class Table(Node):
    """The base of pure nodes on tables.

    Write `query(self, rows: Relation, …) -> Query`. It sees columns and types, never rows: it returns a query, which
    is checked before the run and merged with those of its neighbours.
    """

    method: ClassVar[str] = "query"


class Source(Node, effect="read"):
    """The base of nodes that read from other systems.

    Write `run(self, context: Context, …) -> Batches`.
    """


class FileSource(Source):
    """The base of nodes that read files which DuckDB reads itself.

    Write `scan(self, files: Files) -> Scan`, which says which files, and how they are read.
    """

    method: ClassVar[str] = "scan"

    @classmethod
    def output_ports(cls, config: Any, interfaces: Interfaces = no_interfaces) -> list[Port]:
        """Return rows, and what class keywords declare instead."""
        declared = cls.declaration.outputs
        return super().output_ports(config, interfaces) if declared is not None else [Port("rows", "table")]

    def scan(self, files: Files) -> Scan:
        """Return the files with the options to read them; raise ConfigurationError where there is none."""
        raise NotImplementedError


class Sink(Node, effect="write"):
    """The base of nodes that write to other systems.

    Write `run(self, rows: Batches, context: Context, …) -> Written`. The one output, `done`, holds rows and target, so
    that other work can follow.
    """

    @classmethod
    def output_ports(cls, config: Any, interfaces: Interfaces = no_interfaces) -> list[Port]:
        """Return the one output, done."""
        return [Port("done", "object")]


class FileSink(Sink):
    """The base of nodes that write one file, which DuckDB writes itself; it appears whole or not at all.

    Write `copy_to(self) -> Copy`, which says where and how.
    """

    method: ClassVar[str] = "copy_to"

    @classmethod
    def input_ports(cls, config: Any, interfaces: Interfaces = no_interfaces) -> list[Port]:
        """Return the one input, rows."""
        return [Port("rows", "table")]

    def copy_to(self) -> Copy:
        """Return the file and the options to write it."""
        raise NotImplementedError


class Transform(Node):
    """The base of pure nodes on JSON values.

    Write `run(self, value: Any, …) -> Any`, with annotations that say what the values are.
    """


class Action(Node, effect="write"):
    """The base of nodes that do anything else outside, such as send a message.

    Write `run(self, …)`; what it returns is the output `value`.
    """


class Control(Node, role="choice"):
    """The base of pure nodes that choose which of their ports fires.

    Write `run(self, value: Any, …) -> Fired`, and declare the ports with the class keyword `outputs`.
    """


class Loop(Node, role="loop"):
    """The base of nodes that run the nodes in their body again and again.

    Write `run(self, …, body: LoopBody) -> …`, which calls `body.run(item, index)` for each item.
    """

    step_kind: ClassVar[str] = "loop"
    parallel: ClassVar[bool] = False
    """Whether several tasks may share its items: no item needs what another one gave, and each has a fixed index."""


class Trigger(Node, role="trigger"):
    """The base of nodes that start a run when something happens outside. No release runs one yet."""

    step_kind: ClassVar[str] = "trigger"


class Config(Node, role="config"):
    """The base of nodes without a task of their own, which are wired to another node, such as a tool.

    Write `make(self, context: Context, …) -> …`: what it returns is handed to the node that this one is wired to. Its
    other parameters are what is wired to this node.
    """

    method: ClassVar[str] = "make"


BASES = (Node, Table, Source, FileSource, Sink, FileSink, Transform, Action, Control, Loop, Trigger, Config)
GIVEN = (Context, Files, LoopBody)
"""The types of parameters that are not ports: what the runtime gives to a node."""


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


def ports_of(node_class: type[Node], config: Any, interfaces: Interfaces = no_interfaces) -> Ports:
    """Return the ports of a node for one config: the one function that checks, plan and API ask.

    `interfaces` gives the interface of a pipeline by its id, for nodes whose ports are those of another pipeline.
    """
    return Ports(tuple(node_class.input_ports(config, interfaces)), tuple(node_class.output_ports(config, interfaces)))
