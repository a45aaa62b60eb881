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
import pickle
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from airloom.engine.forkserver import server
from airloom.spec.error import AirloomError, DataError, SystemFault

Result = TypeVar("Result")
_LONGEST_WAIT = 3600.0
_SET_PARENT_DEATH_SIGNAL = 1
_STOPPING = (signal.SIGINT, signal.SIGTERM)
SCRATCH = "airloom-child-"
"""What the names of the folders begin with that hold a child's temporary files."""


at_work: set[int] = set()
"""The ids of the processes that this one has begun and not seen the end of: each leads a group of its own."""


class QueryTimeout(DataError):
    """Raise when work took longer than its time limit and was killed."""

    code = "query_timeout"


class MemoryExceeded(DataError):
    """Raise when work needed more memory than its limit."""

    code = "memory"


Start = Literal["fork", "server"]


def safe_start() -> Start:
    """Return how a child is to start: by a fork of this process where it has one thread, else of the server's."""
    return "fork" if threading.active_count() == 1 else "server"


def run_in_child(
    function: Callable[..., Result],
    *arguments: Any,
    timeout: float,
    memory: int | None = None,
    start: Start = "fork",
    prepare: Sequence[Callable[[], object]] = (),
    answers: Mapping[str, Callable[..., Any]] | None = None,
) -> Result:
    """Return what a function returns, run in a process of its own.

    `timeout` is in seconds; `memory` in bytes is what the child may allocate beyond what it starts with. The result
    must be picklable. An AirloomError comes back as it was raised, any other exception as SystemFault; log records
    go to this process's loggers. The child dies with this process, and its own children die with it; its temporary
    files go with it, however it ends.

    `answers` are functions of this process that the child may call by `ask`, which raises their AirloomErrors there;
    the time of an answer does not count.

    `fork` starts in milliseconds. For a process with several threads, `server` lets a server with one thread fork:
    then the function must be importable, and its arguments picklable. Whoever forks calls each of `prepare` before,
    such as one that imports what the children need.

    Raises QueryTimeout, MemoryExceeded, or SystemFault where the child crashed or was killed from outside.
    """
    level = logging.getLogger().getEffectiveLevel()
    if start == "fork":
        for load in prepare:
            load()
    with tempfile.TemporaryDirectory(prefix=SCRATCH, ignore_cleanup_errors=True) as scratch:
        job = (level, scratch, memory, function, arguments)
        child: _Forked | _Served = _Forked(*job) if start == "fork" else _Served(job, prepare)
        with child:
            message = _received(child, timeout, answers or {})
            child.ended()
            return _outcome(message)  # type: ignore[no-any-return]


class StandingChild:
    """A child process for one piece of work after the other, each bounded as one of `run_in_child`, by fork.

    It starts with the first piece, and anew after one that it did not outlive. What a piece leaves in its modules is
    there for the next.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._child: _Forked | None = None
        self._stack = contextlib.ExitStack()

    def run(self, function: Callable[..., Result], *arguments: Any, timeout: float) -> Result:
        """Return what a function returns; function and arguments are pickled. Raises what `run_in_child` raises."""
        if self._child is None:
            scratch = tempfile.TemporaryDirectory(prefix=SCRATCH, ignore_cleanup_errors=True)
            level = logging.getLogger().getEffectiveLevel()
            child = _Forked(level, self._stack.enter_context(scratch), self._memory)
            self._stack.enter_context(child)
            self._child = child
        try:
            # Whether it is there shows when it is to answer.
            with contextlib.suppress(ConnectionError):
                self._child.connection.send((function, arguments))
            message = _received(self._child, timeout, {})
        except BaseException:
            self.end()
            raise
        if isinstance(message[1], MemoryExceeded):
            self.end()
        return _outcome(message)  # type: ignore[no-any-return]

    def end(self) -> None:
        """End the child, and remove its temporary files; a further `run` starts another."""
        self._stack.close()
        self._child = None


class _Forked:
    """A child that is a fork of this process."""

    def __init__(self, *job: Any) -> None:
        context = multiprocessing.get_context("fork")
        self.connection, self._other = context.Pipe()
        self._process = context.Process(
            target=_work, args=(self._other, os.getpid(), *job), daemon=True, name="airloom-query"
        )

    def __enter__(self) -> None:
        try:
            _start(self._process)
        except BaseException:
            self.__exit__()
            raise
        at_work.add(self._process.pid or 0)
        self._other.close()

    def __exit__(self, *_: object) -> None:
        process = self._process
        at_work.discard(process.pid or 0)
        if process.pid is not None:
            if process.exitcode is None:
                _kill(process.pid)
                process.join()
            process.close()
        self._other.close()
        self.connection.close()

    def ended(self) -> int | None:
        """Wait for the end, which is near, and return the exit code."""
        if self._process.exitcode is None:
            _kill(self._process.pid or 0)
        self._process.join()
        return self._process.exitcode


class _Served:
    """A child that is a fork of the server's."""

    def __init__(self, job: tuple[Any, ...], prepare: Sequence[Callable[[], object]]) -> None:
        *around, function, arguments = job
        # Read where its faults are told.
        pickled = bytes(ForkingPickler.dumps((function, arguments)))
        self._pid, self.connection = server().fork(_work, (*around, _call_pickled, (pickled,)), prepare)
        self._at_work = True

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if self._at_work:
            _kill(self._pid)
        self.connection.close()

    def ended(self) -> int | None:
        """Return no exit code: the server has it."""
        self._at_work = False
        return None


