"""An installation on another machine, as commands reach it: by its API, with the rights of a token."""

from __future__ import annotations

import contextlib
import itertools
import json
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from airloom.checks.check import check
from airloom.cli.reach import (
    TOKEN,
    URL,
    Compared,
    EndedRun,
    ListedPipeline,
    ListedTemplate,
    ListedUpload,
    PreviewedRun,
)
from airloom.dags.connections import ConnectionExists, KeptConnection, ListedConnection, read_new_connection
from airloom.dags.logs import LogLine, TaskAttempt
from airloom.dags.parsing import UNREAD_HINT
from airloom.dags.publishing import Published
from airloom.dags.reuse import refused_partial
from airloom.dags.runs import refused_params
from airloom.spec.difference import Change
from airloom.spec.error import ConfigurationError, SystemFault
from airloom.spec.problem import Problem
from airloom.spec.template import Template
from airloom.store.records import NotFound, StoredPipeline, StoredRun, StoredVersion, VersionEntry
from airloom.web.client import ApiRefused, Client
from airloom.web.models.runs import Reuse

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from airloom.dags.backfill import Backfill
    from airloom.plan.partial import Wish
    from airloom.web.models.answer import Answer
    from airloom.web.models.catalog import Catalog
    from airloom.web.models.pipelines import VersionSummary

    Record = TypeVar("Record", bound=DataclassInstance)


