"""Routes of runs."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime

from airloom.dags import parsing
from airloom.dags.backfill import Backfill, begin_backfill, check_range, require_schedule
from airloom.dags.interventions import cancel_run, delete_run, retry_from, retry_run
from airloom.dags.node_states import NodeState
from airloom.dags.reuse import begin_partial, plan_partial
from airloom.dags.runs import begin_run, live_version, nodes_of_run, params_problems
from airloom.plan.partial import Wish
from airloom.plan.plan import Plan
from airloom.spec.problem import Problem, suggestion
from airloom.store.records import ConflictError, NodeRun, NotFound, StoredRun, StoredVersion
from airloom.store.runs import UNFINISHED
from airloom.store.store import Store
from airloom.web import audit
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.correlation import correlation_id
from airloom.web.error import ApiError, refused
from airloom.web.models.runs import (
    BackfillStart,
    BackfillStarted,
    NodePart,
    NodeReport,
    OutputSummary,
    RunAgain,
    RunDeletion,
    RunDetail,
    RunPart,
    RunPreview,
    RunProgress,
    RunRetry,
    RunSelection,
    RunStart,
    RunSummary,
    TimelineEntry,
)
from airloom.web.paging import Cursor, Limit, Page, page_of, read_cursor
from airloom.web.person import Person
from airloom.web.rule import EDITS, READER, READS, RUNS

router = APIRouter(tags=["runs"])

SLIM: dict[str, None] = dict.fromkeys(("params", "event", "values", "reuse"))
"""What a list leaves out."""
READ_WITHIN = 30.0
"""Seconds that a start waits for Airflow to read the version that it is to run."""
ENDED = ("success", "reused", "failed", "skipped", "not_run")
"""The states in which nodes end."""


@router.get("/runs", dependencies=[READER])
def list_runs(
    person: PersonOf,
    store: StoreOf,
    pipeline: Annotated[str | None, Query(max_length=250, description="Of this pipeline")] = None,
    state: Annotated[str | None, Query(max_length=20, description="In this state")] = None,
    trigger: Annotated[str | None, Query(max_length=20, description="Started by this: hand, api, clock, …")] = None,
    actor: Annotated[str | None, Query(max_length=250, description="Started by, or run for, this person")] = None,
    version: Annotated[int | None, Query(ge=1, le=2**31, description="Of this version of the pipeline")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Begun then or later")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Begun before that")] = None,
    search: Annotated[str | None, Query(max_length=200, description="Text in pipeline, run id or actor")] = None,
    details: Annotated[bool, Query(description="With params, event, values and reuse of each")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RunSummary]:
    """List the runs of the pipelines that you may read, the newest first."""
    before = read_cursor(cursor, datetime.fromisoformat, str, str)
    rows = store.runs.page(
        ids=person.readable,
        pipeline=pipeline,
        state=state,
        trigger=trigger,
        actor=actor,
        version=version,
        since=since,
        until=until,
        search=search,
        before=before,
        limit=limit + 1,
    )
    shown, following = page_of(rows, limit, lambda row: [row.queued_at.isoformat(), row.pipeline, row.run_id])
    items = [RunSummary.model_validate(row if details else dataclasses.replace(row, **SLIM)) for row in shown]
    return Page(items=items, next_cursor=following)


@router.post("/pipelines/{pipeline}/runs", dependencies=[RUNS], status_code=201)
async def start_run(
    pipeline: str,
    start: RunStart,
    person: PersonOf,
    store: StoreOf,
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str | None, Header(max_length=200, description="A second request with the same key starts no second run")
    ] = None,
) -> RunSummary:
    """Start a run of the current version, as soon as Airflow has read that; the answer does not wait for its end."""
    return await _started(
        store, person, pipeline, start.params, request, response, idempotency_key, start.logical_date, start.wish
    )


@router.post("/pipelines/{pipeline}/runs/preview", dependencies=[RUNS])
def preview_run(pipeline: str, part: RunPart, store: StoreOf) -> RunPreview:
    """Say what a run of a part of the current version would run, reuse and leave out, and what is in its way."""
    start = plan_partial(store, pipeline, part.params, part.wish or Wish())
    nodes = [NodePart(node=node, part=kind) for node, kind in start.selection.parts.items()]
    problems = [problem.to_json() for problem in start.problems]
    return RunPreview(version=start.version.number, params=start.params, nodes=nodes, problems=problems)


@router.post("/pipelines/{pipeline}/runs/{run_id}/rerun", dependencies=[RUNS], status_code=201)
async def rerun(
    pipeline: str, run_id: str, start: RunAgain, person: PersonOf, store: StoreOf, request: Request, response: Response
) -> RunSummary:
    """Start another run of the current version, with the params of this one and what you say in place of them."""
    run = await run_in_threadpool(stored_run, store, pipeline, run_id)
    return await _started(
        store, person, pipeline, {**(run.params or {}), **start.params}, request, response, None, start.logical_date
    )


@router.post("/pipelines/{pipeline}/backfill", dependencies=[RUNS])
async def start_backfill(pipeline: str, start: BackfillStart, person: PersonOf, store: StoreOf) -> BackfillStarted:
    """Run a pipeline for the times of its schedule in the past, as soon as Airflow has read its current version."""
    check_range(start.since, start.until)
    version = await run_in_threadpool(live_version, store, pipeline)
    _check_params(version, start.params)
    require_schedule(version)
    await _has_been_read(version)
    wanted = Backfill(start.since, start.until, start.params, start.repeat, start.at_once)

    def begin() -> list[datetime]:
        times = begin_backfill(version, wanted, user=person.name, dry_run=start.dry_run)
        if times and not start.dry_run:
            audit.record(person, "backfill", pipeline=pipeline, since=start.since, until=start.until, runs=len(times))
        return times

    return BackfillStarted(pipeline=pipeline, started=not start.dry_run, times=await run_in_threadpool(begin))


@router.get("/pipelines/{pipeline}/runs/{run_id}", dependencies=[READS])
def get_run(pipeline: str, run_id: str, store: StoreOf) -> RunDetail:
    """Return a run, and how each of its nodes does."""
    run = stored_run(store, pipeline, run_id)
    nodes = [_report(node) for node in nodes_of(store, run)]
    summary = RunSummary.model_validate(run)
    return RunDetail(**summary.model_dump(), progress=_progress(run, nodes), nodes=nodes)


@router.get("/pipelines/{pipeline}/runs/{run_id}/progress", dependencies=[READS])
def get_progress(pipeline: str, run_id: str, store: StoreOf) -> RunProgress:
    """Say how far a run is."""
    run = stored_run(store, pipeline, run_id)
    nodes = nodes_of(store, run)
    return RunProgress(
        state=run.state, progress=_progress(run, nodes), nodes=dict(Counter(node.state for node in nodes))
    )


@router.get("/pipelines/{pipeline}/runs/{run_id}/timeline", dependencies=[READS])
def get_timeline(pipeline: str, run_id: str, store: StoreOf) -> list[TimelineEntry]:
    """Say when each node of a run was at work, in the order in which they began."""
    run = stored_run(store, pipeline, run_id)
    steps = {}
    if run.version is not None:
        planned = store.version(pipeline, run.version).plan["nodes"]
        steps = {name: node.get("step") for name, node in planned.items()}
    entries = [
        TimelineEntry(
            node=node.node,
            index=node.index_path,
            step=steps.get(node.node),
            state=node.state,
            started_at=node.started_at,
            ended_at=node.ended_at,
            seconds=node.seconds,
        )
        for node in nodes_of(store, run)
    ]
    return sorted(entries, key=lambda entry: (entry.started_at is None, entry.started_at))


@router.post("/pipelines/{pipeline}/runs/{run_id}/cancel", dependencies=[RUNS], status_code=202)
def cancel(pipeline: str, run_id: str, person: PersonOf, store: StoreOf) -> RunSummary:
    """End a run as failed. Its tasks at work stop within seconds; those that wait are skipped."""
    run = stored_run(store, pipeline, run_id)
    try:
        state = cancel_run(pipeline, run_id)
    except NotFound:
        message = f"Airflow has no run {run_id!r} of pipeline {pipeline!r} yet"
        raise ConflictError(message, hint="try again in a moment") from None
    audit.record(person, "cancel_run", pipeline=pipeline, run_id=run_id)
    # The end is kept by the worker, with the nodes.
    return RunSummary.model_validate(dataclasses.replace(run, state=state.state, ended_at=state.ended_at))


@router.post("/pipelines/{pipeline}/runs/{run_id}/retry", dependencies=[RUNS], status_code=202)
def retry(pipeline: str, run_id: str, person: PersonOf, store: StoreOf, retry: RunRetry | None = None) -> RunSummary:
    """Let a run go on, by its own version: what failed runs again, or the node that you name, and all behind it.

    What comes before that stays. Without a node, the run must have failed; with one, it must have ended.
    """
    run = stored_run(store, pipeline, run_id)
    stored = store.pipeline(pipeline)
    if stored.archived:
        raise ConflictError(f"pipeline {pipeline!r} is archived", hint="publish it again, then retry the run")
    node = None if retry is None else retry.first
    tasks = retry_run(pipeline, run_id) if node is None else retry_from(pipeline, run_id, _tasks_of(store, run, node))
    audit.record(person, "retry_run", pipeline=pipeline, run_id=run_id, tasks=tasks)
    again = dataclasses.replace(run, state="queued", ended_at=None, seconds=None, rows=None)
    store.runs.observe(again)
    return RunSummary.model_validate(again)


@router.delete("/pipelines/{pipeline}/runs/{run_id}", dependencies=[EDITS], status_code=204)
def delete(pipeline: str, run_id: str, person: PersonOf, store: StoreOf) -> None:
    """Delete a run that has ended: in Airflow too, with its data."""
    delete_run(store, pipeline, run_id)
    audit.record(person, "delete_run", pipeline=pipeline, run_id=run_id)


@router.post("/pipelines/{pipeline}/runs/delete", dependencies=[EDITS])
def delete_several(pipeline: str, selection: RunSelection, person: PersonOf, store: StoreOf) -> list[RunDeletion]:
    """Delete those of these runs that have ended, and say of each what became of it."""
    deletions = []
    for run_id in dict.fromkeys(selection.run_ids):
        try:
            delete_run(store, pipeline, run_id)
            audit.record(person, "delete_run", pipeline=pipeline, run_id=run_id)
            deletions.append(RunDeletion(run_id=run_id, deleted=True))
        except (NotFound, ConflictError) as error:
            deletions.append(RunDeletion(run_id=run_id, deleted=False, error=error.message))
    return deletions


async def _started(
    store: Store,
    person: Person,
    pipeline: str,
    params: dict[str, Any],
    request: Request,
    response: Response,
    key: str | None,
    logical_date: datetime | None,
    wish: Wish | None = None,
) -> RunSummary:
    begin: Callable[..., str]
    if wish is None:
        version = await run_in_threadpool(live_version, store, pipeline)
        _check_params(version, params)
        begin = functools.partial(begin_run, store, version, params)
    else:
        start = await run_in_threadpool(plan_partial, store, pipeline, params, wish)
        if start.problems:
            raise refused(start.problems)
        version, params = start.version, start.params
        begin = functools.partial(begin_partial, store, start)
    await _has_been_read(version)

    def begun() -> StoredRun:
        run_id = begin(
            user=person.name,
            origin="hand" if person.by_cookie else "api",
            correlation_id=correlation_id(),
            run_id=None if key is None else _run_id_of(key, person, pipeline),
            logical_date=logical_date,
        )
        audit.record(person, "run", pipeline=pipeline, run_id=run_id)
        return stored_run(store, pipeline, run_id)

    run = await run_in_threadpool(begun)
    asked = None if wish is None else (wish.nodes, wish.reuse, wish.writes)
    if run.params != params or asked != (run.reuse and tuple(run.reuse[key] for key in ("nodes", "run_id", "writes"))):
        raise ConflictError("another run was started with this Idempotency-Key", hint="send a new key")
    response.headers["Location"] = quote(request.url_for("get_run", pipeline=pipeline, run_id=run.run_id).path)
    return RunSummary.model_validate(run)


def _check_params(version: StoredVersion, params: dict[str, Any]) -> None:
    problems = params_problems(version, params)
    if problems:
        raise refused([problem.at("/params") for problem in problems])


async def _has_been_read(version: StoredVersion) -> None:
    """Return once Airflow would run a version; raise ApiError with 503 after a while."""
    # Here, and not in a thread: few threads answer all requests.
    limit = time.monotonic() + READ_WITHIN
    while not await run_in_threadpool(parsing.has_read, version.pipeline, version.number):
        if time.monotonic() > limit:
            message = await run_in_threadpool(parsing.unread, version.pipeline, version.number, READ_WITHIN)
            raise ApiError(503, message, headers={"Retry-After": "10"})
        await asyncio.sleep(0.3)


def _run_id_of(key: str, person: Person, pipeline: str) -> str:
    digest = hashlib.sha256("\n".join((person.id, pipeline, key)).encode()).hexdigest()
    return f"manual__once_{digest[:32]}"


def stored_run(store: Store, pipeline: str, run_id: str) -> StoredRun:
    """Return a run as the store has it; raise NotFound where there is none."""
    run = store.runs.get(pipeline, run_id)
    if run is None:
        raise NotFound(f"pipeline {pipeline!r} has no run {run_id!r}")
    return run


def nodes_of(store: Store, run: StoredRun) -> list[NodeRun] | list[NodeState]:
    """Return the nodes of a run: as they were kept at its end, or as Airflow has them now."""
    if run.state not in UNFINISHED:
        return store.node_runs.of(run.pipeline, run.run_id)
    try:
        return nodes_of_run(store, run.pipeline, run.run_id)
    except NotFound:  # Airflow has not taken it yet.
        return []


def _tasks_of(store: Store, run: StoredRun, node: str) -> tuple[str, ...]:
    """Return the tasks that a node of a run begins with; raise ApiError with 422 where it has none of its own."""
    plan = Plan.from_json(store.version(run.pipeline, run.version).plan)
    tasks = {name: planned.step for name, planned in plan.nodes.items() if planned.step}
    if node not in tasks:
        hint = suggestion(node, tasks) or f"nodes: {', '.join(tasks)}"
        message = f"run {run.run_id!r} has no node {node!r} with a task of its own"
        raise refused([Problem("partial.node", message, pointer="/from", node=node, hint=hint)])
    return plan.step(tasks[node]).first_tasks


def _progress(run: StoredRun, nodes: list[Any]) -> float:
    if not nodes:
        return 0.0 if run.state in UNFINISHED else 1.0
    return round(sum(node.state in ENDED for node in nodes) / len(nodes), 4)


def _report(node: NodeRun | NodeState) -> NodeReport:
    outputs = [_output(port, reference) for port, reference in node.outputs.items() if isinstance(reference, Mapping)]
    sizes = [output.bytes for output in outputs if output.bytes is not None]
    return NodeReport(
        node=node.node,
        index=node.index_path,
        state=node.state,
        attempt=node.attempt,
        fired=node.fired,
        outputs=outputs,
        rows=node.rows,
        bytes=sum(sizes) if sizes else None,
        seconds=node.seconds,
        started_at=node.started_at,
        ended_at=node.ended_at,
        statistics=node.statistics,
        error=node.error,
    )


def _output(port: str, reference: Mapping[str, Any]) -> OutputSummary:
    return OutputSummary(
        port=port, kind=reference.get("kind", "any"), rows=reference.get("rows"), bytes=reference.get("bytes")
    )
