"""The LocalExecutor, with three faults corrected.

A task that defers or waits for input ends its process, and is dispatched again under the same key when it goes on. If
it goes on before the end of the first process was reported, the scheduler of Airflow 3.3 takes that late report for the
end of the second and fails the task ("state mismatch").

Its processes wait for work in turn, by a semaphore. One that is killed as it waits keeps that for ever, and nothing
runs again.

Where the scheduler is killed, they wait for ever. Here those that are idle end at once, and those at work after it.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

from airflow.executors.local_executor import LocalExecutor as AirflowLocalExecutor

from airloom.engine.child import signal_at_death_of_parent

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
        # Only a fork inherits an open file.
        if self.is_mp_using_fork and not isinstance(self.activity_queue._rlock, _Lock):  # type: ignore[attr-defined]
            self.activity_queue._rlock = _IdleLock()  # type: ignore[attr-defined]
            self.result_queue._wlock = _Lock()  # type: ignore[attr-defined]
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


class _IdleLock(_Lock):
    """Hold as well who is idle: from asking for the lock to having work; an idle process ends with its parent."""

    def __init__(self) -> None:
        super().__init__()
        self._parent = os.getpid()
        self._process = self._parent
        self._idle = False

    def __enter__(self) -> None:
        self._idle = True
        if self._process != os.getpid():
            self._process = os.getpid()
            signal.signal(signal.SIGHUP, lambda *_: self._end_with_parent())
            signal_at_death_of_parent(signal.SIGHUP)
        self._end_with_parent()
        super().__enter__()

    def __exit__(self, *_: object) -> None:
        self._idle = False
        super().__exit__()

    def _end_with_parent(self) -> None:
        if self._idle and os.getppid() != self._parent:
            raise SystemExit
