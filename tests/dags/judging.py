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
from tests.dags.objects import object_mutant
from typer.testing import CliRunner

from airloom.checks.check import check
from airloom.dags import publishing
from airloom.dags.actor import administrator
from airloom.dags.factory import pipeline
from airloom.dags.files import pipeline_text
from airloom.plan.plan import Plan
from airloom.spec.configuration import configuration
from airloom.spec.error import AirloomError
from airloom.spec.problem import Problem, writable
from airloom.spec.reader import read_document
from airloom.store.records import StoredVersion
from airloom.store.store import Store
from airloom.worker.folder import Folder

PATHS = f'["include/data", "output", "{DATA}"]'
LAST = {"id": "last", "nodes": [{"id": "one", "type": "set", "config": {"value": 1}}]}
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
    problems = {shown.path: shown.problems for shown in store.problems.all()}
    found.refused = len(problems)
    found.codes = Counter(problem.code for shown in problems.values() for problem in shown)
    good = {str(pipeline.path) for pipeline in store.pipelines()}
    found.faults += _faults_of_validate(sorted(folder.iterdir())[:validated], good)
    return found


def give(numbers: range, store: Store, url: str, folder: Path) -> Judgement:
    """Check and publish mutants that are objects into `store`, which is that of `url`, and judge what came of them.

    Publishing checks; each tenth is checked alone as well. In the end a pipeline that is right is published, and a
    bundle writes all of it into `folder`.
    """
    found = Judgement()
    facts = publishing.gather_facts(store)
    for number in numbers:
        name, document = f"object {number}", object_mutant(number)
        problems: list[Problem] = []
        try:
            if number % 10 == 0:
                with found.watch(name):
                    check(document, facts)
            with found.watch(name):
                result = publishing.publish(store, document, actor=administrator("ann"), facts=facts)
                problems = result.problems
                if result.version is not None:
                    found.faults += [f"{name}: {fault}" for fault in _faults_of_version(result.version)]
                    found.accepted += 1
                    continue
        except AirloomError as error:
            problems = [Problem(f"publish.{error.code}", error.message, hint=error.hint)]
        except Exception:  # noqa: BLE001 it is kept as a fault, and the others are looked at, too
            continue
        found.refused += 1
        found.faults += [f"{name}: {fault}" for fault in _faults_of(document, problems)]
        if not problems:
            found.faults.append(f"{name}: neither published nor refused")
        found.codes.update(problem.code for problem in problems)
        store.problems.set(f"{number}.json", problems)
    last = publishing.publish(store, LAST, actor=administrator("ann"), facts=facts)
    if last.version is None:
        found.faults.append(f"what is right is not published any more: {last.problems}")
    found.faults += _faults_of_bundle(store, url, folder)
    return found


def _faults_of_bundle(store: Store, url: str, folder: Path) -> Iterator[str]:
    """Have a new bundle write everything, and look for what it does not serve."""
    from airloom.dags.bundle import PipelineBundle

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRLOOM_DATABASE_URL", url)
        patch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(folder))
        configuration.cache_clear()
        bundle = PipelineBundle(name="airloom")
        bundle.initialize()
        configuration.cache_clear()
    for live in store.pipelines(limit=100_000):
        text = (bundle.path / f"{live.id}.py").read_text(encoding="utf-8")
        if "dag = pipeline(" not in text:
            yield f"{live.id}: is published, and not served: {text[:500]}"
    problems = sorted((bundle.path / "problems").glob("*.py"))
    if len(problems) != len(store.problems.all()):
        yield f"{len(problems)} files of problems in place of {len(store.problems.all())}"
    for file in problems:
        compile(file.read_text(encoding="utf-8"), file.name, "exec")


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


def _key(data: dict[Any, Any], part: str) -> str | None:
    """Return the key that a part of a pointer names: what no file takes stands in pointers as its escape."""
    return next((key for key in data if isinstance(key, str) and writable(key) == part), None)


def points_somewhere(data: Any, problem: Problem) -> bool:
    """Tell whether a pointer leads to a place of the document, or to one that is missing from a place of it."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in problem.pointer.split("/")[1:]]
    for at, part in enumerate(parts):
        if isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        elif isinstance(data, dict) and (key := _key(data, part)) is not None:
            data = data[key]
        elif part == "config":
            data = {}
        else:
            return at == len(parts) - 1
    return True
