"""The store: pipelines with all their versions, and by its attributes all else that is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from airloom.checks.uses import Use
from airloom.plan.plan import functions_of
from airloom.spec.error import ConfigurationError
from airloom.spec.node_file import NodeFile
from airloom.store.database import fingerprint, open_engine
from airloom.store.drafts import Drafts, take_draft
from airloom.store.feed import Feed, add_events
from airloom.store.files import Files
from airloom.store.grants import Grants, add_grant
from airloom.store.node_runs import NodeRuns
from airloom.store.outbox import Outbox
from airloom.store.ownership import archive_others_of, refuse_other_place, refuse_other_version
from airloom.store.problems import Problems, stored_problems
from airloom.store.questions import Questions
from airloom.store.records import (
    Changes,
    NewEvent,
    NotFound,
    Schedule,
    Source,
    StoredPipeline,
    StoredVersion,
    VersionEntry,
)
from airloom.store.releases import Releases
from airloom.store.revision import raise_revision
from airloom.store.runs import Runs
from airloom.store.switches import Switches
from airloom.store.tables import LockRow, NodeFileRow, PipelineRow, ProblemsRow, RevisionRow, VersionRow
from airloom.store.templates import Templates
from airloom.store.tokens import Tokens
from airloom.store.uploads import Uploads
from airloom.store.uses import Uses, add_uses

AnyRow = Row[*tuple[Any, ...]]
PIPELINE = [getattr(PipelineRow, field.name) for field in fields(StoredPipeline)]
VERSION_ENTRY = [getattr(VersionRow, field.name) for field in fields(VersionEntry)]
VERSION = [getattr(VersionRow, field.name) for field in fields(StoredVersion)]


class Store:
    """Reach the store at a SQLAlchemy URL; safe to share between threads.

    Every method is one transaction. StoreUnavailable is raised where the database does not answer.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url, pool_size=3, max_overflow=7, pool_pre_ping=True)
        self.drafts = Drafts(self._engine)
        self.feed = Feed(self._engine)
        self.files = Files(self._engine)
        self.grants = Grants(self._engine)
        self.node_runs = NodeRuns(self._engine)
        self.outbox = Outbox(self._engine)
        self.questions = Questions(self._engine, self.outbox)
        self.problems = Problems(self._engine)
        self.releases = Releases(self._engine)
        self.runs = Runs(self._engine)
        self.switches = Switches(self._engine)
        self.templates = Templates(self._engine)
        self.tokens = Tokens(self._engine)
        self.uploads = Uploads(self._engine)
        self.uses = Uses(self._engine)

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

        A killed process leaves none behind, for the lock ends with its connection; and no task can hold one, for it is
        on a row that tasks cannot touch.
        """
        row = select(LockRow.name).where(LockRow.name == name).with_for_update(skip_locked=True)
        with self._engine.connect() as connection:
            with connection.begin():
                connection.execute(insert(LockRow).values(name=name).on_conflict_do_nothing())
            with connection.begin():
                # The server may end what idles in a transaction, and this one idles for as long as the block takes.
                connection.execute(text("set local idle_in_transaction_session_timeout = 0"))
                yield connection.execute(row).one_or_none() is not None

    def create(self, pipeline: str, *, by: str, name: str = "") -> StoredPipeline:
        """Make a pipeline of which nothing is published yet, with version 0; whoever makes it is its publisher.

        Raises ConfigurationError where there is one of that id, archived or not.
        """
        values = {"id": pipeline, "revision": 0, "version": 0, "archived": False, "source": "api", "tags": []}
        people = {"owner": by, "created_by": by, "updated_by": by}
        statement = insert(PipelineRow).values(name=name or pipeline, **values, **people).on_conflict_do_nothing()
        with self._engine.begin() as connection:
            row = connection.execute(statement.returning(*PIPELINE)).one_or_none()
            if row is not None:
                add_grant(connection, "pipeline", pipeline, "user", by, "publisher", by=by)
                add_events(connection, [NewEvent("pipelines", "created", pipeline, payload={"by": by})])
                return StoredPipeline(**row._mapping)
        raise ConfigurationError(
            f"there is a pipeline {pipeline!r} already", field="id", hint="choose another id, or change that one"
        )

    def publish(
        self,
        document: dict[str, Any],
        plan: dict[str, Any],
        *,
        author: str,
        message: str = "",
        source: Source,
        path: str | None = None,
        uses: Iterable[Use] = (),
        node_files: Iterable[NodeFile] = (),
        base_version: int | None = None,
        draft: str | None = None,
    ) -> StoredVersion:
        """Keep a document with its plan as the next version of its pipeline, and make that the current one.

        Returns the current version, and raises no revision, where document and plan equal its own. An archived
        pipeline lives again. A file holds one pipeline: another one that came from `path` is archived.
        `uses` is what the document uses, `node_files` the files of node types that the plan names by their hashes.
        `base_version` is the version that has to be current, `draft` the etag of the draft that this publishes and
        that is removed with it. Raises ConfigurationError where the id belongs to another place, and ConflictError
        where another version is current, or another draft kept.
        """
        identifier = document["id"]
        digest, plan_digest = fingerprint(document), fingerprint({**plan, "version": None})
        with self._engine.connect() as connection, connection.begin() as transaction:
            revision = raise_revision(connection)
            current = _current(connection, identifier)
            refuse_other_place(current, identifier, source, path)
            if base_version is not None:
                refuse_other_version(identifier, base_version, current.version if current else 0)
            if draft is not None:
                take_draft(connection, identifier, draft)
            same = current is not None and (current.hash, current.plan_hash) == (digest, plan_digest)
            number = 1 if current is None else current.version + (not same)
            content = {"document": document, "plan": {**plan, "version": number}, "hash": digest}
            others = archive_others_of(connection, path, identifier, revision, author) if path is not None else []
            events = [NewEvent("pipelines", "archived", other, payload={"by": author}) for other in others]
            if current is not None and same and not current.archived:
                if draft is not None:
                    events.append(NewEvent("pipelines", "draft_discarded", identifier))
                if events:
                    add_events(connection, events)
                else:
                    transaction.rollback()
                return _version(identifier, current, content)
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
            if source == "api" and current is None:
                add_grant(connection, "pipeline", identifier, "user", author, "publisher", by=author)
            if current is not None and same:
                add_events(connection, [*events, NewEvent("pipelines", "restored", identifier, payload={"by": author})])
                return _version(identifier, current, content)
            added = connection.execute(
                insert(VersionRow)
                .values(
                    pipeline=identifier,
                    number=number,
                    revision=revision,
                    plan_hash=plan_digest,
                    author=author,
                    message=message,
                    **content,
                )
                .returning(
                    VersionRow.number, VersionRow.revision, VersionRow.author, VersionRow.message, VersionRow.created_at
                )
            ).one()
            add_uses(connection, identifier, number, uses)
            _add_node_files(connection, node_files)
            payload = {"version": number, "author": author}
            add_events(connection, [*events, NewEvent("pipelines", "published", identifier, payload=payload)])
            return _version(identifier, added, content)

    def archive(self, pipeline: str, by: str, *, closing: bool = False) -> None:
        """Take a pipeline out of Airflow, with all its versions kept; does nothing where it is archived.

        With `closing` it is served until this is called again without, so that its runs can end, and takes no new one.
        """
        wanted = PipelineRow.archived if closing else PipelineRow.archived & ~PipelineRow.closing
        self._set_archived(pipeline, ~wanted, by, archived=True, closing=closing)

    def unarchive(self, pipeline: str, by: str) -> None:
        """Put an archived pipeline back in its current version; does nothing where it is live."""
        self._set_archived(pipeline, PipelineRow.archived.is_(True), by, archived=False, closing=False)

    def functions(self, version: StoredVersion) -> dict[str, NodeFile]:
        """Return the files of the users' functions that a version was published with, by the functions' names."""
        named = functions_of(version.plan)
        query = select(NodeFileRow.hash, NodeFileRow.name, NodeFileRow.text).where(NodeFileRow.hash.in_(named.values()))
        if not named:
            return {}
        with self._engine.connect() as connection:
            files = {row.hash: NodeFile(row.name, row.text) for row in connection.execute(query)}
        return {function: files[digest] for function, digest in named.items() if digest in files}

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
        rows = self._pipelines(select(*PIPELINE).where(PipelineRow.id == pipeline))
        if rows:
            return rows[0]
        broken = [shown for shown in self.problems.all() if shown.pipeline == pipeline]
        if broken:
            first = broken[0].problems[0]
            raise NotFound(
                f"pipeline {pipeline!r} was never published: {broken[0].path} has problems",
                hint=f"correct {first.pointer or 'the file'}: {first.message}; airloom validate names all",
            )
        raise NotFound(f"there is no pipeline {pipeline!r}")

    def pipelines(self, *, archived: bool = False, limit: int = 100, offset: int = 0) -> list[StoredPipeline]:
        """Return the published pipelines that are live, or the archived ones, by id."""
        query = select(*PIPELINE).where(PipelineRow.archived == archived, PipelineRow.version > 0)
        return self._pipelines(query.order_by(PipelineRow.id).limit(limit).offset(offset))

    def schedules(self, pipelines: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the schedules in the current documents of pipelines, by id; none of those that have none."""
        current = (PipelineRow.id == VersionRow.pipeline) & (PipelineRow.version == VersionRow.number)
        query = select(PipelineRow.id, VersionRow.document["schedule"]).join(VersionRow, current)
        with self._engine.connect() as connection:
            rows = connection.execute(query.where(PipelineRow.id.in_(list(pipelines))))
            return {row[0]: row[1] for row in rows if row[1]}

    def pipeline_page(
        self,
        *,
        ids: Collection[str] | None = None,
        search: str | None = None,
        tag: str | None = None,
        archived: bool = False,
        paused: bool | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[StoredPipeline]:
        """Return pipelines by id, those that were never published too: the first, or those behind the id `after`.

        `ids` are those to choose from, None for all; `search` is text in id or name.
        """
        query = select(*PIPELINE).where(PipelineRow.archived == archived)
        if ids is not None:
            query = query.where(PipelineRow.id.in_(list(ids)))
        if search:
            in_id, in_name = (
                PipelineRow.id.icontains(search, autoescape=True),
                PipelineRow.name.icontains(search, autoescape=True),
            )
            query = query.where(in_id | in_name)
        if tag is not None:
            query = query.where(PipelineRow.has_tag([tag]))
        if paused is not None:
            query = query.where(PipelineRow.paused == paused)
        if after is not None:
            query = query.where(PipelineRow.id > after)
        return self._pipelines(query.order_by(PipelineRow.id).limit(limit))

    def tagged(self, tags: Collection[str]) -> frozenset[str]:
        """Return the ids of the pipelines that have one of these tags."""
        if not tags:
            return frozenset()
        with self._engine.connect() as connection:
            return frozenset(connection.execute(select(PipelineRow.id).where(PipelineRow.has_tag(tags))).scalars())

    def count_pipelines(self, *, archived: bool = False) -> int:
        """Return how many published pipelines are live, or archived."""
        published = (PipelineRow.archived == archived) & (PipelineRow.version > 0)
        query = select(func.count()).select_from(PipelineRow).where(published)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def keep_schedules(self, schedules: Mapping[str, Schedule]) -> list[str]:
        """Keep what Airflow says of pipelines, and that it says nothing of the others; return the ids that changed."""
        query = select(PipelineRow.id, PipelineRow.paused, PipelineRow.next_run_at).order_by(PipelineRow.id)
        changed = []
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        # Each by itself: a publisher locks several pipelines, in an order of its own.
        for row in rows:
            known = schedules.get(row.id)
            paused, next_run_at = (known.paused, known.next_run_at) if known else (None, None)
            if (paused, next_run_at) == (row.paused, row.next_run_at):
                continue
            with self._engine.begin() as connection:
                values = {"paused": paused, "next_run_at": next_run_at}
                connection.execute(update(PipelineRow).where(PipelineRow.id == row.id).values(values))
                if paused is not None and paused != bool(row.paused):
                    add_events(connection, [NewEvent("pipelines", "paused" if paused else "resumed", row.id)])
            changed.append(str(row.id))
        return changed

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
            if newest == 0:
                raise NotFound(f"pipeline {pipeline!r} was never published", hint="publish its draft")
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

    def version_page(self, pipeline: str, *, before: int | None = None, limit: int = 100) -> list[VersionEntry]:
        """Return the versions of a pipeline, the newest first: all, or those with a lower number than `before`."""
        query = select(*VERSION_ENTRY).where(VersionRow.pipeline == pipeline)
        if before is not None:
            query = query.where(VersionRow.number < before)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(VersionRow.number.desc()).limit(limit)).all()
        return [VersionEntry(**row._mapping) for row in rows]

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
                problems=[stored_problems(row) for row in changed if not row.resolved],
                resolved=[row.file_name for row in changed if row.resolved],
            )

    def _pipelines(self, query: Select[Any]) -> list[StoredPipeline]:
        with self._engine.connect() as connection:
            return [StoredPipeline(**row._mapping) for row in connection.execute(query)]

    def _set_archived(self, pipeline: str, changes: ColumnElement[bool], by: str, **values: bool) -> None:
        with self._engine.connect() as connection, connection.begin() as transaction:
            revision = raise_revision(connection)
            changed = connection.execute(
                update(PipelineRow)
                .where(PipelineRow.id == pipeline, changes)
                .values(revision=revision, updated_by=by, updated_at=func.now(), **values)
            )
            if changed.rowcount == 0:
                transaction.rollback()
            else:
                kind, payload = "archived" if values["archived"] else "restored", {"by": by}
                add_events(connection, [NewEvent("pipelines", kind, pipeline, payload=payload)])
        if changed.rowcount == 0:
            self.pipeline(pipeline)


def _add_node_files(connection: Connection, node_files: Iterable[NodeFile]) -> None:
    rows = [{"hash": file.hash, "name": file.name, "text": file.text} for file in node_files]
    if rows:
        connection.execute(insert(NodeFileRow).on_conflict_do_nothing(), rows)


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
    return connection.execute(query.outerjoin(VersionRow, current).where(PipelineRow.id == pipeline)).one_or_none()


def _version(pipeline: str, row: AnyRow, content: dict[str, Any]) -> StoredVersion:
    return StoredVersion(
        pipeline=pipeline,
        number=row.number,
        revision=row.revision,
        author=row.author,
        message=row.message,
        created_at=row.created_at,
        **content,
    )
