"""The tables of the store, as SQLAlchemy models; `migrations/` makes and changes them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Text,
    exists,
    false,
    func,
    select,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# A name of our own: Airflow keeps its own `alembic_version`, and both may live in one database.
VERSION_TABLE = "store_schema"


class Base(DeclarativeBase):
    """Map Python types to columns, the same way in every table."""

    # JSON, for JSONB sorts the keys of an object: their order is the author's, and columns of a table may follow it.
    type_annotation_map = {
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


class RevisionRow(Base):
    """Count, in its only row, the changes that the bundle serves.

    Whoever raises it keeps the row locked until the commit, so that revisions become visible in their order; those of
    a sequence would not.
    """

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int]


class PipelineRow(Base):
    """Keep one pipeline and which of its versions is current."""

    __tablename__ = "pipelines"

    id: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int]
    version: Mapped[int]
    archived: Mapped[bool]
    # Archived, but served until its last runs have ended; it takes no new ones.
    closing: Mapped[bool] = mapped_column(server_default=false())
    source: Mapped[str]
    path: Mapped[str | None]
    name: Mapped[str]
    tags: Mapped[list[Any]]
    owner: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_by: Mapped[str]
    # As Airflow has it; null until that is known.
    paused: Mapped[bool | None]
    next_run_at: Mapped[datetime | None]

    __table_args__ = (
        Index("pipelines_revision", "revision"),
        Index("pipelines_path", "path"),
    )

    @classmethod
    def has_tag(cls, tags: Collection[str]) -> ColumnElement[bool]:
        """Return the condition that a pipeline carries one of these tags."""
        tag = func.json_array_elements_text(cls.tags).table_valued("value")
        return exists(select(tag.c.value).where(tag.c.value.in_(list(tags))))


class VersionRow(Base):
    """Keep one published version: the document, and the plan that was made from it."""

    __tablename__ = "versions"

    pipeline: Mapped[str] = mapped_column(ForeignKey("pipelines.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(unique=True)
    document: Mapped[dict[str, Any]]
    plan: Mapped[dict[str, Any]]
    hash: Mapped[str]
    plan_hash: Mapped[str]
    author: Mapped[str]
    message: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("versions_pipeline_revision", "pipeline", "revision"),)


class NodeFileRow(Base):
    """Keep the text of a user's file of node types; plans know it by its hash."""

    __tablename__ = "node_files"

    hash: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    text: Mapped[str]


class UseRow(Base):
    """Keep one thing that a node of a version uses; its name is null where only the run knows it."""

    __tablename__ = "uses"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    pipeline: Mapped[str]
    version: Mapped[int]
    node: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str | None]

    __table_args__ = (
        ForeignKeyConstraint(["pipeline", "version"], ["versions.pipeline", "versions.number"]),
        Index("uses_pipeline_version", "pipeline", "version"),
        Index("uses_kind_name", "kind", "name"),
    )


class DraftRow(Base):
    """Keep the one draft of a pipeline, which need not have been published yet."""

    __tablename__ = "drafts"

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    etag: Mapped[str]
    base_version: Mapped[int] = mapped_column(server_default=text("0"))
    author: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FileRow(Base):
    """Keep what the drop folder's synchronisation knows of one file."""

    __tablename__ = "files"

    path: Mapped[str] = mapped_column(primary_key=True)
    hash: Mapped[str]
    pipeline: Mapped[str | None]
    synchronised_at: Mapped[datetime]
    missing_since: Mapped[datetime | None]


class ProblemsRow(Base):
    """Keep the problems of one path; a resolved row stays, so that the bundle learns which file to remove."""

    __tablename__ = "problems"

    path: Mapped[str] = mapped_column(primary_key=True)
    file_name: Mapped[str]
    pipeline: Mapped[str | None]
    problems: Mapped[list[Any]]
    revision: Mapped[int]
    resolved: Mapped[bool]

    __table_args__ = (Index("problems_revision", "revision"),)