class Afar:
    """Reach an installation by its API."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._nodes: dict[tuple[str, str], dict[str, str]] = {}

    def pipelines(self, *, archived: bool) -> list[ListedPipeline]:
        """Return the published pipelines that one may read, or the archived ones, by id."""
        return [
            ListedPipeline(
                _record(StoredPipeline, found),
                found.schedule,
                None if found.last_run is None else _record(StoredRun, found.last_run),
            )
            for found in self.client.pipelines(archived=archived, details=True)
            if found.version
        ]

    def pipeline(self, pipeline: str) -> StoredPipeline:
        """Return a pipeline."""
        return _record(StoredPipeline, self.client.pipeline(pipeline))

    def version(self, pipeline: str, number: int | None = None) -> StoredVersion:
        """Return a version, the current one where no number is given."""
        if number is None:
            number = self.client.pipeline(pipeline).version
        if number == 0:
            raise NotFound(f"pipeline {pipeline!r} was never published", hint="publish its draft")
        return _record(StoredVersion, self.client.version(pipeline, number, plan=True))

    def versions(self, pipeline: str) -> list[VersionEntry]:
        """Return the versions of a pipeline, the newest first."""
        return [_record(VersionEntry, found) for found in self.client.versions(pipeline)]

    def compare(self, pipeline: str, before: int, after: int | None) -> Compared:
        """Return how two versions differ."""
        if after is None:
            after = self.client.pipeline(pipeline).version
        found = self.client.difference(pipeline, before, after)
        return Compared(before, after, [_record(Change, change) for change in found.changes], found.plan or [])

    def publish(self, document: object, *, author: str | None, message: str) -> Published:
        """Publish a document under its id."""
        _refuse_author(author)
        if not isinstance(document, Mapping):
            return Published(None, check(document).problems)
        try:
            done = self.client.import_document(document, replace_if_exists=True, message=message)
        except ApiRefused as refused:
            return Published(None, _problems_of(refused))
        found = self.client.version(done.pipeline, done.version or 0)
        return Published(_without_document(found), [Problem.from_json(problem) for problem in done.problems])

    def wait_for_version(self, pipeline: str, number: int) -> None:
        """Return once Airflow would run a version."""
        try:
            self.client.wait_for_version(pipeline, number)
        except TimeoutError as error:
            raise SystemFault(str(error), hint=UNREAD_HINT) from None

    def rollback(self, pipeline: str, number: int, *, author: str | None) -> Published:
        """Publish an earlier version again."""
        _refuse_author(author)
        try:
            return Published(_without_document(self.client.rollback(pipeline, number)), [])
        except ApiRefused as refused:
            return Published(None, _problems_of(refused))

    def archive(self, pipeline: str, *, author: str | None, force: bool) -> list[str]:
        """Archive a pipeline; return its active runs."""
        _refuse_author(author)
        done = self.client.archive(pipeline, force=force)
        return [*done.ending_runs, *done.stopped_runs]

    def set_paused(self, pipelines: list[str], paused: bool) -> None:
        """Pause pipelines, or let them run again."""
        for pipeline in pipelines:
            (self.client.pause if paused else self.client.unpause)(pipeline)

    def runs(self, pipeline: str | None, state: str | None, limit: int) -> list[StoredRun]:
        """Return runs, the newest first."""
        if pipeline is not None:
            self.client.pipeline(pipeline)
        found = self.client.runs(pipeline=pipeline, state=state, details=True)
        return [_record(StoredRun, run) for run in itertools.islice(found, limit)]

    def start_run(
        self, pipeline: str, params: Mapping[str, Any], logical_date: datetime | None, wish: Wish | None = None
    ) -> str:
        """Start a run, of a part of the pipeline where there is a wish; return its id."""
        if wish is None:
            with _params_refused():
                return self.client.start_run(pipeline, params, logical_date=logical_date).run_id
        try:
            return self.client.start_run(pipeline, params, logical_date=logical_date, wish=wish).run_id
        except ApiRefused as refused:
            raise refused_partial(_problems_of(refused)) from None

    def preview_run(self, pipeline: str, params: Mapping[str, Any], wish: Wish) -> PreviewedRun:
        """Say what a run of a part would do."""
        answer = self.client.preview_run(pipeline, params, wish)
        problems = [Problem.from_json(problem) for problem in answer.problems]
        return PreviewedRun({node.node: node.part for node in answer.nodes}, problems)

    def backfill(self, pipeline: str, wanted: Backfill, *, dry_run: bool) -> list[datetime]:
        """Start the runs of a pipeline's schedule in a range; return their times."""
        with _params_refused():
            return self.client.backfill(pipeline, **vars(wanted), dry_run=dry_run).times

    def is_paused(self, pipeline: str) -> bool:
        """Tell whether Airflow starts no runs of a pipeline."""
        return bool(self.client.pipeline(pipeline).paused)

    def wait_for_run(self, pipeline: str, run_id: str, timeout: float) -> EndedRun:
        """Return how a run ended, once it has."""
        run = self.client.wait_for_run(pipeline, run_id, timeout=timeout)
        return EndedRun(run.state, run.model_dump(mode="json"), run.nodes)

    def newest_run(self, pipeline: str) -> str | None:
        """Return the id of the newest run, None where there is none."""
        run = next(iter(self.runs(pipeline, None, 1)), None)
        return None if run is None else run.run_id

    def run_state(self, pipeline: str, run_id: str) -> str:
        """Return the state of a run."""
        return self.client.run(pipeline, run_id).state

    def plan_of(self, pipeline: str, run_id: str) -> dict[str, Any]:
        """Return the plan that a run follows."""
        run = self.client.run(pipeline, run_id)
        plan = self.version(pipeline, run.version).plan
        self._nodes[pipeline, run_id] = {step["id"]: step["nodes"][0] for step in plan["steps"]}
        return plan

    def attempts(self, pipeline: str, run_id: str) -> list[TaskAttempt]:
        """Return the attempts of a run's tasks."""
        return [_record(TaskAttempt, found) for found in self.client.attempts(pipeline, run_id)]

    def log_lines(self, pipeline: str, run_id: str, attempt: TaskAttempt) -> list[LogLine]:
        """Return the log of an attempt, as far as it is there; that of a gate, which no node has, is empty."""
        if (pipeline, run_id) not in self._nodes:
            self.plan_of(pipeline, run_id)
        node = self._nodes[pipeline, run_id].get(attempt.task)
        if node is None:
            return []
        lines = self.client.log(pipeline, run_id, node, attempt=attempt.number, index=attempt.index)
        return [_record(LogLine, line) for line in lines]

    def connections(self) -> list[ListedConnection]:
        """Return the Connections that one may use, without what is secret in them."""
        return [
            ListedConnection(**one.model_dump(exclude={"database"}), schema=one.database)
            for one in self.client.connections()
        ]

    def keep_connection(self, name: str, fields: Mapping[str, Any] | str, *, replace: bool) -> KeptConnection:
        """Keep a Connection in Airflow's database."""
        made = read_new_connection(name, fields)
        known = {
            field: getattr(made, field)
            for field in ("description", "host", "port", "login", "password")
            if getattr(made, field) is not None
        }
        more = {"database": made.schema, "extra": _extra_of(name, made.extra)}
        known |= {field: value for field, value in more.items() if value}
        try:
            kept = self.client.make_connection(name, made.conn_type, replace_if_exists=replace, **known)
        except ApiRefused as refused:
            if refused.kind == "ALREADY_EXISTS":
                raise ConnectionExists(name) from None
            raise
        return _record(KeptConnection, kept)

    def probe(self, name: str, timeout: float) -> tuple[bool, str]:
        """Let a worker connect once; return whether it works, and what was answered."""
        tried = self.client.try_connection(name, timeout=timeout)
        return tried.works, tried.message

    def keep_upload(self, file: BinaryIO, name: str) -> ListedUpload:
        """Send a file, which is the token's owner's."""
        kind = mimetypes.guess_type(name)[0]
        return _record(ListedUpload, self.client.upload(file, name, media_type=kind))

    def uploads(self) -> list[ListedUpload]:
        """Return the uploads that one may read, the newest first."""
        return [_record(ListedUpload, upload) for upload in self.client.uploads()]

    def delete_upload(self, upload: str, *, force: bool) -> None:
        """Delete an upload."""
        self.client.delete_upload(upload, force=force)

    def templates(self) -> list[ListedTemplate]:
        """Return the templates: those of the installation's package, then pipelines that one may read."""
        return [_record(ListedTemplate, one) for one in self.client.templates()]

    def template(self, identifier: str) -> Template:
        """Return a template."""
        return _record(Template, self.client.template(identifier))

    def check(self, document: Any) -> list[Problem]:
        """Return what is wrong with a document."""
        if not isinstance(document, Mapping):
            return check(document).problems
        return [Problem.from_json(problem) for problem in self.client.check(document).problems]

    def node_types(self) -> Catalog:
        """Return all node types, by category."""
        return self.client.node_types()

    def node_type(self, name: str) -> dict[str, Any]:
        """Return what a node type declares of itself, and its documentation."""
        return self.client.node_type(name).model_dump(by_alias=True, exclude={"switched_off"})


