"""The process manager of an installation: start, stop, and what is left of a killed one."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from airloom.spec.error import SystemFault

MARK = "AIRLOOM_INSTALLATION"


@dataclass(frozen=True)
class Supervisor:
    """Control the processes of the installation `identity`; each carries that mark in its environment."""

    home: Path
    identity: str

    def start(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start every part, in a session of its own so that a Ctrl-C reaches only who waits for it."""
        variables = {
            **os.environ,
            **environment,
            MARK: self.identity,
            "AIRLOOM_SUPERVISOR_USER": getpass.getuser(),
        }
        (self.home / "logs").mkdir(exist_ok=True)
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

    def stop(self) -> None:
        """Stop every part and wait until no process of this installation is left; a deaf one is killed."""
        manager = self.process()
        if manager is not None:
            _signal(manager, signal.SIGTERM)
            psutil.wait_procs([manager], timeout=40)
        left = self.processes()
        for process in left:
            _signal(process, signal.SIGTERM)
        _, deaf = psutil.wait_procs(left, timeout=5)
        for process in [*deaf, *self.processes()]:
            _signal(process, signal.SIGKILL)
        _, immortal = psutil.wait_procs(deaf, timeout=10)
        if immortal:
            raise SystemFault(
                f"These processes can't be ended: {', '.join(str(process.pid) for process in immortal)}",
                hint="They may wait for a disk; look at them with ps",
            )

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
