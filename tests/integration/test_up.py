"""`airloom up` and `airloom down` as a user types them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from airloom.local import lifecycle
from airloom.local.databases import databases
from airloom.local.installation import Installation
from airloom.local.supervisor import Supervisor
from airloom.store.lookup import plain

if TYPE_CHECKING:
    from tests.installations import Running

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.integration


@pytest.fixture
def variables() -> Iterator[dict[str, str]]:
    """Return the environment of a shell that has a home in a deep folder of its own, with a space in its path."""
    base = Path(tempfile.mkdtemp(prefix="airloom up "))
    base.chmod(0o755)
    (base / "pipelines").mkdir()
    home = base / ("deep" * 20) / ("deeper" * 10) / "home"
    rest = {name: value for name, value in os.environ.items() if not name.startswith(("AIRLOOM_", "AIRFLOW"))}
    variables = {
        **rest,
        "AIRLOOM_ROOT": str(ROOT),
        "AIRLOOM_HOME": str(home),
        "AIRLOOM_PIPELINES": str(base / "pipelines"),
    }
    yield variables
    lifecycle.stop(Installation.open(variables=variables))
    shutil.rmtree(base)


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("airloom")), *arguments]


def airloom(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def left_processes(variables: dict[str, str]) -> list[str]:
    installation = Installation.existing(variables)
    left = Supervisor(installation.home, installation.state.identity).processes()
    return [" ".join(process.cmdline()) for process in left]


def pids(supervisor: Supervisor, part: str) -> list[int]:
    """Return the processes of the part whose command ends in this word."""
    found = []
    for process in supervisor.processes():
        with suppress(psutil.NoSuchProcess):
            if process.cmdline()[-1:] == [part]:
                found.append(process.pid)
    return found


def is_up(variables: dict[str, str]) -> bool:
    """Tell whether both Airflow and PostgreSQL answer."""
    installation = Installation.existing(variables)
    with psycopg.connect(plain(databases(installation).warehouse)) as connection:
        answers = connection.execute("select 1").fetchone() == (1,)
    return answers and lifecycle.client(installation).health()["scheduler"]["status"] == "healthy"


@pytest.mark.timeout(600)
def test_up_stays_until_it_is_interrupted_then_starts_from_what_is_there(
    variables: dict[str, str], free_port: int
) -> None:
    port = free_port
    up = subprocess.Popen(
        command("up", "--port", str(port)), env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    assert up.stdout is not None
    shown = []
    for line in up.stdout:
        shown.append(line)
        if "Ctrl-C" in line:
            break
    assert f"http://127.0.0.1:{port}" in "".join(shown), "".join(shown)
    assert any("Migrating" in line for line in shown)
    assert is_up(variables)

    second = airloom(variables, "up", "--port", str(port + 100))
    assert second.returncode == 0
    assert f"Airloom is already up at http://127.0.0.1:{port}" in second.stdout

    up.send_signal(signal.SIGINT)
    up.stdout.read()
    assert up.wait(60) == 0
    assert left_processes(variables) == []

    again = airloom(variables, "up", "--detach")
    assert again.returncode == 0, again.stderr
    assert "Migrating" not in again.stdout
    assert f"http://127.0.0.1:{port}" in again.stdout
    assert is_up(variables)

    supervisor = Supervisor(Path(variables["AIRLOOM_HOME"]), Installation.existing(variables).state.identity)
    # Told to end, a part ends well; it is started again all the same.
    for number in (signal.SIGKILL, signal.SIGTERM):
        (worker,) = pids(supervisor, "worker")
        os.kill(worker, number)
        while pids(supervisor, "worker") in ([], [worker]):
            time.sleep(0.1)

    manager = supervisor.process()
    assert manager is not None
    manager.kill()
    down = airloom(variables, "down")
    assert down.returncode == 0, down.stderr
    assert left_processes(variables) == []
    with pytest.raises(psycopg.OperationalError):
        is_up(variables)


def test_the_first_user_is_an_administrator(installation: Running) -> None:
    assert {"name": "Admin"} in installation.api("GET", "/auth/fab/v1/users/admin")["roles"]


def test_the_connection_warehouse_reaches_the_warehouse_and_no_other_database(installation: Running) -> None:
    connection = installation.api("GET", "/api/v2/connections/warehouse")
    assert (connection["conn_type"], connection["schema"], connection["login"]) == (
        "postgres",
        "warehouse",
        "warehouse",
    )
    with psycopg.connect(plain(installation.warehouse_url)) as session:
        assert session.execute("select 1 from pg_extension where extname = 'vector'").fetchone() == (1,)
    for database in ("airloom", "airflow"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(plain(installation.warehouse_url).removesuffix("warehouse") + database)


def test_every_part_is_healthy(installation: Running) -> None:
    health = installation.api("GET", "/api/v2/monitor/health")
    assert {part: facts["status"] for part, facts in health.items()} == dict.fromkeys(
        ("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy"
    )


def test_nothing_listens_beyond_this_machine(installation: Running) -> None:
    listening = [
        connection.laddr.ip
        for process in Supervisor(installation.installation.home, installation.installation.state.identity).processes()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}
