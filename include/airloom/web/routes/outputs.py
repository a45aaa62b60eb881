"""Routes of what a run has left: the logs of its nodes, their outputs, and files to download."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse

from airloom.dags.logs import LogLine, TaskAttempt, log_lines, task_attempts
from airloom.engine.address import is_url
from airloom.engine.child import QueryTimeout
from airloom.engine.data_folder import DataFolder
from airloom.engine.filesystem import open_filesystem
from airloom.engine.reference import is_table
from airloom.engine.storage import Files
from airloom.engine.upload_folder import UploadFolder
from airloom.runtime.pages import read_page
from airloom.spec.configuration import configuration
from airloom.spec.error import AirloomError, ConfigurationError, DataError
from airloom.store.records import NotFound
from airloom.store.store import Store
from airloom.web import download
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.error import ApiError
from airloom.web.models import outputs as models
from airloom.web.paging import Cursor, Limit, read_cursor, write_cursor
from airloom.web.person import Person
from airloom.web.routes.runs import nodes_of, stored_run
from airloom.web.rule import PUBLIC, READS

router = APIRouter(tags=["outputs"])

NODE = "/pipelines/{pipeline}/runs/{run_id}/nodes/{node}"
LINES = "application/x-ndjson"
LOOK_EVERY = 1.0
"""Seconds between two looks at a log that is followed."""
LONGEST_LOG = 5000
PREVIEW = 65_536
"""Bytes of a text that are shown of it."""

Index = Annotated[str, Query(max_length=100, description="Which item of which loop, such as 3/0")]


@router.get(f"{NODE}/attempts", dependencies=[READS])
def list_attempts(
    pipeline: str, run_id: str, node: str, person: PersonOf, store: StoreOf, index: Index = ""
) -> list[models.Attempt]:
    """List the attempts of the task that a node runs in."""
    return [
        models.Attempt.model_validate(attempt) for attempt in _attempts(store, person, pipeline, run_id, node, index)
    ]


@router.get("/pipelines/{pipeline}/runs/{run_id}/attempts", dependencies=[READS])
def list_all_attempts(pipeline: str, run_id: str, person: PersonOf, store: StoreOf) -> list[models.Attempt]:
    """List the attempts of all tasks of a run, each task by its first start."""
    _may_read_logs(person, pipeline)
    stored_run(store, pipeline, run_id)
    return [models.Attempt.model_validate(attempt) for attempt in task_attempts(pipeline, run_id)]


@router.get(
    f"{NODE}/logs",
    dependencies=[READS],
    response_model=models.LogPage,
    responses={200: {"content": {LINES: {}, "text/plain": {}}, "description": "The log, as `Accept` asks for it"}},
)
def read_log(
    pipeline: str,
    run_id: str,
    node: str,
    person: PersonOf,
    store: StoreOf,
    request: Request,
    accept: Annotated[str, Header(description=f"application/json, text/plain, or {LINES} to follow it")] = "",
    attempt: Annotated[int | None, Query(ge=0, le=2**31, description="The last one, where none is named")] = None,
    index: Index = "",
    limit: Annotated[int, Query(ge=1, le=LONGEST_LOG, description="How many lines to return at most")] = 1000,
    cursor: Cursor = None,
) -> Any:
    """Read the log of an attempt: some lines, all as text, or as a stream of lines that goes on until it has ended."""
    attempts = _attempts(store, person, pipeline, run_id, node, index)
    position, shown = 0, attempt
    after = read_cursor(cursor, int, int)
    if after is not None:
        shown, position = after
    chosen = attempts[-1] if shown is None else next((one for one in attempts if one.number == shown), None)
    if chosen is None:
        raise NotFound(f"node {node!r} has no attempt {shown}", hint=f"it has {len(attempts)}")
    if accept.startswith("text/plain"):
        return PlainTextResponse("".join(f"{_plain(line)}\n" for line in log_lines(pipeline, run_id, chosen)))
    if accept.startswith(LINES):
        return StreamingResponse(_follow(request, pipeline, run_id, chosen, position), media_type=LINES)
    lines = log_lines(pipeline, run_id, chosen)
    page = lines[position : position + limit]
    # The state was read before the log: where it is final, so is the log.
    goes_on = position + len(page) < len(lines) or not _has_ended(chosen)
    return models.LogPage(
        attempt=chosen.number,
        lines=[models.LogLine.model_validate(line) for line in page],
        next_cursor=write_cursor([chosen.number, position + len(page)]) if goes_on else None,
    )


@router.get(f"{NODE}/rows", dependencies=[READS])
def read_rows(
    pipeline: str,
    run_id: str,
    node: str,
    store: StoreOf,
    port: Annotated[str | None, Query(max_length=250, description="The first table, where none is named")] = None,
    index: Index = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> models.NodeOutput:
    """Return what a port of a node gave: a page of a table's rows, or a value."""
    name, reference = _reference(store, pipeline, run_id, node, index, port)
    after = read_cursor(cursor, int)
    offset = after[0] if after else 0
    if not 0 <= offset < 2**62:
        raise ApiError(422, "the cursor is not one of this list")
    page = _page(reference, offset, limit + 1)
    rows = page.rows if page.rows is None else page.rows[:limit]
    more = page.rows is not None and len(page.rows) > limit
    return models.NodeOutput(
        port=name,
        kind=page.kind,
        columns=page.columns,
        rows=rows,
        total=page.total,
        value=page.value,
        next_cursor=write_cursor([offset + limit]) if more else None,
    )


