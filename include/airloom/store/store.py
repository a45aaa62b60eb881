"""The store: pipelines with all their versions and drafts, their problems, and how their nodes ran."""

from __future__ import annotations

import contextlib
import hashlib
import re
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any, NoReturn

from sqlalchemy import ColumnElement, Connection, Row, Select, Text, cast, delete, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from airloom.spec.error import ConfigurationError
from airloom.spec.problem import Problem
from airloom.store.database import open_engine, to_json
from airloom.store.files import Files
from airloom.store.outbox import Outbox
from airloom.store.ownership import archive_others_of, comes_from_file, refuse_other_place
from airloom.store.records import (
    Changes,
    ConflictError,
    NodeRun,
    NotFound,
    Source,
    StoredDraft,
    StoredPipeline,
    StoredProblems,
    StoredVersion,
)
from airloom.store.releases import Releases
from airloom.store.tables import DraftRow, EventRow, NodeRunRow, PipelineRow, ProblemsRow, RevisionRow, VersionRow

AnyRow = Row[*tuple[Any, ...]]
PIPELINE = [getattr(PipelineRow, field.name) for field in fields(StoredPipeline)]
VERSION = [getattr(VersionRow, field.name) for field in fields(StoredVersion)]


class Store:
    """Reach the store at a SQLAlchemy URL; safe to share between threads.

    Every method is one transaction. StoreUnavailable is raised where the database does not answer.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url, pool_size=3, max_overflow=7, pool_pre_ping=True)
        self.files = Files(self._engine)
        self.outbox = Outbox(self._engine)
        self.releases = Releases(self._engine)

    def close(self) -> None:
        """Close the connections; the store opens new ones when it is used again."""
        self._engine.dispose()

    def revision(self) -> int:
        """Return the number of the newest change that the bundle serves."""
        with self._engine.connect() as connection:
            return connection.execute(select(RevisionRow.value)).scalar_one()

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Hold the lock of this name during the block; yield False, at once, where another process holds it.

        The lock ends with its connection, so that a killed process leaves none behind.
        """
        key = {"key": int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)}
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            held = connection.execute(text("select pg_try_advisory_lock(:key)"), key).scalar_one()
            try:
                yield held
            finally:
                if held:
                    connection.execute(text("select pg_advisory_unlock(:key)"), key)

    # Pipelines and versions

    def publish(
        self,
        document: dict[str, Any],
        plan: dict[str, Any],
        *,
        author: str,
        message: str = "",
        source: Source,
        path: str | None = None,
    ) -> StoredVersion:
        """Keep a document with its plan as the next version of its pipeline, and make that the current one.

        Returns the current version, and raises no revision, where document and plan equal its own. An archived
        pipeline lives again. A file holds one pipeline: another one that came from `path` is archived.
        Raises ConfigurationError where the id belongs to another place.
        """
        identifier = document["id"]
        digest, plan_digest = fingerprint(document), fingerprint({**plan, "version": None})
        with self._engine.connect() as connection, connection.begin() as transaction:
            revision = _raise_revision(connection)
            current = _current(connection, identifier)
            refuse_other_place(current, identifier, source, path)
            same = current is not None and (current.hash, current.plan_hash) == (digest, plan_digest)
            number = 1 if current is None else current.version + (not same)
            kept = {"document": document, "plan": {**plan, "version": number}, "hash": digest}
            others = archive_others_of(connection, path, identifier, revision, author) if path is not None else 0
            if current is not None and same and not current.archived:
                if not others:
                    transaction.rollback()
                return _version(identifier, current, kept)
            values = {
                "id": identifier,
                "revision": revision,
                "version": number,
                "archived": False,
                "closing": False,
                "source": source,
                "path": path,
                "name": document.get("name") or identifier,
                "tags": document.get("tags", []),
                "owner": document.get("owner", "airloom"),
                "updated_by": author,
            }
            connection.execute(
                insert(PipelineRow)
                .values(created_by=author, **values)
                .on_conflict_do_update(index_elements=[PipelineRow.id], set_={**values, "updated_at": func.now()})
            )
            if current is not None and same:
                return _version(identifier, current, kept)
            added = connection.execute(
                insert(VersionRow)
                .values(
                    pipeline=identifier,
                    number=number,
                    revision=revision,
                    plan_hash=plan_digest,
                    author=author,
                    message=message,
                    **kept,
                )
                .returning(
                    VersionRow.number, VersionRow.revision, VersionRow.author, VersionRow.message, VersionRow.created_at
                )
            ).one()
            return _version(identifier, added, kept)

    def archive(self, pipeline: str, by: str, *, closing: bool = False) -> None:
        """Take a pipeline out of Airflow, with all its versions kept; does nothing where it is archived.

        With `closing` it is served until this is called again without, so that its runs can end, and takes no new one.
        """
        wanted = PipelineRow.archived if closing else PipelineRow.archived & ~PipelineRow.closing
        self._set_archived(pipeline, ~wanted, by, archived=True, closing=closing)

    def unarchive(self, pipeline: str, by: str) -> None:
        """Put an archived pipeline back in its current version; does nothing where it is live."""
        self._set_archived(pipeline, PipelineRow.archived.is_(True), by, archived=False, closing=False)

    def closing(self) -> list[str]:
        """Return the ids of the archived pipelines that are served until their runs have ended."""
        with self._engine.connect() as connection:
            return list(connection.execute(select(PipelineRow.id).where(PipelineRow.closing)).scalars())

    def detach(self, path: str, by: str) -> StoredPipeline:
        """Make the live pipeline of a file one that is changed in the builder and by the API.

        The file is left alone; should it change, it is refused, for its id then belongs to another place.
        """
        query = (
            update(PipelineRow)
            .where(PipelineRow.path == path, ~PipelineRow.archived)
            .values(source="api", path=None, updated_by=by, updated_at=func.now())
            .returning(*PIPELINE)
        )
        with self._engine.begin() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"no live pipeline comes from the file {path!r}")
        return StoredPipeline(**row._mapping)

    def pipeline(self, pipeline: str) -> StoredPipeline:
        """Return a pipeline, archived or not; raise NotFound where there is none."""
        found = self._pipelines(select(*PIPELINE).where(PipelineRow.id == pipeline))
        if not found:
            raise NotFound(f"there is no pipeline {pipeline!r}")
        return found[0]

    def pipelines(self, *, archived: bool = False, limit: int = 100, offset: int = 0) -> list[StoredPipeline]:
        """Return the live pipelines, or the archived ones, by id."""
        query = select(*PIPELINE).where(PipelineRow.archived == archived)
        return self._pipelines(query.order_by(PipelineRow.id).limit(limit).offset(offset))

    def count_pipelines(self, *, archived: bool = False) -> int:
        """Return how many pipelines are live, or archived."""
        query = select(func.count()).select_from(PipelineRow).where(PipelineRow.archived == archived)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def version(self, pipeline: str, number: int | None = None) -> StoredVersion:
        """Return a version, the current one where no number is given; raise NotFound where there is none."""
        query = select(*VERSION).where(VersionRow.pipeline == pipeline)
        if number is None:
            query = query.order_by(VersionRow.number.desc()).limit(1)
        else:
            query = query.where(VersionRow.number == number)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            newest = self.pipeline(pipeline).version
            raise NotFound(f"pipeline {pipeline!r} has no version {number}", hint=f"the newest is version {newest}")
        return StoredVersion(**row._mapping)

    def version_at(self, pipeline: str, revision: int) -> StoredVersion:
        """Return the version that was current at a revision, which a run is pinned to; raise NotFound for none."""
        query = select(*VERSION).where(VersionRow.pipeline == pipeline, VersionRow.revision <= revision)
        with self._engine.connect() as connection:
            row = connection.execute(query.order_by(VersionRow.revision.desc()).limit(1)).one_or_none()
        if row is None:
            raise NotFound(f"pipeline {pipeline!r} was not published at revision {revision}")
        return StoredVersion(**row._mapping)

    def versions(self, pipeline: str, *, limit: int = 100, offset: int = 0) -> list[StoredVersion]:
        """Return the versions of a pipeline, the newest first."""
        query = select(*VERSION).where(VersionRow.pipeline == pipeline)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(VersionRow.number.desc()).limit(limit).offset(offset)).all()
        return [StoredVersion(**row._mapping) for row in rows]

    def _pipelines(self, query: Select[Any]) -> list[StoredPipeline]:
        with self._engine.connect() as connection:
            return [StoredPipeline(**row._mapping) for row in connection.execute(query)]

    def _set_archived(self, pipeline: str, changes: ColumnElement[bool], by: str, **values: bool) -> None:
        with self._engine.connect() as connection, connection.begin() as transaction:
            revision = _raise_revision(connection)
            changed = connection.execute(
                update(PipelineRow)
                .where(PipelineRow.id == pipeline, changes)
                .values(revision=revision, updated_by=by, updated_at=func.now(), **values)
            )
            if changed.rowcount == 0:
                transaction.rollback()
        if changed.rowcount == 0:
            self.pipeline(pipeline)

    # Drafts

    def save_draft(self, pipeline: str, document: dict[str, Any], *, etag: str | None, author: str) -> StoredDraft:
        """Keep the draft of a pipeline; `etag` is that of the draft it was made from, None for a first one.

        Raises ConflictError with the draft that is kept where another editor saved in between, and
        ConfigurationError where the pipeline comes from a file.
        """
        fingerprint(document)
        values = {"document": document, "etag": uuid.uuid4().hex, "author": author, "updated_at": func.now()}
        first = insert(DraftRow).values(pipeline=pipeline, **values).on_conflict_do_nothing()
        later = update(DraftRow).where(DraftRow.pipeline == pipeline, DraftRow.etag == etag).values(values)
        statement = first if etag is None else later
        with self._engine.begin() as connection:
            place = connection.execute(
                select(PipelineRow.path).where(PipelineRow.id == pipeline, ~PipelineRow.archived)
            ).scalar_one_or_none()
            if place is not None:
                raise comes_from_file(pipeline, place)
            row = connection.execute(statement.returning(DraftRow)).one_or_none()
        if row is None:
            self._raise_conflict(pipeline)
        return StoredDraft(**row._mapping)

    def draft(self, pipeline: str) -> StoredDraft | None:
        """Return the draft of a pipeline."""
        with self._engine.connect() as connection:
            row = connection.execute(select(DraftRow).where(DraftRow.pipeline == pipeline)).one_or_none()
        return None if row is None else StoredDraft(**row._mapping)

    def drafts(self, *, limit: int = 100, offset: int = 0) -> list[StoredDraft]:
        """Return the drafts of all pipelines, the latest first."""
        query = select(DraftRow).order_by(DraftRow.updated_at.desc(), DraftRow.pipeline).limit(limit).offset(offset)
        with self._engine.connect() as connection:
            return [StoredDraft(**row._mapping) for row in connection.execute(query)]

    def discard_draft(self, pipeline: str, *, etag: str) -> None:
        """Remove a draft; raise ConflictError with the one that is kept where another editor saved in between."""
        statement = delete(DraftRow).where(DraftRow.pipeline == pipeline, DraftRow.etag == etag)
        with self._engine.begin() as connection:
            removed = connection.execute(statement).rowcount
        if not removed:
            self._raise_conflict(pipeline)

    def _raise_conflict(self, pipeline: str) -> NoReturn:
        current = self.draft(pipeline)
        if current is None:
            conflict = ConflictError(f"the draft of {pipeline!r} was discarded", hint="save yours as a first draft")
        else:
            conflict = ConflictError(
                f"{current.author} saved a draft of {pipeline!r} in between",
                hint="look at that draft, bring yours up to date and save again",
            )
        conflict.current = current
        raise conflict

    # Problems and what the bundle has to show

    def set_problems(self, path: str, problems: Sequence[Problem], pipeline: str | None = None) -> bool:
        """Show problems under a path in place of those it had; return whether they differ, which raises a revision."""
        if not problems:
            raise ValueError("clear_problems is what resolves a path's problems")
        values = {"pipeline": pipeline, "problems": [problem.to_json() for problem in problems], "resolved": False}
        return self._change_problems(path, values)

    def clear_problems(self, path: str) -> bool:
        """Resolve the problems of a path; return whether it had some (and a revision was raised)."""
        return self._change_problems(path, {"pipeline": None, "problems": [], "resolved": True})

    def problems(self) -> list[StoredProblems]:
        """Return the problems that are not resolved, by path."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(ProblemsRow).where(~ProblemsRow.resolved).order_by(ProblemsRow.path)).all()
        return [_problems(row) for row in rows]

    def changes(self, since: int, until: int) -> Changes:
        """Return what the bundle has to write and remove to get from revision `since` to `until`.

        What changed after `until` too is left to the next call. With `since` 0 everything is returned.
        """
        changed_since = (PipelineRow.revision > since) & (PipelineRow.revision <= until)
        served = (
            select(PipelineRow.closing, *VERSION)
            .join(PipelineRow, (PipelineRow.id == VersionRow.pipeline) & (PipelineRow.version == VersionRow.number))
            .where(changed_since, ~PipelineRow.archived | PipelineRow.closing)
            .order_by(PipelineRow.revision, VersionRow.pipeline)
        )
        archived = (
            select(PipelineRow.id)
            .where(changed_since, PipelineRow.archived, ~PipelineRow.closing)
            .order_by(PipelineRow.id)
        )
        problems = (
            select(ProblemsRow)
            .where(ProblemsRow.revision > since, ProblemsRow.revision <= until)
            .order_by(ProblemsRow.path)
        )
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            changed = connection.execute(problems).all()
            versions = [(row.closing, StoredVersion(*row[1:])) for row in connection.execute(served)]
            return Changes(
                live=[version for closing, version in versions if not closing],
                closing=[version for closing, version in versions if closing],
                archived=list(connection.execute(archived).scalars()),
                problems=[_problems(row) for row in changed if not row.resolved],
                resolved=[row.file_name for row in changed if row.resolved],
            )

    def _change_problems(self, path: str, values: dict[str, Any]) -> bool:
        def unchanged() -> bool:
            row = connection.execute(select(ProblemsRow).where(ProblemsRow.path == path)).one_or_none()
            if row is None:
                return bool(values["resolved"])
            return all(getattr(row, field) == value for field, value in values.items())

        with self._engine.connect() as connection:
            # Asked without the counter's lock first, which every publisher waits for.
            with connection.begin():
                if unchanged():
                    return False
            with connection.begin() as transaction:
                revision = _raise_revision(connection)
                if unchanged():
                    transaction.rollback()
                    return False
                row = {"file_name": problem_file_name(path), "revision": revision, **values}
                connection.execute(
                    insert(ProblemsRow)
                    .values(path=path, **row)
                    .on_conflict_do_update(index_elements=[ProblemsRow.path], set_=row)
                )
        return True

    # How nodes ran

    def record_node_runs(self, dag_id: str, run_id: str, runs: Sequence[NodeRun]) -> None:
        """Keep how the nodes of a DAG run ended, in place of what was kept of it: a cleared run ends again."""
        with self._engine.begin() as connection:
            connection.execute(delete(NodeRunRow).where(NodeRunRow.dag_id == dag_id, NodeRunRow.run_id == run_id))
            if runs:
                connection.execute(insert(NodeRunRow).on_conflict_do_nothing(), [asdict(run) for run in runs])

    def runs_not_kept(self, runs: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return those of runs (DAG id, run id) of which no node is kept and whose end is not in the outbox."""
        if not runs:
            return []
        given = func.unnest(*(cast(list(part), ARRAY(Text)) for part in zip(*runs, strict=True)))
        run = given.table_valued("dag_id", "run_id").render_derived()
        kept = exists().where(NodeRunRow.dag_id == run.c.dag_id, NodeRunRow.run_id == run.c.run_id)
        waiting = exists().where(
            EventRow.kind == "run_ended",
            EventRow.payload["dag_id"].as_string() == run.c.dag_id,
            EventRow.payload["run_id"].as_string() == run.c.run_id,
        )
        with self._engine.connect() as connection:
            rows = connection.execute(select(run.c.dag_id, run.c.run_id).where(~kept, ~waiting))
            return [(row.dag_id, row.run_id) for row in rows]

    def node_runs(self, dag_id: str, run_id: str) -> list[NodeRun]:
        """Return how the nodes of a DAG run ended, by node and map index."""
        query = (
            select(NodeRunRow)
            .where(NodeRunRow.dag_id == dag_id, NodeRunRow.run_id == run_id)
            .order_by(NodeRunRow.node, NodeRunRow.map_index)
        )
        with self._engine.connect() as connection:
            return [NodeRun(**row._mapping) for row in connection.execute(query)]


