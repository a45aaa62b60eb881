"""The pipeline document, version 1: Pydantic models and the reader that names every fault at once."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from airloom.spec.duration import Duration
from airloom.spec.problem import Problem, pointer, suggestion

IDENTIFIER = r"^[a-z][a-z0-9_]{0,99}$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
Grouping = Literal["auto", "none"]
EngineName = Literal["duckdb", "spark"]


class Model(BaseModel):
    """Refuse unknown fields: a misspelt one would be ignored in silence."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


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
        from croniter import croniter

        fields = len(value.split())
        if fields > 5:
            raise ValueError(f"a cron expression has five fields, none for seconds, not {fields}: such as 0 2 * * *")
        if not croniter.is_valid(value):
            raise ValueError("this is no cron expression; five fields are needed, such as 0 2 * * *")
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
        return self


class PipelineSettings(Model):
    """Hold what applies to every node that does not say otherwise."""

    retries: int = Field(0, ge=0, le=100, description="How often a failed step is tried again")
    retry_delay: Duration = Field(
        timedelta(seconds=30), json_schema_extra={"default": "30s"}, description="The pause before a retry"
    )
    timeout: Duration | None = Field(None, description="The longest time of one try of a step")
    pool: str | None = Field(None, description="The Airflow pool that steps take a slot of")
    priority: int = Field(1, ge=1, le=1000, description="The higher, the sooner when slots are short")
    max_active_runs: int = Field(1, ge=1, le=1000, description="How many runs may be active at once")
    catchup: bool = Field(
        False, description="Whether times of the schedule that were missed since its start are run later"
    )
    grouping: Grouping = Field(
        "auto", description="auto: connected pure nodes share a task; none: a task for each node"
    )
    engine: EngineName = Field("duckdb", description="What runs the table nodes")
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
    timeout: Duration | None = Field(None, description="Instead of the pipeline's setting")
    pool: str | None = Field(None, description="Instead of the pipeline's setting")
    on_error: Literal["stop", "continue"] = Field("stop", description="continue: a failure is null to its readers")
    ui: Place | None = Field(None, description="Where the builder draws the node")

    @property
    def stands_alone(self) -> bool:
        """Tell whether the node asks for something that only a task of its own can give."""
        own = (self.retries, self.retry_delay, self.timeout, self.pool)
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


