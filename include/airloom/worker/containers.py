"""Containers that a run left on a Docker engine because its task was killed: removed when the run has ended."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from airloom.nodes.objects._docker import opened
from airloom.plan.plan import nodes_of
from airloom.spec.error import ConfigurationError
from airloom.spec.expression import has_expression
from airloom.spec.scope import visits
from airloom.store.records import NotFound, StoredVersion
from airloom.store.store import Store

log = logging.getLogger(__name__)

KIND = "containers"
CONTAINER = "container"


def request_removal(store: Store, version: StoredVersion, run_id: str) -> None:
    """Have a worker remove what a run that has ended left, where its version runs containers."""
    if any(node.get("type") == CONTAINER for node in nodes_of(version.plan).values()):
        payload = {"pipeline": version.pipeline, "version": version.number, "run_id": run_id}
        name = f"{KIND} {version.pipeline} {run_id}"
        store.outbox.enqueue(KIND, payload, key=name, deduplication=name)


def remove_containers(store: Store, payload: dict[str, Any]) -> None:
    """Remove what a run left; `payload` is that of the event: `pipeline`, `version`, `run_id`.

    A run that goes on again, for it was cleared, keeps what is its own.
    """
    from airloom.dags.connections import connection
    from airloom.dags.runs import run_state

    pipeline, run_id = payload["pipeline"], payload["run_id"]
    state = run_state(pipeline, run_id)
    if state is not None and not state.ended:
        return
    try:
        version = store.version(pipeline, payload["version"])
    except NotFound:
        return
    for name in dict.fromkeys(_engines(version)):
        try:
            with opened(connection(name)) as engine:
                removed = engine.remove_of_run(pipeline, run_id)
        except ConfigurationError as error:
            # Nobody can mend that by waiting; what is left is removed by the next container, once its time is over.
            log.warning("What run %s of %s left on the engine of %s stays: %s", run_id, pipeline, name, error)
            continue
        if removed:
            log.info("%d containers and volumes that run %s of %s left are removed", removed, run_id, pipeline)


def _engines(version: StoredVersion) -> Iterator[str]:
    """Yield the Connections of containers; which one an expression names, only the run knew."""
    for visit in visits(version.document):
        name = (visit.entry.get("config") or {}).get("connection")
        if visit.entry["type"] == CONTAINER and isinstance(name, str) and not has_expression(name):
            yield name
