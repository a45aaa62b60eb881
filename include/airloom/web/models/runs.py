"""Runs and their nodes, as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from airloom.dags.backfill import Repeat
from airloom.plan.partial import Part, Wish
from airloom.web.models.answer import Answer

RunId = Annotated[str, Field(max_length=250, pattern=r"^[^\x00]*$")]


class Reuse(Answer):
    """What a run of a part of a pipeline does."""

    run_id: str | None = Field(description="The run that it reuses")
    nodes: dict[str, str] = Field(description="What was asked for: only, from, until")
    writes: bool
    parts: dict[str, str] = Field(description="What becomes of each node; see the parts of a preview")


class RunSummary(Answer):
    """A run of a pipeline."""

    pipeline: str
    run_id: str = Field(examples=["manual__2026-11-30T09:00:00+00:00_1f2e3d4c"])
    state: str = Field(description="starting, queued, running, success or failed")
    version: int | None = Field(description="The version of the pipeline that it runs")
    trigger: str | None = Field(description="What started it: hand, api, clock, asset, backfill, pipeline or failure")
    actor: str | None = Field(description="Who started it, or for whom it runs")
    correlation_id: str | None
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    rows: int | None = Field(description="How many rows its sinks wrote")
    cost: float | None
    params: dict[str, Any] | None = Field(None, description="Null in a list without details, as are the next three")
    event: dict[str, Any] | None = Field(None, description="What an event brought that started it")
    values: dict[str, Any] | None = Field(None, description="What somebody gave to nodes")
    reuse: Reuse | None = Field(None, description="Which part of the pipeline runs, and what it takes of another run")


class RunAgain(BaseModel):
    """What another run of the same starts with."""

    params: dict[str, Any] = Field({}, description="Values of the document's params", examples=[{"day": "2026-11-30"}])
    logical_date: AwareDatetime | None = Field(None, description="The time of the schedule that it runs for")


NodeId = Annotated[str, Field(max_length=250, pattern=r"^[^\x00]*$")]


class ChosenNodes(BaseModel):
    """Which nodes run: only one, those from one on, those until one, or those between two."""

    model_config = ConfigDict(extra="forbid", validate_by_name=True)

    only: NodeId | None = Field(None, description="This node alone")
    first: NodeId | None = Field(None, alias="from", description="This node and all that follow it")
    until: NodeId | None = Field(None, description="This node and all that it needs")


class RunPart(BaseModel):
    """A part of a pipeline that runs by itself."""

    params: dict[str, Any] = Field({}, description="Values of the document's params; the others are as in `reuse`")
    nodes: ChosenNodes | None = Field(None, description="Which nodes run; all of them where this is null")
    reuse: RunId | None = Field(
        None, description="The run of the same pipeline whose outputs are read by the nodes that run"
    )
    writes: bool = Field(False, description="Also run those of the nodes that write; they are left out otherwise")

    @property
    def wish(self) -> Wish | None:
        """Return what is asked for, None where that is the whole pipeline."""
        if self.nodes is None and self.reuse is None and not self.writes:
            return None
        nodes = self.nodes or ChosenNodes()
        return Wish(nodes.only, nodes.first, nodes.until, self.reuse, self.writes)


class RunStart(RunAgain, RunPart):
    """What a run starts with."""


class RunRetry(BaseModel):
    """From where a run that has ended goes on."""

    model_config = ConfigDict(extra="forbid", validate_by_name=True)

    first: NodeId | None = Field(None, alias="from", description="This node; from what failed where it is null")


class NodePart(Answer):
    """What becomes of a node."""

    node: str
    part: Part = Field(
        description="run; again (computed again, for its output was not kept); reused; skipped (nothing leads to it); "
        "silent (it writes, and nobody asked for that); left_out"
    )


class RunPreview(Answer):
    """What a run of a part of a pipeline would do."""

    version: int = Field(description="The version that would run")
    params: dict[str, Any] = Field(description="What it would start with")
    nodes: list[NodePart] = Field(description="All nodes that have a task, in their order")
    problems: list[dict[str, Any]] = Field(description="All that is in the way; the run is refused where there is one")


class BackfillStart(BaseModel):
    """Which times of a schedule in the past to run, and how."""

    since: AwareDatetime = Field(description="The first time", examples=["2024-02-29T00:00:00Z"])
    until: AwareDatetime = Field(description="The last time", examples=["2024-03-01T00:00:00Z"])
    params: dict[str, Any] = Field({}, description="Values of the document's params")
    repeat: Repeat = Field("none", description="Which times that have a run already are run again")
    at_once: int | None = Field(
        None, ge=1, le=1000, description="So many runs at a time; the pipeline's `max_active_runs` otherwise"
    )
    dry_run: bool = Field(False, description="Only say for which times runs would start")


class BackfillStarted(Answer):
    """The times of a schedule that a backfill runs."""

    pipeline: str
    started: bool = Field(description="False where it was only asked for which times runs would start")
    times: list[datetime] = Field(description="Of its runs, the earliest first")


class RunSelection(BaseModel):
    """Runs of a pipeline."""

    run_ids: list[RunId] = Field(min_length=1, max_length=200)


class RunDeletion(Answer):
    """What became of a run that was to be deleted."""

    run_id: str
    deleted: bool
    error: str | None = Field(None, description="Why it was not deleted")


class OutputSummary(Answer):
    """What a port of a node gave."""

    port: str
    kind: str = Field(description="table, object, list, text, number, file, …")
    rows: int | None = Field(description="Of a table; null where nobody counted them")
    bytes: int | None


class NodeReport(Answer):
    """How a node of a run does."""

    node: str
    index: str = Field("", description="Which item of which loop, such as 3/0")
    state: str = Field(
        description="waiting, running, success, reused (another run has done it), failed, skipped or not_run"
    )
    attempt: int = Field(description="Counts from 1; 0 where it never started")
    fired: list[str] = Field(description="The ports that fired")
    outputs: list[OutputSummary] = Field(description="What is kept of its ports")
    rows: int | None
    bytes: int | None = Field(description="Size of what is kept of its ports; null where that is not known")
    seconds: float | None
    started_at: datetime | None
    ended_at: datetime | None
    statistics: dict[str, Any]
    error: dict[str, Any] | None


class RunDetail(RunSummary):
    """A run with its nodes."""

    progress: float = Field(description="The share of nodes that have ended, from 0 to 1")
    nodes: list[NodeReport]


class RunProgress(Answer):
    """How far a run is."""

    state: str
    progress: float = Field(description="The share of nodes that have ended, from 0 to 1")
    nodes: dict[str, int] = Field(
        description="How many nodes are in each state", examples=[{"success": 3, "running": 1}]
    )


class TimelineEntry(Answer):
    """When a node was at work."""

    node: str
    index: str
    step: str | None = Field(description="The task that it ran in, with the other nodes of its step")
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
