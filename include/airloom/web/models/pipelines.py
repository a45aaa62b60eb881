"""Pipelines, their drafts and versions, as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from airloom.web.models.answer import Answer
from airloom.web.models.runs import RunSummary

EXAMPLE: dict[str, Any] = {"id": "hello", "nodes": [{"id": "greeting", "type": "set", "config": {"value": "hello"}}]}


class RecentRun(Answer):
    """A run, as a bar of a chart shows it."""

    run_id: str
    state: str
    seconds: float | None
    queued_at: datetime


class PipelineSummary(Answer):
    """A pipeline, without its document."""

    id: str = Field(examples=["daily_sales"])
    name: str = Field(examples=["Daily sales"])
    version: int = Field(description="The current version; 0 where nothing is published yet", examples=[3])
    archived: bool
    closing: bool = Field(description="Archived, and its last runs have not ended")
    source: str = Field(description="Where it is changed: `file` or `api`")
    path: str | None = Field(description="The file of the drop folder that it comes from")
    tags: list[str]
    owner: str
    paused: bool | None = Field(description="Whether Airflow starts no runs; null until Airflow has read it")
    next_run_at: datetime | None = Field(description="When Airflow starts the next run by its schedule")
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    revision: int = Field(description="Grows with each change that Airflow learns of")
    schedule: dict[str, Any] | None = Field(None, description="That of its document; null in a list without details")
    last_run: RunSummary | None = Field(None, description="The newest; null in a list without details")


class ListedPipeline(PipelineSummary):
    """A pipeline in a list."""

    problems: int = Field(0, description="How many problems keep its file from being published")
    recent_runs: list[RecentRun] = Field([], description="Its newest runs, the oldest of them first; by `runs`")


class PipelineDetail(PipelineSummary):
    """A pipeline with the document of its current version."""

    document: dict[str, Any] | None = Field(description="Null where nothing is published yet")
    draft_etag: str | None = Field(description="The ETag of its draft; null where there is none, or you may not edit")
    may: list[str] = Field(description="What you may do with it: read, run, edit, publish", examples=[["read", "run"]])


class PipelineToMake(BaseModel):
    """A pipeline to make."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,99}$", description="Also the id of its DAG", examples=["daily_sales"])
    name: str = Field("", max_length=500, description="Where it is empty that of the template, or the id")
    document: dict[str, Any] | None = Field(None, description="Its first draft")
    template: str | None = Field(
        None, max_length=100, description="The id of the template that its first draft is, in place of a document"
    )


class Batch(BaseModel):
    """What to do with several pipelines."""

    action: Literal["pause", "unpause", "archive", "restore", "tag", "untag"]
    pipelines: list[str] = Field(min_length=1, max_length=200, description="Their ids", examples=[["daily_sales"]])
    tag: str | None = Field(None, min_length=1, max_length=100, description="What to tag them with, or no longer")


class Done(Answer):
    """What became of one of several pipelines."""

    pipeline: str
    done: bool
    error: str | None = Field(None, description="Why it was not done")


class PipelineToCopy(BaseModel):
    """What a copy is called."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,99}$", examples=["daily_sales_eu"])
    name: str = Field("", max_length=500, description="That of the original where it is empty")


class Archived(Answer):
    """What became of the active runs of a pipeline that was archived."""

    ending_runs: list[str] = Field(description="Runs that may end first")
    stopped_runs: list[str] = Field(description="Runs that were stopped where they were")


class Imported(Answer):
    """What an import did, or would do."""

    pipeline: str
    created: bool = Field(description="Whether there was no pipeline of this id before")
    version: int | None = Field(description="The version that was published; null for a dry run")
    problems: list[dict[str, Any]] = Field(description="Warnings")


class Use(Answer):
    """That a node uses something."""

    pipeline: str | None = Field(None, description="The pipeline of the node; null for the one that was asked about")
    node: str
    kind: str = Field(description="type, connection, table, path, pipeline, upload or code")
    name: str | None = Field(description="Null where only a run knows it")


class Usage(Answer):
    """What a pipeline uses, and what uses it."""

    uses: list[Use]
    used_by: list[Use]


class Draft(Answer):
    """What somebody is at work on."""

    pipeline: str
    document: dict[str, Any]
    etag: str = Field(description="Also in the header ETag; whoever saves the next draft shows it in If-Match")
    base_version: int = Field(description="The version that it was made from, 0 where there was none")
    author: str
    updated_at: datetime


class DraftToPublish(BaseModel):
    """How to publish."""

    message: str = Field("", max_length=10_000, description="What is new in it", examples=["Adds the region"])
    etag: str | None = Field(None, description="The ETag of the draft; whichever is kept where it is absent")
    base_version: int | None = Field(
        None, ge=0, description="The version that has to be current; the draft's otherwise"
    )
    document: dict[str, Any] | None = Field(None, description="A document to publish in place of the draft")


class Problems(Answer):
    """What is wrong with a document."""

    correct: bool = Field(description="Whether it can be published; it may have warnings")
    problems: list[dict[str, Any]]


class ShownProblem(Answer):
    """What is wrong in a document."""

    code: str = Field(examples=["node.unknown_type"])
    message: str
    hint: str | None = Field(description="What to do")
    severity: str = Field(description="error or warning")
    node: str | None
    pointer: str = Field(description="Where in the document, as a JSON Pointer (RFC 6901)")
    line: int | None = Field(description="Where in the file, from 1")
    column: int | None


class BrokenFile(Answer):
    """A file of the drop folder that cannot be published; the version before goes on."""

    path: str = Field(description="Below the drop folder; `drop folder` stands for the folder itself")
    pipeline: str | None = Field(description="The id that it declares, or last did; null where it never did")
    problems: list[ShownProblem]


class VersionSummary(Answer):
    """A version, without its document."""

    pipeline: str
    number: int
    author: str
    message: str
    created_at: datetime
    revision: int = Field(description="What Airflow calls the version of the bundle that first held it")
    hash: str = Field(description="The SHA-256 of its document")


class VersionDetail(VersionSummary):
    """A version with its document."""

    document: dict[str, Any]
    plan: dict[str, Any] | None = Field(None, description="How it runs; null unless it was asked for")
    functions: dict[str, str] = Field(
        {}, description="The texts of the functions that its nodes name, as they were when it was published"
    )


class Readiness(Answer):
    """Whether Airflow would run a version."""

    ready: bool
    error: str | None = Field(description="What Airflow met when it read the pipeline; null where that is nothing")


class RollbackTo(BaseModel):
    """The version to go back to."""

    version: int = Field(ge=1, le=2**31, examples=[1])


class Change(Answer):
    """What differs at one place."""

    what: str = Field(description="node, edge or setting")
    change: str = Field(description="added, removed or changed")
    name: str = Field(description="The id of the node, the edge as `from → to`, or the JSON Pointer of the setting")
    field: str = Field("", description="The JSON Pointer of what changed in a node")
    before: Any = None
    after: Any = None


class Difference(Answer):
    """How two documents of a pipeline differ."""

    pipeline: str
    before: str
    after: str
    changes: list[Change]
    plan: list[str] | None = Field(None, description="What runs otherwise, in words; null where a side is the draft")
