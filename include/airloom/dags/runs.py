"""Runs of published pipelines: starting one, how it does, and how its nodes do."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airloom.dags import parsing
from airloom.dags.node_states import NodeState, node_results
from airloom.dags.partial import MARK
from airloom.dags.platform import bundle_name, wait_until
from airloom.spec.error import ConfigurationError, SystemFault
from airloom.spec.params import read_params
from airloom.spec.problem import Problem
from airloom.store.records import ConflictError, NotFound, StoredVersion

if TYPE_CHECKING:
    from airloom.store.store import Store

Origin = Literal["hand", "api", "failure"]
"""What starts a run that is asked for: a person, a program, or the failure of another run."""

Settle = Callable[[Any, Any], None]
"""What is done to a run of Airflow's within the transaction that makes it, given that and the session."""
TRIGGERS = {
    "timetable": "clock", "scheduled": "clock", "rest_api": "api", "operator": "pipeline",
    "operator_triggered": "pipeline", "asset": "asset", "asset_triggered": "asset", "backfill": "backfill",
}  # fmt: skip
"""What starts a run, by Airflow's word for that or for the run's type; anything else is a hand."""


@dataclass(frozen=True)
class RunState:
    """Say how a DAG run is doing, the store's revision that it is pinned to, and how it came to be.

    `trigger` is hand, api, clock, asset, backfill or pipeline; `actor` the user where Airflow knows one; `event` the
    data of what started it; `run_after` the time from which it might run, the logical date of one that has none.
    """

    pipeline: str
    run_id: str
    state: str
    revision: int | None
    logical_date: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    queued_at: datetime | None = None
    trigger: str | None = None
    actor: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    event: dict[str, Any] | None = None
    run_after: datetime | None = None

    @property
    def ended(self) -> bool:
        """Tell whether the run is over."""
        return self.state in ("success", "failed")


def start_run(
    store: Store,
    pipeline: str,
    params: Mapping[str, Any],
    *,
    user: str | None = None,
    logical_date: datetime | None = None,
) -> str:
    """Start a run of a pipeline's current version, once Airflow has read that; return the run's id.

    Raises NotFound where there is no such pipeline, ConfigurationError for params that its document does not allow and
    for a logical date that has a run already.
    """
    version = startable_version(store, pipeline, params)
    parsing.wait_for_version(pipeline, version.number)
    return begin_run(store, version, params, user=user, logical_date=logical_date)


def startable_version(store: Store, pipeline: str, params: Mapping[str, Any]) -> StoredVersion:
    """Return the version that a run begun now is of; raise NotFound or ConfigurationError where none may begin so."""
    version = live_version(store, pipeline)
    problems = params_problems(version, params)
    if problems:
        raise refused_params(problems)
    return version


def refused_params(problems: list[Problem]) -> ConfigurationError:
    """Return the error for params that a document does not allow."""
    message = "; ".join(problem.message for problem in problems)
    return ConfigurationError(message, field=problems[0].pointer.lstrip("/"), hint=problems[0].hint)


def live_version(store: Store, pipeline: str) -> StoredVersion:
    """Return the current version of a pipeline; raise NotFound for none, ConfigurationError where it is archived."""
    if store.pipeline(pipeline).archived:
        raise ConfigurationError(f"pipeline {pipeline!r} is archived", hint="publish it again")
    return store.version(pipeline)