@router.get("/pipelines/{pipeline}/runs/{run_id}/artifacts", dependencies=[READS])
def list_artifacts(pipeline: str, run_id: str, store: StoreOf, request: Request) -> list[models.Artifact]:
    """List the files and tables that a run has left, each with an address from which to download it."""
    artifacts = []
    for node in nodes_of(store, stored_run(store, pipeline, run_id)):
        for port, reference in node.outputs.items():
            place = _place(reference)
            if place is None:
                continue
            token = download.sign([pipeline, run_id, node.node, node.index_path, port])
            address = quote(request.url_for("fetch", token=token).path) if _is_one_file(place) else None
            artifacts.append(
                models.Artifact(
                    node=node.node,
                    index=node.index_path,
                    port=port,
                    kind=reference["kind"],
                    name=os.path.basename(place),
                    media_type=_media_type(reference, place),
                    bytes=_size(reference),
                    rows=reference.get("rows"),
                    download=address,
                )
            )
    return artifacts


@router.get(f"{NODE}/artifacts/{{port}}/preview", dependencies=[READS], response_class=PlainTextResponse)
def preview_artifact(pipeline: str, run_id: str, node: str, port: str, store: StoreOf, index: Index = "") -> Response:
    """Return the beginning of a file that is text; the rows of a table are at `rows`."""
    _, reference = _reference(store, pipeline, run_id, node, index, port)
    place = _confined(reference)
    media_type = _media_type(reference, place)
    if not media_type.startswith("text/") and media_type not in ("application/json", LINES):
        raise ApiError(415, f"a file of type {media_type} is not shown", details={"hint": "download it"})
    text = next(_pieces(place, PREVIEW), b"").decode("utf-8", "replace")
    # As plain text whatever it is: a page of HTML must not run as one of ours.
    return PlainTextResponse(text)


@router.get("/downloads/{token}", dependencies=[PUBLIC], response_class=StreamingResponse)
def fetch(token: str, store: StoreOf) -> Response:
    """Download a file by an address that was signed for it."""
    signed = download.read(token)
    if len(signed) == 1:
        place, name = _uploaded(store, signed[0])
    else:
        pipeline, run_id, node, index, port = signed
        _, reference = _reference(store, pipeline, run_id, node, index, port)
        place = _confined(reference)
        name = os.path.basename(place)
    media_type = "application/octet-stream"
    if not is_url(place):
        return FileResponse(place, filename=name, media_type=media_type)
    headers = {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}"}
    return StreamingResponse(_pieces(place), media_type=media_type, headers=headers)


