"""Tasks with loops, all nodes of a run, and called pipelines killed at random: the rows are those of a quiet run."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from tests.installations import Running, installed

from airloom.local.databases import databases
from airloom.store.lookup import plain

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
KILLS = 25
"""How many runs of each shape are killed, each once."""
AT_ONCE = 4
ITEMS = 30
SEED = 2_611
Json = dict[str, Any]
RUNNING = """
select dag_id, run_id, pid from task_instance
where dag_id like 'shape_%' and state = 'running' and pid is not null and try_number = 1
"""


@dataclass
class Run:
    """A run of a shape, whose task is killed at a moment; `target` is the table that it writes."""

    shape: str
    target: str
    id: str
    due: float | None
    killed: bool = False


def node(identifier: str, kind: str, **config: Any) -> Json:
    """Return a node of a document."""
    return {"id": identifier, "type": kind, "config": config}


def chain(*nodes: Json) -> Json:
    """Return nodes, and edges from each to the next."""
    pairs = itertools.pairwise(nodes)
    return {"nodes": list(nodes), "edges": [{"from": before["id"], "to": after["id"]} for before, after in pairs]}


def append(identifier: str) -> Json:
    """Return a node that appends rows to the table of the run."""
    return node(identifier, "postgres_write", connection="warehouse", table="{{ params.target }}", mode="append")


def documents() -> list[Json]:
    """Return a pipeline of each shape; each appends the numbers below ITEMS, in that many writes."""
    row = node("row", "set", value=[{"n": "{{ loop.item }}"}])
    following = node("following", "set", value="{{ loop.item + 1 }}")
    again = {**node("again", "repeat_until", until=[{"operator": "gte", "value": ITEMS}], max_rounds=ITEMS),
             "body": {**chain(row, append("write"), following), "result": "following"}}  # fmt: skip
    each = {**node("each", "for_each"), "body": {**chain(row, append("write")), "result": "write"}}
    queried = {**each, "body": {**chain(row, node("query", "sql", sql="select n from rows"), append("write"))}}
    numbers = node("numbers", "set", value=list(range(ITEMS)))
    steps: list[Json] = []
    for number in range(ITEMS):
        steps += [node(f"row_{number}", "set", value=[{"n": number}]), append(f"write_{number}")]
    call = node("call", "run_pipeline", pipeline="shape_each", params={"target": "{{ params.target }}"})
    shapes = {
        "each": chain(numbers, each),
        "queried": chain(numbers, queried),
        "shared": chain(numbers, {**each, "parallel": 3}),
        "again": chain(node("first", "set", value=0), again),
        "all": chain(*steps),
        "call": chain(call),
    }
    settings = {"retries": 3, "retry_delay": "1s", "max_active_runs": 50}
    params = {"target": {"type": "string", "default": "none"}}
    grouped = {"all": "all"}
    return [
        {
            "id": f"shape_{name}",
            "params": params,
            "settings": {**settings, "grouping": grouped.get(name, "auto")},
            **shape,
        }
        for name, shape in shapes.items()
    ]


@pytest.fixture
def installation(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Run an installation that soon notices a task without heartbeat."""
    quick = {
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    }
    with installed(request.session, **quick) as running:
        yield running


