"""The LocalExecutor, with a fault mended that fails tasks which wait.

A task that defers or waits for input ends its process, and is dispatched again under the same key when it goes on. If
it goes on before the end of the first process was reported, the scheduler of Airflow 3.3 takes that late report for the
end of the second and fails the task ("state mismatch").
"""

from __future__ import annotations

import importlib
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
