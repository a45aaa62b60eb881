"""The pipeline document, version 1: Pydantic models; `spec.reader` reads one and names every fault at once."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from airloom.spec.duration import Duration
from airloom.spec.problem import suggestion

IDENTIFIER = r"^[a-z][a-z0-9_]{0,99}$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
RESERVED_IDS = frozenset({"loop", "inputs", "outputs", "finally", "run"})
"""What edges and expressions name beside nodes."""
DEEPEST_BODY = 10
Backoff = Literal["fixed", "exponential"]
Grouping = Literal["auto", "none", "all"]
EngineName = Literal["duckdb", "spark"]
Counts = Literal["small", "all", "none"]


class Model(BaseModel):
    """Refuse unknown fields: a misspelt one would be ignored in silence."""

    model_config = ConfigDict(extra="forbid")


_CRON_FIELDS = (
    ("a minute", 0, 59, ()),
    ("an hour", 0, 23, ()),
    ("a day of the month", 1, 31, ()),
    ("a month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("a day of the week", 0, 7, ("mon", "tue", "wed", "thu", "fri", "sat", "sun")),
)


def _cron_fault(cron: str) -> str:
    """Return what is wrong with a cron expression, naming the first part that is not possible in its field."""
    for text, (what, least, most, names) in zip(cron.split(), _CRON_FIELDS, strict=False):
        for part in re.split(r"[,/-]", text):
            number = int(part) if part.isdigit() else None
            if part != "*" and part.lower() not in names and (number is None or not least <= number <= most):
                known = f"{least}–{most}" + (f", {names[0]}…{names[-1]}" if names else "")
                return f"{part!r} is not {what} ({known})"
    return "this is not a cron expression: write five fields, such as 0 2 * * *"


class Schedule(Model):
    """Say when a pipeline runs by itself: by `cron` or `every`."""

    cron: str | None = Field(None, description="Five fields, or a word such as @daily")
    every: Duration | None = Field(None, description="A fixed interval")
    timezone: str = Field("UTC", description="A name of the IANA time zone database")
    start: datetime | None = Field(None, description="No run before this time")
    end: datetime | None = Field(None, description="No run after this time")

    @field_validator("cron")
    @classmethod
    def _cron_is_valid(cls, value: str | None) -> str | None:
        if value is None:
            return value
        from croniter import CroniterBadDateError, croniter

        fields = len(value.split())
        if fields > 5:
            raise ValueError(f"a cron expression has five fields, none for seconds, not {fields}: such as 0 2 * * *")
        if fields < 5 and not value.startswith("@"):
            raise ValueError(f"a cron expression has five fields, not {fields}: such as 0 2 * * *")
        if not croniter.is_valid(value):
            raise ValueError(_cron_fault(value))
        try:
            croniter(value).get_next()
        except CroniterBadDateError:
            raise ValueError("no time fits this cron expression: the pipeline would never run") from None
        return value

    @field_validator("every")
    @classmethod
    def _every_is_positive(cls, value: Duration | None) -> Duration | None:
        if value is not None and value.total_seconds() < 1:
            raise ValueError("an interval is at least 1s")
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            near = suggestion(value, zoneinfo.available_timezones()) or "write a name such as Europe/Berlin"
            raise ValueError(f"no such time zone; {near}") from None
        return value

    @model_validator(mode="after")
    def _one_clock(self) -> Schedule:
        if (self.cron is None) == (self.every is None):
            raise ValueError("a schedule has either cron or every")
        if self.start is not None and self.end is not None:
            start, end = (at if at.tzinfo else at.replace(tzinfo=UTC) for at in (self.start, self.end))
            if start > end:
                raise ValueError("the start of this schedule is after its end: the pipeline would never run")
        return self


class PipelineSettings(Model):
    """Hold what applies to every node that does not say otherwise."""

    retries: int = Field(0, ge=0, le=100, description="How often a failed step is tried again")
    retry_delay: Duration = Field(
        timedelta(seconds=30), json_schema_extra={"default": "30s"}, description="The pause before a retry"
    )
    retry_backoff: Backoff = Field(
        "fixed", description="exponential: each further pause is twice the one before; fixed: all are the same"
    )
    max_retry_delay: Duration = Field(
        timedelta(hours=1), json_schema_extra={"default": "1h"}, description="The longest pause before a retry"
    )
    timeout: Duration | None = Field(None, description="The longest time of one try of a step")
    pool: str | None = Field(None, description="The Airflow pool that steps take a slot of")
    priority: int = Field(1, ge=1, le=1000, description="The higher, the sooner when slots are short")
    max_active_runs: int = Field(1, ge=1, le=1000, description="How many runs may be active at once")
    catchup: bool = Field(
        False, description="Whether times of the schedule that were missed since its start are run later"
    )
    grouping: Grouping = Field(
        "auto", description="auto: connected pure nodes share a task; none: a task for each node; all: one task for all"
    )
    engine: EngineName = Field("duckdb", description="What runs the table nodes")
    counts: Counts = Field(
        "small",
        description="Which rows inside of a step are counted. small: those of inputs under a million rows, or files "
        "under 50 MB; all; none. What leaves a step is always counted",
    )
    on_failure: Identifier | None = Field(
        None, description="The pipeline that runs when a run of this one has failed; it reads the failure as `trigger`"
    )
    enabled: bool = Field(True, description="Whether publishing makes the pipeline live, or leaves it paused")


class Place(Model):
    """Hold where the builder draws a node."""

    x: float = Field(0, description="From left to right")
    y: float = Field(0, description="From top to bottom")


class NodeEntry(Model):
    """Name one node of a document: its type and its configuration."""

    id: Identifier = Field(description="Edges, expressions and results name the node by it")
    type: str = Field(min_length=1, max_length=100, description="What the node does: a type of the catalog")
    name: str = Field("", max_length=200, description="What people see; the id where empty")
    description: str = Field("", description="Markdown; it becomes the task's documentation")
    version: int | None = Field(None, ge=1, description="The version of the node type; the newest where absent")
    config: dict[str, Any] = Field(default_factory=dict, description="The fields of the node's type")
    retries: int | None = Field(None, ge=0, le=100, description="Instead of the pipeline's setting")
    retry_delay: Duration | None = Field(None, description="Instead of the pipeline's setting")
    retry_backoff: Backoff | None = Field(None, description="Instead of the pipeline's setting")
    max_retry_delay: Duration | None = Field(None, description="Instead of the pipeline's setting")
    timeout: Duration | None = Field(None, description="Instead of the pipeline's setting")
    pool: str | None = Field(None, description="Instead of the pipeline's setting")
    on_error: Literal["stop", "continue"] = Field("stop", description="continue: a failure is null to its readers")
    ui: Place | None = Field(None, description="Where the builder draws the node")
    body: Body | None = Field(None, description="What a loop runs for each item")
    parallel: int = Field(1, ge=1, le=100, description="How many tasks share the items of a loop")

    @property
    def stands_alone(self) -> bool:
        """Tell whether the node asks for something that only a task of its own can give."""
        own = (self.retries, self.retry_delay, self.retry_backoff, self.max_retry_delay, self.timeout, self.pool)
        return self.on_error == "continue" or any(value is not None for value in own)


class Edge(Model):
    """Join an output port to an input port; an end is `node` or `node.port`."""

    source: str = Field(alias="from", min_length=1, description="An output: node, or node.port where it has several")
    target: str = Field(alias="to", min_length=1, description="An input: node, or node.port where it has several")

    @staticmethod
    def split(end: str) -> tuple[str, str | None]:
        """Return the node and the port of an end; the port is None where the end names the node alone."""
        node, _, port = end.partition(".")
        return node, port or None


@dataclass(frozen=True)
class Reading:
    """Say what was read of a list of nodes and one of edges: the index of each entry that could be read.

    `ids` are those of all nodes, also of faulty ones; `whole` says that both were lists.
    """

    nodes: tuple[int, ...] = ()
    edges: tuple[int, ...] = ()
    ids: frozenset[str] = frozenset()
    whole: bool = True


class Graph(Model):
    """Be a base of what holds `nodes` and `edges` that stand side by side: a document, a body, `finally`."""

    _reading: Reading | None = PrivateAttr(None)

    @property
    def reading(self) -> Reading | None:
        """Return what was read of nodes and edges; None where they were made in another way, and so are whole."""
        return self._reading


class Body(Graph):
    """Hold what a node runs inside itself; no edge crosses its border."""

    nodes: list[NodeEntry] = Field(default_factory=list, description="What is done for each item")
    edges: list[Edge] = Field(default_factory=list, description="What goes where; `loop.item` is the item")
    result: str | None = Field(None, description="The output, node or node.port, that is the item's result")


class Finally(Graph):
    """Hold what runs at the end of a run, however it ended."""

    nodes: list[NodeEntry] = Field(default_factory=list, description="What is done at the end of each run")
    edges: list[Edge] = Field(default_factory=list, description="What goes where")


class Input(Model):
    """Declare an input of a pipeline: what another pipeline hands to it, or a start."""

    kind: str = Field("any", description="The kind of its port, such as table, object or text")
    json_schema: dict[str, Any] | None = Field(None, alias="schema", description="A JSON Schema of its value")
    default: Any = Field(None, description="What it is where nothing is handed over")

    @property
    def required(self) -> bool:
        """Tell whether something has to be handed over."""
        return "default" not in self.model_fields_set


class Agent(Model):
    """Describe an agent of the document: who it is, and what it may use."""

    description: str = Field("", description="What it is for: people and other agents read it")
    prompt: str = Field("", description="What it reads before every conversation")
    model: str | None = Field(None, description="The node of a language model, or the name of a Connection to one")
    tools: list[str] = Field(default_factory=list, description="Nodes of tools, and agents, that it may use")


class Document(Graph):
    """Hold a whole pipeline; the canonical form of whatever dialect it was written in."""

    id: Identifier = Field(description="The id of the DAG, too")
    name: str = Field("", max_length=200, description="What people see; the id where empty")
    description: str = Field("", description="Markdown; it becomes the DAG's documentation")
    tags: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default_factory=list, description="Words to find the pipeline by; `template` makes it a template for others"
    )
    owner: str = Field("airloom", min_length=1, max_length=200, description="Who answers for the pipeline")
    schedule: Schedule | None = Field(None, description="When it runs by itself; only when it is started where absent")
    params: dict[Identifier, dict[str, Any]] = Field(
        default_factory=dict, description="One JSON Schema for each parameter; its default is what a plain run uses"
    )
    settings: PipelineSettings = Field(
        default_factory=PipelineSettings, description="What applies to every node that does not say otherwise"
    )
    nodes: list[NodeEntry] = Field(default_factory=list, description="What is done")
    edges: list[Edge] = Field(default_factory=list, description="What goes where")
    inputs: dict[Identifier, Input] = Field(
        default_factory=dict, description="What is handed to the pipeline; edges read it as `inputs.name`"
    )
    outputs: dict[Identifier, str] = Field(
        default_factory=dict, description="What the pipeline gives back: a name for each output, node or node.port"
    )
    finally_: Finally | None = Field(None, alias="finally", description="What runs at the end, however a run ended")
    agents: dict[Identifier, Agent] = Field(default_factory=dict, description="Agents that nodes name")

    def node(self, identifier: str) -> NodeEntry:
        """Return a node by its id; raise KeyError where there is none."""
        for node in self.nodes:
            if node.id == identifier:
                return node
        raise KeyError(identifier)

    def to_json(self) -> dict[str, Any]:
        """Return the document as its author wrote it: what was left out stays out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
