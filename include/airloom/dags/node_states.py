"""How the nodes of a run are doing: what Airflow keeps of their tasks, read through the plan of the run's own version.

For processes that Airflow lets into its database, as `airloom.dags.platform`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from airloom.dags.surroundings import index_path
from airloom.dags.xcom import unpacked
from airloom.plan.partial import REUSED
from airloom.plan.plan import INNER

NOT_STARTED = ("scheduled", "queued", "deferred", "awaiting_input", "up_for_retry", "up_for_reschedule")


@dataclass(frozen=True)
class NodeState:
    """Say how one node of a run is doing: `waiting`, `running`, or how it ended.

    That is `success`, `reused` (as another run has left it), `failed`, `skipped` or `not_run`.
    """

    node: str
    task: str
    state: str
    index_path: str = ""
    fired: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
    attempt: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """Return how long the node's task took, None where it has not ended."""
        return (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None

    @property
    def rows(self) -> int | None:
        """Return the rows of the only or first table output."""
        counts = [reference.get("rows") for reference in self.outputs.values() if isinstance(reference, dict)]
        # An inner node of a step has no outputs, and its rows are counted where that is cheap.
        counts += [count for port, count in (self.statistics.get("rows") or {}).items() if port != "done"]
        return next((count for count in counts if count is not None), None)

    def to_json(self) -> dict[str, Any]:
        """Return the fields, the index path as `index`; `map_index` is what an earlier release had in its place."""
        fields = asdict(self)
        path = fields.pop("index_path")
        first = path.partition("/")[0]
        return {**fields, "index": path, "map_index": int(first) if first else -1}


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
        began: dict[str, datetime] = {}
        for step in plan["steps"]:
            if step.get("parallel", 1) > 1 and step["id"] in by_task:
                shares = [f"{step['id']}--{share}" for share in range(1, step["parallel"] + 1)]
                steps |= dict.fromkeys(shares, step["nodes"])
                tasks_of_shares = [task for share in shares for task in by_task.get(share, [])]
                by_task[step["id"]] = [_at_work(by_task[step["id"]][0], tasks_of_shares)]
                if starts := [task.start_date for task in tasks_of_shares if task.start_date is not None]:
                    began[step["id"]] = min(starts)
        left = {
            place: _Kept(entries, plan["nodes"], steps.get(place[0], []), place[0]) for place, entries in values.items()
        }
        nothing = _Kept({}, {}, [])
        return [
            _node_state(
                node,
                planned,
                task,
                left.get((task.task_id, task.map_index), nothing),
                began.get(planned["step"], task.start_date),
            )
            for node, planned in plan["nodes"].items()
            if planned["step"]
            for task in by_task.get(planned["step"], [])
        ]


def _at_work(own: Any, shares: list[Any]) -> Any:
    """Return the task that tells how a loop is doing whose items several share: its own, or one of those before it."""
    if own.state in ("upstream_failed", None):
        telling = [task for state in ("failed", "running") for task in shares if task.state == state]
        return (telling or [own])[0]
    return own


def changes(runs: Collection[tuple[str, str]]) -> dict[tuple[str, str], object]:
    """Return, of each of these runs (pipeline, run id), something that differs once one of its tasks has changed."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import func, select, tuple_

    if not runs:
        return {}
    key = (TaskInstance.dag_id, TaskInstance.run_id)
    state = TaskInstance.state
    facts = (func.max(TaskInstance.updated_at), func.count(), func.count(state), func.min(state), func.max(state))
    query = select(*key, *facts, func.sum(TaskInstance.try_number))
    with create_session(scoped=False) as session:
        rows = session.execute(query.where(tuple_(*key).in_(list(runs))).group_by(*key))
        return {(str(row[0]), str(row[1])): tuple(row[2:]) for row in rows}


class _Kept:
    """What XCom keeps of one task: the values that its nodes left, and which nodes a failure among them kept back."""

    def __init__(self, values: dict[str, Any], nodes: dict[str, Any], members: list[str], step: str = "") -> None:
        inner = {
            f"{node}.{key}": value
            for node, entries in (values.get(f"{step}.{INNER}") or {}).items()
            for key, value in entries.items()
        }
        values = self.values = {**inner, **values}
        self.any_fired = any(f"{node}.fired" in values for node in members)
        self.any_failed = any(f"{node}.error" in values for node in members)
        self.below_failure: set[str] = set()
        for node in members:
            read = [source for port in nodes[node]["inputs"] for source in port["sources"]]
            sources = {source.partition(".")[0] for source in (*read, *nodes[node].get("after", ()))}
            if any(source in self.below_failure or self._ended_badly(source) for source in sources):
                self.below_failure.add(node)

    def _ended_badly(self, node: str) -> bool:
        return f"{node}.error" in self.values and f"{node}.fired" not in self.values


def _node_state(node: str, planned: dict[str, Any], task: Any, kept: _Kept, began: datetime | None) -> NodeState:
    outputs = {port["name"]: unpacked(kept.values.get(f"{node}.{port['name']}")) for port in planned["outputs"]}
    return NodeState(
        node=node,
        task=planned["step"],
        state=_state(node, str(task.state) if task.state else None, kept),
        index_path=index_path(task.map_index),
        fired=kept.values.get(f"{node}.fired") or [],
        outputs={port: reference for port, reference in outputs.items() if reference is not None},
        error=kept.values.get(f"{node}.error"),
        statistics=kept.values.get(f"{node}.statistics") or {},
        attempt=task.try_number,
        started_at=began,
        ended_at=task.end_date,
    )


def _state(node: str, task_state: str | None, kept: _Kept) -> str:
    if task_state is None or task_state in NOT_STARTED:
        return "waiting"
    if task_state in ("running", "restarting"):
        return "running"
    if REUSED in (kept.values.get(f"{node}.statistics") or {}):
        return REUSED
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
