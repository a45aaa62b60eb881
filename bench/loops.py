"""How many items a second a loop does: `python bench/loops.py`, beside plain Python and Airflow's mapped tasks.

A list of items through a body of three object nodes, and through a body with a table node, as one task runs them;
the same sums in a plain Python loop; and on a real Airflow three mapped tasks for each item, of a hundred, which is as
many as it takes a minute for.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path
from typing import Any

from _harness import Report, Stopwatch, arguments, in_turn, ratio, spread
from _installation import Running, installation, seconds_of, wait_for

from airloom.checks.check import check
from airloom.nodes.context import RunFacts
from airloom.plan.build import build_plan
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.pipeline import run_pipeline
from airloom.runtime.step import Workplace
from airloom.runtime.trial import no_connections
from airloom.spec.configuration import Configuration

MAPPED = '''
"""Three tasks for each item, by Airflow's own means."""
from airflow.sdk import dag, task, task_group


@task
def more(item):
    return {"n": item + 1}


@task
def twice(value):
    return {"n": value["n"] * 2}


@task
def less(value):
    return value["n"] - 1


@task_group
def body(item):
    less(twice(more(item)))


@dag(dag_id="mapped", schedule=None, max_active_tasks=64)
def mapped():
    body.expand(item=list(range(ITEMS)))


mapped()
'''
OBJECTS: list[dict[str, Any]] = [
    {"id": "more", "type": "set", "config": {"value": {"n": "{{ loop.item + 1 }}"}}},
    {"id": "twice", "type": "set", "config": {"value": {"n": "{{ nodes.more.value.n * 2 }}"}}},
    {"id": "less", "type": "set", "config": {"value": "{{ nodes.twice.value.n - 1 }}"}},
]
TABLES: list[dict[str, Any]] = [
    {"id": "row", "type": "set", "config": {"value": [{"n": "{{ loop.item }}"}]}},
    {"id": "sum", "type": "sql", "config": {"sql": "select (n + 1) * 2 - 1 as n from rows"}},
    {"id": "less", "type": "set", "config": {"value": "{{ nodes.sum.rows.first(1)[0].n }}"}},
]


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=3, quick=1, objects=100_000, tables=10_000, mapped=100)
    objects, tables, mapped = (5_000, 100, 20) if asked.quick else (asked.objects, asked.tables, asked.mapped)
    report = Report("A loop")
    ways = {
        "Airloom, three object nodes": lambda: _loop(OBJECTS, objects),
        "plain Python": lambda: _plain(objects),
    }
    found = in_turn(ways, asked.rounds)
    per_second = {name: objects / (sorted(seconds)[len(seconds) // 2]) for name, seconds in found.items()}
    with_tables = _loop(TABLES, tables)
    with installation() as running:
        on_airflow = _mapped(running, mapped)
    lines = [(name, f"{objects:,}", spread(seconds), f"{per_second[name]:,.0f}") for name, seconds in found.items()]
    lines.append(
        ("Airloom, a table node among them", f"{tables:,}", f"{with_tables:.1f}", f"{tables / with_tables:,.0f}")
    )
    lines.append(("Airflow, three mapped tasks each", f"{mapped:,}", f"{on_airflow:.1f}", f"{mapped / on_airflow:.2f}"))
    report.table(("", "items", "seconds", "items a second"), lines)
    objects_rate = per_second["Airloom, three object nodes"]
    report.note(
        f"Against Airflow's mapped tasks {objects_rate / (mapped / on_airflow):,.0f} ×, with a table node "
        f"{tables / with_tables / (mapped / on_airflow):,.0f} ×; plain Python is "
        f"{ratio(found['Airloom, three object nodes'], found['plain Python']):,.0f} × as fast."
    )
    report.goal("items a second, three object nodes", objects_rate, "≥", 1000, "")
    report.end()


def _loop(nodes: list[dict[str, Any]], items: int) -> float:
    """Return the seconds of a loop over so many items."""
    pairs = itertools.pairwise(nodes)
    body = {
        "nodes": nodes,
        "edges": [{"from": before["id"], "to": after["id"]} for before, after in pairs],
        "result": "less",
    }
    document: dict[str, Any] = {
        "id": "loop",
        "nodes": [
            {"id": "items", "type": "set", "config": {"value": "{{ range(params.count) | list }}"}},
            {"id": "each", "type": "for_each", "body": body},
        ],
        "edges": [{"from": "items", "to": "each"}],
        "params": {"count": {"type": "integer", "default": items}},
    }
    checked = check(document)
    if checked.resolved is None or checked.document is None:
        raise SystemExit("\n".join(map(str, checked.problems)))
    with tempfile.TemporaryDirectory() as folder:
        workplace = Workplace(checked.document.to_json(), Configuration(data=folder))
        surroundings = LocalSurroundings(RunFacts("loop", "run"), {"count": items}, no_connections)
        with Stopwatch() as watch:
            results = dict(run_pipeline(build_plan(checked.resolved), workplace, surroundings))
    if results["each"].state != "success":
        raise SystemExit(str(results["each"].error))
    return watch.spent.wall


def _plain(items: int) -> float:
    with Stopwatch() as watch:
        results = []
        for item in range(items):
            more = {"n": item + 1}
            twice = {"n": more["n"] * 2}
            results.append(twice["n"] - 1)
    return watch.spent.wall


def _mapped(running: Running, items: int) -> float:
    """Return the seconds of a run of Airflow with three mapped tasks for each item."""
    Path(running.bare).mkdir(parents=True, exist_ok=True)
    (Path(running.bare) / "mapped.py").write_text(MAPPED.replace("ITEMS", str(items)))
    os.environ.update(running.environment)
    running.start()
    wait_for(lambda: _is_there(running), 120, "the mapped DAG")
    running.client.request("PATCH", "/api/v2/dags/mapped", {"is_paused": False})
    return seconds_of(running.ended("mapped", running.trigger("mapped")))


def _is_there(running: Running) -> bool:
    found = running.client.request("GET", "/api/v2/dags?dag_id_pattern=mapped")
    return bool(found["total_entries"])


if __name__ == "__main__":
    main()
