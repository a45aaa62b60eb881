"""The tables of the store, as SQLAlchemy models; `migrations/` makes and changes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Identity, Index, Text, false, func, text
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

    __table_args__ = (
        Index("pipelines_revision", "revision"),
        Index("pipelines_path", "path"),
    )


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


class DraftRow(Base):
    """Keep the one draft of a pipeline, which need not have been published yet."""

    __tablename__ = "drafts"

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    etag: Mapped[str]
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


class NodeRunRow(Base):
    """Keep how one node of a DAG run ended, after Airflow's XCom of the run may be gone."""

    __tablename__ = "node_runs"

    dag_id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(primary_key=True)
    map_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
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

    __table_args__ = (Index("outbox_available_at", "available_at"),)
