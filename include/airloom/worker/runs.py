"""What is kept of a DAG run when it has ended: how each of its nodes did."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airloom.store.records import NodeRun, StoredVersion
from airloom.store.store import Store

if TYPE_CHECKING:
    from airloom.dags.platform import NodeState, RunState

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=1)
SETTLED_AFTER = timedelta(minutes=2)
"""The end of a run is noted and handled sooner than that, where nothing is in the way."""
COMMITTED_WITHIN = 10.0
"""Seconds from the scheduler's word that a run ended to the end of its transaction, at most."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class EndedRuns:
    """Put the ends of runs into the outbox that the scheduler could not put there: the store did not answer it."""

    def __init__(self, store: Store, now: Callable[[], datetime] = _utc_now) -> None:
        self._store = store
        self._now = now
        self._looked_until: datetime | None = None

    def make_up(self) -> None:
        """Look at the runs that ended since the last look; the first time, or after the clock went back, in a day."""
        from airloom.dags import platform

        until = self._now() - SETTLED_AFTER
        since = self._looked_until
        if since is None or since > until:  # where the clock was set back, ends of runs lie on both sides of it
            since = until - LOOK_BACK
        with self._store.lock("ended runs") as held:
            if not held:
                return
            for pipeline, run_id in self._store.runs_not_kept(platform.ended_runs(since, until)):
                log.info("The end of run %s of pipeline %s was not noted, and is now", run_id, pipeline)
                self._store.outbox.enqueue("run_ended", {"dag_id": pipeline, "run_id": run_id})
        self._looked_until = until


def keep_node_runs(store: Store, payload: dict[str, Any]) -> None:
    """Keep how the nodes of a run ended, by the plan of the version that the run was pinned to.

    `payload` is that of the event `run_ended`: `dag_id` and `run_id`. Nothing is kept of a run that was deleted since.
    """
    from airloom.dags import platform

    pipeline, run_id = payload["dag_id"], payload["run_id"]
    run = _over(pipeline, run_id)
    if run is None or run.revision is None:
        log.info("Nothing is kept of run %s of pipeline %s: Airflow no longer knows it", run_id, pipeline)
        return
    if not run.ended:
        log.info("Run %s of pipeline %s goes on, and is kept when it ends again", run_id, pipeline)
        return
    version = store.version_at(pipeline, run.revision)
    states = platform.node_results(pipeline, run_id, version.plan)
    store.record_node_runs(pipeline, run_id, [_node_run(version, run_id, state) for state in states])
    log.info("Run %s of pipeline %s ended with %s: %d nodes kept", run_id, pipeline, run.state, len(states))


def _over(pipeline: str, run_id: str) -> RunState | None:
    """Return a run once it is over, or as it is after a while: the scheduler tells of an end before it commits it."""
    from airloom.dags import platform

    limit = time.monotonic() + COMMITTED_WITHIN
    while True:
        run = platform.run_state(pipeline, run_id)
        if run is None or run.ended or time.monotonic() > limit:
            return run
        time.sleep(0.1)


def _node_run(version: StoredVersion, run_id: str, state: NodeState) -> NodeRun:
    times = (state.started_at, state.ended_at)
    counts = [reference.get("rows") for reference in state.outputs.values() if isinstance(reference, dict)]
    return NodeRun(
        dag_id=version.pipeline,
        run_id=run_id,
        node=state.node,
        map_index=state.map_index,
        version=version.number,
        state=state.state,
        fired=state.fired,
        outputs=state.outputs,
        statistics=state.statistics,
        error=state.error,
        attempt=state.attempt,
        started_at=state.started_at,
        ended_at=state.ended_at,
        seconds=(times[1] - times[0]).total_seconds() if times[0] and times[1] else None,
        rows=next((count for count in counts if count is not None), None),
    )