class Document(Model):
    """Hold a whole pipeline; the canonical form of whatever dialect it was written in."""

    id: Identifier = Field(description="The id of the DAG, too")
    name: str = Field("", max_length=200, description="What people see; the id where empty")
    description: str = Field("", description="Markdown; it becomes the DAG's documentation")
    tags: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default_factory=list, description="Words to find the pipeline by"
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

    def node(self, identifier: str) -> NodeEntry:
        """Return a node by its id; raise KeyError where there is none."""
        for node in self.nodes:
            if node.id == identifier:
                return node
        raise KeyError(identifier)

    def to_json(self) -> dict[str, Any]:
        """Return the document as its author wrote it: what was left out stays out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def read_document(data: object) -> tuple[Document | None, list[Problem]]:
    """Read a document and name all its faults at once.

    A faulty node, edge or top-level field is left out of the document that comes back, so that the checks which
    follow can say what else is wrong; None comes back only where nothing can be read (no object, no valid id).
    """
    if not isinstance(data, dict):
        return None, [Problem("document.type", "a pipeline document is a JSON object", hint='start with {"id": …}')]
    problems: list[Problem] = []
    kept: dict[str, Any] = {}
    for field, value in data.items():
        if field in ("nodes", "edges"):
            kept[field] = _read_list(field, value, problems)
        elif field not in Document.model_fields:
            problems.append(_unknown_field(str(field), Document, pointer(str(field))))
        else:
            kept[field] = value
    for _ in range(len(kept) + 1):
        try:
            return Document.model_validate(kept), problems
        except ValidationError as error:
            faulty = {str(item["loc"][0]) for item in error.errors(include_url=False) if item["loc"]}
            problems.extend(problem_of(item, "", Document, kept) for item in error.errors(include_url=False))
            if not faulty or "id" in faulty or not faulty & kept.keys():
                return None, problems
            kept = _without_faults(kept, error)
    return None, problems


def _without_faults(kept: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    left = dict(kept)
    for fault in error.errors(include_url=False):
        field, *rest = fault["loc"]
        params = left.get("params")
        if field == "params" and isinstance(params, dict) and rest and rest[0] in params:
            # One faulty param does not make the others unknown.
            left["params"] = {name: schema for name, schema in params.items() if name != rest[0]}
        else:
            left.pop(str(field), None)
    return left


def _read_list(field: str, value: object, problems: list[Problem]) -> list[Any]:
    model: type[Model] = NodeEntry if field == "nodes" else Edge
    if not isinstance(value, list):
        form = '{"id": "orders", "type": "csv_read", …}' if field == "nodes" else '{"from": "orders", "to": "kept"}'
        problems.append(
            Problem("document.type", f"{field} is a list", pointer=pointer(field), hint=f"write [{form}, …]")
        )
        return []
    kept: list[Any] = []
    for index, item in enumerate(value):
        at = pointer(field, index)
        named = item.get("id") if isinstance(item, dict) and field == "nodes" else None
        try:
            kept.append(model.model_validate(item))
        except ValidationError as error:
            for fault in error.errors(include_url=False):
                problem = problem_of(fault, at, model, item)
                problems.append(problem.at("", named if isinstance(named, str) else None))
    return kept


# What Pydantic says in a programmer's words; all else it says is clear to others, too.
MESSAGES = {
    **dict.fromkeys(("string_type", "string_sub_type"), "a text is needed here"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number is needed here"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number is needed here"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false is needed here"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "an object is needed here"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list is needed here"),
    "string_too_short": "a text of {min_length} or more characters is needed here",
    "string_too_long": "a text of at most {max_length} characters is needed here",
    "too_short": "{field} needs {min_length} or more entries, not {actual_length}",
    "too_long": "{field} takes at most {max_length} entries, not {actual_length}",
    "greater_than": "a number above {gt} is needed here",
    "greater_than_equal": "a number of at least {ge} is needed here",
    "less_than": "a number below {lt} is needed here",
    "less_than_equal": "a number of at most {le} is needed here",
}


_FORMS = frozenset({"too_short", "dict_type", "model_type", "model_attributes_type", "list_type", "tuple_type"})
"""Faults that what a field says of itself explains."""


def problem_of(fault: Any, at: str, model: type[BaseModel], given: object, code: str = "document") -> Problem:
    """Turn one error of Pydantic about `given`, which stands at `at`, into a problem without the value at fault."""
    path = _path_in(given, fault["loc"])
    kind = fault["type"]
    if kind in ("missing", "extra_forbidden"):
        path = [*_path_in(given, fault["loc"][:-1]), fault["loc"][-1]]
    where = at + pointer(*path)
    if kind == "extra_forbidden":
        return _unknown_field(str(path[-1]), _model_at(model, path[:-1]), where, code)
    if kind == "missing":
        hint = _description(model, path)
        return Problem(f"{code}.missing", f"{path[-1]} is needed here", pointer=where, hint=hint)
    if kind == "string_pattern_mismatch" and fault["ctx"]["pattern"] == IDENTIFIER:
        return Problem(
            f"{code}.identifier",
            "an id starts with a small letter and goes on with small letters, digits and _ (at most 100)",
            pointer=where,
        )
    if kind == "literal_error" and isinstance(fault["input"], str):
        known = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        hint = suggestion(fault["input"], known)
        return Problem(f"{code}.invalid", f"this is one of {', '.join(known)}", pointer=where, hint=hint)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        field = fault["ctx"]["discriminator"].strip("'")
        if kind == "union_tag_not_found":
            return Problem(f"{code}.missing", f"{field} is needed here", pointer=where + pointer(field))
        known = re.findall(r"'([^']*)'", fault["ctx"]["expected_tags"])
        hint = suggestion(str(fault["ctx"]["tag"]), known)
        return Problem(
            f"{code}.invalid", f"this is one of {', '.join(known)}", pointer=where + pointer(field), hint=hint
        )
    if kind in MESSAGES:
        message = MESSAGES[kind].format(**fault.get("ctx", {}), field=path[-1] if path else "this")
        hint = _description(model, path) if kind in _FORMS else None
        return Problem(f"{code}.invalid", message, pointer=where, hint=hint)
    message = fault["msg"].removeprefix("Value error, ")
    return Problem(f"{code}.invalid", message[0].lower() + message[1:], pointer=where)


def _path_in(given: object, location: Iterable[str | int]) -> list[str | int]:
    # Pydantic names the tried branch of a union or a validator among the keys; what was given has no such key.
    path: list[str | int] = []
    for part in location:
        if isinstance(given, dict):
            known = part in given
        else:
            known = isinstance(given, list) and isinstance(part, int) and part < len(given)
        if known:
            given = given[part]  # type: ignore[index] # asked the line before
            path.append(part)
    return path


def _model_at(model: type[BaseModel], path: Iterable[str | int]) -> type[BaseModel] | None:
    """Return the model that a path leads to, or None where it may be one of several, or none."""
    for part in path:
        field = next((info for name, info in model.model_fields.items() if part in (name, info.alias)), None)
        if field is None:
            continue  # a place in a list, or a name that the document gives
        models = _models_in(field.annotation)
        if len(models) != 1:
            return None
        model = models.pop()
    return model


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {model for part in get_args(annotation) for model in _models_in(part)}


def _description(model: type[BaseModel], path: list[str | int]) -> str | None:
    """Return what a field says of itself, or None where the path leads to no field of one model."""
    inside = _model_at(model, path[:-1]) if path else None
    found = inside.model_fields.get(str(path[-1])) if inside else None
    return found.description if found else None


def _unknown_field(field: str, model: type[BaseModel] | None, where: str, code: str = "document") -> Problem:
    known = [info.alias or name for name, info in model.model_fields.items()] if model else []
    hint = suggestion(field, known) or (f"known fields: {', '.join(known)}" if known else None)
    return Problem(f"{code}.unknown_field", f"there is no field {field!r}", pointer=where, hint=hint)
