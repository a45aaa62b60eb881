"""An installation of a benchmark's own: PostgreSQL, Airflow and the worker, on free ports and in its own folder."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from _harness import ROOT, folder

from airloom.dags import deployment
from airloom.local import airflow, lifecycle
from airloom.local.client import AirflowClient
from airloom.local.databases import databases
from airloom.local.installation import Installation
from airloom.local.postgres import tail
from airloom.spec.error import SystemFault

Found = TypeVar("Found")


@dataclass
class Running:
    """Reach an installation; `bare` is a folder of plain DAG files that its Airflow reads as well."""

    installation: Installation
    place: Path
    client: AirflowClient

    @property
    def bare(self) -> Path:
        """Return the folder of plain DAG files."""
        return self.place / "bare"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that the installation's processes have."""
        return airflow.environment(self.installation)

    @property
    def airflow_url(self) -> str:
        """Return the address of Airflow's database, as psycopg takes it."""
        return databases(self.installation).airflow.replace("+psycopg", "")

    @property
    def store_url(self) -> str:
        """Return the SQLAlchemy address of the store."""
        return databases(self.installation).store

    def start(self) -> None:
        """Start all parts, and wait until they are healthy."""
        lifecycle.start(self.installation, lambda name: nullcontext())

    def stop(self) -> None:
        """Stop all parts."""
        lifecycle.stop(self.installation)

    def trigger(self, dag: str) -> str:
        """Start a run of a DAG; return its id."""
        run = self.client.request("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None})
        return str(run["dag_run_id"])

    def publish(self, documents: Iterable[dict[str, Any]]) -> None:
        """Publish documents; this process then has the installation's environment. Exit where one has a problem."""
        os.environ.update(self.environment)
        from airloom.dags.actor import administrator
        from airloom.dags.publishing import publish
        from airloom.store.store import Store

        store = Store(self.store_url)
        for document in documents:
            published = publish(store, document, actor=administrator("bench"))
            if published.version is None:
                raise SystemExit("\n".join(map(str, published.problems)))
        store.close()

    def ended(self, dag: str, run_id: str) -> dict[str, Any]:
        """Wait for the end of a run and return what Airflow says of it; raise SystemFault unless it succeeds."""
        run = wait_for(lambda: self._run_if_over(dag, run_id), 600, f"the end of {run_id} of {dag}")
        if run["state"] != "success":
            tasks = self.client.request("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances")
            states = {task["task_id"]: task["state"] for task in tasks["task_instances"]}
            raise SystemFault(f"{run_id} of {dag} failed: {states}\n{tail(self.installation.logs / 'scheduler.log')}")
        return dict(run)

    def _run_if_over(self, dag: str, run_id: str) -> dict[str, Any] | None:
        run = self.client.request("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}")
        return run if run["state"] in ("success", "failed") else None


def wait_for(ask: Callable[[], Found | None], seconds: float, what: str, every: float = 0.05) -> Found:
    """Return what is found at last; raise SystemFault where nothing is after so many seconds."""
    limit = time.monotonic() + seconds
    while not (found := ask()):
        if time.monotonic() > limit:
            raise SystemFault(f"{what} did not come within {seconds:g} s")
        time.sleep(every)
    return found


@contextmanager
def installation(**variables: str) -> Iterator[Running]:
    """Make an installation that is not started yet; stop it, and remove its files, at the end."""
    with folder("airflow") as place:
        for name in ("pipelines", "files", "bare"):
            (place / name).mkdir()
        bundles = [
            *deployment.BUNDLES,
            {
                "name": "bare",
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(place / "bare"), "refresh_interval": 2},
            },
        ]
        given = {
            "AIRLOOM_ROOT": str(ROOT),
            "AIRLOOM_HOME": str(place / "home"),
            "AIRLOOM_PIPELINES": str(place / "pipelines"),
            "AIRLOOM_PATHS": json.dumps([str(place / "files")]),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            # Airflow gives a task's start up after 5 seconds without an answer: too little where all else runs, too.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            **variables,
        }
        made = Installation.open(port=_free_port(), variables=given)
        running = Running(made, place, lifecycle.client(made))
        try:
            yield running
        finally:
            running.stop()


def seconds_of(run: dict[str, Any]) -> float:
    """Return how long a run took, from its start to its end."""
    start, end = (datetime.fromisoformat(run[name]) for name in ("start_date", "end_date"))
    return (end - start).total_seconds()


def _free_port() -> int:
    """Choose a port that is free, as are the two after it, outside the range that the system gives to connections."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            try:
                for offset, probe in enumerate((first, second, third)):
                    probe.bind(("127.0.0.1", port + offset))
            except OSError:
                continue
            return port
