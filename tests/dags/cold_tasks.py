"""Start the tasks of versions that no task of this machine ran before, several at the same moment.

A script, as tasks are forked from a process without threads. Reads the pipelines of each revision from standard input,
as `{"<revision>": ["<pipeline>", …]}`, starts two tasks of each of them together, revision by revision, and prints for
each task that did not find its pipeline as it was then, what happened. No test.
"""

from __future__ import annotations

import json
import multiprocessing
import runpy
import sys
from multiprocessing.synchronize import Barrier
from queue import Empty
from typing import Any

import psycopg  # noqa: F401 its import takes longer than all that is done with it here
from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager

from airloom.dags.bundle import PipelineBundle
from airloom.dags.factory import version_in

TASKS_OF_EACH = 2


def start_task(pipeline: str, revision: str, together: Barrier, answers: Any) -> None:
    """Do what a task does first: make its bundle ready, and read its DAG from it."""
    together.wait()
    try:
        with _airflow_parsing_context_manager(dag_id=pipeline, task_id="only"):
            bundle = PipelineBundle(name="airloom", version=revision)
            bundle.initialize()
            dag = runpy.run_path(str(bundle.path / f"{pipeline}.py"))["dag"]
        answers.put([revision, pipeline, list(dag.task_dict), version_in(dag.doc_md), dag.description])
    except Exception as error:  # noqa: BLE001 whatever happened is the answer
        answers.put([revision, pipeline, type(error).__name__, str(error), None])


def main() -> None:
    """Start all, and print what each found."""
    context = multiprocessing.get_context("fork")
    found = []
    for revision, pipelines in json.load(sys.stdin).items():
        together, answers = context.Barrier(TASKS_OF_EACH * len(pipelines)), context.Queue()
        tasks = [
            context.Process(target=start_task, args=(pipeline, revision, together, answers))
            for pipeline in pipelines * TASKS_OF_EACH
        ]
        for task in tasks:
            task.start()
        for _ in tasks:
            try:
                found.append(answers.get(timeout=60))
            except Empty:
                found.append([revision, None, "no answer", None, None])
        for task in tasks:
            task.join()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
