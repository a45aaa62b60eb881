"""The talk with Airflow's own database: what is parsed, what runs, which Connections and pools there are.

For processes that Airflow lets into its database (the worker, the command line, the API server); never for tasks.
Airflow's models take seconds to import, so every function imports what it needs; a process with several threads calls
`load` before it starts them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airloom.dags.xcom import unpacked
from airloom.spec.error import ConfigurationError, SystemFault

BUNDLE_CLASS = "airloom.dags.bundle.PipelineBundle"
NOT_STARTED = ("scheduled", "queued", "deferred", "awaiting_input", "up_for_retry", "up_for_reschedule")


@dataclass(frozen=True)
class NodeState:
    """Say how one node of a run is doing: `waiting`, `running`, `success`, `failed`, `skipped` or `not_run`."""

    node: str
    task: str
    state: str
    map_index: int = -1
    fired: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
    attempt: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class RunState:
    """Say how a DAG run is doing, and the store's revision that it is pinned to."""

    pipeline: str
    run_id: str
    state: str
    revision: int | None
    logical_date: datetime | None
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def ended(self) -> bool:
        """Tell whether the run is over."""
        return self.state in ("success", "failed")


def load() -> None:
    """Import all of Airflow that this module uses, and join its models to each other.

    Two threads that do either at the same time wait for each other for ever: one holds a lock of Python's imports and
    wants SQLAlchemy's, the other holds that.
    """
    import airflow.api.common.trigger_dag
    import airflow.models
    import airflow.sdk.definitions.connection
    import airflow.secrets.environment_variables
    import airflow.utils.types
    from sqlalchemy.orm import configure_mappers

    airflow.models.import_all_models()  # type: ignore[no-untyped-call]
    configure_mappers()


def bundle_name() -> str:
    """Return the name under which Airflow knows our bundle; raise ConfigurationError where it knows none."""
    from airflow.configuration import conf

    bundles = json.loads(conf.get("dag_processor", "dag_bundle_config_list", fallback="") or "[]")
    for bundle in bundles:
        if bundle["classpath"] == BUNDLE_CLASS:
            return str(bundle["name"])
    raise ConfigurationError(
        "Airflow is not configured to serve pipelines",
        field="dag_bundle_config_list",
        hint=f"add a bundle with the class {BUNDLE_CLASS} to [dag_processor] dag_bundle_config_list",
    )


def has_bundle() -> bool:
    """Tell whether Airflow is configured to serve the pipelines of the store."""
    try:
        bundle_name()
    except ConfigurationError:
        return False
    return True


def request_parse(pipeline: str) -> None:
    """Ask the DAG processor to look at this pipeline's file before any other."""
    from airflow.models.dagbag import DagPriorityParsingRequest
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    try:
        with create_session(scoped=False) as session:
            session.add(DagPriorityParsingRequest(bundle_name=bundle_name(), relative_fileloc=f"{pipeline}.py"))
    except IntegrityError:
        pass  # the same request is waiting already


def serialized_version(pipeline: str) -> int | None:
    """Return the version of a pipeline that Airflow would run now, or None where it knows none."""
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from airloom.dags.factory import version_in

    with create_session(scoped=False) as session:
        active = select(DagModel.dag_id).where(
            DagModel.dag_id == pipeline, DagModel.bundle_name == bundle_name(), DagModel.is_stale.is_(False)
        )
        if session.scalar(active) is None:
            return None
        serialized = SerializedDagModel.get(pipeline, session=session)
        return version_in(serialized.data["dag"].get("doc_md")) if serialized and serialized.data else None


def wait_for_version(pipeline: str, version: int, timeout: float = 60) -> None:
    """Wait until Airflow would run this version of a pipeline or a later one; raise SystemFault after `timeout` s."""

    def parsed() -> bool:
        return (serialized_version(pipeline) or 0) >= version

    if not _wait(parsed, timeout, every=0.3):
        error = import_errors().get(f"{pipeline}.py", "").strip().rpartition("\n")[2]
        raise SystemFault(
            f"Airflow has not read version {version} of pipeline {pipeline!r} within {timeout:g} s"
            + (f": {error}" if error else ""),
            hint="does the DAG processor run, and does its log name an error?",
        )


