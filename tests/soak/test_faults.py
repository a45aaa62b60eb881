"""One fault after the other on a running installation: each is told in its place, and nothing is lost."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import psutil
import psycopg
import pytest
from tests.installations import Running, installed

from airloom.local import lifecycle
from airloom.local.client import AirflowError
from airloom.local.databases import embedded_server
from airloom.local.supervisor import Supervisor
from airloom.spec.error import TransientError
from airloom.store.lookup import plain
from airloom.store.store import Store

Json = dict[str, Any]
Found = TypeVar("Found")
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
MINUTE = 60.0
MANY = 30
NODES = Path(__file__).with_name("nodes")


class Site:
    """Use a running installation, take parts of it away, and read what it says."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.home = running.installation.home
        self.unnoted: str | None = None
        """A run whose end the store did not hear of."""
        self.administrator = plain(embedded_server(running.installation).address("postgres"))

    # Parts

    def execute(self, statement: str) -> None:
        """Run a statement as the server's superuser."""
        with psycopg.connect(self.administrator, autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextlib.contextmanager
    def without_database(self, name: str) -> Iterator[None]:
        """Let a database refuse everybody during the block, and for a minute at least."""
        began = time.monotonic()
        self.execute(f"alter database {name} allow_connections false")
        self.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        try:
            yield
            time.sleep(max(0.0, began + MINUTE - time.monotonic()))
        finally:
            self.execute(f"alter database {name} allow_connections true")

    def kill(self, part: str) -> None:
        """Kill every process of a part at once."""
        supervisor = Supervisor(self.home, self.running.installation.state.identity)
        for process in supervisor.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.cmdline()[-1:] == [part]:
                    process.send_signal(signal.SIGKILL)

    # Pipelines

    def drop(self, identifier: str, *nodes: Json, **settings: Any) -> None:
        """Save a pipeline of nodes one after the other."""
        names = [node["id"] for node in nodes]
        document = {
            "id": identifier,
            "settings": {"grouping": "none", "max_active_runs": 16, **settings},
            "nodes": list(nodes),
            "edges": [{"from": one, "to": two} for one, two in itertools.pairwise(names)],
        }
        (self.running.folder / f"{identifier}.json").write_text(json.dumps(document))

    def tasks_of(self, pipeline: str) -> set[str]:
        """Return the tasks that Airflow would run."""
        try:
            answer = self.running.api("GET", f"/api/v2/dags/{pipeline}/tasks")
        except AirflowError as error:
            if error.status != 404:
                raise
            return set()
        return {task["task_id"] for task in answer["tasks"]}

    def start(self, pipeline: str, *, once: set[str]) -> str:
        """Start a run once Airflow knows these tasks; return its id."""
        eventually(lambda: self.tasks_of(pipeline) == once)
        body = {"logical_date": None, "conf": {}}
        return str(self.running.api("POST", f"/api/v2/dags/{pipeline}/dagRuns", body)["dag_run_id"])

    def ended(self, pipeline: str, run: str) -> str:
        """Wait until a run is over, and return its state."""

        def over() -> str | None:
            try:
                state = str(self.running.api("GET", f"/api/v2/dags/{pipeline}/dagRuns/{run}")["state"])
            except (AirflowError, TransientError):
                return None
            return state if state in ("success", "failed") else None

        return eventually(over) or ""

    def tasks(self, pipeline: str, run: str) -> dict[str, tuple[str | None, int]]:
        """Return state and number of tries of each task."""
        answer = self.running.api("GET", f"/api/v2/dags/{pipeline}/dagRuns/{run}/taskInstances")
        return {task["task_id"]: (task["state"], task["try_number"]) for task in answer["task_instances"]}

    def process_of(self, pipeline: str) -> int:
        """Return the process that runs a pipeline's task."""
        address = plain(embedded_server(self.running.installation).address("airflow"))
        with psycopg.connect(address) as connection:
            row = connection.execute("select pid from task_instance where dag_id = %s", (pipeline,)).fetchone()
        assert row is not None
        return int(row[0])

    # What is said

    def log(self, part: str) -> str:
        """Return the log of a part."""
        return (self.home / "logs" / f"{part}.log").read_text(errors="replace")

    def task_log(self, pipeline: str, run: str, task: str) -> str:
        """Return the logs of all tries of a task."""
        folder = self.home / "logs" / "tasks" / f"dag_id={pipeline}" / f"run_id={run}" / f"task_id={task}"
        return "".join(file.read_text() for file in sorted(folder.glob("*.log"))).replace('\\"', '"')

    def command(self, *arguments: str) -> tuple[int, str]:
        """Run a command; return its code and all that it prints."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("airloom")), *arguments],
            env={**os.environ, **self.running.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def is_healthy(self) -> bool:
        """Tell whether Airflow says that every part is."""
        try:
            health = lifecycle.client(self.running.installation).health()
        except (AirflowError, TransientError):
            return False
        return {part["status"] for part in health.values()} == {"healthy"}


def eventually(look: Callable[[], Found], seconds: float = 300) -> Found:
    """Return what is found at last; fail where nothing is."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.3)
    return found


def one(identifier: str = "one") -> Json:
    """Return a node that makes a value."""
    return {"id": identifier, "type": "set", "config": {"value": 1}}


def nap(seconds: float) -> Json:
    """Return a node that takes so long."""
    return {"id": "nap", "type": "nap", "config": {"seconds": seconds}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder for the tables between steps, on a small disk of its own where this account may mount one."""
    folder = tmp_path_factory.mktemp("data")
    folder.chmod(0o755)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=False).returncode == 0
    yield folder
    if mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder whose modules every process of the installation may import."""
    folder = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield folder


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, data: Path, packages: Path) -> Iterator[Site]:
    """Run an installation."""
    with installed(request.session, AIRLOOM_NODES=str(NODES), AIRLOOM_DATA=str(data)) as running:
        yield Site(running)


@pytest.fixture
def store(site: Site) -> Iterator[Store]:
    """Return the installation's store."""
    store = Store(site.running.store_url)
    yield store
    store.close()


def test_the_store_is_away_for_a_minute(site: Site, store: Store, report: Callable[[str], None]) -> None:
    site.drop("quick", one(), one("two"))
    site.drop("cold", one(), retries=0)
    assert site.ended("quick", site.start("quick", once={"one", "two"})) == "success"
    eventually(lambda: site.tasks_of("cold"))
    with site.without_database("airloom"):
        site.drop("late", one())
        on_disk = site.start("quick", once={"one", "two"})
        cold = site.start("cold", once={"one"})
        assert site.ended("quick", on_disk) == "success", "what is on disk goes on"
        code, complaint = site.command("list")
        assert (code, "the store's database does not answer" in complaint) == (3, True)
        eventually(lambda: site.tasks("cold", cold)["one"][0] == "up_for_reschedule")
        eventually(lambda: "The pipelines on disk are served as they are" in site.log("dag-processor"))
        assert "drop folder waits for the store, and goes on when it answers" in site.log("worker")
        assert site.is_healthy()
    back = time.monotonic()
    eventually(lambda: site.tasks_of("late"))
    report(f"a file dropped meanwhile is a DAG {time.monotonic() - back:.0f} s after the store is back")
    assert site.ended("cold", cold) == "success"
    assert site.tasks("cold", cold) == {"one": ("success", 1)}, "it waited, and lost no try"
    assert "This task waits for the store" in site.task_log("cold", cold, "one")
    assert not store.node_runs.of("quick", on_disk)
    site.unnoted = on_disk


def test_airflows_database_is_away_for_a_minute(site: Site, report: Callable[[str], None]) -> None:
    site.drop("sleeping", one(), nap(30), one("two"), retries=0)
    run = site.start("sleeping", once={"one", "nap", "two"})
    eventually(lambda: site.tasks("sleeping", run)["nap"][0] == "running")
    eventually(lambda: "Worker startup parse complete" in site.task_log("sleeping", run, "nap"))
    time.sleep(5)
    with site.without_database("airflow"):
        site.drop("later", one())
        eventually(lambda: "waits for Airflow's database, and goes on when it answers" in site.log("worker"))
        code, complaint = site.command("publish", str(site.running.folder / "later.json"))
        assert (code, "Airflow's database does not answer" in complaint) == (3, True), complaint
        code, complaint = site.command("doctor")
        assert (code, "database does not answer: connection failed" in complaint) == (1, True), complaint
        assert not site.is_healthy()
    back = time.monotonic()
    eventually(site.is_healthy)
    report(f"Airflow is healthy {time.monotonic() - back:.0f} s after its database is back")
    eventually(lambda: site.tasks_of("later"))
    assert site.ended("sleeping", run) == "success"
    assert set(site.tasks("sleeping", run).values()) == {("success", 1)}


def test_the_worker_is_killed_while_it_publishes(site: Site, store: Store) -> None:
    chance = random.Random(1)
    for number in range(MANY):
        site.drop(f"many_{number}", one())
    for _ in range(3):
        time.sleep(chance.uniform(3, 9))
        site.kill("worker")
    eventually(lambda: sum(pipeline.id.startswith("many_") for pipeline in store.pipelines()) == MANY)
    eventually(lambda: all(site.tasks_of(f"many_{number}") for number in range(MANY)))
    assert {pipeline.version for pipeline in store.pipelines() if pipeline.id.startswith("many_")} == {1}
    assert "worker (terminated by SIGKILL; not expected)" in site.log("supervisord")


def test_the_dag_processor_is_killed_while_it_refreshes(site: Site, report: Callable[[str], None]) -> None:
    chance = random.Random(2)
    for turn in range(3):
        for number in range(MANY):
            site.drop(f"many_{number}", one(), one(f"turn_{turn}"))
        time.sleep(chance.uniform(1.5, 4))
        site.kill("dag-processor")
    began = time.monotonic()
    newest = {"one", "turn_2"}
    eventually(lambda: all(site.tasks_of(f"many_{number}") == newest for number in range(MANY)))
    report(f"{MANY} pipelines are the newest {time.monotonic() - began:.0f} s after its last kill")
    assert site.running.api("GET", "/api/v2/importErrors")["total_entries"] == 0
    assert site.ended("many_0", site.start("many_0", once=newest)) == "success"


def test_a_task_ends_with_the_process_that_watches_it(site: Site) -> None:
    site.drop("watched", nap(240))
    run = site.start("watched", once={"nap"})
    eventually(lambda: "Worker startup parse complete" in site.task_log("watched", run, "nap"))
    time.sleep(5)
    task = psutil.Process(site.process_of("watched"))
    supervisor = task.parent()
    assert supervisor is not None
    supervisor.kill()
    psutil.wait_procs([task], timeout=120)
    assert not task.is_running(), "it would do what its retry does, too"


class TestDisk:
    """The disk of the tables between steps, which is as small as 24 MB."""

    @pytest.fixture
    def filling(self, site: Site, data: Path) -> None:
        """Have a pipeline that fills it."""
        if not os.path.ismount(data):
            pytest.skip("only root may mount a small disk")
        rows = site.running.files / "rows.parquet"
        numbers = "SELECT i AS id, md5(i::VARCHAR) AS a, md5((i + 1)::VARCHAR) AS b FROM range(1500000) AS t(i)"
        duckdb.connect().execute(f"COPY ({numbers}) TO '{rows}'")
        save = {"connection": "warehouse", "table": "filled", "mode": "replace"}
        site.drop(
            "filling",
            {"id": "read", "type": "parquet_read", "config": {"path": str(rows)}},
            {"id": "kept", "type": "filter", "config": {"where": "id >= 0"}},
            {"id": "save", "type": "postgres_write", "config": save},
            grouping="auto",
            retries=8,
            retry_delay="5s",
        )

    @pytest.mark.usefixtures("filling")
    def test_a_full_one_is_named_and_the_run_goes_on_when_there_is_room(self, site: Site, data: Path) -> None:
        run = site.start("filling", once={"read-kept", "save"})
        eventually(lambda: "no room is left on the disk for " in site.task_log("filling", run, "read-kept"))
        assert [path for path in data.rglob("*") if path.is_file() or path.name.startswith(".part")] == []
        code, said = site.command("doctor")
        assert (code, f"0.0 GB are free at {data}" in said) == (1, True), said
        subprocess.run(["mount", "-o", "remount,size=600m", data], check=True)
        assert site.ended("filling", run) == "success"

    @pytest.mark.usefixtures("filling")
    def test_one_that_may_not_be_written_is_named(self, site: Site, data: Path) -> None:
        subprocess.run(["mount", "-o", "remount,ro,size=600m", data], check=True)
        try:
            run = site.start("filling", once={"read-kept", "save"})
            eventually(lambda: "there is no right to write for " in site.task_log("filling", run, "read-kept"))
            code, said = site.command("doctor")
            assert (code, f"{data} can't be written" in said) == (1, True), said
        finally:
            subprocess.run(["mount", "-o", "remount,rw,size=600m", data], check=True)
        assert site.ended("filling", run) == "success"


def test_a_package_that_is_away_is_named(site: Site, packages: Path) -> None:
    document = {
        "id": "painting",
        "settings": {"retries": 30, "retry_delay": "3s"},
        "nodes": [{"id": "paint", "type": "colour", "config": {}}],
    }
    file = site.running.files / "painting.json"
    file.write_text(json.dumps(document))
    code, said = site.command("publish", str(file))
    assert (code, "'colour' needs a package that is not installed" in said) == (1, True), said
    package = packages / "colourful.py"
    package.write_text("NAME = 'red'\n")
    assert site.command("publish", str(file))[0] == 0
    package.unlink()
    run = site.start("painting", once={"paint"})
    eventually(lambda: "colour needs a package that is not installed on " in site.task_log("painting", run, "paint"))
    code, said = site.command("doctor")
    assert (code, "node 'paint' needs a package that is not installed" in said) == (1, True), said
    package.write_text("NAME = 'red'\n")
    assert site.ended("painting", run) == "success"


def test_the_end_of_a_run_that_was_not_noted_is_made_up_for(site: Site, store: Store) -> None:
    run = site.unnoted
    assert run is not None, "the store was not away"
    eventually(lambda: store.node_runs.of("quick", run), 600)