def test_a_killed_run_writes_each_row_once(installation: Running, report: Callable[[str], None]) -> None:
    names = [document["id"] for document in documents()]
    for document in sorted(documents(), key=lambda document: str(document["id"]) == "shape_call"):
        (installation.folder / f"{document['id']}.json").write_text(json.dumps(document))
    eventually(lambda: len(installation.api("GET", "/api/v2/dags?dag_id_pattern=shape_")["dags"]) == len(names), 180)
    chance, began = random.Random(SEED), time.monotonic()
    killed: Counter[str] = Counter()
    wrong: list[str] = []
    with (
        psycopg.connect(plain(databases(installation.installation).airflow), autocommit=True) as airflow,
        psycopg.connect(plain(installation.warehouse_url), autocommit=True) as warehouse,
    ):
        seconds = {name: _quiet(installation, warehouse, airflow, name) for name in names}
        report("seconds of a quiet run: " + ", ".join(f"{name} {took:.1f}" for name, took in seconds.items()))
        active: list[Run] = []
        number = 0
        while any(killed[name] < KILLS for name in names) or active:
            wanted = [name for name in names if killed[name] + sum(run.shape == name for run in active) < KILLS]
            while wanted and len(active) < AT_ONCE:
                number += 1
                run = _start(installation, warehouse, wanted[number % len(wanted)], f"killed_{number}")
                run.due = time.monotonic() + chance.uniform(0.5, seconds[run.shape])
                active.append(run)
                wanted = [name for name in names if killed[name] + sum(run.shape == name for run in active) < KILLS]
            _kill(active, airflow)
            for run in _ended(active, airflow):
                active.remove(run)
                killed[run.shape] += run.killed
                if fault := _fault(warehouse, run, airflow):
                    wrong.append(fault)
            assert time.monotonic() - began < 3300, f"{killed} were killed so far; {wrong}"
            time.sleep(0.05)
    report(f"killed: {dict(killed)} in {time.monotonic() - began:.0f} s")
    assert not wrong, "\n".join(wrong)


def eventually(look: Callable[[], bool], seconds: float) -> None:
    """Wait until it is so; fail where it is not."""
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.3)


def _start(running: Running, warehouse: psycopg.Connection[Any], shape: str, target: str) -> Run:
    warehouse.execute(f"create table {target} (n bigint)".encode())
    body = {"logical_date": None, "conf": {"target": target}}
    run = running.api("POST", f"/api/v2/dags/{shape}/dagRuns", body)
    return Run(shape, target, str(run["dag_run_id"]), None)


def _quiet(running: Running, warehouse: psycopg.Connection[Any], airflow: psycopg.Connection[Any], shape: str) -> float:
    """Return the seconds of a run that nobody disturbs."""
    run = _start(running, warehouse, shape, f"quiet_{shape}")
    began = time.monotonic()
    eventually(lambda: bool(_ended([run], airflow)), 180)
    assert _fault(warehouse, run, airflow) == ""
    return time.monotonic() - began


def _kill(active: list[Run], airflow: psycopg.Connection[Any]) -> None:
    """Kill a task of each run whose moment has come; of a called pipeline, that of whichever run is at work."""
    tasks = airflow.execute(RUNNING).fetchall()
    due = [run for run in active if not run.killed and run.due is not None and time.monotonic() >= run.due]
    for run in due:
        called = airflow.execute(
            "select run_id from dag_run where conf -> 'airloom' -> 'caller' ->> 'run_id' = %s", [run.id]
        ).fetchone()
        ids = {run.id, *(called or ())}
        for _, run_id, process in tasks:
            if run_id in ids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                    run.killed = True
                    break


def _ended(active: list[Run], airflow: psycopg.Connection[Any]) -> list[Run]:
    query = "select run_id from dag_run where dag_id like 'shape_%' and state in ('success', 'failed')"
    over = {row[0] for row in airflow.execute(query).fetchall()}
    return [run for run in active if run.id in over]


def _fault(warehouse: psycopg.Connection[Any], run: Run, airflow: psycopg.Connection[Any]) -> str:
    """Return how a run that has ended differs from a quiet one, an empty text where it does not."""
    state = airflow.execute("select state from dag_run where run_id = %s", [run.id]).fetchone()
    rows = warehouse.execute(f"select n from {run.target} order by n".encode()).fetchall()
    numbers = [row[0] for row in rows]
    if state == ("success",) and numbers == list(range(ITEMS)):
        return ""
    return f"{run.shape} {run.id} (killed {run.killed}) ended {state}, and wrote {numbers}"