def foreign_dag(pipeline: str) -> str | None:
    """Return where an active DAG of this id comes from if it is not ours, else None."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        foreign = select(DagModel.bundle_name, DagModel.relative_fileloc).where(
            DagModel.dag_id == pipeline, DagModel.bundle_name != bundle_name(), DagModel.is_stale.is_(False)
        )
        row = session.execute(foreign).one_or_none()
        return f"{row[1]} (bundle {row[0]})" if row else None


def trigger_run(
    pipeline: str,
    params: dict[str, Any] | None = None,
    *,
    run_id: str | None = None,
    trigger: dict[str, Any] | None = None,
    user: str | None = None,
    note: str | None = None,
) -> str:
    """Start a run of a published pipeline and return its run id; raise ConfigurationError for what Airflow refuses.

    `trigger` is what started the run where it is an event with data; nodes read it as `trigger`.
    """
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.sdk.exceptions import AirflowException
    from airflow.utils.types import DagRunTriggeredByType

    conf = {**(params or {}), **({"airloom": {"trigger": trigger}} if trigger is not None else {})}
    try:
        run = trigger_dag(
            pipeline,
            triggered_by=DagRunTriggeredByType.CLI,
            triggering_user_name=user,
            run_id=run_id,
            conf=conf,
            note=note,
        )
    except (AirflowException, ValueError) as error:
        raise ConfigurationError(f"Airflow refused to start pipeline {pipeline!r}: {error}") from None
    if run is None:
        raise SystemFault(f"Airflow started no run of pipeline {pipeline!r}")
    return str(run.run_id)


def run_state(pipeline: str, run_id: str) -> RunState | None:
    """Return how a run is doing, or None where Airflow knows no such run."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == pipeline, DagRun.run_id == run_id))
        if run is None:
            return None
        return RunState(
            pipeline=pipeline,
            run_id=run_id,
            state=str(run.state),
            revision=int(run.bundle_version) if run.bundle_version else None,
            logical_date=run.logical_date,
            started_at=run.start_date,
            ended_at=run.end_date,
        )


def wait_for_run(pipeline: str, run_id: str, timeout: float = 3600) -> RunState:
    """Wait until a run is over and return how it ended; raise SystemFault after `timeout` seconds."""
    ended = _wait(lambda: (state := run_state(pipeline, run_id)) is not None and state.ended, timeout, every=1)
    state = run_state(pipeline, run_id)
    if not ended or state is None:
        raise SystemFault(f"run {run_id!r} of pipeline {pipeline!r} has not ended within {timeout:g} s")
    return state


def active_runs(pipeline: str) -> list[str]:
    """Return the ids of a pipeline's runs that have not ended."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        active = select(DagRun.run_id).where(DagRun.dag_id == pipeline, DagRun.state.in_(["queued", "running"]))
        return list(session.scalars(active.order_by(DagRun.id)))


def newest_run(pipeline: str) -> str | None:
    """Return the id of the run of a pipeline that was made last, or None where it has none."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        return session.scalar(
            select(DagRun.run_id).where(DagRun.dag_id == pipeline).order_by(DagRun.id.desc()).limit(1)
        )


def ended_runs(since: datetime, until: datetime) -> list[tuple[str, str]]:
    """Return pipeline and id of the runs that ended after `since` and not after `until`, among the newest 100,000."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    with create_session(scoped=False) as session:
        # No index knows when runs ended; that of their numbers keeps the search short.
        newest = session.scalar(select(func.max(DagRun.id))) or 0
        ended = (
            select(DagRun.dag_id, DagRun.run_id)
            .join(DagModel, DagModel.dag_id == DagRun.dag_id)
            .where(
                DagModel.bundle_name == bundle_name(),
                DagRun.id > newest - 100_000,
                DagRun.state.in_(["success", "failed"]),
                DagRun.end_date > since,
                DagRun.end_date <= until,
            )
        )
        return [(str(row[0]), str(row[1])) for row in session.execute(ended.order_by(DagRun.id))]


def is_paused(pipeline: str) -> bool:
    """Tell whether Airflow starts no runs of a pipeline until someone unpauses it."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        return bool(session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == pipeline)))


def set_paused(pipeline: str, paused: bool) -> None:
    """Pause or unpause a pipeline; does nothing where Airflow has not read it yet."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session(scoped=False) as session:
        session.execute(update(DagModel).where(DagModel.dag_id == pipeline).values(is_paused=paused))


def node_results(pipeline: str, run_id: str, plan: dict[str, Any]) -> list[NodeState]:
    """Return how each node of a run is doing, in the order of the run's own plan; nodes without a step have no state.

    `plan` is the plan of the version that the run is pinned to: `store.lookup.published_at` with `RunState.revision`.
    """
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        values: dict[tuple[str, int], dict[str, Any]] = {}
        for row in session.execute(
            select(XComModel.task_id, XComModel.map_index, XComModel.key, XComModel.value).where(
                XComModel.dag_id == pipeline, XComModel.run_id == run_id
            )
        ):
            values.setdefault((row.task_id, row.map_index), {})[row.key] = XComModel.deserialize_value(row)
        tasks = session.scalars(
            select(TaskInstance)
            .where(TaskInstance.dag_id == pipeline, TaskInstance.run_id == run_id)
            .order_by(TaskInstance.task_id, TaskInstance.map_index)
        ).all()
        by_task: dict[str, list[Any]] = {}
        for task in tasks:
            by_task.setdefault(task.task_id, []).append(task)
        steps = {step["id"]: step["nodes"] for step in plan["steps"]}
        kept = {place: _Kept(found, plan["nodes"], steps.get(place[0], [])) for place, found in values.items()}
        nothing = _Kept({}, {}, [])
        return [
            _node_state(node, planned, task, kept.get((task.task_id, task.map_index), nothing))
            for node, planned in plan["nodes"].items()
            if planned["step"]
            for task in by_task.get(planned["step"], [])
        ]


def connections() -> dict[str, str] | None:
    """Return the Connections that exist: id → type; None where a secrets backend holds more, for it can't list them."""
    from airflow.configuration import conf
    from airflow.models.connection import Connection
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend
    from airflow.utils.session import create_session
    from sqlalchemy import select

    if conf.get("secrets", "backend", fallback="") or conf.get("workers", "secrets_backend", fallback=""):
        return None
    with create_session(scoped=False) as session:
        found = {row[0]: str(row[1]) for row in session.execute(select(Connection.conn_id, Connection.conn_type))}
    backend = EnvironmentVariablesBackend()
    for variable in os.environ:
        if variable.startswith("AIRFLOW_CONN_"):
            name = variable.removeprefix("AIRFLOW_CONN_").lower()
            if (connection := backend.get_connection(name)) is not None:
                found[name] = str(connection.conn_type)
    return found


