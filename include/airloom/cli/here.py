"""The installation of this machine, as commands reach it: its store, and Airflow in this process."""

from __future__ import annotations

import contextlib
import getpass
import mimetypes
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from airloom.cli.reach import Compared, EndedRun, ListedPipeline, ListedTemplate, ListedUpload, PreviewedRun
from airloom.spec.error import ConfigurationError
from airloom.spec.template import template

if TYPE_CHECKING:
    from airloom.dags.backfill import Backfill
    from airloom.dags.connections import KeptConnection, ListedConnection
    from airloom.dags.logs import LogLine, TaskAttempt
    from airloom.dags.publishing import Published
    from airloom.engine.upload_folder import UploadFolder
    from airloom.plan.partial import Wish
    from airloom.spec.template import Template
    from airloom.store.records import StoredPipeline, StoredRun, StoredUpload, StoredVersion, VersionEntry
    from airloom.store.store import Store

PAGE = 200
PIECE = 1 << 20
"""Bytes of a file that are read at once."""


class Here:
    """Reach the installation of this machine, as an administrator."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def pipelines(self, *, archived: bool) -> list[ListedPipeline]:
        """Return the published pipelines, or the archived ones, by id."""
        found: list[StoredPipeline] = []
        while page := self.store.pipelines(archived=archived, limit=PAGE, offset=len(found)):
            found += page
        identifiers = [pipeline.id for pipeline in found]
        schedules, newest = self.store.schedules(identifiers), self.store.runs.newest(identifiers)
        return [
            ListedPipeline(one, schedules.get(one.id), _without_results(newest[one.id]) if one.id in newest else None)
            for one in found
        ]

    def pipeline(self, pipeline: str) -> StoredPipeline:
        """Return a pipeline."""
        return self.store.pipeline(pipeline)

    def version(self, pipeline: str, number: int | None = None) -> StoredVersion:
        """Return a version, the current one where no number is given."""
        return self.store.version(pipeline, number)

    def versions(self, pipeline: str) -> list[VersionEntry]:
        """Return the versions of a pipeline, the newest first."""
        found: list[VersionEntry] = []
        while page := self.store.version_page(pipeline, before=found[-1].number if found else None, limit=PAGE):
            found += page
        return found

    def compare(self, pipeline: str, before: int, after: int | None) -> Compared:
        """Return how two versions differ."""
        from airloom.plan.changes import plan_changes
        from airloom.spec.difference import differences

        earlier, later = self.store.version(pipeline, before), self.store.version(pipeline, after)
        changes = differences(earlier.document, later.document)
        return Compared(earlier.number, later.number, changes, plan_changes(earlier.plan, later.plan))

    def publish(self, document: object, *, author: str | None, message: str) -> Published:
        """Publish a document."""
        load_airflow()
        from airloom.dags.actor import administrator
        from airloom.dags.publishing import publish

        return publish(self.store, document, actor=administrator(author or getpass.getuser()), message=message)

    def wait_for_version(self, pipeline: str, number: int) -> None:
        """Return once Airflow would run a version."""
        from airloom.dags import parsing

        parsing.wait_for_version(pipeline, number)

    def rollback(self, pipeline: str, number: int, *, author: str | None) -> Published:
        """Publish an earlier version again."""
        load_airflow()
        from airloom.dags.actor import administrator
        from airloom.dags.publishing import rollback

        return rollback(self.store, pipeline, number, actor=administrator(author or getpass.getuser()))

    def archive(self, pipeline: str, *, author: str | None, force: bool) -> list[str]:
        """Archive a pipeline; return its active runs."""
        load_airflow()
        from airloom.dags.publishing import archive

        return archive(self.store, pipeline, author=author or getpass.getuser(), force=force)

    def set_paused(self, pipelines: list[str], paused: bool) -> None:
        """Pause pipelines, or let them run again."""
        load_airflow()
        from airloom.dags import parsing

        known = parsing.schedules()
        for pipeline in pipelines:
            if pipeline not in known:
                parsing.wait_for_version(pipeline, self.store.pipeline(pipeline).version)
            parsing.set_paused(pipeline, paused)
        # What the store mirrors is that of a few seconds ago otherwise.
        self.store.keep_schedules(parsing.schedules())

    def runs(self, pipeline: str | None, state: str | None, limit: int) -> list[StoredRun]:
        """Return runs, the newest first."""
        if pipeline is not None:
            self.store.pipeline(pipeline)
        return [_without_results(run) for run in self.store.runs.page(pipeline=pipeline, state=state, limit=limit)]

    def start_run(
        self, pipeline: str, params: Mapping[str, Any], logical_date: datetime | None, wish: Wish | None = None
    ) -> str:
        """Start a run, of a part of the pipeline where there is a wish; return its id."""
        load_airflow()
        from airloom.dags.reuse import start_partial
        from airloom.dags.runs import start_run

        user = getpass.getuser()
        if wish is not None:
            return start_partial(self.store, pipeline, params, wish, user=user, logical_date=logical_date)
        return start_run(self.store, pipeline, params, user=user, logical_date=logical_date)

    def preview_run(self, pipeline: str, params: Mapping[str, Any], wish: Wish) -> PreviewedRun:
        """Say what a run of a part would do."""
        load_airflow()
        from airloom.dags.reuse import plan_partial

        start = plan_partial(self.store, pipeline, params, wish)
        return PreviewedRun(start.selection.parts, start.problems)

    def backfill(self, pipeline: str, wanted: Backfill, *, dry_run: bool) -> list[datetime]:
        """Start the runs of a pipeline's schedule in a range; return their times."""
        load_airflow()
        from airloom.dags.backfill import start_backfill

        return start_backfill(self.store, pipeline, wanted, user=getpass.getuser(), dry_run=dry_run)

    def is_paused(self, pipeline: str) -> bool:
        """Tell whether Airflow starts no runs of a pipeline."""
        from airloom.dags.parsing import is_paused

        return is_paused(pipeline)

    def wait_for_run(self, pipeline: str, run_id: str, timeout: float) -> EndedRun:
        """Return how a run ended, once it has."""
        from airloom.dags.runs import nodes_of_run, wait_for_run

        state = wait_for_run(pipeline, run_id, timeout)
        nodes = nodes_of_run(self.store, pipeline, run_id)
        report = {**asdict(state), "nodes": [node.to_json() for node in nodes]}
        return EndedRun(state.state, report, nodes)

    def newest_run(self, pipeline: str) -> str | None:
        """Return the id of the newest run, None where there is none."""
        load_airflow()
        from airloom.dags.runs import newest_run

        self.store.pipeline(pipeline)
        return newest_run(pipeline)

    def run_state(self, pipeline: str, run_id: str) -> str:
        """Return the state of a run."""
        load_airflow()
        from airloom.dags.runs import run_of

        self.store.pipeline(pipeline)
        return run_of(pipeline, run_id).state

    def plan_of(self, pipeline: str, run_id: str) -> dict[str, Any]:
        """Return the plan that a run follows."""
        from airloom.dags.runs import run_of

        return self.store.version_at(pipeline, run_of(pipeline, run_id).revision or 0).plan

    def attempts(self, pipeline: str, run_id: str) -> list[TaskAttempt]:
        """Return the attempts of a run's tasks."""
        from airloom.dags.logs import task_attempts

        return task_attempts(pipeline, run_id)

    def log_lines(self, pipeline: str, run_id: str, attempt: TaskAttempt) -> list[LogLine]:
        """Return the log of an attempt, as far as it is there."""
        from airloom.dags.logs import log_lines

        return log_lines(pipeline, run_id, attempt)

    def connections(self) -> list[ListedConnection]:
        """Return the Connections, without what is secret in them."""
        load_airflow()
        from airloom.dags import connections

        return connections.list_connections()

    def keep_connection(self, name: str, fields: Mapping[str, Any] | str, *, replace: bool) -> KeptConnection:
        """Keep a Connection in Airflow's database."""
        load_airflow()
        from airloom.dags.connections import save_connection

        return save_connection(name, fields, replace=replace)

    def probe(self, name: str, timeout: float) -> tuple[bool, str]:
        """Connect once; return whether it works, and what was answered."""
        load_airflow()
        from airloom.dags import connections

        with contextlib.redirect_stdout(sys.stderr):  # hooks log what they do
            return connections.probe(name, timeout)

    def keep_upload(self, file: BinaryIO, name: str) -> ListedUpload:
        """Keep a file, which is an administrator's alone."""
        from airloom.engine.uploads import Incoming
        from airloom.spec.configuration import configuration

        identifier, limit = secrets.token_hex(16), configuration().upload_limit
        with Incoming(_upload_folder(), identifier, name, limit) as incoming:
            for piece in iter(lambda: file.read(PIECE), b""):
                incoming.write(piece)
            incoming.keep()
        kept = self.store.uploads.add(
            identifier,
            name=name,
            media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
            size=incoming.bytes,
            sha256=incoming.sha256,
            owner_id="",
            owner=getpass.getuser(),
        )
        return _listed(kept)

    def uploads(self) -> list[ListedUpload]:
        """Return all uploads, the newest first."""
        found: list[StoredUpload] = []
        before: tuple[datetime, str] | None = None
        while page := self.store.uploads.page(owner_id=None, before=before, limit=PAGE):
            found += page
            before = (page[-1].created_at, page[-1].id)
        return [_listed(upload) for upload in found]

    def delete_upload(self, upload: str, *, force: bool) -> None:
        """Delete an upload."""
        from airloom.store.uploads import delete_upload

        delete_upload(self.store, _upload_folder(), upload, force=force)

    def templates(self) -> list[ListedTemplate]:
        """Return the templates: those of the package, then pipelines."""
        return [listed_template(one) for one in self.store.templates.all(None).values()]

    def template(self, identifier: str) -> Template:
        """Return a template."""
        return template(identifier, self.store.templates.all(None))


