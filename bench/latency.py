"""How soon a short run has done its work: `python bench/latency.py`, on a real Airflow that is warm.

A run that takes a param, makes an object of it in two nodes, and writes a row to PostgreSQL: from the call that starts
it to the row, as a chat would wait for it. As one task for all nodes, and as grouping makes them by itself.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
from _harness import Report, arguments, in_turn, median, ratio
from _installation import Running, installation, wait_for

from airloom.local.databases import databases

WAYS = {"all": "one task for all", "auto": "tasks as grouping makes them"}


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=20, quick=3)
    report = Report("A short run, from the call to the row")
    with installation() as running:
        running.start()
        running.publish([_document(grouping) for grouping in WAYS])
        for grouping in WAYS:
            wait_for(lambda name=grouping: _is_there(running, f"chat_{name}"), 120, f"chat_{grouping}")
        address = databases(running.installation).warehouse.replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as warehouse:
            for grouping in WAYS:
                _seconds(running, warehouse, grouping)
            found = in_turn({name: lambda name=name: _seconds(running, warehouse, name) for name in WAYS}, asked.rounds)
    lines = [
        (WAYS[name], f"{median(seconds):.2f}", f"{sorted(seconds)[int(len(seconds) * 0.95)]:.2f}")
        for name, seconds in found.items()
    ]
    report.table(("", "median, seconds", "95 %"), lines)
    report.note(f"Medians of {asked.rounds}; one task takes {ratio(found['all'], found['auto']):.2f} of the time.")
    report.goal("one task for all, median", median(found["all"]), "≤", 3, "s")
    report.end()


def _document(grouping: str) -> dict[str, Any]:
    return {
        "id": f"chat_{grouping}",
        "params": {"text": {"type": "string", "default": "none"}},
        "settings": {"grouping": grouping},
        "nodes": [
            {"id": "question", "type": "set", "config": {"value": {"text": "{{ params.text }}"}}},
            {"id": "answer", "type": "set", "config": {"value": [{"answer": "{{ nodes.question.value.text }}!"}]}},
            {
                "id": "say",
                "type": "postgres_write",
                "config": {"connection": "warehouse", "table": f"chat_{grouping}", "mode": "append"},
            },
        ],
        "edges": [{"from": "question", "to": "answer"}, {"from": "answer", "to": "say"}],
    }


def _is_there(running: Running, dag: str) -> bool:
    return bool(running.client.request("GET", f"/api/v2/dags?dag_id_pattern={dag}")["total_entries"])


def _seconds(running: Running, warehouse: psycopg.Connection[Any], grouping: str) -> float:
    """Return the seconds from the call that starts a run to its row."""
    dag, text = f"chat_{grouping}", f"{time.time_ns()}"
    began = time.monotonic()
    conf = {"logical_date": None, "conf": {"text": text}}
    run_id = running.client.request("POST", f"/api/v2/dags/{dag}/dagRuns", conf)["dag_run_id"]
    wait_for(lambda: _has_row(warehouse, dag, f"{text}!"), 120, f"the row of {run_id}", every=0.02)
    seconds = time.monotonic() - began
    running.ended(dag, run_id)
    return seconds


def _has_row(warehouse: psycopg.Connection[Any], table: str, answer: str) -> bool:
    try:
        return warehouse.execute(f"select 1 from {table} where answer = %s", [answer]).fetchone() is not None
    except psycopg.errors.UndefinedTable:
        return False


if __name__ == "__main__":
    main()
