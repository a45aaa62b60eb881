"""What is kept of a DAG run: how it does, and when it has ended how each of its nodes did."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airloom.store.records import NodeRun, NotFound, StoredRun, StoredVersion
from airloom.store.store import Store
from airloom.worker.containers import request_removal
from airloom.worker.failures import tell_of_failure

if TYPE_CHECKING:
    from airloom.dags.node_states import NodeState
    from airloom.dags.runs import RunState

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=1)
SETTLED_AFTER = timedelta(minutes=2)
"""The end of a run is noted and handled sooner than that, where nothing is in the way."""
COMMITTED_WITHIN = 10.0
"""Seconds from the scheduler's word of a run to the end of its transaction, at most."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class EndedRuns:
    """Put into the outbox what the scheduler could not put there: the store did not answer it.

    A run that Airflow does not know is forgotten: one whose start was cut short, or that was deleted before its end.
    """

    def __init__(self, store: Store, now: Callable[[], datetime] = _utc_now) -> None:
        self._store = store
        self._now = now
        self._looked_until: datetime | None = None

    def make_up(self) -> None:
        """Look at the runs that ended since the last look; the first time, or after the clock went back, in a day."""
        from airloom.dags import runs

        until = self._now() - SETTLED_AFTER
        since = self._looked_until
        if since is None or since > until:  # where the clock was set back, ends of runs lie on both sides of it
            since = until - LOOK_BACK
        with self._store.lock("ended runs") as held:
            if not held:
                return
            ended = runs.ended_runs(since, until)
            ended += self._settle_unfinished(until)
            for pipeline, run_id in self._store.runs.not_kept(list(dict.fromkeys(ended))):
                log.info("The end of run %s of pipeline %s was not noted, and is now", run_id, pipeline)
                self._enqueue("run_ended", pipeline, run_id)
        self._looked_until = until

    def _settle_unfinished(self, until: datetime) -> list[tuple[str, str]]:
        """Compare the runs that have not ended with Airflow; return those that have ended there."""
        from airloom.dags import runs

        unfinished = self._store.runs.unfinished(until)
        states = runs.run_states([(run.pipeline, run.run_id) for run in unfinished])
        ended = []
        for run in unfinished:
            now = states.get((run.pipeline, run.run_id))
            if now is None:
                log.info("Run %s of pipeline %s is forgotten: Airflow does not know it", run.run_id, run.pipeline)
                self._store.runs.remove(run.pipeline, run.run_id)
            elif now.ended:
                ended.append((run.pipeline, run.run_id))
            elif now.state != run.state:
                self._enqueue("run_started", run.pipeline, run.run_id)
        return ended

    def _enqueue(self, kind: str, pipeline: str, run_id: str) -> None:
        # As airloom_run_started and airloom_run_ended do it in the store.
        key = f"run {pipeline} {run_id}"
        payload = {"dag_id": pipeline, "run_id": run_id}
        self._store.outbox.enqueue(kind, payload, key=key, deduplication=f"{kind} {pipeline} {run_id}")


def keep_started_run(store: Store, payload: dict[str, Any]) -> None:
    """Keep that a run has begun; `payload` is that of the event `run_started`: `dag_id` and `run_id`."""
    pipeline, run_id = payload["dag_id"], payload["run_id"]
    run = _settled(pipeline, run_id, lambda run: run.state != "queued")
    if run is None or run.revision is None:
        log.info("Nothing is kept of run %s of pipeline %s: Airflow no longer knows it", run_id, pipeline)
        return
    if not run.ended and (
        version := _version(store, run_id, pipeline, run.revision)
    ):  # that it has ended is an event of its own
        store.runs.observe(_stored_run(version, run))


def keep_ended_run(store: Store, payload: dict[str, Any]) -> None:
    """Keep how a run and its nodes ended, by the plan of the version that the run was pinned to.

    `payload` is that of the event `run_ended`: `dag_id` and `run_id`. Nothing is kept of a run that was deleted since.
    """
    from airloom.dags.node_states import node_results

    pipeline, run_id = payload["dag_id"], payload["run_id"]
    run = _settled(pipeline, run_id, lambda run: run.ended)
    if run is None or run.revision is None:
        log.info("Nothing is kept of run %s of pipeline %s: Airflow no longer knows it", run_id, pipeline)
        return
    if not run.ended:
        log.info("Run %s of pipeline %s goes on, and is kept when it ends again", run_id, pipeline)
        return
    version = _version(store, run_id, pipeline, run.revision)
    if version is None:
        return
    states = node_results(pipeline, run_id, version.plan)
    store.node_runs.record(pipeline, run_id, [_node_run(version, run_id, state) for state in states])
    # Behind that of the nodes: an end counts as kept once this is.
    store.runs.observe(_stored_run(version, run, rows=_rows_written(version, states)))
    tell_of_failure(store, version, run, states)
    request_removal(store, version, run_id)
    log.info("Run %s of pipeline %s ended with %s: %d nodes kept", run_id, pipeline, run.state, len(states))


def _settled(pipeline: str, run_id: str, settled: Callable[[RunState], bool]) -> RunState | None:
    """Return a run once it is so, or as it is after a while: the scheduler tells of a state before it commits it."""
    from airloom.dags import runs

    limit = time.monotonic() + COMMITTED_WITHIN
    while True:
        run = runs.run_state(pipeline, run_id)
        if run is None or settled(run) or time.monotonic() > limit:
            return run
        time.sleep(0.1)


def _version(store: Store, run_id: str, pipeline: str, revision: int) -> StoredVersion | None:
    """Return the version that a run is pinned to; None, with a warning, where the store has none."""
    try:
        return store.version_at(pipeline, revision)
    except NotFound as error:
        # As after a store that was restored from an older copy: another attempt would not find it either.
        log.warning("Nothing is kept of run %s: %s", run_id, error)
        return None


def _stored_run(version: StoredVersion, run: RunState, rows: int | None = None) -> StoredRun:
    times = (run.started_at, run.ended_at)
    return StoredRun(
        pipeline=run.pipeline,
        run_id=run.run_id,
        state=run.state,
        queued_at=run.queued_at or run.started_at or _utc_now(),
        version=version.number,
        # By itself a version runs for who published it.
        actor=run.actor or (version.author if run.trigger in ("clock", "asset") else None),
        trigger=run.trigger,
        event=run.event,
        params=run.params,
        started_at=run.started_at,
        ended_at=run.ended_at if run.ended else None,
        seconds=(times[1] - times[0]).total_seconds() if run.ended and times[0] and times[1] else None,
        rows=rows,
    )


def _rows_written(version: StoredVersion, states: list[NodeState]) -> int | None:
    """Return how many rows the sinks say they wrote, together; None where none says so."""
    writing = {name for name, planned in version.plan["nodes"].items() if planned.get("effect") == "write"}
    sinks = [state.outputs.get("done") for state in states if state.node in writing and state.state == "success"]
    done = [reference.get("value") for reference in sinks if isinstance(reference, dict)]
    counts = [value["rows"] for value in done if isinstance(value, dict) and isinstance(value.get("rows"), int)]
    return sum(counts) if counts else None


def _node_run(version: StoredVersion, run_id: str, state: NodeState) -> NodeRun:
    return NodeRun(
        dag_id=version.pipeline,
        run_id=run_id,
        node=state.node,
        index_path=state.index_path,
        version=version.number,
        state=state.state,
        fired=state.fired,
        outputs=state.outputs,
        statistics=state.statistics,
        error=state.error,
        attempt=state.attempt,
        started_at=state.started_at,
        ended_at=state.ended_at,
        seconds=state.seconds,
        rows=state.rows,
    )
