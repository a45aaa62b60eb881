"""One installation for all integration tests of a run: `airloom up`, on ports and in folders of its own."""

from __future__ import annotations

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

ROOT = Path(__file__).parents[2]


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
        """Ask Airflow's REST API as its administrator; return the JSON of the answer, raise ApiError on refusal."""
        return lifecycle.client(self.installation).request(method, path, body)


@pytest.fixture
def free_port() -> int:
    """Return a port that is free, as are the two after it."""
    return _free_port()


def _free_port() -> int:
    """Choose among the ports that the system gives to no connection: its neighbours stay free, too."""
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


@pytest.fixture(scope="session")
def installation(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Start an installation without example pipelines; stop it, and remove its files, at the end."""
    base = Path(tempfile.mkdtemp(prefix="airloom-integration-"))
    # PostgreSQL's own account has to pass where root runs the tests.
    base.chmod(0o755)
    for name in ("pipelines", "files"):
        (base / name).mkdir()
    started = Installation.open(
        port=_free_port(),
        variables={
            "AIRLOOM_ROOT": str(ROOT),
            "AIRLOOM_HOME": str(base / "home"),
            "AIRLOOM_PIPELINES": str(base / "pipelines"),
            "AIRLOOM_PATHS": f'["{base / "files"}", "include/data", "tests/conformance/data"]',
            "AIRLOOM_NODES": str(ROOT / "tests" / "conformance" / "nodes"),
        },
    )
    try:
        lifecycle.start(started, lambda name: nullcontext())
        yield Running(started, base / "pipelines", base / "files")
    finally:
        lifecycle.stop(started)
        if request.session.testsfailed and os.environ.get("CI") is None:
            print(f"\nThe logs of the installation are kept in {base / 'home' / 'logs'}")
        else:
            shutil.rmtree(base)
