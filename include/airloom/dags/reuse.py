"""Runs of a part of a pipeline, which take what comes before it as another run left it.

Airflow is asked for a run whose tasks have ended already where nothing of them works: as successes where they are
reused, with what XCom held of them, else as skipped. For processes that Airflow lets into its database.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from airloom.dags import parsing
from airloom.dags.outcome import outcome_of
from airloom.dags.partial import PartialRun
from airloom.dags.runs import begin_run, live_version, params_problems, run_state
from airloom.engine.address import is_url
from airloom.engine.data_folder import DataFolder
from airloom.engine.filesystem import local_facts, open_filesystem, remote_facts
from airloom.engine.scan import FileFacts
from airloom.plan.partial import REUSED, WORKING, Earlier, Reuse, Selection, Wish, select
from airloom.plan.plan import FAILED, SUCCESS, Plan, nodes_of
from airloom.plan.rule import handles_failure
from airloom.runtime.results import NodeResult
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import Problem
from airloom.store.records import ConflictError, NodeRun, NotFound, StoredRun, StoredVersion
from airloom.store.runs import UNFINISHED

if TYPE_CHECKING:
    from airloom.store.store import Store


@dataclass(frozen=True)
class PartialStart:
    """Hold what a run of a part would do: its version, params, and what becomes of each node, with all in its way."""

    version: StoredVersion
    plan: Plan
    params: dict[str, Any]
    selection: Selection
    run: PartialRun
    event: dict[str, Any] | None = None

    @property
    def problems(self) -> list[Problem]:
        """Return all that is in the way: of the params, of what is to run, and of what is reused."""
        params = [problem.at("/params") for problem in params_problems(self.version, self.params)]
        return [*params, *self.selection.problems]


def plan_partial(store: Store, pipeline: str, params: Mapping[str, Any], wish: Wish) -> PartialStart:
    """Return what a run of a part of a pipeline's current version would do, reusing what another run of it has left.

    Params are those of that run, and `params` in place of them. Raises NotFound where there is no such pipeline or run,
    ConflictError where the run has not ended, ConfigurationError where the pipeline is archived.
    """
    version = live_version(store, pipeline)
    plan = Plan.from_json(version.plan)
    reuse = wish.reuse
    if reuse is None:
        selection = select(plan, version.document, wish, None)
        run = PartialRun(selection.parts, wish.nodes, wish.writes)
        return PartialStart(version, plan, dict(params), selection, run)
    source = _ended_run(store, pipeline, reuse)
    merged = {**{k: v for k, v in (source.params or {}).items() if k in version.document.get("params", {})}, **params}
    earlier = store.version(pipeline, source.version)
    runs = {node.node: node for node in store.node_runs.of(pipeline, reuse) if not node.index_path}
    facts = Reuse(
        reuse,
        _earlier(earlier.plan, runs),
        _other_params(earlier.document, source.params or {}, version.document, merged),
        functools.partial(_gone, runs),
        functools.partial(_changed, runs),
    )
    selection = select(plan, version.document, wish, facts)
    if source.trigger == "pipeline":
        selection = replace(selection, problems=(*selection.problems, *_handed_over(plan, selection, reuse)))
    run = PartialRun(
        selection.parts,
        wish.nodes,
        wish.writes,
        reuse,
        _logical_date(source),
        {node: asdict(_result(plan, runs[node], reuse)) for node, part in selection.parts.items() if part == "reused"},
        {
            node: runs[node].statistics["read"]
            for node, part in selection.parts.items()
            if part == "again" and plan.nodes[node].method == "scan"
        },
    )
    return PartialStart(version, plan, merged, selection, run, source.event)


def refused_partial(problems: list[Problem]) -> ConfigurationError:
    """Return the error for a run of a part that cannot begin."""
    lines = [f"{problem.message} ({problem.hint})" if problem.hint else problem.message for problem in problems[1:]]
    first = problems[0]
    return ConfigurationError("; ".join([first.message, *lines]), node=first.node, hint=first.hint)


def start_partial(store: Store, pipeline: str, params: Mapping[str, Any], wish: Wish, **more: Any) -> str:
    """Start the run of a part of a pipeline, once Airflow has read its current version; return the run's id.

    Raises what `plan_partial` and `begin_partial` raise.
    """
    start = plan_partial(store, pipeline, params, wish)
    if not start.problems:
        parsing.wait_for_version(pipeline, start.version.number)
    return begin_partial(store, start, **more)


def begin_partial(store: Store, start: PartialStart, **more: Any) -> str:
    """Start the run of a part whose version Airflow has read, and return the run's id; `more` is that of `begin_run`.

    Raises ConfigurationError with all that is in the way.
    """
    if start.problems:
        raise refused_partial(start.problems)

    def settle(run: Any, session: Any) -> None:
        revision = int(run.bundle_version or 0)
        if store.version_at(start.version.pipeline, revision).number != start.version.number:
            raise ConflictError("a new version was published meanwhile", hint="try again")
        _settle_tasks(session, run, start.plan, start.run)

    return begin_run(
        store, start.version, start.params, event=start.event, reuse=start.run.to_json(), settle=settle, **more
    )


def _ended_run(store: Store, pipeline: str, run_id: str) -> StoredRun:
    run = store.runs.get(pipeline, run_id)
    if run is None or run.version is None:
        raise NotFound(f"pipeline {pipeline!r} has no run {run_id!r}", hint=f"its runs: airloom runs {pipeline}")
    if run.state in UNFINISHED:
        raise ConflictError(f"run {run_id!r} of pipeline {pipeline!r} is {run.state}", hint="wait for its end")
    return run


def _handed_over(plan: Plan, selection: Selection, run_id: str) -> Iterator[Problem]:
    """Yield a problem for each node that would read what another pipeline has handed to the run that is reused."""
    for node, part in selection.parts.items():
        sources = [source for port in plan.nodes[node].inputs for source in port.sources]
        if part in WORKING and any(source.startswith("inputs.") for source in sources):
            message = f"node {node!r} reads an input of the pipeline, which was handed to run {run_id!r} alone"
            yield Problem("partial.input", message, node=node, hint="run a part of the pipeline that has called it")


def _earlier(plan: Mapping[str, Any], runs: Mapping[str, NodeRun]) -> dict[str, Earlier]:
    planned = nodes_of(plan)
    return {
        name: Earlier(
            planned[name].get("hash", ""),
            run.state,
            tuple(run.fired),
            all(port in run.outputs for port in run.fired if port != "error"),
        )
        for name, run in runs.items()
        if name in planned
    }


def _other_params(
    before: Mapping[str, Any], then: Mapping[str, Any], document: Mapping[str, Any], now: Mapping[str, Any]
) -> set[str]:
    """Return the params that have another value now than in a run of another version."""
    values = []
    for declared, values_of_run in ((before.get("params", {}), then), (document.get("params", {}), now)):
        defaults = {name: schema.get("default") for name, schema in declared.items()}
        values.append({**defaults, **{name: value for name, value in values_of_run.items() if name in declared}})
    return {name for name in {**values[0], **values[1]} if values[0].get(name) != values[1].get(name)}


def _logical_date(run: StoredRun) -> str | None:
    if run.reuse is not None and run.reuse.get("logical_date"):
        return str(run.reuse["logical_date"])
    known = run_state(run.pipeline, run.run_id)
    moment = (known and (known.logical_date or known.run_after)) or run.queued_at
    return moment.isoformat()


def _result(plan: Plan, run: NodeRun, run_id: str) -> NodeResult:
    """Return how a node ended in another run, as a result of this one that says whose it is."""
    failed = run.state == FAILED
    outputs = dict(run.outputs)
    if "error" in run.fired and run.error is not None:
        # What an error port carries is kept as the error itself.
        outputs["error"] = {"kind": "object", "value": {**run.error, "trace": None}}
    return NodeResult(
        FAILED if failed else SUCCESS,
        fired=run.fired,
        outputs=outputs,
        error=run.error,
        statistics={**run.statistics, REUSED: run.statistics.get(REUSED, run_id)},
        handled=failed and handles_failure(plan.nodes[run.node]),
    )


# What is still there


def _gone(runs: Mapping[str, NodeRun], node: str) -> str | None:
    """Return which output of a node is no longer there, or is not as it was."""
    data = DataFolder(configuration().data_url)
    for port, reference in runs[node].outputs.items():
        if not isinstance(reference, Mapping):
            continue
        files = [FileFacts(**file) for file in (reference.get("scan") or {}).get("files", ())]
        fault = next((fault for fault in map(_fault, files) if fault is not None), None)
        uri = reference.get("uri")
        value = reference.get("value")
        if uri is None and reference.get("kind") == "file" and isinstance(value, Mapping):
            uri = value.get("uri")
        if fault is None and isinstance(uri, str) and not _is_there(data, uri):
            fault = f"{uri} is not there any more"
        if fault is not None:
            return f"at {port}, {fault}"
    return None


def _is_there(data: DataFolder, uri: str) -> bool:
    if is_url(uri) and not data.holds(uri):
        return True  # a file of somebody else's server, whose node sees to it
    system, path = open_filesystem(uri)
    return bool(system.exists(path))


def _changed(runs: Mapping[str, NodeRun], node: str) -> str | None:
    """Return which file that a node read is not as it was."""
    files = runs[node].statistics.get("read")
    if files is None:
        return "which files these were is not known"
    return next((fault for fault in (_fault(FileFacts(**file)) for file in files) if fault is not None), None)


def _fault(file: FileFacts) -> str | None:
    try:
        now = remote_facts(*open_filesystem(file.uri)) if is_url(file.uri) else local_facts(file.uri)
    except FileNotFoundError:
        return f"{file.uri} is not there any more"
    return None if (now.size, now.etag) == (file.size, file.etag) else f"{file.uri} has changed since"


# Airflow


def _settle_tasks(session: Any, run: Any, plan: Plan, partial: PartialRun) -> None:
    """End the tasks of a run of which no node works, before anybody else can see the run."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.sdk.execution_time.xcom import XCom
    from sqlalchemy import update

    states: dict[str, str] = {}
    for step in plan.steps:
        if any(partial.parts.get(node) in WORKING for node in step.nodes):
            continue
        results = partial.results_of(step)
        reused = any(node in partial.results for node in step.nodes)
        states |= dict.fromkeys(step.tasks, "success" if reused else "skipped")
        values = outcome_of(step, results).values if reused else {}
        for key, value in values.items():
            place = {"key": key, "dag_id": run.dag_id, "task_id": step.id, "run_id": run.run_id}
            serialized = XCom.serialize_value(value, **place)  # as a task does it
            XComModel.set(value=serialized, **place, serialize=False, session=session)
    for gate in plan.gates:
        if gate.upstream in states:
            fired = partial.results.get(gate.node, {}).get("fired", [])
            states[gate.id] = "success" if gate.port in fired else "skipped"
    for state in ("success", "skipped"):
        tasks = [task for task, ended in states.items() if ended == state]
        if tasks:
            here = (TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
            session.execute(update(TaskInstance).where(*here, TaskInstance.task_id.in_(tasks)).values(state=state))
