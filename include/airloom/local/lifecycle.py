"""Start and stop an installation, step by step."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from airloom.local import airflow
from airloom.local.client import AirflowClient
from airloom.local.databases import databases, embedded_server, make_databases
from airloom.local.installation import USER, Installation, write_environment
from airloom.local.postgres import tail
from airloom.local.supervisor import Supervisor
from airloom.spec.error import AirloomError, ConfigurationError, SystemFault, TransientError

Step = Callable[[str], AbstractContextManager[None]]
HEALTH_TIMEOUT = 300.0
WORKER_TIMEOUT = 90.0
"""Seconds that the worker may take longer than Airflow."""


class AlreadyRunning(AirloomError):
    """Raise when the installation runs already; `installation` says where."""

    code = "installation.running"

    def __init__(self, installation: Installation) -> None:
        super().__init__(f"Airloom runs already, at {installation.address}", hint="Stop it: airloom down")
        self.installation = installation


class AtWork(AirloomError):
    """Raise when another process starts or stops the installation."""

    code = "installation.at_work"


class PortBusy(ConfigurationError):
    """Raise when another program listens on a port that the installation needs."""

    code = "installation.port_busy"


def start(installation: Installation, step: Step) -> subprocess.Popen[bytes]:
    """Start an installation; return its process manager when every part is healthy.

    `step` is entered with the name of each step while it is under way. What was started is stopped where a step fails,
    or where the caller is interrupted. Raises AlreadyRunning, PortBusy before anything
    starts, SystemFault where a part does not get healthy.
    """
    with _lock(installation):
        if Supervisor(installation.home, installation.state.identity).process() is not None:
            running = Installation.existing(installation.given)
            raise AlreadyRunning(running)
        _stop(installation)
        check_ports(installation)
        installation.save()
        try:
            return _start(installation, step)
        except BaseException:
            _stop(installation)
            raise


def stop(installation: Installation) -> bool:
    """Stop all of an installation, PostgreSQL last; return whether anything ran."""
    with _lock(installation):
        return _stop(installation)


def check_ports(installation: Installation) -> None:
    """Raise PortBusy where one of the ports is taken, naming it, its use and the way out."""
    other = installation.state.port + (1000 if installation.state.port < 60_000 else -1000)
    for use, (host, port) in installation.ports.items():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise PortBusy(
                    f"Port {port} on {host}, needed for {use}, can't be used: {error.strerror}",
                    hint=f"End the program that uses it, or choose other ports: airloom up --port {other}",
                ) from error


def client(installation: Installation) -> AirflowClient:
    """Return a client of this installation's REST API, signed in as its first user."""
    return AirflowClient(installation.address, USER, installation.state.user_password)


def _start(installation: Installation, step: Step) -> subprocess.Popen[bytes]:
    for folder in (installation.logs, installation.home / "airflow", installation.home / "bundles"):
        folder.mkdir(mode=0o700, exist_ok=True)
    if installation.embedded:
        with step("Starting PostgreSQL"):
            embedded_server(installation).start()
    stamp = _stamp(installation)
    if installation.state.prepared != stamp:
        with step("Making the databases"):
            make_databases(installation)
        with step("Migrating the store of pipelines"):
            _migrate_store(installation)
        with step("Migrating Airflow's database, making the first user"):
            _prepare_airflow(installation)
        installation.state.prepared = stamp
        installation.save()
    environment = airflow.environment(installation)
    write_environment(
        installation.home,
        {name: value for name, value in environment.items() if name.startswith(("AIRLOOM_", "AIRFLOW"))},
    )
    with step("Starting Airflow and the worker"):
        began = datetime.now(UTC)
        supervisor = Supervisor(installation.home, installation.state.identity)
        manager = supervisor.start(environment, guarded=installation.embedded)
        _wait_for_health(installation, manager, began)
    return manager


def _stop(installation: Installation) -> bool:
    supervisor = Supervisor(installation.home, installation.state.identity)
    ran = bool(supervisor.processes())
    supervisor.stop()
    if installation.embedded:
        server = embedded_server(installation)
        ran = server.running() or ran
        server.stop()
    return ran


def _migrate_store(installation: Installation) -> None:
    from airloom.store.migrate import ensure_task_role, migrate

    store = databases(installation).store
    migrate(store)
    server = embedded_server(installation)
    administrator = server.address("airloom") if installation.embedded else store
    installation.state.task_database_url = ensure_task_role(administrator, installation.state.task_password)


def _prepare_airflow(installation: Installation) -> None:
    facts = {
        "user": USER,
        "password": installation.state.user_password,
        "warehouse": databases(installation).warehouse,
    }
    log = installation.logs / "prepare.log"
    with log.open("w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "airloom.dags.preparation"],
            env=airflow.environment(installation),
            input=json.dumps(facts),
            text=True,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise SystemFault(f"Airflow's database can't be prepared. The end of {log}:\n{tail(log)}")


def _wait_for_health(installation: Installation, manager: subprocess.Popen[bytes], began: datetime) -> None:
    """Wait until every part has shown a heartbeat since `began`: an older one is of the time before."""
    asked = client(installation)
    limit = time.monotonic() + HEALTH_TIMEOUT
    missing = ["api-server"]
    while time.monotonic() < limit:
        if manager.poll() is not None:
            output = installation.logs / "supervisord.out"
            raise SystemFault(f"The process manager ended. The end of {output}:\n{tail(output)}")
        try:
            health = asked.health()
        except TransientError:
            time.sleep(0.2)
            continue
        missing = [
            part.replace("_", "-")
            for part in ("scheduler", "triggerer", "dag_processor")
            if not _beats_since(health.get(part, {}).get(f"latest_{part}_heartbeat"), began)
        ]
        if not missing:
            limit = min(limit, time.monotonic() + WORKER_TIMEOUT)
        if not Supervisor(installation.home, installation.state.identity).is_steady("worker"):
            missing.append("worker")
        if not missing:
            return
        time.sleep(0.2)
    logs = "\n".join(f"{path}:\n{tail(path)}" for path in (installation.logs / f"{part}.log" for part in missing))
    raise SystemFault(f"These parts do not get healthy: {', '.join(missing)}. The end of their logs:\n{logs}")


def _beats_since(heartbeat: str | None, began: datetime) -> bool:
    return heartbeat is not None and datetime.fromisoformat(heartbeat) > began


def _stamp(installation: Installation) -> str:
    """Return what the databases have to be migrated for: the versions installed, and which databases they are."""
    where = databases(installation)
    migrations = Path(__file__).parents[1] / "store" / "migrations" / "versions"
    facts = [
        *(f"{name} {importlib.metadata.version(name)}" for name in _PREPARED_BY),
        *sorted(path.name for path in migrations.glob("*.py")),
        hashlib.sha256(f"{where.airflow} {where.store}".encode()).hexdigest(),
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


_PREPARED_BY = ("airloom", "apache-airflow-core", "apache-airflow-providers-fab")


@contextmanager
def _lock(installation: Installation) -> Iterator[None]:
    """Let one `up` or `down` at a time work on a home."""
    with (installation.home / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AtWork(
                f"Another `airloom up` or `airloom down` is at work on {installation.home}",
                hint="Wait until it is done",
            ) from None
        yield
