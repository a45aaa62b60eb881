"""What is different between two plans, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Plan = Mapping[str, Any]


def plan_changes(before: Plan, after: Plan) -> list[str]:
    """Return how a plan differs from one before, both as JSON: tasks, node versions, SQL, and what else differs."""
    changes = []
    if before["format"] != after["format"]:
        changes.append(f"format {before['format']} → {after['format']}")
    tasks, new_tasks = _tasks(before), _tasks(after)
    if list(tasks) != list(new_tasks):
        changes.append(f"tasks: {', '.join(tasks)} → {', '.join(new_tasks)}")
    changes += [f"task {task} is set up anew" for task in tasks if task in new_tasks and tasks[task] != new_tasks[task]]
    for name in {**before["nodes"], **after["nodes"]}:
        changes += _node_changes(name, before["nodes"].get(name), after["nodes"].get(name))
    return changes


def _tasks(plan: Plan) -> dict[str, Any]:
    return {task["id"]: task for task in (*plan["steps"], *plan["gates"])}


def _node_changes(name: str, before: Plan | None, after: Plan | None) -> list[str]:
    if before is None or after is None:
        return [f"node {name} is {'new' if before is None else 'gone'}"]
    if before["version"] != after["version"]:
        return [f"node {name}: {after['type']} version {before['version']} → {after['version']}"]
    changes = [f"node {name}: its SQL is another"] if before["sql"] != after["sql"] else []
    if any(before.get(field) != after.get(field) for field in ("inputs", "outputs", "effect", "method")):
        changes.append(f"node {name}: its ports are others")
    return changes