def _attempts(store: Store, person: Person, pipeline: str, run_id: str, node: str, index: str) -> list[TaskAttempt]:
    """Return the attempts of a node's task, the earliest first; there is one at least."""
    _may_read_logs(person, pipeline)
    run = stored_run(store, pipeline, run_id)
    task = _planned(store, pipeline, run.version, node).get("step")
    mapped = index.partition("/")[0]
    attempts = task_attempts(pipeline, run_id)
    steps = store.version(pipeline, run.version).plan["steps"]
    parallel = next((step.get("parallel", 1) for step in steps if step["id"] == task), 1)
    if parallel > 1:
        task, mapped = _telling(str(task), parallel, mapped, attempts), ""
    of_node = [one for one in attempts if one.task == task and one.index == mapped]
    if not of_node:
        raise NotFound(f"Airflow keeps no attempt of node {node!r}", hint="has the run begun, or was it cleaned up?")
    return sorted(of_node, key=lambda one: one.number)


def _telling(task: str, parallel: int, item: str, attempts: list[TaskAttempt]) -> str:
    """Return which of the tasks of a loop tells of an item, or of the loop where none is named."""
    if item.isdecimal():
        return f"{task}--{int(item) % parallel + 1}"
    begun = [one for one in attempts if one.started_at is not None and one.state != "upstream_failed"]
    shares = [one for one in begun if one.task.startswith(f"{task}--")]
    failed = [one for one in shares if one.state == "failed"]
    if any(one.task == task for one in begun) or not shares:
        return task
    return (failed or shares)[0].task


def _may_read_logs(person: Person, pipeline: str) -> None:
    if not person.may_read_logs(pipeline):
        raise ApiError(403, f"you may not read the logs of the pipeline {pipeline!r}")


def _planned(store: Store, pipeline: str, version: int | None, node: str) -> Mapping[str, Any]:
    planned: Mapping[str, Any] | None = store.version(pipeline, version).plan["nodes"].get(node)
    if planned is None:
        raise NotFound(f"version {version} of pipeline {pipeline!r} has no node {node!r}")
    return planned


def _has_ended(attempt: TaskAttempt) -> bool:
    return attempt.state in ("success", "failed", "skipped", "upstream_failed", "removed", "up_for_retry")


async def _follow(
    request: Request, pipeline: str, run_id: str, attempt: TaskAttempt, position: int
) -> AsyncIterator[str]:
    """Give the lines of a log as they come; a thread is at work only while it looks."""
    sent = position
    while not request.app.state.tail.stopping.is_set():
        ended = _has_ended(attempt)
        lines = await run_in_threadpool(log_lines, pipeline, run_id, attempt)
        if lines[sent:]:
            yield "".join(f"{_json(line, number)}\n" for number, line in enumerate(lines[sent:], sent + 1))
        sent = max(sent, len(lines))
        if ended:
            return
        await asyncio.sleep(LOOK_EVERY)
        now = await run_in_threadpool(task_attempts, pipeline, run_id)
        same = [
            one for one in now if (one.task, one.index, one.number) == (attempt.task, attempt.index, attempt.number)
        ]
        if not same:
            return
        attempt = same[0]


def _json(line: LogLine, number: int) -> str:
    return json.dumps({"line": number, **models.LogLine.model_validate(line).model_dump(mode="json")})


def _plain(line: LogLine) -> str:
    at = f"{line.at.isoformat()} " if line.at else ""
    return f"{at}{line.level}: {line.text}"


