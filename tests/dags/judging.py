"""What becomes of dropped files: read, checked, published; and whether what was published can be run by Airflow."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Airflow reads its settings when it is imported first.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airloom-airflow-"))

import pytest
from tests.conformance.suite import DATA, NODES, ROOT
from tests.dags.mutants import files
from typer.testing import CliRunner

from airloom.dags import publishing
from airloom.dags.factory import pipeline
from airloom.dags.files import pipeline_text
from airloom.plan.plan import Plan
from airloom.spec.configuration import configuration
from airloom.spec.document import read_document
from airloom.spec.error import AirloomError
from airloom.spec.problem import Problem
from airloom.store.records import StoredVersion
from airloom.store.store import Store
from airloom.worker.folder import Folder

PATHS = f'["include/data", "output", "{DATA}"]'
LONGEST = 5.0
"""Seconds of processor time that a document may take: a busy machine makes no document slow."""


@dataclass
class Judgement:
    """What was seen of many documents; `faults` are those of the product, each with the file that shows it."""

    accepted: int = 0
    refused: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    faults: list[str] = field(default_factory=list)

    def add(self, other: Judgement) -> None:
        """Take in what was seen of other documents."""
        self.accepted += other.accepted
        self.refused += other.refused
        self.codes += other.codes
        self.slowest = max(self.slowest, other.slowest)
        self.faults += other.faults

    @contextmanager
    def watch(self, name: str) -> Iterator[None]:
        """Take the time of what is done to a file, and any error that no user could understand."""
        before = _processor_time()
        try:
            yield
        except AirloomError:
            raise
        except Exception:
            self.faults.append(f"{name}: {traceback.format_exc()[-1500:]}")
            raise
        finally:
            seconds = _processor_time() - before
            self.slowest = max(self.slowest, (seconds, name))
            if seconds > LONGEST:
                self.faults.append(f"{name}: took {seconds:.1f} s of processor time")


def use_examples(patch: pytest.MonkeyPatch) -> None:
    """Let documents read the data of examples and suite, and name the Connection that they write to."""
    for name, value in {"ROOT": str(ROOT), "NODES": str(NODES), "PATHS": PATHS}.items():
        patch.setenv(f"AIRLOOM_{name}", value)
    patch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgresql://nobody@127.0.0.1:1/none")
    configuration.cache_clear()


def drop(numbers: range, store: Store, folder: Path, *, validated: int) -> Judgement:
    """Put mutants into an empty drop folder, let them be published into an empty store, and judge what came of them.

    The first `validated` files are validated on the command line, too.
    """
    found = Judgement()

    def publish(store: Store, document: object, **named: Any) -> publishing.Published:
        with found.watch(named["path"]):
            result = publishing.publish(store, document, **named)
            found.faults += [f"{named['path']}: {fault}" for fault in _faults_of(document, result.problems)]
            if result.version is not None:
                found.faults += [f"{named['path']}: {fault}" for fault in _faults_of_version(result.version)]
            return result

    logging.getLogger("airloom.worker.folder").setLevel(logging.CRITICAL)
    files(numbers, folder)
    synchronised = Folder(store, folder, publish=publish, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    for _ in range(2):
        synchronised.synchronise()
    found.accepted = len(store.pipelines())
    problems = {shown.path: shown.problems for shown in store.problems()}
    found.refused = len(problems)
    found.codes = Counter(problem.code for shown in problems.values() for problem in shown)
    good = {str(pipeline.path) for pipeline in store.pipelines()}
    found.faults += _faults_of_validate(sorted(folder.iterdir())[:validated], good)
    return found


def _faults_of_validate(paths: list[Path], good: set[str]) -> Iterator[str]:
    """Validate files on the command line, in both of its forms, and compare with what became of them."""
    from airloom.cli import app

    shown = CliRunner().invoke(app, ["validate", *map(str, paths)])
    told = CliRunner().invoke(app, ["validate", "--json", *map(str, paths)])
    for result in (shown, told):
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            yield "validate: " + "".join(traceback.format_exception(result.exception))[-1500:]
            return
    if shown.exit_code != told.exit_code:
        yield f"validate ends with {shown.exit_code}, and with --json with {told.exit_code}"
    for path, file in zip(paths, json.loads(told.stdout)["files"], strict=True):
        wrong = [problem for problem in file["problems"] if problem["severity"] == "error"]
        if path.name in good and wrong:
            yield f"{path.name}: was published, though validate finds {wrong}"


def _processor_time() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _faults_of(document: object, problems: list[Problem]) -> Iterator[str]:
    for problem in problems:
        if not problem.message or problem.code in ("check.stopped", "airflow.refused"):
            yield f"a problem that helps nobody: {problem}"
        if not points_somewhere(document, problem):
            yield f"a pointer to nowhere: {problem}"
        if len(problem.message) > 1_000 or len(problem.hint or "") > 1_000:
            yield f"a problem that nobody reads to its end: {str(problem)[:200]}"
        json.dumps(problem.to_json(), allow_nan=False).encode()


def _faults_of_version(version: StoredVersion) -> Iterator[str]:
    from airflow.serialization.serialized_objects import DagSerialization

    text = pipeline_text(version.document, version.plan)
    first, second = (json.dumps(DagSerialization.to_dict(_dag_of(text)), sort_keys=True) for _ in range(2))
    if first != second:
        yield "two DAGs of one version differ"
    if DagSerialization.from_dict(json.loads(first)).dag_id != version.pipeline:
        yield "the serialized DAG cannot be read back"
    if Plan.from_json(version.plan).to_json() != version.plan:
        yield "the plan cannot be read back"
    again, problems = read_document(version.document)
    if again is None or problems or again.to_json() != version.document:
        yield f"the stored document is not what is read back: {[str(problem) for problem in problems]}"
    pipeline(version.document, version.plan, closing=True)


def _dag_of(text: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "parsed"}
    exec(compile(text, "pipeline.py", "exec"), namespace)
    return namespace["dag"]


def points_somewhere(data: Any, problem: Problem) -> bool:
    """Tell whether a pointer leads to a place of the document, or to one that is missing from a place of it."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in problem.pointer.split("/")[1:]]
    for at, part in enumerate(parts):
        if isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        elif isinstance(data, dict) and part in data:
            data = data[part]
        elif part == "config":
            data = {}
        else:
            return at == len(parts) - 1
    return True
