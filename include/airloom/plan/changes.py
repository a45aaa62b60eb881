"""What is different between two plans, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airloom.plan.plan import Plan

Json = Mapping[str, Any]


def plan_changes(before: Json, after: Json) -> list[str]:
    """Return how a plan differs from one before, both as JSON: tasks, node versions, SQL, and what else differs."""
    changes = []
    # Each in the form of today: a plan is no other one because a newer release writes it in another way.
    before, after = Plan.from_json(before).to_json(), Plan.from_json(after).to_json()
    tasks, new_tasks = _tasks(before), _tasks(after)
    if list(tasks) != list(new_tasks):
        changes.append(f"tasks: {', '.join(tasks)} → {', '.join(new_tasks)}")
    changes += [f"task {task} is set up anew" for task in tasks if task in new_tasks and tasks[task] != new_tasks[task]]
    for name in {**before["values"], **after["values"]}:
        if before["values"].get(name) != after["values"].get(name):
            changes.append(f"value {name}: {before['values'].get(name)!r} → {after['values'].get(name)!r}")
    for name in {**before["nodes"], **after["nodes"]}:
        changes += _node_changes(name, before["nodes"].get(name), after["nodes"].get(name))
    return changes


def _tasks(plan: Json) -> dict[str, Any]:
    return {task["id"]: task for task in (*plan["steps"], *plan["gates"])}


def _node_changes(name: str, before: Json | None, after: Json | None) -> list[str]:
    if before is None or after is None:
        return [f"node {name} is {'new' if before is None else 'gone'}"]
    if before["version"] != after["version"]:
        return [f"node {name}: {after['type']} version {before['version']} → {after['version']}"]
    changes = [f"node {name}: its SQL is another"] if before["sql"] != after["sql"] else []
    if any(before.get(field) != after.get(field) for field in ("inputs", "outputs", "effect", "role", "method")):
        changes.append(f"node {name}: its ports are others")
    if before["file"] != after["file"]:
        changes.append(f"node {name}: its type is that of {'a changed' if before['file'] else 'the present'} file")
    functions = (before["functions"], after["functions"])
    changed = [function for function in functions[1] if functions[0].get(function) != functions[1][function]]
    changes += [f"node {name}: the file of its function {function} is another" for function in changed]
    if before["body"] and after["body"]:
        changes += plan_changes(before["body"], after["body"])
    return changes
