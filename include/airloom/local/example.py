"""The first run: an example pipeline of the drop folder, run to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airloom.local.client import AirflowClient, AirflowError
from airloom.local.databases import databases
from airloom.local.installation import Installation
from airloom.local.lifecycle import client
from airloom.spec.configuration import read_configuration
from airloom.spec.error import DataError, SystemFault

if TYPE_CHECKING:
    from airloom.store.records import NodeRun
    from airloom.store.store import Store

APPEAR_TIMEOUT = 120.0
RUN_TIMEOUT = 300.0
RECORD_TIMEOUT = 60.0


@dataclass(frozen=True)
class Outcome:
    """Say how a run ended, node by node."""

    run_id: str
    state: str
    nodes: list[NodeRun]

    def lines(self) -> list[str]:
        """Return the run as lines of text: each node with its state and rows, then where results lie."""
        width = max((len(node.node) for node in self.nodes), default=0)
        lines = []
        for node in self.nodes:
            rows = node.rows if node.rows is not None else _written(node).get("rows")
            lines.append(f"{node.node:<{width}}  {node.state:<8}" + ("" if rows is None else f"{rows:>10,} rows"))
            if node.error:
                lines.append(f"{'':<{width}}  {node.error.get('message')}")
        lines += [f"result: {target}" for node in self.nodes if (target := _written(node).get("target"))]
        return lines


def first_pipeline(installation: Installation) -> str | None:
    """Return the id of the first pipeline of the drop folder, by file name, or None where it holds none."""
    from airloom.spec.text import read_text

    for path in sorted(_folder(installation).glob("*")):
        if path.suffix in (".json", ".yaml", ".yml"):
            document, _ = read_text(path.read_text(), path.name)
            if isinstance(document, dict) and isinstance(document.get("id"), str):
                return str(document["id"])
    return None


def run(installation: Installation, pipeline: str) -> Outcome:
    """Run a pipeline once it is published, to its end.

    Raises DataError where it has problems or its run fails, SystemFault where it does not appear or end in time.
    """
    from airloom.store.store import Store

    asked = client(installation)
    store = Store(databases(installation).store)
    try:
        _wait_for_pipeline(asked, store, pipeline)
        started = asked.request("POST", f"/api/v2/dags/{pipeline}/dagRuns", {"logical_date": None})
        run_id = str(started["dag_run_id"])
        path = f"/api/v2/dags/{pipeline}/dagRuns/{quote(run_id)}"
        state = _wait(lambda: _ended(asked.request("GET", path)["state"]), RUN_TIMEOUT, f"The run {run_id} did not end")
        nodes = _wait(lambda: store.node_runs.of(pipeline, run_id), RECORD_TIMEOUT, "The worker recorded no node")
        order = [node["id"] for node in store.version(pipeline).document["nodes"]]
    finally:
        store.close()
    outcome = Outcome(run_id, state, sorted(nodes, key=lambda node: order.index(node.node)))
    if state != "success":
        raise DataError(
            f"The run {run_id} of {pipeline} ended as {state}:\n" + "\n".join(outcome.lines()),
            hint=f"Look at its tasks: {installation.address}/dags/{pipeline}/runs/{quote(run_id)}",
        )
    return outcome


def _wait_for_pipeline(asked: AirflowClient, store: Store, pipeline: str) -> None:
    def appears() -> bool:
        for stored in store.problems.all():
            if stored.pipeline == pipeline:
                problems = "\n".join(f"  {problem}" for problem in stored.problems)
                raise DataError(f"The pipeline {pipeline} has problems:\n{problems}", hint=f"Correct {stored.path}")
        try:
            asked.request("GET", f"/api/v2/dags/{pipeline}")
        except AirflowError as error:
            if error.status != 404:
                raise
            return False
        return True

    _wait(appears, APPEAR_TIMEOUT, f"The pipeline {pipeline} did not appear in Airflow")


def _wait(look: Callable[[], Any], seconds: float, complaint: str) -> Any:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if result := look():
            return result
        time.sleep(0.3)
    raise SystemFault(f"{complaint} within {seconds:.0f} s", hint="Look into the logs folder of the installation")


def _ended(state: str) -> str | None:
    return state if state in ("success", "failed") else None


def _written(node: NodeRun) -> dict[str, Any]:
    """Return what a sink says it did: rows, and the target they went to; empty for any other node."""
    done = node.outputs.get("done")
    value = done.get("value") if isinstance(done, dict) else None
    return value if isinstance(value, dict) else {}


def _folder(installation: Installation) -> Path:
    pipelines = installation.given.get("AIRLOOM_PIPELINES")
    return read_configuration(root=installation.root, pipelines=pipelines).pipelines_folder