def _reference(
    store: Store, pipeline: str, run_id: str, node: str, index: str, port: str | None
) -> tuple[str, dict[str, Any]]:
    """Return the port of a node that is named, or its first table, and its reference; say what is gone otherwise."""
    run = stored_run(store, pipeline, run_id)
    ended = next((one for one in nodes_of(store, run) if one.node == node and one.index_path == index), None)
    if ended is None:
        raise NotFound(f"run {run_id!r} has no node {node!r}" + (f" of index {index!r}" if index else ""))
    outputs = {name: reference for name, reference in ended.outputs.items() if isinstance(reference, dict)}
    if port is None:
        port = next((name for name, reference in outputs.items() if is_table(reference)), next(iter(outputs), None))
    if port is not None and port in outputs:
        return port, outputs[port]
    if ended.state not in ("success", "reused"):
        raise NotFound(f"node {node!r} has no output: it is {ended.state.replace('_', ' ')}")
    if outputs:
        raise NotFound(f"port {port!r} of node {node!r} gave nothing", hint=f"these did: {', '.join(outputs)}")
    step = _planned(store, pipeline, run.version, node).get("step")
    others = [one.node for one in nodes_of(store, run) if one.outputs and one.node != node]
    raise ApiError(
        410,
        f"what node {node!r} gave was not kept: it passed on inside of the step {step!r}",
        details={"hint": "its rows can be seen in a preview of the node", "kept": others},
    )


def _page(reference: dict[str, Any], offset: int, limit: int) -> Any:
    try:
        return read_page(reference, DataFolder(configuration().data_url), offset=offset, limit=limit)
    except QueryTimeout:
        raise
    except DataError as error:
        raise _gone(error) from None


def _gone(error: AirloomError) -> ApiError:
    return ApiError(410, error.message, details={"hint": error.hint} if error.hint else None)


def _place(reference: Any) -> str | None:
    """Return where the file of an output lies, None where it has none of its own."""
    if not isinstance(reference, dict):
        return None
    if "uri" in reference:
        return str(reference["uri"])
    value = reference.get("value")
    return str(value["uri"]) if reference.get("kind") in ("file", "model") and isinstance(value, dict) else None


def _size(reference: dict[str, Any]) -> int | None:
    value = reference.get("value")
    inner = value.get("bytes") if isinstance(value, dict) else None
    return reference.get("bytes") if "uri" in reference else inner


def _media_type(reference: dict[str, Any], place: str) -> str:
    value = reference.get("value")
    media_type = value.get("media_type") if isinstance(value, dict) else None
    if place.endswith(".parquet"):
        return "application/vnd.apache.parquet"
    return str(media_type or mimetypes.guess_type(place)[0] or "application/octet-stream")


def _is_one_file(place: str) -> bool:
    system, path = open_filesystem(place)
    return not system.isdir(path)


def _confined(reference: dict[str, Any]) -> str:
    """Return the place of an output's file, which has to be where outputs lie or where pipelines may read."""
    place = _place(reference)
    if place is None:
        raise NotFound("this output is not a file", hint="look at its rows, or its value")
    settings = configuration()
    try:
        if not DataFolder(settings.data_url).holds(place):
            place = Files.of(settings).resolve(place)
    except ConfigurationError as error:
        raise ApiError(403, error.message) from None
    system, path = open_filesystem(place)
    if not system.isfile(path):
        raise ApiError(410, f"the file {os.path.basename(place)} is gone, or is not one file")
    return place


def _uploaded(store: Store, identifier: str) -> tuple[str, str]:
    """Return where the file of an upload lies, and what it is called."""
    upload = store.uploads.get(identifier)
    file = UploadFolder(configuration().uploads_url).find(identifier)
    if upload is None or file is None:
        raise ApiError(410, f"the upload {identifier!r} is gone")
    return file.uri, upload.name


def _pieces(place: str, size: int = 1 << 20) -> Iterator[bytes]:
    system, path = open_filesystem(place)
    with system.open(path, "rb") as file:
        yield from iter(lambda: file.read(size), b"")
