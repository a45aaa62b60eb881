"""Make a DAG of a published pipeline: what the files that the bundle writes call.

This module is imported by every DAG parse and every task, so it imports only what operators need to exist.
"""

from __future__ import annotations

import importlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Label, Param

from airloom.plan.plan import FINALLY, GROUP, PIPELINE, TRIGGER_RULE, Plan, PlanFormatError, PlanNode, PlanStep

OPERATORS = {
    **dict.fromkeys(("table", "objects", "node", GROUP, "loop", FINALLY), "airloom.dags.operator:NodeOperator"),
    PIPELINE: "airloom.dags.calls:PipelineOperator",
}
"""The operator of each kind of step, as module:class; each is imported where a plan has such a step."""
_FOOTER = re.compile(r"_Version (\d+), published by Airloom_\Z")


def pipeline(document: dict[str, Any], plan: dict[str, Any], *, closing: bool = False) -> DAG:
    """Make the DAG of a document and the plan made from it, both as JSON; one that is `closing` takes no new run.

    The same document and plan give the same serialized DAG, byte for byte, in any process. Raise what Airflow
    raises where it refuses a value; publishing tries this first, so that no such version is ever kept.
    """
    settings = document.get("settings", {})
    schedule = document.get("schedule")
    dag = DAG(
        document["id"],
        dag_display_name=document.get("name") or document["id"],
        description=_first_line(document.get("description", "")),
        doc_md=documentation(document.get("description", ""), plan["version"]),
        **(_no_new_runs() if closing else _runs(schedule, document)),
        max_active_runs=settings.get("max_active_runs", 1),
        tags=document.get("tags", []),
        is_paused_upon_creation=not settings.get("enabled", True),
    )
    _add_tasks(dag, document, Plan.from_json(plan))
    return dag


def documentation(description: str, version: int) -> str:
    """Return the Markdown of a DAG: the description, and a last line that names the version where there is one."""
    if not version:
        return description
    footer = f"_Version {version}, published by Airloom_"
    return f"{description.rstrip()}\n\n---\n{footer}" if description.strip() else footer


def version_in(documentation: str | None) -> int | None:
    """Return the version that `documentation` wrote into a DAG's Markdown, or None where it wrote none."""
    footer = _FOOTER.search(documentation or "")
    return int(footer[1]) if footer else None


def _add_tasks(dag: DAG, document: dict[str, Any], plan: Plan) -> None:
    last = (document.get("finally") or {}).get("nodes", [])
    entries = {node["id"]: node for node in (*document["nodes"], *last)}  # a body has no task
    owner = document.get("owner", "airloom")
    priority = document.get("settings", {}).get("priority", 1)
    tasks: dict[str, Any] = {}
    for step in plan.steps:
        nodes = [entries[node] for node in step.nodes]
        shared: dict[str, Any] = dict(
            dag=dag,
            document=document,
            plan=plan,
            step=step,
            config={node["id"]: node.get("config", {}) for node in nodes},
            sql=_queries([plan.nodes[node] for node in step.nodes]),
            type_name=" + ".join(node["type"] for node in nodes),
            doc_md=_descriptions(nodes),
            owner=owner,
            trigger_rule=step.trigger_rule,
            retries=step.retries,
            retry_delay=timedelta(seconds=step.retry_delay),
            **({} if step.retry_backoff == "fixed" else {"retry_policy": _doubling(step)}),
            execution_timeout=None if step.timeout is None else timedelta(seconds=step.timeout),
            priority_weight=priority,
            weight_rule="absolute",
            **({} if step.pool is None else {"pool": step.pool}),
        )
        name = _display_name(nodes)
        if step.parallel > 1:
            from airloom.dags.parallel import CollectOperator, ShareOperator

            for number, task in enumerate(step.first_tasks):
                share = f"{name} ({number + 1} of {step.parallel})"
                tasks[task] = ShareOperator(task_id=task, number=number, task_display_name=share, **shared)
            tasks[step.id] = CollectOperator(task_id=step.id, task_display_name=name, **shared)
        else:
            tasks[step.id] = _operator(step.kind)(task_id=step.id, task_display_name=name, **shared)
    if plan.gates:
        from airflow.providers.standard.operators.empty import EmptyOperator

        for gate in plan.gates:
            tasks[gate.id] = EmptyOperator(
                task_id=gate.id, dag=dag, task_display_name=gate.port, owner=owner, trigger_rule=TRIGGER_RULE
            )
    _join(tasks, plan)


