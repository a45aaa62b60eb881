"""Runs of published pipelines: starting one, and how its nodes do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airloom.dags import platform
from airloom.dags.platform import NodeState, RunState
from airloom.spec.error import ConfigurationError
from airloom.spec.params import read_params
from airloom.store.records import NotFound

if TYPE_CHECKING:
    from airloom.store.store import Store


def start_run(store: Store, pipeline: str, params: Mapping[str, Any], *, user: str | None = None) -> str:
    """Start a run of a pipeline's current version, once Airflow has read that; return the run's id.

    Raises NotFound where there is no such pipeline, ConfigurationError for params that its document does not allow.
    """
    stored = store.pipeline(pipeline)
    if stored.archived:
        raise ConfigurationError(f"pipeline {pipeline!r} is archived", hint="publish it again")
    version = store.version(pipeline)
    _, problems = read_params(version.document.get("params", {}), params)
    if problems:
        raise ConfigurationError(
            "; ".join(problem.message for problem in problems),
            field=problems[0].pointer.lstrip("/"),
            hint=problems[0].hint,
        )
    platform.wait_for_version(pipeline, version.number)
    return platform.trigger_run(pipeline, dict(params), user=user)


def nodes_of_run(store: Store, pipeline: str, run_id: str) -> list[NodeState]:
    """Return how the nodes of a run are doing, by the plan of the version that the run is pinned to.

    Raises NotFound where Airflow knows no such run.
    """
    run = run_of(pipeline, run_id)
    return platform.node_results(pipeline, run_id, store.version_at(pipeline, run.revision or 0).plan)


def run_of(pipeline: str, run_id: str) -> RunState:
    """Return how a run of a published pipeline is doing; raise NotFound where Airflow knows no such run."""
    run = platform.run_state(pipeline, run_id)
    if run is None or run.revision is None:
        raise NotFound(f"pipeline {pipeline!r} has no run {run_id!r}")
    return run
