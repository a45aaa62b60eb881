"""Installations of a test's own: `airloom up`, on ports and in folders that nobody else has."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airloom.local import airflow, lifecycle
from airloom.local.databases import databases
from airloom.local.installation import Installation

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Running:
    """Reach a running installation."""

    installation: Installation
    folder: Path
    """The drop folder."""
    files: Path
    """A folder that pipelines may read and write."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that the installation's processes have."""
        return airflow.environment(self.installation)

    @property
    def store_url(self) -> str:
        """Return the SQLAlchemy URL of the store."""
        return databases(self.installation).store

    @property
    def warehouse_url(self) -> str:
        """Return the SQLAlchemy URL of the database behind the Connection `warehouse`."""
        return databases(self.installation).warehouse

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Ask Airflow's REST API as its administrator; return the JSON of the answer, raise AirflowError on refusal."""
        return lifecycle.client(self.installation).request(method, path, body)


@contextlib.contextmanager
def installed(session: pytest.Session, **variables: str) -> Iterator[Running]:
    """Run an installation without example pipelines; stop it, and remove its files where no test failed."""
    failed = session.testsfailed
    base = Path(tempfile.mkdtemp(prefix="airloom-integration-"))
    # PostgreSQL's own account has to pass where root runs the tests.
    base.chmod(0o755)
    for name in ("pipelines", "files", "code"):
        (base / name).mkdir()
    installation = Installation.open(
        port=free_port(),
        variables={
            "AIRLOOM_ROOT": str(ROOT),
            "AIRLOOM_HOME": str(base / "home"),
            "AIRLOOM_PIPELINES": str(base / "pipelines"),
            "AIRLOOM_PATHS": f'["{base / "files"}", "include/data", "tests/conformance/data"]',
            "AIRLOOM_CODE": str(base / "code"),
            "AIRLOOM_NODES": str(ROOT / "tests" / "conformance" / "nodes"),
            **variables,
        },
    )
    try:
        lifecycle.start(installation, lambda name: nullcontext())
        yield Running(installation, base / "pipelines", base / "files")
    finally:
        lifecycle.stop(installation)
        if session.testsfailed > failed and "CI" not in os.environ:
            print(f"\nThe logs of the installation are kept in {base / 'home' / 'logs'}")
        else:
            shutil.rmtree(base)


def free_port() -> int:
    """Choose a port that is free, as are the two after it.

    The system gives it to no connection: so its neighbours stay free, too.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        if all(_is_free(port + offset) for offset in range(3)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
