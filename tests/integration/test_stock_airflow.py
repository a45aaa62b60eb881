"""A plain Airflow: Airloom is added to it by its wheel as docs/stock-airflow.md says, used, and taken out again."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests import wheels
from tests.installations import free_port

from airloom.local.client import AirflowClient, AirflowError
from airloom.spec.error import TransientError

if TYPE_CHECKING:
    from tests.conftest import Databases

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
PAGE = (wheels.ROOT / "docs" / "stock-airflow.md").read_text()
PARTS = ("api-server", "scheduler", "dag-processor")
STOP_TIMEOUT = 30.0
DAGS = {
    "hello": """
from airflow.sdk import dag, task


@dag(schedule=None, is_paused_upon_creation=False)
def hello():
    @task
    def greet() -> str:
        return "hello"

    @task
    def shout(word: str) -> None:
        assert word == "hello"

    shout(greet())


hello()
""",
    "command": """
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG("command", schedule=None, is_paused_upon_creation=False):
    BashOperator(task_id="one", bash_command="echo one")
""",
}
SALES = """
id: sales
nodes:
  - {id: orders, type: csv_read, config: {path: include/data/orders.csv}}
  - {id: paid, type: filter, config: {where: "status = 'paid'"}}
  - {id: save, type: csv_write, config: {path: output/sales.csv}}
edges: [{from: orders, to: paid}, {from: paid, to: save}]
"""
USERS = """
import sys
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

with get_application_builder() as builder:
    builder.sm.sync_roles()
    for name, role in (("ada", "Admin"), ("vera", "Viewer")):
        assert builder.sm.add_user(name, name, "Test", f"{name}@localhost", builder.sm.find_role(role), sys.argv[1])