def params_problems(version: StoredVersion, params: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the params of a run, by the version's document; pointers are `/<name>/…`."""
    return read_params(version.document.get("params", {}), params)[1]


def begin_run(
    store: Store,
    version: StoredVersion,
    params: Mapping[str, Any],
    *,
    user: str | None = None,
    origin: Origin = "hand",
    correlation_id: str | None = None,
    run_id: str | None = None,
    logical_date: datetime | None = None,
    event: dict[str, Any] | None = None,
    reuse: dict[str, Any] | None = None,
    settle: Settle | None = None,
) -> str:
    """Start a run of a version that Airflow has read, and return the run's id; nodes read `event` as `trigger`.

    `reuse` is what a run of a part of the pipeline does, as `PartialRun` has it, and `settle` ends the tasks that are
    not to run. A second call with the same `run_id` starts none, and ends what a first one that was cut short had
    begun. Raises ConfigurationError for what Airflow refuses.
    """
    pipeline = version.pipeline
    identifier = run_id or f"manual__{datetime.now(UTC).isoformat()}_{secrets.token_hex(4)}"
    # Kept first: what a run is to do may stand in the store alone, and must be there when its first task looks. Where
    # this process dies in between, the worker sees that Airflow has no such run.
    is_new = store.runs.begin(
        pipeline,
        identifier,
        version=version.number,
        trigger=origin,
        actor=user,
        correlation_id=correlation_id,
        event=event,
        params=dict(params),
        reuse=reuse,
    )
    if not is_new and run_state(pipeline, identifier) is not None:
        return identifier
    try:
        return trigger_run(
            pipeline,
            dict(params),
            run_id=identifier,
            user=user,
            origin=origin,
            correlation_id=correlation_id,
            logical_date=logical_date,
            trigger=event,
            settle=settle,
        )
    except (ConfigurationError, ConflictError, SystemFault):
        if is_new:
            store.runs.remove(pipeline, identifier)
        raise


def nodes_of_run(store: Store, pipeline: str, run_id: str) -> list[NodeState]:
    """Return how the nodes of a run are doing, by the plan of the version that the run is pinned to.

    Raises NotFound where Airflow knows no such run.
    """
    run = run_of(pipeline, run_id)
    return node_results(pipeline, run_id, store.version_at(pipeline, run.revision or 0).plan)


def run_of(pipeline: str, run_id: str) -> RunState:
    """Return how a run of a published pipeline is doing; raise NotFound where Airflow knows no such run."""
    run = run_state(pipeline, run_id)
    if run is None or run.revision is None:
        raise NotFound(f"pipeline {pipeline!r} has no run {run_id!r}")
    return run


def trigger_run(
    pipeline: str,
    params: dict[str, Any] | None = None,
    *,
    run_id: str | None = None,
    trigger: dict[str, Any] | None = None,
    user: str | None = None,
    note: str | None = None,
    origin: Origin = "hand",
    correlation_id: str | None = None,
    logical_date: datetime | None = None,
    settle: Settle | None = None,
) -> str:
    """Start a run of a published pipeline and return its run id; raise ConfigurationError for what Airflow refuses.

    `settle` is called with the run and the session, before the run can be seen. `trigger` is what started the run where
    it is an event with data; nodes read it as `trigger`. `correlation_id` is that of the request: each task of the run
    writes it into its log.
    """
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.sdk.exceptions import AirflowException
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy.exc import IntegrityError

    if logical_date is not None and (other := _run_at(pipeline, logical_date)):
        raise _date_taken(pipeline, logical_date, other)
    marks = {"trigger": trigger, "correlation_id": correlation_id, MARK: True if settle is not None else None}
    ours = {name: value for name, value in marks.items() if value is not None}
    conf = {**(params or {}), **({"airloom": ours} if ours else {})}
    try:
        with create_session(scoped=False) as session:
            run = trigger_dag(
                pipeline,
                triggered_by=DagRunTriggeredByType.REST_API if origin == "api" else DagRunTriggeredByType.CLI,
                triggering_user_name=user,
                run_id=run_id,
                conf=conf,
                note=note,
                logical_date=logical_date,
                replace_microseconds=False,
                session=session,
            )
            if run is not None and settle is not None:
                settle(run, session)
            started = None if run is None else str(run.run_id)
    except IntegrityError:
        if logical_date is None:
            raise
        raise _date_taken(pipeline, logical_date, _run_at(pipeline, logical_date)) from None
    except (AirflowException, ValueError) as error:
        raise ConfigurationError(f"Airflow refused to start pipeline {pipeline!r}: {error}") from None
    if started is None:
        raise SystemFault(f"Airflow started no run of pipeline {pipeline!r}")
    return started


def _run_at(pipeline: str, logical_date: datetime) -> str | None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        query = select(DagRun.run_id).where(DagRun.dag_id == pipeline, DagRun.logical_date == logical_date)
        return session.scalar(query)


def _date_taken(pipeline: str, logical_date: datetime, run_id: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"pipeline {pipeline!r} has a run of {logical_date.isoformat()} already: {run_id}",
        hint="clear that run in Airflow to repeat it, or fill its range: airloom backfill with --repeat completed",
    )


def run_state(pipeline: str, run_id: str) -> RunState | None:
    """Return how a run is doing, or None where Airflow knows no such run."""
    return run_states([(pipeline, run_id)]).get((pipeline, run_id))


def run_states(runs: Collection[tuple[str, str]]) -> dict[tuple[str, str], RunState]:
    """Return how runs, given by pipeline and id, are doing; those that Airflow does not know are left out."""
    if not runs:
        return {}
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select, tuple_

    with create_session(scoped=False) as session:
        known = session.scalars(select(DagRun).where(tuple_(DagRun.dag_id, DagRun.run_id).in_(list(runs))))
        return {(run.dag_id, run.run_id): _run_state(run) for run in known}


def _run_state(run: Any) -> RunState:
    params = dict(run.conf or {})
    ours = params.pop("airloom", None)
    started_by = run.triggered_by.value if run.triggered_by else str(run.run_type)
    return RunState(
        pipeline=run.dag_id,
        run_id=run.run_id,
        state=str(run.state),
        revision=int(run.bundle_version) if run.bundle_version else None,
        logical_date=run.logical_date,
        started_at=run.start_date,
        ended_at=run.end_date,
        queued_at=run.queued_at or run.run_after,
        trigger=TRIGGERS.get(started_by, "hand"),
        actor=run.triggering_user_name,
        params=params,
        event=ours.get("trigger") if isinstance(ours, dict) else None,
        run_after=run.run_after,
    )


def wait_for_run(pipeline: str, run_id: str, timeout: float = 3600) -> RunState:
    """Wait until a run is over and return how it ended; raise SystemFault after `timeout` seconds."""
    ended = wait_until(lambda: (state := run_state(pipeline, run_id)) is not None and state.ended, timeout, every=1)
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
