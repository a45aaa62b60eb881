"""Drafts: what somebody is at work on and has not published."""

from __future__ import annotations

import uuid
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from airloom.store.database import fingerprint
from airloom.store.feed import add_events
from airloom.store.ownership import comes_from_file
from airloom.store.records import ConflictError, NewEvent, StoredDraft
from airloom.store.tables import DraftRow, PipelineRow


class Drafts:
    """Read and write the drafts of pipelines, of which each has one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(
        self,
        pipeline: str,
        document: dict[str, Any],
        *,
        etag: str | None,
        author: str,
        base_version: int | None = None,
    ) -> StoredDraft:
        """Keep the draft of a pipeline; `etag` is that of the draft it was made from, None for a first one.

        `base_version` is the version that it is made from; where it is not given that of the draft before stays, and
        a first one is made from the current version.

        Raises ConflictError with the draft that is kept where another editor saved in between, and
        ConfigurationError where the pipeline comes from a file.
        """
        fingerprint(document)
        values: dict[str, Any] = {"document": document, "etag": uuid.uuid4().hex, "author": author}
        values["updated_at"] = func.now()
        if base_version is not None:
            values["base_version"] = base_version
        current = select(func.coalesce(func.max(PipelineRow.version), 0)).where(PipelineRow.id == pipeline)
        based = {"base_version": current.scalar_subquery(), **values}
        first = insert(DraftRow).values(pipeline=pipeline, **based).on_conflict_do_nothing()
        later = update(DraftRow).where(DraftRow.pipeline == pipeline, DraftRow.etag == etag).values(values)
        statement = first if etag is None else later
        with self._engine.begin() as connection:
            place = connection.execute(
                select(PipelineRow.path).where(PipelineRow.id == pipeline, ~PipelineRow.archived)
            ).scalar_one_or_none()
            if place is not None:
                raise comes_from_file(pipeline, place)
            row = connection.execute(statement.returning(DraftRow)).one_or_none()
            if row is not None:
                payload = {"author": author, "etag": row.etag}
                add_events(connection, [NewEvent("pipelines", "draft_saved", pipeline, payload=payload)])
        if row is None:
            self._raise_conflict(pipeline)
        return StoredDraft(**row._mapping)

    def get(self, pipeline: str) -> StoredDraft | None:
        """Return the draft of a pipeline."""
        with self._engine.connect() as connection:
            row = connection.execute(select(DraftRow).where(DraftRow.pipeline == pipeline)).one_or_none()
        return None if row is None else StoredDraft(**row._mapping)

    def all(self, *, limit: int = 100, offset: int = 0) -> list[StoredDraft]:
        """Return the drafts of all pipelines, the latest first."""
        query = select(DraftRow).order_by(DraftRow.updated_at.desc(), DraftRow.pipeline).limit(limit).offset(offset)
        with self._engine.connect() as connection:
            return [StoredDraft(**row._mapping) for row in connection.execute(query)]

    def discard(self, pipeline: str, *, etag: str) -> None:
        """Remove a draft; raise ConflictError with the one that is kept where another editor saved in between."""
        statement = delete(DraftRow).where(DraftRow.pipeline == pipeline, DraftRow.etag == etag)
        with self._engine.begin() as connection:
            removed = connection.execute(statement).rowcount
            if removed:
                add_events(connection, [NewEvent("pipelines", "draft_discarded", pipeline)])
        if not removed:
            self._raise_conflict(pipeline)

    def _raise_conflict(self, pipeline: str) -> NoReturn:
        with self._engine.connect() as connection:
            raise _conflict(connection, pipeline)


def take_draft(connection: Connection, pipeline: str, etag: str) -> None:
    """Remove the draft of this etag in a transaction of the caller's; raise ConflictError where it is not kept."""
    removed = connection.execute(delete(DraftRow).where(DraftRow.pipeline == pipeline, DraftRow.etag == etag))
    if not removed.rowcount:
        raise _conflict(connection, pipeline)


def _conflict(connection: Connection, pipeline: str) -> ConflictError:
    row = connection.execute(select(DraftRow).where(DraftRow.pipeline == pipeline)).one_or_none()
    if row is None:
        return ConflictError(
            f"the draft of {pipeline!r} was published or discarded", hint="save yours as a first draft"
        )
    current = StoredDraft(**row._mapping)
    conflict = ConflictError(
        f"{current.author} saved a draft of {pipeline!r} in between",
        hint="look at that draft, bring yours up to date and save again",
    )
    conflict.current = current
    return conflict
