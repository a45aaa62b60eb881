"""A task's processes killed at random on a real Airflow: after the retry, the target is as after a clean run."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psutil
import psycopg
import pytest
from tests.installations import Running, installed

from airloom.local.databases import databases
from airloom.store.lookup import plain

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
MODES = ("append", "replace", "upsert", "parquet")
KINDS = {"task": 25, "child": 25, "supervisor": 5}
"""What is killed, and how often in each mode: the task's process, its query's process, the process that watches it."""
ROWS = 150_000
AT_ONCE = 6
SEED = 20_261
SLOW = "md5(md5(md5(md5(md5(name))))) <> name"
SHORT = 0.4
"""Seconds that a query's process lives, at least about."""

TASKS = """
select run_id, task_id, try_number, state, pid, extract(epoch from end_date - start_date)::float
from task_instance where dag_id like 'kill_%' order by start_date
"""


@dataclass
class Run:
    """A run of the pipeline of a mode, whose process of a kind is to be killed; None runs without being disturbed."""

    mode: str
    kind: str | None
    target: str
    id: str = ""
    due: float | None = None
    killed: bool = False
    state: str = ""
    attempts: int = 1
    seconds: float = 0.0


@pytest.fixture(scope="module")
def installation(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Run an installation that soon notices a task without heartbeat."""
    quick = {
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    }
    with installed(request.session, **quick) as running:
        yield running


def document(mode: str, files: Path) -> dict[str, Any]:
    """Return the pipeline of a mode: a table into the target that a param names."""
    target = "{{ params.target }}"
    if mode == "parquet":
        write = {"type": "parquet_write", "config": {"path": f"{files}/out/{target}.parquet"}}
    else:
        keys = ["id"] if mode == "upsert" else []
        config = {"connection": "warehouse", "table": target, "mode": mode, "keys": keys}
        write = {"type": "postgres_write", "config": config}
    return {
        "id": f"kill_{mode}",
        "params": {"target": {"type": "string", "default": "none"}},
        "settings": {"retries": 3, "retry_delay": "1s", "max_active_runs": 50},
        "nodes": [
            {"id": "orders", "type": "parquet_read", "config": {"path": f"{files}/orders.parquet"}},
            {"id": "even", "type": "filter", "config": {"where": f"id % 2 = 0 AND {SLOW}"}},
            {"id": "write", **write},
        ],
        "edges": [{"from": "orders", "to": "even"}, {"from": "even", "to": "write"}],
    }


class Killer:
    """Start runs, kill what they are for, and look at what they leave."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.random = random.Random(SEED)
        self.airflow = psycopg.connect(plain(databases(running.installation).airflow), autocommit=True)
        self.warehouse = psycopg.connect(plain(running.warehouse_url), autocommit=True)
        self.out = running.files / "out"
        self.out.mkdir(exist_ok=True)
        self.seconds: dict[str, float] = {}
        self.active: list[Run] = []
        self.orphans: list[tuple[float, psutil.Process]] = []
        self.longest = 0.0

    def drop_pipelines(self) -> None:
        """Let Airflow have the pipelines, and wait until it would run them."""
        duckdb.connect().execute(
            "COPY (SELECT id, 'new ' || id AS name, id * 1.5 AS amount, DATE '2026-01-01' + (id % 365)::INTEGER AS day "
            f"FROM range({2 * ROWS}) AS t(id)) TO '{self.running.files}/orders.parquet'"
        )
        for mode in MODES:
            text = json.dumps(document(mode, self.running.files))
            (self.running.folder / f"kill_{mode}.json").write_text(text)
        end = time.monotonic() + 120
        while len(self.running.api("GET", "/api/v2/dags?dag_id_pattern=kill_")["dags"]) < len(MODES):
            assert time.monotonic() < end, "the pipelines do not appear"
            time.sleep(0.5)

    def start(self, run: Run) -> None:
        """Put the target into its first state, and start the run."""
        if run.mode == "parquet":
            duckdb.connect().execute(f"COPY (SELECT 1 AS old) TO '{self.out}/{run.target}.parquet'")
        else:
            self.warehouse.execute(
                f'create table "{run.target}" (id bigint primary key, name text, amount numeric, day date)'.encode()
            )
            first, last = (-50, 49) if run.mode != "append" else (-50, -1)
            old = f"insert into \"{run.target}\" select id, 'old', 0, null from generate_series({first}, {last}) as id"
            self.warehouse.execute(old.encode())
        body = {"logical_date": None, "conf": {"target": run.target}}
        run.id = self.running.api("POST", f"/api/v2/dags/kill_{run.mode}/dagRuns", body)["dag_run_id"]
        self.active.append(run)

    def content(self, run: Run) -> tuple[Any, ...]:
        """Return what tells the content of a target from any other."""
        if run.mode == "parquet":
            query = f"SELECT count(*), bit_xor(hash(t)), sum(id) FROM '{self.out}/{run.target}.parquet' AS t"
            found = duckdb.connect().execute(query).fetchone()
        else:
            query = f'select count(*), sum(hashtextextended(t::text, 0)), sum(id) from "{run.target}" as t'
            found = self.warehouse.execute(query.encode()).fetchone()
        assert found is not None
        return found

    def watch(self) -> list[Run]:
        """Kill what is due, and return the runs that are over."""
        tasks = self.airflow.execute(TASKS).fetchall()
        states = dict(self.airflow.execute("select run_id, state from dag_run where dag_id like 'kill_%'").fetchall())
        for run in self.active:
            run.state = states.get(run.id, "")
            for run_id, task, attempt, state, pid, seconds in tasks:
                if run_id != run.id:
                    continue
                writes = task.endswith("write")
                if run.kind and (writes or run.kind == "child") and (attempt, state) == (1, "running") and pid:
                    self._kill(run, pid)
                run.attempts = max(run.attempts, attempt)
                run.seconds = seconds if writes else run.seconds
        over = [run for run in self.active if run.state in ("success", "failed")]
        self.active = [run for run in self.active if run not in over]
        return over

    def _kill(self, run: Run, pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            task = psutil.Process(pid)
            victim = {"task": lambda: task, "supervisor": task.parent}.get(
                run.kind or "", lambda: next(iter(task.children()), None)
            )()
            if victim is None or run.killed:
                return
            if run.due is None:
                seconds = SHORT if run.kind == "child" else self.seconds[run.mode]
                run.due = time.monotonic() + self.random.uniform(0, seconds)
            if time.monotonic() >= run.due:
                victim.send_signal(signal.SIGKILL)
                run.killed = True
                if run.kind == "supervisor":
                    self.orphans.append((time.monotonic(), task))

    def outlived(self) -> float:
        """Return the longest time, in seconds, that a task without its supervisor was seen to go on."""
        now = time.monotonic()
        for since, task in self.orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                if task.is_running() and task.status() != psutil.STATUS_ZOMBIE:
                    self.longest = max(self.longest, now - since)
        return self.longest


@pytest.fixture(scope="module")
def killer(installation: Running) -> Iterator[Killer]:
    """Return who starts runs and kills them."""
    killer = Killer(installation)
    killer.drop_pipelines()
    yield killer
    killer.airflow.close()
    killer.warehouse.close()


def test_a_killed_try_is_made_good(killer: Killer, report: Callable[[str], None]) -> None:
    numbers = itertools.count()
    clean: dict[str, tuple[Any, ...]] = {}
    for mode in MODES:
        for _ in range(2):
            killer.start(run := Run(mode, None, f"clean_{mode}_{next(numbers)}"))
            while not killer.watch():
                time.sleep(0.1)
            assert run.state == "success"
            clean[mode], killer.seconds[mode] = killer.content(run), run.seconds
    report("seconds of an undisturbed write: " + ", ".join(f"{m} {s:.1f}" for m, s in killer.seconds.items()))
    killed: Counter[tuple[str, str]] = Counter()
    again: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    spare = sum(KINDS.values()) * len(MODES)
    began = time.monotonic()
    wanted = [(mode, kind) for kind, kills in KINDS.items() for _ in range(kills) for mode in MODES]
    while wanted or killer.active:
        while wanted and len(killer.active) < AT_ONCE:
            mode, kind = wanted.pop(0)
            killer.start(Run(mode, kind, f"{kind}_{mode}_{next(numbers)}"))
        for run in killer.watch():
            key = (run.mode, run.kind or "")
            killed[key] += run.killed
            again[key] += run.attempts > 1
            spare -= not run.killed
            if not run.killed and spare > 0:
                wanted.append((run.mode, run.kind or ""))
            if run.state != "success":
                wrong.append(f"{run.target} ended {run.state} at try {run.attempts}")
            elif killer.content(run) != clean[run.mode]:
                wrong.append(f"{run.target} differs: {killer.content(run)} and not {clean[run.mode]}")
        killer.outlived()
        time.sleep(0.02)
    for kind in KINDS:
        of_kind = ", ".join(f"{mode} {killed[mode, kind]} ({again[mode, kind]} tried again)" for mode in MODES)
        report(f"{kind} killed: {of_kind}")
    report(f"a task outlived its supervisor by at most {killer.longest:.1f} s")
    left = sorted(path.name for path in killer.out.iterdir() if path.suffix != ".parquet")
    report(f"{sum(killed.values())} kills in {time.monotonic() - began:.0f} s; left beside the files: {len(left)}")
    assert not wrong, "\n".join(wrong)
    assert {(mode, kind): kills for (mode, kind), kills in killed.items() if kills < KINDS[kind]} == {}