def _upload_folder() -> UploadFolder:
    from airloom.engine.upload_folder import UploadFolder
    from airloom.spec.configuration import configuration

    return UploadFolder(configuration().uploads_url)


def listed_template(one: Template) -> ListedTemplate:
    """Return what is shown of a template."""
    return ListedTemplate(one.id, one.name, one.category, one.description, one.owner)


def _listed(upload: StoredUpload) -> ListedUpload:
    return ListedUpload(**{field.name: getattr(upload, field.name) for field in fields(ListedUpload)})


def load_airflow() -> None:
    """Import Airflow so that its log leaves standard output to the command's answer."""
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
    from airloom.dags import platform

    with contextlib.redirect_stdout(sys.stderr):
        platform.load()


@contextlib.contextmanager
def open_store() -> Iterator[Store]:
    """Open the installation's store; raise ConfigurationError where none is configured."""
    from airloom.store.store import Store

    with contextlib.closing(Store(store_address())) as store:
        yield store


def store_address() -> str:
    """Return the URL of the installation's store; raise ConfigurationError where none is configured."""
    from airloom.spec.configuration import configuration

    url = configuration().database_url
    if url is None:
        raise ConfigurationError(
            "no store is configured",
            field="AIRLOOM_DATABASE_URL",
            hint="start an installation with airloom up, or set it to the URL of a PostgreSQL database",
        )
    return url.get_secret_value()


def _without_results(run: StoredRun) -> StoredRun:
    """Return a run without what its nodes have taken of another one."""
    kept = {name: value for name, value in (run.reuse or {}).items() if name in ("run_id", "nodes", "writes", "parts")}
    return replace(run, reuse=kept or None)