def _record(kind: type[Record], answer: Answer) -> Record:
    """Return the record of the store that an answer tells of."""
    values = {field.name: getattr(answer, field.name) for field in fields(kind)}
    return kind(**{name: value.model_dump() if isinstance(value, Reuse) else value for name, value in values.items()})


def _without_document(found: VersionSummary) -> StoredVersion:
    return StoredVersion(**found.model_dump(include=set(VersionEntry.__annotations__)), document={}, plan={})


def _problems_of(refused: ApiRefused) -> list[Problem]:
    """Return the problems for which a document was refused; raise the refusal where it has another reason."""
    details = refused.details
    if refused.status != 422 or not isinstance(details, list) or not details or "severity" not in details[0]:
        raise refused
    return [Problem.from_json(problem) for problem in details]


def _extra_of(name: str, text: str | None) -> dict[str, Any]:
    """Return the further fields of a Connection."""
    # Not by Airflow's own property, which warns on standard output of secrets that are too short to be masked.
    try:
        extra = json.loads(text or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ConfigurationError(f"the extra of the Connection {name!r} is not a JSON object", field="extra")
    return extra


@contextlib.contextmanager
def _params_refused() -> Iterator[None]:
    """Say of params that were refused what the installation's machine says."""
    try:
        yield
    except ApiRefused as refused:
        problems = [replace(one, pointer=one.pointer.removeprefix("/params")) for one in _problems_of(refused)]
        raise refused_params(problems) from None


def _refuse_author(author: str | None) -> None:
    if author is not None:
        raise ConfigurationError(
            "--author works on the machine of the installation alone", hint=f"{TOKEN} says for {URL} who does it"
        )