def fingerprint(value: dict[str, Any]) -> str:
    """Return the SHA-256 of a value's JSON; the order of keys counts, for columns may follow it.

    Raises ConfigurationError for what is no JSON, such as NaN.
    """
    try:
        return hashlib.sha256(to_json(value).encode()).hexdigest()
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"this document can't be written as JSON: {error}") from error


def problem_file_name(path: str) -> str:
    """Return the name of the bundle's file for the problems of a path; different paths get different names."""
    readable = re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")[:80] or "folder"
    return f"{readable}-{hashlib.sha256(path.encode()).hexdigest()[:10]}.py"


def _raise_revision(connection: Connection) -> int:
    """Raise the counter. Always a transaction's first lock: so publishers queue here, and never in a circle."""
    statement = update(RevisionRow).values(value=RevisionRow.value + 1).returning(RevisionRow.value)
    return connection.execute(statement).scalar_one()


def _current(connection: Connection, pipeline: str) -> AnyRow | None:
    current = (PipelineRow.id == VersionRow.pipeline) & (PipelineRow.version == VersionRow.number)
    query = select(
        PipelineRow.version,
        PipelineRow.archived,
        PipelineRow.source,
        PipelineRow.path,
        VersionRow.number,
        VersionRow.revision,
        VersionRow.hash,
        VersionRow.plan_hash,
        VersionRow.author,
        VersionRow.message,
        VersionRow.created_at,
    )
    return connection.execute(query.join(VersionRow, current).where(PipelineRow.id == pipeline)).one_or_none()


def _version(pipeline: str, row: AnyRow, kept: dict[str, Any]) -> StoredVersion:
    return StoredVersion(
        pipeline=pipeline,
        number=row.number,
        revision=row.revision,
        author=row.author,
        message=row.message,
        created_at=row.created_at,
        **kept,
    )


def _problems(row: AnyRow) -> StoredProblems:
    problems = [Problem.from_json(problem) for problem in row.problems]
    return StoredProblems(row.path, row.file_name, row.pipeline, problems, row.revision)
