"""The LocalExecutor, with two faults mended.

A task that defers or waits for input ends its process, and is dispatched again under the same key when it goes on. If
it goes on before the end of the first process was reported, the scheduler of Airflow 3.3 takes that late report for the
end of the second and fails the task ("state mismatch").

Its processes wait for work in turn, by a semaphore. One that is killed as it waits keeps that for ever, and nothing
runs again.
"""

from __future__ import annotations

import fcntl
import importlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

from airflow.executors.local_executor import LocalExecutor as AirflowLocalExecutor

# No pyarrow: it starts a thread, and a process with several must not be forked.
IMPORTED_BY_TASKS = (
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.standard.operators.empty",
    "airloom.dags.bundle",
    "airloom.dags.factory",
    "airloom.dags.outcome",
    "airloom.dags.surroundings",
    "airloom.runtime.step",
    "duckdb",
    "psycopg",
    "sqlglot.dialects.duckdb",
)


class LocalExecutor(AirflowLocalExecutor):
    """Run tasks on this machine; drop the report of a process whose task was dispatched again since."""

    def start(self) -> None:
        """Start the worker processes, which inherit in memory what each task would else import anew."""
        for module in IMPORTED_BY_TASKS:
            importlib.import_module(module)
        self._dispatched: Counter[Any] = Counter()
        super().start()

    def _spawn_worker(self) -> None:
        for queue, lock in ((self.activity_queue, "_rlock"), (self.result_queue, "_wlock")):
            # Only a fork inherits an open file.
            if self.is_mp_using_fork and not isinstance(getattr(queue, lock), _Lock):
                setattr(queue, lock, _Lock())
        super()._spawn_worker()  # type: ignore[no-untyped-call]

    def _process_workloads(self, workload_list: Sequence[Any]) -> None:
        self._dispatched.update(workload.key for workload in workload_list)
        super()._process_workloads(workload_list)  # type: ignore[no-untyped-call]

    def _read_results(self) -> None:
        while not self.result_queue.empty():
            key, state, _ = self.result_queue.get()
            if state != "running":  # only callbacks and tests of Connections report that they started
                self._dispatched[key] -= 1
                if self._dispatched[key] > 0:
                    self.log.info("Dropped the late report %s of %s, which was dispatched again", state, key)
                    continue
                del self._dispatched[key]
            self.change_state(key, state)


class _Lock:
    """Lock between processes that the kernel takes from one that dies."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 held as long as the lock

    def __enter__(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN)
