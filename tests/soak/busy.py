"""A deployment at work: pipelines that are published and run all the time, and a part killed every now and then."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from tests.installations import Running

from airloom.local.client import AirflowError
from airloom.local.databases import databases, embedded_server
from airloom.local.supervisor import Supervisor
from airloom.spec.error import TransientError
from airloom.store.lookup import plain

Json = dict[str, Any]
ROWS = 10
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer", "log-server", "worker", "postgres-guard")
"""What the process manager runs."""
OTHERS = ("postgres", "session", "task", "supervisor")
"""PostgreSQL, one of its sessions, a task's process, the process that watches a task."""
SETTLED = 90.0
"""Seconds after which what a killed part has left is gone."""

RUNS = """
select d.dag_id, d.run_id, d.state, d.bundle_version, extract(epoch from d.queued_at)::float, max(t.try_number)
from dag_run d join task_instance t using (dag_id, run_id)
where d.dag_id like 'busy_%' group by 1, 2, 3, 4, 5
"""
RUNNING = "select pid from task_instance where state = 'running' and pid is not null"


@dataclass
class Run:
    """A DAG run as Airflow's database has it: `revision` is what it was pinned to."""

    pipeline: str
    id: str
    state: str
    revision: str | None
    queued_at: float | None
    attempts: int