"""


@dataclass
class Place:
    """An Airflow of its own: an environment, a folder, processes that are ended by their ids."""

    folder: Path
    variables: dict[str, str]
    port: int
    password: str = field(default_factory=lambda: secrets.token_hex(12), repr=False)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def python(self) -> str:
        """Return the environment's Python."""
        return str(self.folder / "venv" / "bin" / "python")

    @property
    def address(self) -> str:
        """Return the address of the API server."""
        return f"http://127.0.0.1:{self.port}"

    def shell(self, command: str, **more: str) -> str:
        """Run a command with the settings that there are; return what it prints, assert that it ends well."""
        done = self.attempt(command, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command with the settings that there are."""
        return subprocess.run(
            ["/bin/sh", "-c", self._with_settings(command)],
            cwd=self.folder,
            env={**self.variables, **more},
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *commands: str) -> None:
        """Start processes in the background, each with a log."""
        for command in commands:
            with (self.folder / "logs" / f"{command.replace(' ', '-')}.log").open("ab") as log:
                self.running[command] = subprocess.Popen(
                    ["/bin/sh", "-c", self._with_settings(f"exec {command}")],
                    cwd=self.folder,
                    env=self.variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def start_airflow(self) -> None:
        """Start the parts of Airflow, and wait until each is alive."""
        began = time.time()
        self.start(*(f"airflow {part}" for part in PARTS))

        def is_healthy() -> bool:
            with contextlib.suppress(TransientError, AirflowError):
                health = self.client().health()
                beats = [health[part][f"latest_{part}_heartbeat"] for part in ("scheduler", "dag_processor")]
                return all(beat and _seconds(beat) > began for beat in beats)
            return False

        self.wait(is_healthy)

    def stop(self, *commands: str) -> None:
        """Stop processes, all where none is named."""
        stopping = {command: self.running.pop(command) for command in commands or tuple(self.running)}
        for process in stopping.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in stopping.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT)
            # Whatever it left behind is of its own session.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait(self, done: Callable[[], bool], seconds: float = 240) -> None:
        """Wait until something is so; a process that ends meanwhile is a failure."""
        end = time.monotonic() + seconds
        while not done():
            ended = [command for command, process in self.running.items() if process.poll() is not None]
            assert not ended, f"ended by itself: {ended}\n{self.logs()}"
            assert time.monotonic() < end, self.logs()
            time.sleep(0.5)

    def logs(self) -> str:
        """Return the ends of the logs."""
        files = sorted((self.folder / "logs").glob("*.log"))
        return "\n".join(f"{file.name}:\n{file.read_text()[-3000:]}" for file in files)

    def client(self, user: str = "ada") -> AirflowClient:
        """Return a client of Airflow's API for a user."""
        return AirflowClient(self.address, user, self.password)

    def run(self, dag: str) -> str:
        """Run a DAG by Airflow's API to its end; return how it ended."""
        client = self.client()
        self.wait(lambda: any(found["dag_id"] == dag for found in client.request("GET", "/api/v2/dags")["dags"]))
        run = client.request("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"]
        state = ""

        def has_ended() -> bool:
            nonlocal state
            state = client.request("GET", f"/api/v2/dags/{dag}/dagRuns/{run}")["state"]
            return state in ("success", "failed")

        self.wait(has_ended)
        return state

    def dags(self) -> set[str]:
        """Return the DAGs that Airflow lists."""
        return {dag["dag_id"] for dag in self.client().request("GET", "/api/v2/dags")["dags"]}

    def import_errors(self) -> list[str]:
        """Return the files that Airflow cannot read."""
        return [error["filename"] for error in self.client().request("GET", "/api/v2/importErrors")["import_errors"]]

    def roles(self) -> dict[str, set[tuple[str, str]]]:
        """Return what every role in Airflow's user management may; that of Admin grows with every DAG."""
        roles = self.client().request("GET", "/auth/fab/v1/roles?limit=100")["roles"]
        return {
            role["name"]: {(one["action"]["name"], one["resource"]["name"]) for one in role["actions"]}
            for role in roles
            if role["name"] != "Admin"
        }

    def _with_settings(self, command: str) -> str:
        settings = "set -a; . ./airloom.env; set +a"
        assert settings in PAGE
        return f"if [ -e airloom.env ]; then {settings}; fi; {command}"


def says(command: str) -> str:
    """Return a command that stands on the page."""
    assert command in PAGE, f"the page does not say {command}"
    return command


def _seconds(moment: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(moment).timestamp()


def install(place: Place, *packages: str) -> None:
    """Install packages of the pinned versions."""
    constraints = ("--constraint", str(wheels.ROOT / "requirements.txt"))
    wheels.uv("pip", "install", "--quiet", "--python", place.python, *constraints, *packages)


@pytest.fixture
def place(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Place]:
    """Return a plain Airflow with two hand-written DAGs, that knows nothing of Airloom."""
    failed = request.session.testsfailed
    folder = Path(tempfile.mkdtemp(prefix="airloom-stock-"))
    port = free_port()
    variables = {
        "PATH": f"{folder / 'venv' / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": databases.url(databases.create()),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(folder / "bundles"),
        # A busy machine answers late, which must not fail a task here.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(port + 1),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(port + 2),
    }
    place = Place(folder, variables, port)
    for name in ("dags", "logs", "include/data", "include/pipelines"):
        (folder / name).mkdir(parents=True)
    for name, text in DAGS.items():
        (folder / "dags" / f"{name}.py").write_text(text)
    try:
        wheels.uv("venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
        providers = ("apache-airflow-providers-fab", "apache-airflow-providers-postgres", "psycopg[binary]")
        install(place, f"apache-airflow=={version('apache-airflow-core')}", *providers)
        place.shell("airflow db migrate")
        place.shell(f"python - {place.password} <<'END'\n{USERS}\nEND")
        place.start_airflow()
        yield place
    finally:
        place.stop()
        if request.session.testsfailed > failed and "CI" not in os.environ:
            print(f"\nThe plain Airflow is kept in {folder}")
        else:
            shutil.rmtree(folder)


@pytest.fixture
def owned_store(databases: Databases) -> Iterator[str]:
    """Return the URL of an empty database for its owner, who is no superuser, as the page makes both."""
    name, password = f"stock_{secrets.token_hex(6)}", secrets.token_hex(12)
    databases.execute(
        says("create role airloom login createrole").replace("airloom", name) + f" password '{password}'",
        says("create database airloom owner airloom").replace("airloom", name),
        says("revoke all on database airloom from public").replace("airloom", name),
    )
    server = databases.server
    yield f"postgresql://{name}:{password}@127.0.0.1:{server.port}/{name}"
    databases.drop(name)
    databases.execute(f"drop role if exists {name}_task", f"drop role {name}")


def ask(place: Place, method: str, path: str, user: str | None = None, body: Any = None) -> int:
    """Return the status of an answer of Airloom's API."""
    headers = {}
    if user is not None:
        signed_in = {"username": user, "password": place.password}
        answer = httpx.post(f"{place.address}/auth/token", json=signed_in, trust_env=False, timeout=60)
        headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    address = f"{place.address}/airloom/api/v1{path}"
    return httpx.request(method, address, headers=headers, json=body, trust_env=False, timeout=60).status_code


def serves_api(place: Place) -> bool:
    """Tell whether Airloom's API is there; Airflow answers with a page of its own to what it does not know."""
    answer = httpx.get(f"{place.address}/airloom/api/v1/me", trust_env=False, timeout=60)
    return "json" in answer.headers["content-type"]


def test_it_is_added_used_and_removed(place: Place, owned_store: str, tmp_path: Path) -> None:
    # A plain Airflow.
    assert [place.run(dag) for dag in DAGS] == ["success", "success"]
    before = place.roles()
    assert not serves_api(place)

    # Airloom is added.
    install(place, str(wheels.build(tmp_path)))
    shown = place.shell(says("airloom prepare --write airloom.env"), AIRLOOM_DATABASE_URL=owned_store)
    assert "dags-folder" in shown
    settings = place.folder / "airloom.env"
    place.stop()
    place.start_airflow()
    place.start(says("airloom worker"))

    # It is used: by the command line, by a file, by the API; what was there runs on.
    (place.folder / "include" / "data" / "orders.csv").write_text("id,status\n1,paid\n2,open\n3,paid\n")
    (place.folder / "sales.yaml").write_text(SALES)
    dropped = place.folder / "include" / "pipelines"
    (dropped / "dropped.yaml").write_text(SALES.replace("sales", "dropped"))
    (dropped / "broken.yaml").write_text("id: broken\nnodes: [{id: one, type: nonsense}]\n")
    place.shell("airloom publish sales.yaml --wait")
    assert place.run("sales") == "success"
    assert (place.folder / "output" / "sales.csv").read_text() == "id,status\n1,paid\n3,paid\n"
    assert place.run("dropped") == "success"
    assert (place.folder / "output" / "dropped.csv").exists()
    assert place.run("hello") == "success"
    place.wait(lambda: bool(place.import_errors()))
    assert {who: ask(place, "GET", "/pipelines/sales", who) for who in (None, "vera", "ada")} == {
        None: 401, "vera": 200, "ada": 200,
    }  # fmt: skip
    statuses = [ask(place, "POST", "/pipelines", who, {"id": "mine"}) for who in ("vera", "ada")]
    assert statuses == [403, 201]
    author = {
        "username": "ann", "first_name": "Ann", "last_name": "Test", "email": "ann@localhost",
        "password": place.password, "roles": [{"name": "Airloom Author"}],
    }  # fmt: skip
    place.client().request("POST", "/auth/fab/v1/users", author)
    assert [ask(place, "GET", "/pipelines/sales", "ann"), ask(place, "POST", "/pipelines", "ann", {"id": "hers"})] == [
        404, 201,
    ]  # fmt: skip
    examined = place.attempt(says("airloom doctor")).stdout
    assert "✓ worker runs" in examined
    assert "! core.executor LocalExecutor" in examined
    assert [line for line in examined.splitlines() if line.startswith("✗")] == ["✗ triggerer never ran"]

    # It is removed: what is left is what was there.
    place.stop("airloom worker")
    airflow = place.client()
    airflow.request("PATCH", "/api/v2/dags/sales", {"is_paused": True})
    waiting = airflow.request("POST", "/api/v2/dags/sales/dagRuns", {"logical_date": None})["dag_run_id"]
    refused = place.attempt("airloom remove")
    assert (refused.returncode, f"sales: {waiting}" in refused.stderr) == (1, True)
    airflow.request("PATCH", f"/api/v2/dags/sales/dagRuns/{waiting}", {"state": "failed"})
    assert "AIRLOOM_DATABASE_URL" in place.shell(says("airloom remove"))
    place.stop()
    settings.unlink()
    wheels.uv("pip", "uninstall", "--quiet", "--python", place.python, "airloom")
    assert says("pip uninstall airloom")
    place.start_airflow()
    place.wait(lambda: place.dags() == set(DAGS))
    assert place.import_errors() == []
    assert "No data found" in place.shell("airflow dags list-import-errors")
    assert [place.run(dag) for dag in DAGS] == ["success", "success"]
    assert place.roles() == before
    assert not serves_api(place)