def connection(name: str) -> Any:
    """Return a Connection as hooks take it; raise ConfigurationError where there is none of that name."""
    from airflow.models.connection import Connection as StoredConnection
    from airflow.sdk import Connection
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        found = EnvironmentVariablesBackend().get_connection(name) or session.scalar(
            select(StoredConnection).where(StoredConnection.conn_id == name)
        )
        if found is None:
            raise ConfigurationError(f"there is no Connection {name!r}", hint="make it in Airflow: Admin, Connections")
        return Connection(
            conn_id=name,
            conn_type=found.conn_type,
            host=found.host,
            login=found.login,
            password=found.password,
            schema=found.schema,
            port=found.port,
            extra=found.extra,
        )


def read_connection(name: str, text: str) -> Any:
    """Return a Connection from its URI or its JSON; raise ConfigurationError, which does not repeat the text."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowException

    try:
        return (Connection.from_json if text.lstrip().startswith("{") else Connection.from_uri)(text, name)
    except (AirflowException, TypeError, ValueError):
        hint = "a URI is such as postgres://user:password@host:5432/database"
        raise ConfigurationError(f"the Connection {name!r} cannot be read", hint=hint) from None


def pools() -> list[str]:
    """Return the names of Airflow's pools."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        return sorted(session.scalars(select(Pool.pool)))


def import_errors() -> dict[str, str]:
    """Return the import errors of our bundle's files: file → text."""
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        rows = session.execute(
            select(ParseImportError.filename, ParseImportError.stacktrace)
            .where(ParseImportError.bundle_name == bundle_name())
            .order_by(ParseImportError.filename)
        )
        return {str(row[0]): str(row[1]) for row in rows}


class _Kept:
    """What XCom keeps of one task: the values that its nodes left, and which nodes a failure among them kept back."""

    def __init__(self, values: dict[str, Any], nodes: dict[str, Any], members: list[str]) -> None:
        self.values = values
        self.any_fired = any(f"{node}.fired" in values for node in members)
        self.any_failed = any(f"{node}.error" in values for node in members)
        self.below_failure: set[str] = set()
        for node in members:
            sources = {source.partition(".")[0] for port in nodes[node]["inputs"] for source in port["sources"]}
            if any(source in self.below_failure or self._ended_badly(source) for source in sources):
                self.below_failure.add(node)

    def _ended_badly(self, node: str) -> bool:
        return f"{node}.error" in self.values and f"{node}.fired" not in self.values


def _node_state(node: str, planned: dict[str, Any], task: Any, kept: _Kept) -> NodeState:
    outputs = {port["name"]: unpacked(kept.values.get(f"{node}.{port['name']}")) for port in planned["outputs"]}
    return NodeState(
        node=node,
        task=task.task_id,
        state=_state(node, str(task.state) if task.state else None, kept),
        map_index=task.map_index,
        fired=kept.values.get(f"{node}.fired") or [],
        outputs={port: reference for port, reference in outputs.items() if reference is not None},
        error=kept.values.get(f"{node}.error"),
        statistics=kept.values.get(f"{node}.statistics") or {},
        attempt=task.try_number,
        started_at=task.start_date,
        ended_at=task.end_date,
    )


def _state(node: str, task_state: str | None, kept: _Kept) -> str:
    if task_state is None or task_state in NOT_STARTED:
        return "waiting"
    if task_state in ("running", "restarting"):
        return "running"
    if f"{node}.error" in kept.values:
        return "failed"  # also where the task ended well because an error edge or on_error took the failure
    if task_state in ("skipped", "removed"):
        return "skipped"
    if f"{node}.fired" in kept.values:
        return "success"
    if task_state == "success":
        # A task that a person marked as success has left nothing; else this node lies on a way that was not taken.
        return "skipped" if kept.any_fired else "success"
    if kept.any_failed:
        return "not_run" if node in kept.below_failure else "skipped"
    # A task that was killed pushed no error, and nobody knows which of its nodes ran at that moment.
    return "failed" if task_state == "failed" else "not_run"


def _wait(done: Callable[[], bool], timeout: float, every: float) -> bool:
    end = time.monotonic() + timeout
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
