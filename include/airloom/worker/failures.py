"""What a pipeline wants done when a run of it has failed: a run of another one, which is told of the failure."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airloom.spec.error import ConfigurationError
from airloom.store.records import NotFound, StoredVersion
from airloom.store.store import Store

if TYPE_CHECKING:
    from airloom.dags.node_states import NodeState
    from airloom.dags.runs import RunState

log = logging.getLogger(__name__)

KIND = "run_failed"
PREFIX = "failure__"
"""What the ids of runs begin with that a failure has started."""


def tell_of_failure(store: Store, version: StoredVersion, run: RunState, states: Iterable[NodeState]) -> None:
    """Put into the outbox that a run has failed, where its pipeline wants another one to run then.

    A failure of a run that a failure has started starts none, so that pipelines do not start each other for ever.
    """
    handler = version.document.get("settings", {}).get("on_failure")
    if handler is None or run.state != "failed" or run.run_id.startswith(PREFIX) or _is_silent(store, run):
        return
    error = next((state.error for state in states if state.state == "failed" and not state.fired and state.error), None)
    event = {
        "type": "failure",
        "pipeline": run.pipeline,
        "run": run.run_id,
        "version": version.number,
        "node": error["node"] if error else None,
        "error": {**error, "trace": None} if error else None,
        "started_at": run.started_at and run.started_at.isoformat(),
        "ended_at": run.ended_at and run.ended_at.isoformat(),
    }
    name = uuid.uuid5(uuid.NAMESPACE_OID, f"{run.pipeline} {run.run_id} {event['ended_at']}")
    payload = {"pipeline": handler, "run_id": f"{PREFIX}{name}", "event": event, "actor": version.author}
    store.outbox.enqueue(KIND, payload, key=f"failure {name}", deduplication=f"failure {name}")


def _is_silent(store: Store, run: RunState) -> bool:
    """Tell whether a run is one of a part of the pipeline, which nobody asked to write."""
    stored = store.runs.get(run.pipeline, run.run_id)
    return stored is not None and stored.reuse is not None and not stored.reuse.get("writes")


def handle_failure(store: Store, payload: dict[str, Any]) -> None:
    """Start the run that a failure wants; once, however often it is told."""
    from airloom.dags.runs import begin_run

    pipeline, event = payload["pipeline"], payload["event"]
    try:
        begin_run(
            store,
            store.version(pipeline),
            {},
            user=payload["actor"],
            origin="failure",
            run_id=payload["run_id"],
            event=event,
        )
    except (ConfigurationError, NotFound) as error:
        log.warning("Pipeline %s was not run after run %s of %s: %s", pipeline, event["run"], event["pipeline"], error)
        return
    log.info("Pipeline %s runs after run %s of pipeline %s failed", pipeline, event["run"], event["pipeline"])