class RunRow(Base):
    """Keep one DAG run: what started it and with what, and how Airflow says that it does."""

    __tablename__ = "runs"

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int | None]
    actor: Mapped[str | None]
    correlation_id: Mapped[str | None]
    trigger: Mapped[str | None]
    event: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    params: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    values: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    reuse: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    state: Mapped[str]
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    seconds: Mapped[float | None]
    rows: Mapped[int | None]
    cost: Mapped[float | None]
    # When this row was written last; null of what was there before there was a feed.
    changed_at: Mapped[datetime | None] = mapped_column(
        server_default=func.clock_timestamp(), onupdate=func.clock_timestamp()
    )

    __table_args__ = (
        Index("runs_changed_at", "changed_at"),
        Index("runs_queued_at", "queued_at", "pipeline", "run_id"),
        Index("runs_pipeline_queued_at", "pipeline", "queued_at", "run_id"),
        Index("runs_state", "state", "queued_at"),
    )


class NodeRunRow(Base):
    """Keep how one node of a DAG run ended, after Airflow's XCom of the run may be gone."""

    __tablename__ = "node_runs"

    dag_id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(primary_key=True)
    index_path: Mapped[str] = mapped_column(primary_key=True, server_default="")
    version: Mapped[int | None]
    state: Mapped[str]
    fired: Mapped[list[Any]]
    outputs: Mapped[dict[str, Any]]
    statistics: Mapped[dict[str, Any]]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    attempt: Mapped[int]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    seconds: Mapped[float | None]
    rows: Mapped[int | None]

    __table_args__ = (Index("node_runs_ended_at", "ended_at"),)


class GrantRow(Base):
    """Keep what a user or a role may do with a pipeline, a Connection or code."""

    __tablename__ = "grants"

    kind: Mapped[str] = mapped_column(primary_key=True)
    object: Mapped[str] = mapped_column(primary_key=True)
    subject_kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str]
    granted_by: Mapped[str]
    granted_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("grants_subject", "subject_kind", "subject", "kind"),)


class TokenRow(Base):
    """Keep a token by which a program acts for a person: the digest of its secret, and what it is good for."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    name: Mapped[str]
    user_id: Mapped[str]
    user_name: Mapped[str]
    scopes: Mapped[list[Any]]
    pipelines: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    tags: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index("tokens_user_id", "user_id"),)


class UploadRow(Base):
    """Keep a file that somebody has sent; it lies in the folder of uploads, under its id."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    media_type: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[str]
    owner_id: Mapped[str]
    owner: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("uploads_created_at", "created_at", "id"), Index("uploads_owner_id", "owner_id"))


class SwitchRow(Base):
    """Keep that a node type is switched off, and by whom."""

    __tablename__ = "switches"

    type: Mapped[str] = mapped_column(primary_key=True)
    switched_by: Mapped[str]
    switched_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FeedCounterRow(Base):
    """Count, in its only row, the events of the feed; who raises it keeps it locked until the commit."""

    __tablename__ = "feed_counter"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int]


class FeedRow(Base):
    """Keep what happened to a pipeline or a run, for a week."""

    __tablename__ = "feed"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    topic: Mapped[str]
    kind: Mapped[str]
    pipeline: Mapped[str]
    run_id: Mapped[str | None]
    payload: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    __table_args__ = (
        CheckConstraint("octet_length(payload::text) <= 4096", "feed_payload_size"),
        Index("feed_at", "at"),
        Index("feed_run", "pipeline", "run_id", "id", postgresql_where=text("run_id is not null")),
    )


class ReleaseRow(Base):
    """Keep which release planned the published documents anew, and what became of them."""

    __tablename__ = "releases"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    fingerprint: Mapped[str]
    release: Mapped[str]
    report: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EventRow(Base):
    """Keep an event until a worker has handled it."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    available_at: Mapped[datetime] = mapped_column(server_default=func.now())
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    last_error: Mapped[str | None]
    key: Mapped[str | None]
    deduplication: Mapped[str | None]
    claimed_by: Mapped[str | None]
    lease_until: Mapped[datetime | None]

    __table_args__ = (
        Index("outbox_available_at", "available_at"),
        Index("outbox_key", "key", "id", postgresql_where=text("key is not null")),
        Index("outbox_deduplication", "deduplication", unique=True, postgresql_where=text("claimed_by is null")),
    )


class QuestionRow(Base):
    """Keep what a process without Connections asks the worker, until it has read the answer."""

    __tablename__ = "questions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    question: Mapped[Any] = mapped_column(JSON)
    answer: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))


class LockRow(Base):
    """Name a lock: who locks its row holds it."""

    __tablename__ = "locks"

    name: Mapped[str] = mapped_column(primary_key=True)
