"""The text of the Python files that the bundle gives to Airflow, and how they are written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from airloom.spec.problem import Problem


def pipeline_text(document: dict[str, Any], plan: dict[str, Any], *, closing: bool = False) -> str:
    """Return the file of a pipeline: one call that makes its DAG, with document and plan as JSON."""
    call = "pipeline(document, plan, closing=True)" if closing else "pipeline(document, plan)"
    return (
        f"# Version {plan['version']} of pipeline {document['id']}, written by Airloom for Airflow.\n"
        "# Edit the pipeline, not this file.\n"
        "import json\n\n"
        "from airloom.dags.factory import pipeline\n\n"
        f"document = {_json(document)}\n\nplan = {_json(plan)}\n\ndag = {call}\n"
    )


def problems_text(path: str, problems: list[Problem]) -> str:
    """Return a file that only raises, so that Airflow shows the problems of `path` among its import errors."""
    return (
        "# Written by Airloom for Airflow; it makes no DAG.\n"
        "import json\n\n"
        "from airloom.dags.problems import PipelineProblems\n\n"
        f"path = {path!a}\nproblems = {_json([str(problem) for problem in problems])}\n\n"
        "raise PipelineProblems(path, problems)\n"
    )


def write(path: Path, text: str) -> None:
    """Write a file in one step: whoever reads it meets the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Airflow parses every file named *.py in this folder, so the unfinished one is not.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.rename(path)


def _json(value: Any) -> str:
    # Read as JSON, for Python takes ten times as long to compile the same as a literal.
    text = json.dumps(value, indent=2, ensure_ascii=False).replace("'''", r"''\u0027")
    return f"json.loads(r'''\n{text}\n''')"
