"""Tasks that start together on a machine where no task of their version ran before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.dags.cold_tasks import TASKS_OF_EACH

from airloom.store.store import Store

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("pipelines", "revisions"), [(8, 2), pytest.param(200, 50, marks=pytest.mark.soak)], ids=["few", "many"]
)
def test_each_finds_its_pipeline_as_it_was(
    store: Store, store_url: str, plan_of: Callable[[Json], Json], tmp_path: Path, pipelines: int, revisions: int
) -> None:
    def publish(pipeline: str, description: str) -> int:
        nodes = [{"id": "only", "type": "step", "config": {"source": True}}]
        document = {"id": pipeline, "description": description, "nodes": nodes}
        return store.publish(document, plan_of(document), author="ann", source="api").revision

    names = [f"pipeline_{number}" for number in range(pipelines)]
    each = pipelines // revisions
    asked: dict[int, list[str]] = {}
    for at in range(revisions):
        served = names[at * each : (at + 1) * each]
        for name in served:
            revision = publish(name, f"first {name}")
        asked[revision] = served
    for name in names:
        publish(name, "another since")
    finished = subprocess.run(
        [sys.executable, "-m", "tests.dags.cold_tasks"],
        input=json.dumps(asked),
        env={
            **os.environ,
            "AIRLOOM_DATABASE_URL": store_url,
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(tmp_path),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    expected = [
        [str(revision), name, ["only"], 1, f"first {name}"] for revision, of_it in asked.items() for name in of_it
    ]
    assert sorted(json.loads(finished.stdout)) == sorted(expected * TASKS_OF_EACH)