@dataclass
class Deployment:
    """Publish, run, kill and watch, each in a thread of its own, until `stopping`."""

    running: Running
    pipelines: int
    seed: int
    stopping: threading.Event = field(default_factory=threading.Event)
    words: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """What each pipeline was told to say, in the order in which it was published."""
    numbers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """The versions that a publish was answered with."""
    kills: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    samples: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    """Megabytes of memory of each part, by the time."""
    orphans: dict[int, str] = field(default_factory=dict)
    faults: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = [f"busy_{number:03}" for number in range(self.pipelines)]
        self.rows = self.running.files / "numbers.csv"
        self.rows.write_text("number\n" + "".join(f"{number}\n" for number in range(ROWS)))
        self.supervisor = Supervisor(self.running.installation.home, self.running.installation.state.identity)
        self.server = embedded_server(self.running.installation)
        self.publisher = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("publisher.py"))],
            env={**os.environ, **self.running.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._doing: list[threading.Thread] = []
        self._lost: dict[int, float] = {}

    # What is published and run

    def document(self, name: str, word: str) -> Json:
        """Return a pipeline that says a word: two values, or, one in five, rows that are appended to a table."""
        number = self.names.index(name)
        shared: Json = {
            "id": name,
            "description": word,
            "settings": {"grouping": "none", "retries": 8, "retry_delay": "1s", "max_active_runs": 16},
        }
        if number % 50 == 0 and not self.stopping.is_set():
            shared["schedule"] = {"every": "1m"}
        if number % 5 == 4:
            stamp = {"word": f"'{word}'", "run": "{{ run.id }}"}
            nodes = [
                {"id": "numbers", "type": "csv_read", "config": {"path": str(self.rows)}},
                {"id": "said", "type": "derive", "config": {"columns": stamp}},
                {
                    "id": "save",
                    "type": "postgres_write",
                    "config": {"connection": "warehouse", "table": "said", "mode": "append"},
                },
            ]
            edges = [{"from": "numbers", "to": "said"}, {"from": "said", "to": "save"}]
        else:
            nodes = [
                {"id": "first", "type": "set", "config": {"value": word}},
                {"id": "second", "type": "set", "config": {"value": "{{ nodes.first.value }} " + word}},
            ]
            edges = [{"from": "first", "to": "second"}]
        return {**shared, "nodes": nodes, "edges": edges}

    def publish(self, name: str) -> None:
        """Publish a pipeline anew: those of even numbers by their file, the others by a call."""
        word = f"{name} {len(self.words[name])}"
        text = json.dumps(self.document(name, word))
        self.words[name].append(word)
        if self.names.index(name) % 2 == 0:
            (self.running.folder / f"{name}.json").write_text(text)
            return
        assert self.publisher.stdin is not None
        assert self.publisher.stdout is not None
        self.publisher.stdin.write(text + "\n")
        self.publisher.stdin.flush()
        self.numbers[name].append(int(self.publisher.stdout.readline()))

    def run(self, name: str) -> None:
        """Start a run; Airflow may be away just now."""
        try:
            self.running.api("POST", f"/api/v2/dags/{name}/dagRuns", {"logical_date": None})
        except (AirflowError, TransientError):
            self.refused += 1

    # What goes on all the time

    def begin(self, publish_every: float, run_every: float, kill_every: float) -> None:
        """Begin to publish, run, kill and watch, in seconds between two of each."""
        turns = self._in_turn(self.seed)
        runs = random.Random(self.seed + 1)
        parts = self._victims(random.Random(self.seed + 2))
        self._repeat(publish_every, lambda: self.publish(next(turns)))
        self._repeat(run_every, lambda: self.run(runs.choice(self.names)))
        self._repeat(kill_every, lambda: self._kill(next(parts)))
        self._repeat(20, self.look)

    def end(self) -> None:
        """End all that was begun, and the schedules; raise what went wrong meanwhile."""
        self.stopping.set()
        for thread in self._doing:
            thread.join()
        if self.faults:
            raise self.faults[0]
        for name in self.names[::50]:
            self.publish(name)

    def close(self) -> None:
        """End the process that publishes."""
        self.stopping.set()
        assert self.publisher.stdin is not None
        self.publisher.stdin.close()
        self.publisher.wait(30)

    def _repeat(self, every: float, act: Callable[[], None]) -> None:
        def go_on() -> None:
            due = time.monotonic() + every
            while not self.stopping.wait(max(0.0, due - time.monotonic())):
                due = max(due + every, time.monotonic())
                try:
                    act()
                except Exception as fault:  # noqa: BLE001 the main thread raises it
                    self.faults.append(fault)
                    self.stopping.set()

        thread = threading.Thread(target=go_on)
        thread.start()
        self._doing.append(thread)

    def _in_turn(self, seed: int) -> Iterator[str]:
        names = list(self.names)
        while True:
            random.Random(seed).shuffle(names)
            yield from names

    @staticmethod
    def _victims(chance: random.Random) -> Iterator[str]:
        victims = [*PARTS, *OTHERS, "task", "supervisor", "session"]
        while True:
            chance.shuffle(victims)
            yield from victims

    # Kills

    def _kill(self, kind: str) -> None:
        """Kill one process of a kind, where there is one before long; what it started has to end by itself."""
        end = time.monotonic() + 20
        while time.monotonic() < end and not self.stopping.is_set():
            with contextlib.suppress(psutil.NoSuchProcess, psycopg.OperationalError, FileNotFoundError, IndexError):
                if (victim := self._victim(kind)) is not None:
                    victim.send_signal(signal.SIGKILL)
                    self.kills[kind] += 1
                    return
            time.sleep(0.05)

    def _victim(self, kind: str) -> psutil.Process | None:
        if kind in PARTS:
            return next((part for part in self._parts() if _name(part) == kind), None)
        if kind in ("postgres", "session"):
            main = psutil.Process(int((self.server.folder / "data" / "postmaster.pid").read_text().split()[0]))
            sessions = [child for child in main.children() if "127.0.0.1" in " ".join(child.cmdline())]
            return main if kind == "postgres" else random.choice(sessions) if sessions else None
        with psycopg.connect(plain(databases(self.running.installation).airflow)) as connection:
            pids = [row[0] for row in connection.execute(RUNNING)]
        task = psutil.Process(random.choice(pids)) if pids else None
        return task.parent() if task and kind == "supervisor" else task

    def _parts(self) -> list[psutil.Process]:
        manager = self.supervisor.process()
        assert manager is not None, "the process manager is gone"
        return manager.children()

    # What is watched

    def look(self) -> None:
        """Note the memory of each part, and what goes on for long without the part that it belonged to."""
        used: dict[str, float] = {}
        for part in self._parts():
            with contextlib.suppress(psutil.NoSuchProcess):
                name = _name(part)
                tree = [part, *part.children(recursive=True)]
                used[name] = used.get(name, 0.0) + sum(_memory(process) for process in tree)
        self.samples.append((time.time(), used))
        manager = self.supervisor.process()
        lost = {}
        for process in self.supervisor.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                above = {process.pid, *(parent.pid for parent in process.parents())}
                if manager is None or not above & {manager.pid, self.publisher.pid}:
                    lost[process.pid] = self._lost.get(process.pid, time.monotonic())
                    if time.monotonic() - lost[process.pid] > SETTLED:
                        self.orphans[process.pid] = " ".join(process.cmdline())
        self._lost = lost

    def runs(self) -> list[Run]:
        """Return all runs."""
        with psycopg.connect(plain(databases(self.running.installation).airflow)) as connection:
            return [Run(*row) for row in connection.execute(RUNS)]


def _name(part: psutil.Process) -> str:
    """Return the name by which the process manager knows what it started; titles change."""
    return str(part.environ().get("SUPERVISOR_PROCESS_NAME", "?"))


def _memory(process: psutil.Process) -> float:
    """Return the megabytes of a process, what it shares with others in equal parts."""
    try:
        return float(process.memory_full_info().pss) / 1e6
    except psutil.AccessDenied:
        return 0.0


def size(folder: Path) -> tuple[int, float]:
    """Return the number of files below a folder, and their megabytes."""
    sizes = []
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                sizes.append(path.stat().st_size)
    return len(sizes), sum(sizes) / 1e6
