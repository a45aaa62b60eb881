"""Run postgres_write in a child process for each job that comes in, so that a test can kill it at any moment.

One process imports everything once and forks. A job is a line of JSON; its answers are the child's id and exit code.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import Connection

from airloom.engine.storage import Files
from airloom.nodes.context import RunFacts
from airloom.nodes.databases import postgres_table
from airloom.nodes.databases.postgres import PostgresWrite
from airloom.nodes.sdk import Batches

READY = (PostgresHook, postgres_table)
BATCHES = 10
BATCH_ROWS = 500


class ForkedContext:
    """Give the node its run and the one Connection."""

    params: dict[str, Any] = {}
    files = Files.__new__(Files)
    log = logging.getLogger("killable")

    def __init__(self, url: str, run: RunFacts) -> None:
        self.url = url
        self.run = run

    def connection(self, name: str) -> Connection:
        return Connection(conn_id=name, uri=self.url)

    def emit(self, event: Any) -> None:
        """Leave progress unseen."""


def rows(pause: float) -> Batches:
    """Return 5,000 rows that come a little at a time."""

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(BATCHES):
            time.sleep(pause)
            ids = range(number * BATCH_ROWS, (number + 1) * BATCH_ROWS)
            yield pa.RecordBatch.from_pydict({"id": ids, "name": [f"new {at}" for at in ids]})

    return Batches(pa.schema([("id", pa.int64()), ("name", pa.string())]), batches())


def work(job: dict[str, Any]) -> None:
    """Run one job."""
    node = PostgresWrite.model_validate(job["config"])
    node.run(rows(job["pause"]), ForkedContext(job["url"], RunFacts(**job["run"])))


def main() -> None:
    """Answer jobs until the input ends."""
    # What logs write to the standard output is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            work(job)
            os._exit(0)
        print(child, file=answers, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()
