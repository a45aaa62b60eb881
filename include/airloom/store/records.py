"""What the store hands out: plain dataclasses, never rows of a session; and the errors of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from airloom.spec.error import AirloomError, ConfigurationError, Failure, TransientError
from airloom.spec.problem import Problem

Source = Literal["file", "api"]


@dataclass(frozen=True)
class StoredPipeline:
    """Say what the store knows of a pipeline; `version` is the number of the current one, `path` that of its file.

    An archived pipeline is `closing` until its last runs have ended.
    """

    id: str
    version: int
    revision: int
    archived: bool
    closing: bool
    source: Source
    path: str | None
    name: str
    tags: list[str]
    owner: str
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True)
class StoredVersion:
    """Hold one published version; `hash` is that of the document."""

    pipeline: str
    number: int
    revision: int
    document: dict[str, Any]
    plan: dict[str, Any]
    hash: str
    author: str
    message: str
    created_at: datetime


@dataclass(frozen=True)
class StoredDraft:
    """Hold the draft of a pipeline; whoever saves the next one shows this `etag`."""

    pipeline: str
    document: dict[str, Any]
    etag: str
    author: str
    updated_at: datetime


@dataclass(frozen=True)
class StoredFile:
    """Say what the store knows of a file of the drop folder; paths are relative to it.

    `hash` is that of the content last synchronised, `declares` the id in it, `owns` the live pipeline that comes from
    this file, and `broken` says that its problems are not resolved.
    """

    path: str
    hash: str | None
    declares: str | None
    owns: str | None
    broken: bool
    synchronised_at: datetime | None
    missing_since: datetime | None


@dataclass(frozen=True)
class StoredProblems:
    """Hold the problems of one path; `file_name` is the name of the bundle's file that shows them."""

    path: str
    file_name: str
    pipeline: str | None
    problems: list[Problem]
    revision: int


@dataclass(frozen=True)
class Changes:
    """Hold what the bundle has to write and to remove to get from one revision to a later one.

    `live` are the pipelines whose file to write, in their current version; `closing` are those whose file to write so
    that no run starts; `archived` are the ids whose file to remove; `problems` are the problem files to write, and
    `resolved` the names of those to remove.
    """

    live: list[StoredVersion] = field(default_factory=list)
    closing: list[StoredVersion] = field(default_factory=list)
    archived: list[str] = field(default_factory=list)
    problems: list[StoredProblems] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class NodeRun:
    """Say how one node of a DAG run ended.

    `state` is success, failed, skipped or not_run; `outputs` maps ports to references; `attempt` counts from 1 and is
    0 for a node that never started; `rows` is the number of rows of its only or first table output.
    """

    dag_id: str
    run_id: str
    node: str
    state: str
    map_index: int = -1
    version: int | None = None
    fired: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    statistics: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    attempt: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    rows: int | None = None


@dataclass(frozen=True)
class StoredRelease:
    """Say which release planned the published documents, and what became of the pipelines that it concerned.

    An entry of the report has `pipeline`, and `changes` of its plan or the `problems` that keep its old one.
    """

    fingerprint: str
    release: str
    report: list[dict[str, Any]]
    created_at: datetime


@dataclass(frozen=True)
class Event:
    """Hold an event of the outbox; `attempts` counts those that began, the present one included."""

    id: int
    kind: str
    payload: dict[str, Any]
    created_at: datetime
    available_at: datetime
    attempts: int
    last_error: str | None


class NotFound(ConfigurationError):
    """Raise when the store holds no pipeline or version of that name."""

    code = "not_found"


class ConflictError(AirloomError):
    """Raise when somebody else saved a draft first; `current` is theirs, None where it was discarded."""

    failure: Failure = "configuration"
    code = "conflict"
    current: StoredDraft | None = None


class StoreUnavailable(TransientError):
    """Raise when the store's database does not answer."""

    code = "store_unavailable"
