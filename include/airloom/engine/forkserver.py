"""A server that forks processes, for programs with threads.

A process with threads cannot fork in safety: its child has the locks that they held then, and nobody to give them up.
The server is started once in each program, has one thread, and imports once what its children need. That of Python's
`multiprocessing` runs the program's main module anew in each child, which takes seconds where that is Airflow's.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from airloom.spec.configuration import configuration
from airloom.spec.error import SystemFault

log = logging.getLogger(__name__)

START_SECONDS = 60.0
"""How long a child may take to begin; the first one waits for the server to import what it needs."""
_LOOK = 5.0
"""Seconds after which the server takes away children that ended, and sees whether its program is there."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from airloom.engine.forkserver import serve; serve({socket}, {program})"


class ForkServer:
    """Keep one server at work for this process; threads may ask it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def fork(
        self, function: Callable[..., None], arguments: Sequence[Any], prepare: Sequence[Callable[[], object]]
    ) -> tuple[int, Connection]:
        """Fork a process that calls `function(connection, parent, *arguments)`; return its id, and the other end.

        The server calls each of `prepare` before, and the process has this one's environment and folder. Function and
        arguments are pickled. Raises SystemFault where no process begins.
        """
        ours, theirs = socket.socketpair()
        connection = Connection(ours.detach())
        try:
            with theirs:
                self._send(theirs.fileno())
            connection.send(tuple(prepare))
            if connection.poll(START_SECONDS):
                process = connection.recv()
                connection.send((dict(os.environ), os.getcwd(), function, tuple(arguments)))
                return process, connection
        except (EOFError, ConnectionError):
            pass
        except BaseException:
            connection.close()
            raise
        connection.close()
        self.stop()
        raise SystemFault("the server of child processes does not answer", hint="is the machine short of memory?")

    def stop(self) -> None:
        """End the server; those that it forked end with it."""
        with self._lock:
            self._stop()

    def leave(self) -> None:
        """Leave the server to the process that this one was forked from."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.returncode = 0

    def _send(self, descriptor: int) -> None:
        with self._lock:
            try:
                socket.send_fds(self._running(), [b"."], [descriptor])
            except ConnectionError:
                log.warning("The server of child processes is gone, and is started again")
                self._stop()
                socket.send_fds(self._running(), [b"."], [descriptor])

    def _running(self) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair()
            with theirs:
                program = _PROGRAM.format(path=sys.path, socket=theirs.fileno(), program=os.getpid())
                self._process = subprocess.Popen(  # noqa: S603 our own interpreter with our own program
                    [sys.executable, "-c", program], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
            self._control = ours
        return self._control

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._control = self._process = None


_server = ForkServer()


def server() -> ForkServer:
    """Return the server of this process."""
    return _server


def _after_fork() -> None:
    global _server
    _server.leave()
    _server = ForkServer()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(lambda: _server.stop())


# From here on: in the server


def serve(descriptor: int, program: int) -> None:
    """Fork a process for each connection that comes, until the program, a process of this id, is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=descriptor)
    control.settimeout(_LOOK)
    while os.getppid() == program:
        _take_ended_away()
        try:
            _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        except TimeoutError:
            continue
        if not descriptors:
            return
        os.set_inheritable(descriptors[0], False)
        with Connection(descriptors[0]) as connection:
            _prepare(connection)
            parent = os.getpid()
            if os.fork() == 0:
                control.close()
                _begin(connection, parent)


def _take_ended_away() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _prepare(connection: Connection) -> None:
    try:
        for prepare in connection.recv():
            prepare()
    except EOFError:
        pass
    except Exception:
        log.warning("Something could not be prepared for child processes", exc_info=True)
    # Pages that the collector does not touch stay shared with the children.
    gc.freeze()


def _begin(connection: Connection, parent: int) -> None:
    """Be a child: do what the program asks for, and end without returning."""
    status = 1
    try:
        connection.send(os.getpid())
        environment, folder, function, arguments = connection.recv()
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        configuration.cache_clear()
        function(connection, parent, *arguments)
        status = 0
    except (EOFError, ConnectionError):
        pass  # whoever asked for it is gone
    except BaseException:
        log.exception("A child process could not begin")
        raise
    finally:
        logging.shutdown()
        os._exit(status)
