"""A client of the API, for Python programs: typed, over httpx.

```python
with Client("https://airflow.example.com", token="airloom_…") as client:
    run = client.start_run("daily_sales", {"region": "EU"})
    print(client.wait_for_run("daily_sales", run.run_id).state)
```
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

from airloom.dags.backfill import Repeat
from airloom.dags.parsing import unread_text
from airloom.plan.partial import Wish
from airloom.store.records import Level, SubjectKind
from airloom.web.http import LARGEST_PAGE, ApiRefused, Http
from airloom.web.models.access import Collaborator, GrantedUse, Me, NewToken, Token
from airloom.web.models.catalog import Catalog, NodeTypeDetail
from airloom.web.models.connections import ConnectionMade, ConnectionSummary, ConnectionTried, ConnectionType
from airloom.web.models.events import Event
from airloom.web.models.insights import ColumnsOfDocument, Impact, Preview, SqlOfPort
from airloom.web.models.operations import CleanedUp, Examination, Figures
from airloom.web.models.outputs import Artifact, Attempt, LogLine, LogPage, NodeOutput
from airloom.web.models.pipelines import (
    Archived,
    BrokenFile,
    Difference,
    Done,
    Draft,
    Imported,
    PipelineDetail,
    PipelineSummary,
    Problems,
    Readiness,
    VersionDetail,
    VersionSummary,
)
from airloom.web.models.runs import BackfillStarted, RunDeletion, RunDetail, RunPreview, RunSummary
from airloom.web.models.templates import TemplateDetail, TemplateSummary
from airloom.web.models.uploads import Upload, UploadDetail, UploadPreview

__all__ = ["ApiRefused", "Client"]

ENDED = ("success", "failed")
PIECE = 1 << 20
"""Bytes of a file that are sent at once."""
BACKFILL_WITHIN = 600
"""Seconds that making the runs of a backfill may take."""
RECONNECT_AFTER = 0.5
"""Seconds until a stream that has broken is asked for again."""


class Client(Http):
    """Ask the Airloom at `url`, Airflow's own address, by a service token or a Bearer token of Airflow's.

    Methods return the models of the API's documentation. They raise ApiRefused where the API answers with an error,
    and ConnectionError where nobody answers. A client is used by one thread at a time.
    """

    def me(self) -> Me:
        """Return who the token acts for, and what it may."""
        return self._get(Me, "/me")

    def node_type(self, name: str) -> NodeTypeDetail:
        """Return a node type with the schema of its config."""
        return self._get(NodeTypeDetail, f"/catalog/types/{_part(name)}")

    def node_types(self) -> Catalog:
        """Return all node types, by category."""
        return self._get(Catalog, "/catalog")

    def switch_type(self, name: str, *, on: bool) -> None:
        """Switch a node type off or on for new versions."""
        self._answer("POST", f"/catalog/types/{_part(name)}/{'enable' if on else 'disable'}")

    def pipelines(
        self, *, search: str | None = None, tag: str | None = None, archived: bool = False, details: bool = False
    ) -> Iterator[PipelineSummary]:
        """Yield the pipelines that one may read, by id; pages are fetched as they are needed."""
        return self._pages(PipelineSummary, "/pipelines", search=search, tag=tag, archived=archived, details=details)

    def pipeline(self, pipeline: str) -> PipelineDetail:
        """Return a pipeline with the document of its current version."""
        return self._get(PipelineDetail, _pipeline(pipeline))

    def broken_files(self) -> Iterator[BrokenFile]:
        """Yield the files of the drop folder that cannot be published, by path, each with its problems."""
        return self._pages(BrokenFile, "/problems")

    def make_pipeline(
        self,
        pipeline: str,
        *,
        name: str = "",
        document: Mapping[str, Any] | None = None,
        template: str | None = None,
    ) -> PipelineDetail:
        """Make a pipeline of which nothing is published yet; the document, or the template, is its first draft."""
        body = {"id": pipeline, "name": name, "document": document, "template": template}
        return self._post(PipelineDetail, "/pipelines", body)

    def templates(self) -> list[TemplateSummary]:
        """Return the templates that a pipeline can begin from."""
        return self._list(TemplateSummary, "/templates")

    def template(self, identifier: str) -> TemplateDetail:
        """Return a template with its document."""
        return self._get(TemplateDetail, f"/templates/{_part(identifier)}")

    def check(self, document: Mapping[str, Any]) -> Problems:
        """Return what is wrong with a document."""
        return self._post(Problems, "/pipelines/check", document)

    def draft(self, pipeline: str) -> Draft:
        """Return the draft of a pipeline."""
        return self._get(Draft, _pipeline(pipeline) + "/draft")

    def save_draft(self, pipeline: str, document: Mapping[str, Any], *, etag: str | None) -> Draft:
        """Save a draft; `etag` is that of the draft it was made from, None for a first one.

        Raises ApiRefused with status 412 where somebody else saved in between: their draft is in `details`.
        """
        shown = {"If-None-Match": "*"} if etag is None else {"If-Match": f'"{etag}"'}
        return self._send(Draft, "PUT", _pipeline(pipeline) + "/draft", json=document, headers=shown)

    def publish(
        self,
        pipeline: str,
        *,
        message: str = "",
        document: Mapping[str, Any] | None = None,
        etag: str | None = None,
        base_version: int | None = None,
    ) -> VersionSummary:
        """Publish the draft of a pipeline, or the document that is handed over."""
        body = {"message": message, "document": document, "etag": etag, "base_version": base_version}
        return self._post(VersionSummary, _pipeline(pipeline) + "/publish", body)

    def import_document(
        self,
        document: Mapping[str, Any],
        *,
        replace_if_exists: bool = False,
        dry_run: bool = False,
        message: str = "imported",
    ) -> Imported:
        """Publish a document under its own id."""
        query = {"replace_if_exists": replace_if_exists, "dry_run": dry_run, "message": message}
        return self._send(Imported, "POST", "/pipelines/import", json=document, params=query)

    def export(self, pipeline: str, *, version: int | None = None, form: Literal["json", "yaml"] = "json") -> str:
        """Return the document of a pipeline as text."""
        query = {"format": form, **({} if version is None else {"version": version})}
        return self._answer("GET", _pipeline(pipeline) + "/export", params=query).text

    def archive(self, pipeline: str, *, force: bool = False) -> Archived:
        """Take a pipeline out of Airflow."""
        return self._send(Archived, "POST", _pipeline(pipeline) + "/archive", params={"force": force})

    def restore(self, pipeline: str) -> PipelineSummary:
        """Put an archived pipeline back."""
        return self._send(PipelineSummary, "POST", _pipeline(pipeline) + "/restore")

    def pause(self, pipeline: str) -> None:
        """Let Airflow start no run of a pipeline."""
        self._answer("POST", _pipeline(pipeline) + "/pause")

    def unpause(self, pipeline: str) -> None:
        """Let Airflow start runs of a pipeline again."""
        self._answer("POST", _pipeline(pipeline) + "/unpause")

    def batch(self, action: str, pipelines: Sequence[str], *, tag: str | None = None) -> list[Done]:
        """Pause, unpause, archive, restore, tag or untag several pipelines; return what became of each."""
        body = {"action": action, "pipelines": list(pipelines), "tag": tag}
        return [Done.model_validate(one) for one in self._answer("POST", "/pipelines/batch", json=body).json()]

    def columns(self, document: Mapping[str, Any]) -> ColumnsOfDocument:
        """Return the columns at every port of a document."""
        return self._post(ColumnsOfDocument, "/pipelines/columns", document)

    def preview(self, pipeline: str, node: str, **options: Any) -> Preview:
        """Run a node of the draft and what leads to it; `options` are the other fields of NodeToPreview."""
        return self._post(Preview, _pipeline(pipeline) + "/preview", {"node": node, **options})

    def sql(self, pipeline: str, *, of: int | str = "current") -> list[SqlOfPort]:
        """Return the SQL of the table nodes of a version, by its number, `current` or `draft`."""
        return self._list(SqlOfPort, _pipeline(pipeline) + "/sql", of=of)

    def impact(self, pipeline: str) -> Impact:
        """Return which pipelines read what this one writes."""
        return self._get(Impact, _pipeline(pipeline) + "/impact")

    def collaborators(self, pipeline: str) -> list[Collaborator]:
        """Return who was granted what at a pipeline."""
        return self._list(Collaborator, _pipeline(pipeline) + "/collaborators")

    def share(self, pipeline: str, subject_kind: SubjectKind, subject: str, level: Level) -> Collaborator:
        """Let a user or a role read, edit or publish a pipeline; only a person's own Bearer token may."""
        path = f"{_pipeline(pipeline)}/collaborators/{subject_kind}/{_part(subject)}"
        return self._send(Collaborator, "PUT", path, json={"level": level})

    def unshare(self, pipeline: str, subject_kind: SubjectKind, subject: str) -> None:
        """Take a grant at a pipeline away; only a person's own Bearer token may."""
        self._answer("DELETE", f"{_pipeline(pipeline)}/collaborators/{subject_kind}/{_part(subject)}")

    def versions(self, pipeline: str) -> Iterator[VersionSummary]:
        """Yield the versions of a pipeline, the newest first."""
        return self._pages(VersionSummary, _pipeline(pipeline) + "/versions")

    def version(self, pipeline: str, number: int, *, plan: bool = False) -> VersionDetail:
        """Return a version with its document, and its plan where it is asked for."""
        return self._get(VersionDetail, f"{_pipeline(pipeline)}/versions/{number}", plan=plan)

    def readiness(self, pipeline: str, number: int) -> Readiness:
        """Return whether Airflow would run a version now, or a later one."""
        return self._get(Readiness, f"{_pipeline(pipeline)}/versions/{number}/readiness")

    def wait_for_version(self, pipeline: str, number: int, *, timeout: float = 60, every: float = 0.5) -> None:
        """Return once Airflow would run a version, or a later one; raise TimeoutError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while not (readiness := self.readiness(pipeline, number)).ready:
            if time.monotonic() > end:
                raise TimeoutError(unread_text(pipeline, number, timeout, readiness.error))
            time.sleep(every)

    def difference(self, pipeline: str, before: int | str, after: int | str = "current") -> Difference:
        """Return how two versions differ; a side is a number, `current` or `draft`."""
        return self._get(Difference, _pipeline(pipeline) + "/diff", **{"from": before, "to": after})

    def rollback(self, pipeline: str, version: int) -> VersionSummary:
        """Publish an earlier version again, as a new one."""
        return self._post(VersionSummary, _pipeline(pipeline) + "/rollback", {"version": version})

    def runs(
        self, *, pipeline: str | None = None, state: str | None = None, details: bool = False
    ) -> Iterator[RunSummary]:
        """Yield the runs that one may read, the newest first; pages are fetched as they are needed."""
        return self._pages(RunSummary, "/runs", pipeline=pipeline, state=state, details=details)

    def run(self, pipeline: str, run_id: str) -> RunDetail:
        """Return a run with its nodes."""
        return self._get(RunDetail, _run(pipeline, run_id))

    def start_run(
        self,
        pipeline: str,
        params: Mapping[str, Any] | None = None,
        *,
        logical_date: datetime | None = None,
        key: str | None = None,
        wish: Wish | None = None,
    ) -> RunSummary:
        """Start a run of the current version of a pipeline; a second request with the same `key` starts none.

        `wish` is for a run of a part of it.
        """
        body = {"params": dict(params or {}), "logical_date": logical_date and logical_date.isoformat()}
        body |= {} if wish is None else _wish(wish)
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._send(RunSummary, "POST", _pipeline(pipeline) + "/runs", json=body, headers=headers)

    def preview_run(self, pipeline: str, params: Mapping[str, Any], wish: Wish) -> RunPreview:
        """Say what a run of a part of a pipeline would do, and what is in its way."""
        return self._post(RunPreview, _pipeline(pipeline) + "/runs/preview", {"params": dict(params), **_wish(wish)})

    def rerun(self, pipeline: str, run_id: str, params: Mapping[str, Any] | None = None) -> RunSummary:
        """Start another run of the current version with the params of this one, and these in place of them."""
        return self._post(RunSummary, _run(pipeline, run_id) + "/rerun", {"params": dict(params or {})})

    def retry_run(self, pipeline: str, run_id: str, first: str | None = None) -> RunSummary:
        """Let a run go on: what failed runs again, or the node `first`, and all behind it."""
        return self._post(RunSummary, _run(pipeline, run_id) + "/retry", {"from": first})

    def backfill(
        self,
        pipeline: str,
        since: datetime,
        until: datetime,
        params: Mapping[str, Any] | None = None,
        *,
        repeat: Repeat = "none",
        at_once: int | None = None,
        dry_run: bool = False,
    ) -> BackfillStarted:
        """Start the runs of a pipeline's schedule from `since` to `until`, both included."""
        body = {"since": since.isoformat(), "until": until.isoformat(), "params": dict(params or {})}
        more = {"repeat": repeat, "at_once": at_once, "dry_run": dry_run}
        # Airflow makes all runs at once.
        return self._send(
            BackfillStarted, "POST", _pipeline(pipeline) + "/backfill", json=body | more, timeout=BACKFILL_WITHIN
        )

    def wait_for_run(self, pipeline: str, run_id: str, *, timeout: float = 3600, every: float = 1) -> RunDetail:
        """Return a run once it has ended; raise TimeoutError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while (run := self.run(pipeline, run_id)).state not in ENDED:
            if time.monotonic() > end:
                raise TimeoutError(f"run {run_id!r} of pipeline {pipeline!r} has not ended within {timeout:g} s")
            time.sleep(every)
        return run

    def cancel_run(self, pipeline: str, run_id: str) -> RunSummary:
        """Stop a run; its running tasks are ended."""
        return self._send(RunSummary, "POST", _run(pipeline, run_id) + "/cancel")

    def delete_run(self, pipeline: str, run_id: str) -> None:
        """Delete a run that has ended, with its data."""
        self._answer("DELETE", _run(pipeline, run_id))

    def delete_runs(self, pipeline: str, run_ids: Sequence[str]) -> list[RunDeletion]:
        """Delete those of these runs that have ended; the answer says of each what became of it."""
        answer = self._answer("POST", _pipeline(pipeline) + "/runs/delete", json={"run_ids": list(run_ids)})
        return [RunDeletion.model_validate(one) for one in answer.json()]

    def attempts(self, pipeline: str, run_id: str, node: str | None = None, *, index: str = "") -> list[Attempt]:
        """Return the attempts of the task that a node runs in, or of all tasks of a run."""
        if node is None:
            return self._list(Attempt, _run(pipeline, run_id) + "/attempts")
        return self._list(Attempt, _node(pipeline, run_id, node) + "/attempts", index=index)

    def log(
        self,
        pipeline: str,
        run_id: str,
        node: str,
        *,
        attempt: int | None = None,
        index: str = "",
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """Yield the lines of the log of an attempt, the last where none is named; followed until it has ended."""
        path, query = _node(pipeline, run_id, node) + "/logs", {"attempt": attempt, "index": index}
        if follow:
            for line in self._lines(path, "application/x-ndjson", {}, **query):
                yield LogLine.model_validate_json(line)
            return
        cursor: str | None = None
        while True:
            page = self._get(LogPage, path, **query, cursor=cursor)
            yield from page.lines
            cursor = page.next_cursor
            if cursor is None or not page.lines:
                return

    def output(
        self,
        pipeline: str,
        run_id: str,
        node: str,
        *,
        port: str | None = None,
        index: str = "",
        limit: int = 100,
        cursor: str | None = None,
    ) -> NodeOutput:
        """Return what a port of a node gave: a page of a table's rows, or a value."""
        path = _node(pipeline, run_id, node) + "/rows"
        return self._get(NodeOutput, path, port=port, index=index, limit=limit, cursor=cursor)

    def rows(
        self, pipeline: str, run_id: str, node: str, *, port: str | None = None, index: str = ""
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table that a node gave; pages are fetched as they are needed."""
        cursor: str | None = None
        while True:
            page = self.output(pipeline, run_id, node, port=port, index=index, limit=LARGEST_PAGE, cursor=cursor)
            yield from page.rows or ()
            cursor = page.next_cursor
            if cursor is None:
                return

    def artifacts(self, pipeline: str, run_id: str) -> list[Artifact]:
        """Return the files and tables that a run has left."""
        return self._list(Artifact, _run(pipeline, run_id) + "/artifacts")

    def events(
        self,
        *,
        topic: Literal["pipelines", "runs"] | None = None,
        pipeline: str | None = None,
        run_id: str | None = None,
        after: int | None = None,
        reconnect: float | None = 60,
    ) -> Iterator[Event]:
        """Yield what happens, from now on or after an event, each once and in order.

        Where the connection breaks it is made again and nothing is missed; ConnectionError is raised where that has
        not worked for `reconnect` seconds. An event of kind `reset` says that some are not kept any more.
        """
        last, query = after, {"topic": topic, "pipeline": pipeline, "run_id": run_id}
        broken_since: float | None = None
        while True:
            headers = {} if last is None else {"Last-Event-ID": str(last)}
            try:
                for number, event in read_events(self._lines("/events", "text/event-stream", headers, **query)):
                    last, broken_since = number, None
                    if event is not None:
                        yield event
            except ConnectionError:
                broken_since = broken_since or time.monotonic()
                if reconnect is not None and time.monotonic() - broken_since > reconnect:
                    raise
            time.sleep(RECONNECT_AFTER)

    def connections(self) -> list[ConnectionSummary]:
        """Return the Connections that one may use, without what is secret in them."""
        return self._list(ConnectionSummary, "/connections")

    def connection_types(self) -> list[ConnectionType]:
        """Return the types of Connection that can be made, with their fields."""
        return self._list(ConnectionType, "/connections/types")

    def make_connection(
        self, name: str, kind: str, *, replace_if_exists: bool = False, **fields: Any
    ) -> ConnectionMade:
        """Keep a Connection; `fields` are those of ConnectionToMake."""
        body, query = {"name": name, "type": kind, **fields}, {"replace_if_exists": replace_if_exists}
        return self._send(ConnectionMade, "POST", "/connections", json=body, params=query)

    def edit_connection(self, name: str, **fields: Any) -> None:
        """Change some fields of a Connection; the others stay."""
        self._answer("PATCH", f"/connections/{_part(name)}", json=fields)

    def delete_connection(self, name: str) -> None:
        """Remove a Connection."""
        self._answer("DELETE", f"/connections/{_part(name)}")

    def try_connection(self, name: str, *, timeout: float = 20) -> ConnectionTried:
        """Let a worker connect once, as a node would."""
        return self._post(ConnectionTried, f"/connections/{_part(name)}/test", {"timeout": timeout})

    def grant_connection(self, name: str, subject_kind: SubjectKind, subject: str) -> GrantedUse:
        """Let a user or a role use a Connection; only a person's own Bearer token may."""
        return self._send(GrantedUse, "PUT", f"/grants/connections/{_part(name)}/{subject_kind}/{_part(subject)}")

    def revoke_connection(self, name: str, subject_kind: SubjectKind, subject: str) -> None:
        """Take the use of a Connection away; only a person's own Bearer token may."""
        self._answer("DELETE", f"/grants/connections/{_part(name)}/{subject_kind}/{_part(subject)}")

    def upload(self, file: BinaryIO, name: str, *, media_type: str | None = None) -> Upload:
        """Send a file, piece by piece; a node reads it by the path `upload:` and its id."""
        headers = {"Content-Type": media_type or "application/octet-stream"}
        pieces = iter(lambda: file.read(PIECE), b"")
        return self._send(Upload, "POST", "/uploads", content=pieces, params={"name": name}, headers=headers)

    def uploads(self) -> Iterator[Upload]:
        """Yield one's uploads, the newest first; pages are fetched as they are needed."""
        return self._pages(Upload, "/uploads")

    def uploaded(self, identifier: str) -> UploadDetail:
        """Return an upload, with what uses it."""
        return self._get(UploadDetail, f"/uploads/{_part(identifier)}")

    def preview_upload(self, identifier: str, *, limit: int = 20) -> UploadPreview:
        """Return the first rows of an upload."""
        return self._get(UploadPreview, f"/uploads/{_part(identifier)}/preview", limit=limit)

    def delete_upload(self, identifier: str, *, force: bool = False) -> None:
        """Delete an upload; with `force` though pipelines use it."""
        self._answer("DELETE", f"/uploads/{_part(identifier)}", params={"force": force})

    def figures(self, *, days: int = 14, pipeline: str | None = None) -> Figures:
        """Return how runs did, day by day."""
        return self._get(Figures, "/figures", days=days, pipeline=pipeline)

    def examination(self) -> Examination:
        """Return what a worker finds right and wrong with the installation; it takes some seconds."""
        return self._get(Examination, "/operations/doctor")

    def clean_up(self, *, days: float | None = None) -> CleanedUp:
        """Let a worker remove tables between steps of that age; again where `complete` is False."""
        return self._post(CleanedUp, "/operations/clean-up", {"days": days})

    def make_token(self, name: str, scopes: list[str], **bounds: Any) -> NewToken:
        """Make a service token; only a person's own Bearer token may."""
        return self._post(NewToken, "/tokens", {"name": name, "scopes": scopes, **bounds})

    def tokens(self) -> list[Token]:
        """Return one's service tokens, without their secrets."""
        return self._list(Token, "/tokens")

    def revoke_token(self, identifier: str) -> Token:
        """End a service token."""
        return self._send(Token, "DELETE", f"/tokens/{_part(identifier)}")


def read_events(lines: Iterable[str]) -> Iterator[tuple[int, Event | None]]:
    """Yield the place in the stream after each block of Server-Sent Events, with the event where it is one."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "id" in fields:
            number = int(fields["id"])
            event = None
            if fields.get("event") == "reset":
                event = Event(id=number, topic="", kind="reset", pipeline="", run_id=None, at=None, payload={})
            elif "data" in fields:
                event = Event(id=number, **json.loads(fields["data"]))
            yield number, event
        fields = {}


def _part(text: str) -> str:
    return quote(text, safe="")


def _pipeline(pipeline: str) -> str:
    return f"/pipelines/{_part(pipeline)}"


def _wish(wish: Wish) -> dict[str, Any]:
    return {"nodes": wish.nodes or None, "reuse": wish.reuse, "writes": wish.writes}


def _run(pipeline: str, run_id: str) -> str:
    return f"{_pipeline(pipeline)}/runs/{_part(run_id)}"


def _node(pipeline: str, run_id: str, node: str) -> str:
    return f"{_run(pipeline, run_id)}/nodes/{_part(node)}"