def end_children() -> None:
    """Kill every process that works for this one, of `run_in_child` and of the box, and what those started."""
    for process in list(at_work - {0}):
        _kill(process)


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
    # What a handler raises while Python calls what is registered for forks is lost, and the process goes on.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        process.start()
    finally:
        settings["daemon"] = daemon
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _received(child: _Forked | _Served, timeout: float, answers: Mapping[str, Callable[..., Any]]) -> tuple[Any, ...]:
    """Return the message that says how the work ended: `result` or `error`, and what else it holds."""
    connection = child.connection
    deadline = time.monotonic() + timeout
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise QueryTimeout(
                f"this took longer than {timeout:g} seconds and was stopped",
                hint="make it read less, or raise AIRLOOM_QUERY_TIMEOUT",
            )
        if not wait([connection], min(remaining, _LONGEST_WAIT)):
            continue
        try:
            message = connection.recv()
        except (EOFError, ConnectionResetError):
            _raise_death(child.ended())
        if message[0] == "log":
            record = message[1]
            logging.getLogger(record.name).handle(record)
        elif message[0] == "ask":
            _, name, arguments = message
            asked = time.monotonic()
            try:
                answer: tuple[Any, AirloomError | None] = (answers[name](*arguments), None)
            except AirloomError as error:
                answer = (None, error)
            with contextlib.suppress(ConnectionError):
                connection.send(answer)
            deadline += time.monotonic() - asked
        else:
            return tuple(message)


def _outcome(message: tuple[Any, ...]) -> Any:
    if message[0] == "error":
        message[1].add_note(f"In the child process:\n{message[2]}")
        raise message[1]
    return message[1]


def _kill(process: int) -> None:
    # Until the child is waited for, its id cannot belong to another process.
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(process, signal.SIGKILL)


def _raise_death(exit_code: int | None) -> NoReturn:
    memory_hint = "the machine may be short of memory: lower AIRLOOM_MEMORY_LIMIT, or run fewer tasks at once"
    if exit_code == -signal.SIGKILL:
        raise SystemFault("the process of this query was killed from outside", hint=memory_hint)
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        raise SystemFault(f"the process of this query crashed ({name})", hint=memory_hint)
    told = f" (exit code {exit_code})" if exit_code is not None else ""
    raise SystemFault(f"the process of this query ended without a result{told}")


# From here on: in the child


def ask(name: str, *arguments: Any) -> Any:
    """Return what the process that started this one answers: its function of this name in `answers`."""
    if _to_parent is None:
        raise RuntimeError("only a child process has somebody to ask")
    return _to_parent.ask(name, arguments)


def _work(
    connection: Connection,
    parent: int,
    level: int,
    scratch: str,
    memory: int | None,
    function: Callable[..., Any] | None = None,
    arguments: tuple[Any, ...] = (),
) -> None:
    """Call the function, or without one whatever functions come, and send how each call ended."""
    global _to_parent
    _detach(parent)
    # Set for this process, and for the programs that it starts.
    tempfile.tempdir = os.environ["TMPDIR"] = scratch
    handler = _to_parent = _LogPipe(connection)  # type: ignore[arg-type]
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    jobs = iter(connection.recv, None) if function is None else [(function, arguments)]
    with contextlib.suppress(EOFError, ConnectionError):
        for job in jobs:
            handler.tell(memory, *job)
            memory = None


def _call_pickled(pickled: bytes) -> Any:
    function, arguments = pickle.loads(pickled)  # noqa: S301 from our own process
    return function(*arguments)


class _LogPipe(logging.handlers.QueueHandler):
    """Send log records, made ready for pickling, and questions to the parent."""

    queue: Any

    def enqueue(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(ConnectionError):
            self.queue.send(("log", record))

    def tell(self, memory: int | None, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Call a function within so much memory, and send the parent how that ended."""
        try:
            if memory is not None:
                _limit_memory(memory)
            message: tuple[Any, ...] = ("result", function(*arguments))
        except Exception as error:  # noqa: BLE001 - whatever happened is reported to the parent
            message = _failure(error)
        # A thread that the work left behind may still log.
        self.acquire()
        try:
            self.queue.send(message)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - what cannot be pickled fails in many ways
            self.queue.send(_failure(error))
        finally:
            self.release()

    def ask(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Return what the parent answers."""
        self.acquire()
        try:
            self.queue.send(("ask", name, arguments))
            answer, error = self.queue.recv()
        finally:
            self.release()
        if error is not None:
            raise error
        return answer


_to_parent: _LogPipe | None = None


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
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
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
