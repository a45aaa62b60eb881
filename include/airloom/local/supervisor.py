"""The process manager of an installation: start, stop, and what is left of a killed one."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from airloom.spec.error import SystemFault

MARK = "AIRLOOM_INSTALLATION"
# Longer than any `stopwaitsecs` of supervisord.conf.
STOP_TIMEOUT = 40.0
# Seconds; a part that can't start gives up earlier, even on a busy machine.
STEADY_AFTER = 8.0


@dataclass(frozen=True)
class Supervisor:
    """Control the processes of the installation `identity`; each carries that mark in its environment."""

    home: Path
    identity: str

    def start(self, environment: Mapping[str, str], *, guarded: bool) -> subprocess.Popen[bytes]:
        """Start every part with this whole environment; their session is their own, so that a Ctrl-C spares them.

        With `guarded`, one of them is the guard of the embedded PostgreSQL.
        """
        variables = {
            **environment,
            MARK: self.identity,
            "AIRLOOM_SUPERVISOR_USER": getpass.getuser(),
            "AIRLOOM_SUPERVISOR_GUARD": str(guarded).lower(),
        }
        configuration = Path(__file__).with_name("supervisord.conf")
        with (self.home / "logs" / "supervisord.out").open("w") as output:
            return subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(configuration)],
                cwd=self.home,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def process(self) -> psutil.Process | None:
        """Return the running process manager, or None."""
        try:
            process = psutil.Process(int((self.home / "supervisord.pid").read_text()))
            return process if self._is_ours(process) else None
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None

    def is_steady(self, part: str) -> bool:
        """Tell whether the part whose command ends in this word has run for a while, and did not just begin again."""
        manager = self.process()
        try:
            return manager is not None and any(
                child.cmdline()[-1:] == [part] and time.time() - child.create_time() > STEADY_AFTER
                for child in manager.children()
            )
        except psutil.NoSuchProcess:
            return False

    def stop(self) -> None:
        """Stop every part and wait until no process of this installation is left; a deaf one is killed."""
        manager = self.process()
        if manager is not None:
            _signal(manager, signal.SIGTERM)
            self._wait(lambda: self.process() is not None, STOP_TIMEOUT)
        for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 10.0)):
            for process in self.processes():
                _signal(process, number)
            self._wait(self.processes, seconds)
        if left := self.processes():
            raise SystemFault(
                f"These processes can't be ended: {', '.join(str(process.pid) for process in left)}",
                hint="They may wait for a disk; look at them with ps",
            )

    def _wait(self, busy: Callable[[], object], seconds: float) -> None:
        """Wait while something runs; a process that nobody has reaped yet does not count."""
        limit = time.monotonic() + seconds
        while busy() and time.monotonic() < limit:
            time.sleep(0.05)

    def processes(self) -> list[psutil.Process]:
        """Return the living processes of this installation, whoever started them."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return (
                process.pid != os.getpid()
                and process.status() != psutil.STATUS_ZOMBIE
                and bool(process.environ().get(MARK) == self.identity)
            )
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
