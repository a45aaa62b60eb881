"""The executor that drops the late reports of processes whose task goes on."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from airloom.dags import executor as executor_module
from airloom.dags.executor import LocalExecutor


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalExecutor]:
    """Return a started executor without worker processes: what they would report is put in by the test."""
    monkeypatch.setattr(executor_module, "IMPORTED_BY_TASKS", ())
    monkeypatch.setattr(LocalExecutor, "_spawn_worker", lambda self: None)
    started = LocalExecutor(parallelism=1)  # type: ignore[no-untyped-call]
    started.start()
    yield started
    started.end()


def _dispatch(executor: LocalExecutor, key: str) -> None:
    executor.queued_tasks[key] = workload = SimpleNamespace(key=key)  # type: ignore[index,assignment]
    executor._process_workloads([workload])


def _report(executor: LocalExecutor, key: str, state: str) -> dict[Any, Any]:
    executor.result_queue.put((key, state, None))  # type: ignore[arg-type]
    executor._read_results()
    events = dict(executor.event_buffer)
    executor.event_buffer.clear()
    return events


def test_the_end_of_a_process_is_reported(executor: LocalExecutor) -> None:
    _dispatch(executor, "wait")
    assert _report(executor, "wait", "success") == {"wait": ("success", None)}


def test_the_end_of_a_process_whose_task_goes_on_already_is_dropped(executor: LocalExecutor) -> None:
    _dispatch(executor, "wait")
    _dispatch(executor, "wait")
    assert _report(executor, "wait", "success") == {}
    assert _report(executor, "wait", "failed") == {"wait": ("failed", None)}


def test_tasks_do_not_disturb_each_other(executor: LocalExecutor) -> None:
    _dispatch(executor, "wait")
    _dispatch(executor, "wait")
    _dispatch(executor, "other")
    assert _report(executor, "other", "success") == {"other": ("success", None)}


def test_a_task_may_wait_again_and_again(executor: LocalExecutor) -> None:
    for _ in range(3):
        _dispatch(executor, "wait")
        assert _report(executor, "wait", "success") == {"wait": ("success", None)}


def test_the_start_of_a_callback_is_no_end(executor: LocalExecutor) -> None:
    _dispatch(executor, "callback")
    assert _report(executor, "callback", "running") == {"callback": ("running", None)}
    assert _report(executor, "callback", "success") == {"callback": ("success", None)}


def test_a_process_that_is_killed_as_it_waits_for_work_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "IMPORTED_BY_TASKS", ())
    executor = LocalExecutor(parallelism=2)  # type: ignore[no-untyped-call]
    executor.start()
    try:
        for _ in range(2):
            # One of them waits for work, the other for its turn to wait.
            time.sleep(0.5)
            for process in executor.workers.values():
                process.kill()
            for process in executor.workers.values():
                process.join()
            work = {"running_state": None, "success_state": "success", "failure_state": "failed", "display_name": ""}
            executor.queued_tasks["key"] = workload = SimpleNamespace(key="key", **work)  # type: ignore[index,assignment]
            executor._process_workloads([workload])
            end = time.monotonic() + 60
            while not executor.event_buffer:
                assert time.monotonic() < end, "nobody took the work"
                executor.sync()
                time.sleep(0.05)
            # It is no task, so that whoever takes it fails.
            assert dict(executor.event_buffer) == {"key": ("failed", None)}
            executor.event_buffer.clear()
    finally:
        for process in executor.workers.values():
            process.kill()


def test_what_worker_processes_inherit_starts_no_thread() -> None:
    program = (
        "import importlib, pathlib\n"
        "from airloom.dags.executor import IMPORTED_BY_TASKS\n"
        "for module in IMPORTED_BY_TASKS: importlib.import_module(module)\n"
        "print(len(list(pathlib.Path('/proc/self/task').iterdir())))"
    )
    finished = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True)
    assert finished.stdout.splitlines()[-1] == "1", finished.stderr


SCHEDULER = """
import time
from types import SimpleNamespace
from airflow.executors.base_executor import BaseExecutor
from airloom.dags import executor as module
module.IMPORTED_BY_TASKS = ()
BaseExecutor.run_workload = staticmethod(lambda *args, **kwargs: time.sleep(3))
executor = module.LocalExecutor(parallelism=3)
executor.start()
work = dict(running_state=None, success_state="success", failure_state="failed", display_name="")
executor.queued_tasks["key"] = workload = SimpleNamespace(key="key", **work)
executor._process_workloads([workload])
time.sleep(1)
print(*executor.workers, flush=True)
time.sleep(60)
"""


def test_processes_end_where_the_scheduler_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "scheduler.py"
    program.write_text(SCHEDULER)
    with subprocess.Popen([sys.executable, "-W", "ignore", program], stdout=subprocess.PIPE, text=True) as scheduler:
        assert scheduler.stdout is not None
        line = next(line for line in scheduler.stdout if re.fullmatch(r"\d+ \d+ \d+\n", line))
        processes = [psutil.Process(int(number)) for number in line.split()]
        scheduler.kill()
    assert living(processes, 2, seconds=1.5) == 1, "the idle end at once"
    assert living(processes, 1, seconds=30) == 0, "the other ends after its work"


def living(processes: list[psutil.Process], number: int, *, seconds: float) -> int:
    """Return how many processes live once fewer than a number do, or after a while; nobody may reap the dead."""
    end = time.monotonic() + seconds
    while True:
        alive = sum(map(_lives, processes))
        if alive < number or time.monotonic() > end:
            return alive
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