def _doubling(step: PlanStep) -> Any:
    from airloom.dags.retrying import Doubling

    return Doubling(step.retry_delay, step.max_retry_delay)


def _operator(kind: str) -> Any:
    path = OPERATORS.get(kind)
    if path is None:
        raise PlanFormatError(
            f"the plan has a step of kind {kind!r}, which this release does not know: upgrade Airloom"
        )
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _join(tasks: dict[str, Any], plan: Plan) -> None:
    labels = {(label.source, label.target): Label(label.label) for label in plan.labels}
    upstream = {step.id: step.upstream for step in plan.steps} | {gate.id: (gate.upstream,) for gate in plan.gates}
    first = {step.id: step.first_tasks for step in plan.steps}
    for task, before in upstream.items():
        for other in before:
            for one in first.get(task, (task,)):
                tasks[one].set_upstream(tasks[other], edge_modifier=labels.get((other, task)))
    for step in plan.steps:
        for share in step.first_tasks:
            if share != step.id:
                tasks[step.id].set_upstream(tasks[share])
    if FINALLY in tasks:
        # It runs however the run ends, and says nothing of how it ended.
        tasks[FINALLY].as_teardown()


def _runs(schedule: dict[str, Any] | None, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "catchup": document.get("settings", {}).get("catchup", False),
        "params": {name: _param(schema) for name, schema in document.get("params", {}).items()},
        "schedule": _timetable(schedule),
        "start_date": _moment(schedule, "start"),
        "end_date": _moment(schedule, "end"),
    }


def _no_new_runs() -> dict[str, Any]:
    # Airflow has no word for "no runs". Without a schedule it insists on manual ones: so there is one, which is over.
    # With a schedule it insists on defaults of all params: so there are none, and runs have those of their own version.
    return {"schedule": "@once", "end_date": datetime(2000, 1, 1, tzinfo=UTC), "allowed_run_types": ["scheduled"]}


def _timetable(schedule: dict[str, Any] | None) -> Any:
    if schedule is None:
        return None
    if schedule.get("cron") is not None:
        from airflow.sdk import CronTriggerTimetable

        return CronTriggerTimetable(schedule["cron"], timezone=schedule.get("timezone", "UTC"))
    from airflow.sdk import DeltaTriggerTimetable

    from airloom.spec.duration import parse_duration

    return DeltaTriggerTimetable(parse_duration(schedule["every"]))


def _moment(schedule: dict[str, Any] | None, field: str) -> datetime | None:
    if schedule is None or schedule.get(field) is None:
        return None
    moment = datetime.fromisoformat(schedule[field])
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(schedule.get("timezone", "UTC")))


def _param(schema: dict[str, Any]) -> Param:
    rules = {key: value for key, value in schema.items() if key not in ("default", "description")}
    default = {"default": schema["default"]} if "default" in schema else {}
    return Param(**default, description=schema.get("description"), schema=rules)


def _first_line(description: str) -> str | None:
    for line in description.splitlines():
        if text := line.strip().lstrip("#").strip():
            return text
    return None


def _display_name(nodes: list[dict[str, Any]]) -> str:
    names = [node.get("name") or node["id"] for node in nodes]
    if len(names) > 3:
        return f"{names[0]} → … → {names[-1]} ({len(names)} nodes)"
    return " → ".join(names)


def _descriptions(nodes: list[dict[str, Any]]) -> str | None:
    described = [node for node in nodes if node.get("description")]
    return "\n\n".join(f"**{node.get('name') or node['id']}**: {node['description']}" for node in described) or None


def _queries(nodes: list[PlanNode]) -> str | None:
    queries = [f"-- {node.id}.{port}\n{query}" for node in nodes for port, query in node.sql.items()]
    return "\n\n".join(queries) or None
