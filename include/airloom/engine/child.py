"""Work in a child process that can be killed: the only bound that holds for a query.

An interrupt does not stop one long call inside DuckDB, and its memory limit does not count every allocation.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import logging.handlers
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from airloom.spec.error import AirloomError, DataError, SystemFault

Result = TypeVar("Result")
_LONGEST_WAIT = 3600.0
_SET_PARENT_DEATH_SIGNAL = 1
SCRATCH = "airloom-child-"
"""What the names of the folders begin with that hold a child's temporary files."""


class QueryTimeout(DataError):
    """Raise when work took longer than its time limit and was killed."""

    code = "query_timeout"


class MemoryExceeded(DataError):
    """Raise when work needed more memory than its limit."""

    code = "memory"


def run_in_child(
    function: Callable[..., Result],
    *arguments: Any,
    timeout: float,
    memory: int | None = None,
    start: Literal["fork", "spawn"] = "fork",
) -> Result:
    """Return what a function returns, run in a process of its own.

    `timeout` is in seconds; `memory` in bytes is what the child may allocate beyond what it starts with. The result
    must be picklable. An AirloomError comes back as it was raised, any other exception as SystemFault; log records
    go to this process's loggers. The child dies with this process, and its own children die with it; its temporary
    files go with it, however it ends.

    `fork` starts in milliseconds. A process with several threads, such as a server, takes `spawn`: then the function
    must be importable, and its arguments picklable.

    Raises QueryTimeout, MemoryExceeded, or SystemFault where the child crashed or was killed from outside.
    """
    context = multiprocessing.get_context(start)
    receiver, sender = context.Pipe(duplex=False)
    level = logging.getLogger().getEffectiveLevel()
    with tempfile.TemporaryDirectory(prefix=SCRATCH, ignore_cleanup_errors=True) as scratch:
        around = (sender, os.getpid(), level, scratch, memory)
        process = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(*around, function, arguments), daemon=True, name="airloom-query"
        )
        try:
            _start(process)
            sender.close()
            return _received(receiver, process, time.monotonic() + timeout, timeout)  # type: ignore[no-any-return]
        finally:
            _end(process)
            sender.close()
            receiver.close()


def die_with_parent() -> None:
    """Let this process be killed when the one that started it dies, where the system offers that."""
    signal_at_death_of_parent(signal.SIGKILL)


def signal_at_death_of_parent(number: signal.Signals) -> None:
    """Let this process get a signal when the one that started it dies, where the system offers that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, number, 0, 0, 0)


def _start(process: Any) -> None:
    """Start a process, also from one that may have none, as those of a Celery worker are."""
    settings = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    daemon = settings.get("daemon")
    # Python forbids children whose parent may vanish, for they would stay; ours die with it.
    settings["daemon"] = False
    try:
        process.start()
    finally:
        settings["daemon"] = daemon


def _received(receiver: Connection, process: Any, deadline: float, timeout: float) -> Any:
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise QueryTimeout(
                f"this took longer than {timeout:g} seconds and was stopped",
                hint="make it read less, or raise AIRLOOM_QUERY_TIMEOUT",
            )
        if not wait([receiver], min(remaining, _LONGEST_WAIT)):
            continue
        try:
            message = receiver.recv()
        except EOFError:
            _kill(process)
            process.join()
            _raise_death(process.exitcode)
        if message[0] == "log":
            record = message[1]
            logging.getLogger(record.name).handle(record)
        elif message[0] == "error":
            _, error, trace = message
            error.add_note(f"In the child process:\n{trace}")
            raise error
        else:
            return message[1]


def _kill(process: Any) -> None:
    # Until the child is waited for, its id cannot belong to another process.
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(process.pid, signal.SIGKILL)


def _end(process: Any) -> None:
    if process.pid is None:
        return
    if process.exitcode is None:
        _kill(process)
        process.join()
    process.close()


def _raise_death(exit_code: int | None) -> NoReturn:
    memory_hint = "the machine may be short of memory: lower AIRLOOM_MEMORY_LIMIT, or run fewer tasks at once"
    if exit_code == -signal.SIGKILL:
        raise SystemFault("the process of this query was killed from outside", hint=memory_hint)
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        raise SystemFault(f"the process of this query crashed ({name})", hint=memory_hint)
    raise SystemFault(f"the process of this query ended without a result (exit code {exit_code})")


# From here on: in the child


def _work(
    sender: Connection,
    parent: int,
    level: int,
    scratch: str,
    memory: int | None,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    _detach(parent)
    # Set for this process, and for the programs that it starts.
    tempfile.tempdir = os.environ["TMPDIR"] = scratch
    handler = _LogPipe(sender)  # type: ignore[arg-type]
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    try:
        if memory is not None:
            _limit_memory(memory)
        message: tuple[Any, ...] = ("result", function(*arguments))
    except Exception as error:  # noqa: BLE001 - whatever happened is reported to the parent
        message = _failure(error)
    # A thread that the work left behind may still log.
    handler.acquire()
    try:
        sender.send(message)
    except BrokenPipeError:
        return
    except Exception as error:  # noqa: BLE001 - what cannot be pickled fails in many ways
        sender.send(_failure(error))


class _LogPipe(logging.handlers.QueueHandler):
    """Send log records, made ready for pickling, to the parent."""

    def enqueue(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.queue.send(("log", record))  # type: ignore[attr-defined]


def _failure(error: Exception) -> tuple[str, AirloomError, str]:
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, AirloomError):
        return "error", error, trace
    # DuckDB is not imported for the sake of its class.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":
        message = "this needed more memory than it may take"
        return "error", MemoryExceeded(message, hint="make it read less, or raise AIRLOOM_MEMORY_LIMIT"), trace
    return "error", SystemFault(f"{type(error).__name__}: {error}"), trace


def _detach(parent: int) -> None:
    """Leave the parent's process group and signals behind, and die when the parent dies."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setpgid(0, 0)
    die_with_parent()
    if sys.platform == "linux":
        # Short of memory, the kernel should take this process rather than its parent.
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")
    if os.getppid() != parent:
        # The parent died before it could be watched.
        os._exit(1)


def _limit_memory(memory: int) -> None:
    """Limit private memory: an allocation beyond it fails, which DuckDB and Python turn into an exception."""
    if sys.platform != "linux":
        return
    used = next(
        int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line
    )
    resource.setrlimit(resource.RLIMIT_DATA, (used + memory, used + memory))
