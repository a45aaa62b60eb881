"""What the store hands out: plain dataclasses, never rows of a session; and the errors of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from airloom.spec.error import AirloomError, ConfigurationError, Failure, TransientError
from airloom.spec.problem import Problem

Source = Literal["file", "api"]
GrantKind = Literal["pipeline", "connection", "code"]
SubjectKind = Literal["user", "role"]
Level = Literal["reader", "editor", "publisher"]


@dataclass(frozen=True)
class StoredPipeline:
    """Say what the store knows of a pipeline; `version` is the number of the current one, `path` that of its file.

    An archived pipeline is `closing` until its last runs have ended. `paused` and `next_run_at` are as Airflow had them
    a few seconds ago, None where it does not know the pipeline (yet).
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
    paused: bool | None = None
    next_run_at: datetime | None = None


@dataclass(frozen=True)
class Schedule:
    """Say whether Airflow starts a pipeline's runs, and when it is due to start the next."""

    paused: bool
    next_run_at: datetime | None


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
class VersionEntry:
    """Say who published a version and when, without its document."""

    pipeline: str
    number: int
    revision: int
    hash: str
    author: str
    message: str
    created_at: datetime


@dataclass(frozen=True)
class StoredDraft:
    """Hold the draft of a pipeline; whoever saves the next one shows this `etag`.

    `base_version` is the version that it was made from, 0 where there was none.
    """

    pipeline: str
    document: dict[str, Any]
    etag: str
    base_version: int
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
class StoredRun:
    """Hold what is known of a run.

    `state` is starting (Airflow has not taken it yet), queued, running, success or failed; `queued_at` is when it
    came to be. `trigger` is what started it: hand, api, clock, asset, backfill, pipeline or failure; `event` what
    an event brought. `values` are those that somebody gave to nodes, `reuse` the outputs taken from another run;
    `rows` is how many rows its sinks wrote, None where none told.
    """

    pipeline: str
    run_id: str
    state: str
    queued_at: datetime
    version: int | None = None
    actor: str | None = None
    correlation_id: str | None = None
    trigger: str | None = None
    event: dict[str, Any] | None = None
    params: dict[str, Any] | None = None
    values: dict[str, Any] | None = None
    reuse: dict[str, Any] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    rows: int | None = None
    cost: float | None = None

    @property
    def key(self) -> tuple[datetime, str, str]:
        """Return what orders runs and names one of them: the page after it begins there."""
        return self.queued_at, self.pipeline, self.run_id


@dataclass(frozen=True)
class DayOfRuns:
    """Say how many runs were queued on a day, how they did, how long half of them took at most, and their rows."""

    day: date
    runs: int
    succeeded: int
    failed: int
    median_seconds: float | None
    rows: int | None


@dataclass(frozen=True)
class Queue:
    """Say how many events of a kind wait or are handled, and since when the oldest waits."""

    kind: str
    waiting: int
    running: int
    oldest_at: datetime | None


@dataclass(frozen=True)
class NodeRun:
    """Say how one node of a DAG run ended.

    `state` is success, reused, failed, skipped or not_run; `outputs` maps ports to references; `attempt` counts from 1
    and is 0 for a node that never started; `rows` is the number of rows of its only or first table output.
    """

    dag_id: str
    run_id: str
    node: str
    state: str
    index_path: str = ""
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
class NewEvent:
    """Say what has happened to a pipeline or a run: `payload` has the facts, in 4 kB of JSON at most.

    Topic and kind are, of pipelines, created, published, archived, restored, paused, resumed, draft_saved and
    draft_discarded; of runs, queued, started, node, ended and deleted.
    """

    topic: Literal["pipelines", "runs"]
    kind: str
    pipeline: str
    run_id: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FeedEvent:
    """Hold an event of the feed."""

    id: int
    topic: str
    kind: str
    pipeline: str
    run_id: str | None
    payload: dict[str, Any]
    at: datetime


@dataclass(frozen=True)
class Grant:
    """Say what a user or a role may do with an object.

    The level is reader, editor or publisher of a pipeline, and use of a Connection or of code; the object of code is
    empty.
    """

    kind: GrantKind
    object: str
    subject_kind: SubjectKind
    subject: str
    level: str
    granted_by: str
    granted_at: datetime


@dataclass(frozen=True)
class StoredToken:
    """Say what a token is good for: scopes, for all that its owner may, or for these pipelines or tags only."""

    id: str
    name: str
    user_id: str
    user_name: str
    scopes: list[str]
    pipelines: list[str] | None
    tags: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class StoredUpload:
    """Say what a file is that somebody has sent: its name there, its type, and whose it is."""

    id: str
    name: str
    media_type: str
    bytes: int
    sha256: str
    owner_id: str
    owner: str
    created_at: datetime


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
    """Hold an event of the outbox; `attempts` counts those that began, the present one included.

    `key` and `deduplication` are those that it was put in with; `claimed_by` has it until `lease_until`.
    """

    id: int
    kind: str
    payload: dict[str, Any]
    created_at: datetime
    available_at: datetime
    attempts: int
    last_error: str | None
    key: str | None
    deduplication: str | None
    claimed_by: str | None
    lease_until: datetime | None


class NotFound(ConfigurationError):
    """Raise when the store holds no pipeline or version of that name."""

    code = "not_found"


class ConflictError(AirloomError):
    """Raise where a thing has come to a state in which this cannot be done, such as by what somebody else did first.

    Of a draft or a version, `current` is the other draft, None where it was discarded or published; `version` the
    version that is current.
    """

    failure: Failure = "configuration"
    code = "conflict"
    current: StoredDraft | None = None
    version: int | None = None


class StoreUnavailable(TransientError):
    """Raise when the store's database does not answer, or has not the tables of this release."""

    code = "store_unavailable"
