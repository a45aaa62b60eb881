"""Pipelines straight from the drop folder, for an Airflow that has a DAG folder and no bundle of ours.

There is no store here, and no version: a run takes what the file says when its task starts. What a file was planned to
is kept in the installation's folder, so that neither the next parse nor a task's start plans it again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_parsing_context

from airloom.dags.factory import pipeline
from airloom.dags.files import write
from airloom.dags.platform import has_bundle
from airloom.dags.problems import PipelineProblems
from airloom.nodes.catalog import catalog
from airloom.spec.configuration import configuration
from airloom.spec.folder import File, list_files, read_file
from airloom.spec.problem import Problem, errors
from airloom.spec.values import read_values

if TYPE_CHECKING:
    from airflow.sdk import DAG

log = logging.getLogger(__name__)
Json = dict[str, Any]


@dataclass(frozen=True)
class PlannedFile:
    """Hold what a file says now: its problems, and the document and plan of the last time when it had none."""

    path: str
    problems: list[Problem]
    document: Json | None
    plan: Json | None


def folder_dags() -> dict[str, DAG]:
    """Return the DAGs of the drop folder by their ids: all of them to a parse, to a task its own.

    A file that is broken keeps the DAG that it had. There are none where Airflow has our bundle, which serves them.
    """
    if has_bundle():
        return {}
    asked = get_parsing_context().dag_id
    files = (file for file in _planned_files(asked) if file.document and file.plan)
    return {file.document["id"]: pipeline(file.document, file.plan) for file in files if file.document and file.plan}


def raise_problems() -> None:
    """Raise PipelineProblems where a file of the drop folder is broken; Airflow shows it among its import errors.

    This has a DAG file of its own, for an error in that of the pipelines would stop them all.
    """
    if has_bundle() or get_parsing_context().dag_id is not None:
        return
    lines = [f"{file.path}: {problem}" for file in _planned_files(None) for problem in file.problems]
    if lines:
        raise PipelineProblems(str(configuration().pipelines_folder), lines)


def _planned_files(asked: str | None) -> Iterator[PlannedFile]:
    folder = configuration().pipelines_folder
    fingerprint = catalog().fingerprint() + read_values(configuration().values_file).digest
    homes: dict[str, str] = {}
    for file in list_files(folder).values() if folder.is_dir() else ():
        if asked is not None and file.refusal is None and asked.encode() not in file.location.read_bytes():
            continue
        planned = _planned(file, fingerprint, for_task=asked is not None)
        identifier = planned.document["id"] if planned.document else None
        if identifier in homes:
            text = f"the id {identifier!r} is that of {homes[identifier]}"
            yield PlannedFile(file.path, [Problem("file.owner", text, hint="choose another id")], None, None)
            continue
        if identifier is not None:
            homes[identifier] = file.path
        if asked is None or identifier == asked:
            yield planned


def _planned(file: File, fingerprint: str, for_task: bool) -> PlannedFile:
    """Return what is kept of a file that did not change.

    What was broken is tried again at each parse, for its cause may be gone; a task takes what the last parse made.
    """
    kept_in = configuration().home_folder / "planned" / f"{hashlib.sha256(file.path.encode()).hexdigest()}.json"
    kept = _kept(kept_in)
    state = [list(file.signature), fingerprint]
    if kept.get("state") == state and (for_task or not kept["broken"]):
        return PlannedFile(file.path, [], kept["document"], kept["plan"])
    problems, document, plan = _plan(file)
    if problems:
        document, plan = kept.get("document"), kept.get("plan")
    _keep(kept_in, {"state": state, "broken": bool(problems), "document": document, "plan": plan})
    return PlannedFile(file.path, problems, document, plan)


def _plan(file: File) -> tuple[list[Problem], Json | None, Json | None]:
    from airloom.checks.facts import Facts
    from airloom.dags.publishing import plan_document
    from airloom.engine.storage import Files

    facts = Facts(files=Files.of(configuration()), values=read_values(configuration().values_file))
    content = read_file(file)
    if content is None:
        return [Problem("file.changing", "the file changed while it was read")], None, None
    if content.problems:
        return content.problems, None, None
    planned = plan_document(content.data, facts)
    if planned.plan is None:
        return content.located(errors(planned.problems)), None, None
    return [], planned.document, planned.plan


def _kept(path: Path) -> Json:
    try:
        entry: Json = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("What was planned cannot be read from %s, so it is planned anew: %s", path, error)
        return {}
    return entry


def _keep(path: Path, record: Json) -> None:
    try:
        write(path, json.dumps(record))
    except OSError as error:
        log.warning("What is planned cannot be kept, so that every parse plans anew: %s", error)
