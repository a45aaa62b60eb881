"""Secrets of Connections on a real Airflow: wherever something may be kept or said of a failed run, there are none."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import string
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import psutil
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from tests.integration.test_api import sign_in
from tests.web.listening import Listener

from airloom.local import lifecycle
from airloom.local.databases import databases
from airloom.local.supervisor import Supervisor
from airloom.store.lookup import plain
from airloom.store.store import Store
from airloom.web.client import Client
from airloom.web.http import API

if TYPE_CHECKING:
    from tests.installations import Running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

PIPELINE, DROPPED = "leaks", "leaks_dropped"
LOGIN = "pl4nted"
"""A login is no secret. It stands beside the secrets wherever they would, so what finds it would find them."""
SECRETS = {
    "password": "S3cret-pa/ss:w@rd?&=%ü one",
    "extra": "S3cret-ex/tra:t@ken two",
    "url": "S3cret-url/th@ree",
}
HOWS = ("error", "data", "child", "value", "large")
QUERIES: dict[str, list[dict[str, Any]]] = {
    "diff": [{"from": 1, "to": 2}, {"from": 1, "to": "draft"}, {"from": "draft", "to": "current"}],
    "export": [{"version": 2, "format": "yaml"}],
    "rows": [{}, {"port": "error"}],
    "sql": [{}, {"of": "draft"}],
}
"""What a route is asked with, by the last part of its path."""


def connections(running: Running) -> dict[str, dict[str, Any]]:
    """Return a Connection for each place that a secret may stand in; none of them leads anywhere."""
    server = make_url(running.warehouse_url)
    right = {
        "connection_id": "", "conn_type": "postgres", "host": server.host, "port": server.port,
        "schema": "warehouse", "login": LOGIN,
    }  # fmt: skip
    url = f"postgresql://{LOGIN}:{quote(SECRETS['url'], safe='')}@{server.host}:{server.port}/warehouse"
    return {
        "password": {**right, "connection_id": "leaky_password", "password": SECRETS["password"]},
        "extra": {
            **right, "connection_id": "leaky_extra", "password": "another one",
            "extra": json.dumps({"api_token": SECRETS["extra"], "sslpassword": SECRETS["extra"]}),
        },
        "url": {**right, "connection_id": "leaky_url", "password": "another one", "host": url},
    }  # fmt: skip


def document(identifier: str, hows: tuple[str, ...], data: Path) -> dict[str, Any]:
    """Return a pipeline that uses each Connection by each connector, and by a node that says all that it holds."""
    nodes: list[dict[str, Any]] = [{"id": "rows", "type": "jsonl_read", "config": {"path": str(data)}}]
    edges = []
    for where in SECRETS:
        connection = {"connection": f"leaky_{where}"}
        nodes += [
            {"id": f"read_{where}", "type": "postgres_read", "config": {**connection, "sql": "SELECT 1 AS one"}},
            {"id": f"write_{where}", "type": "postgres_write", "config": {**connection, "table": "t"}},
            *({"id": f"{how}_{where}", "type": "leak", "config": {**connection, "how": how}} for how in hows),
        ]
        edges.append({"from": "rows", "to": f"write_{where}"})
        if "value" in hows:
            # What a node gave and why one failed is in the rendered config of those that read it.
            told = {"given": f"{{{{ nodes.value_{where}.value }}}}"}
            nodes += [
                {"id": f"told_{where}", "type": "set", "config": {"value": told}},
                {"id": f"handler_{where}", "type": "set", "config": {"value": "{{ nodes.error_" + where + ".error }}"}},
            ]
            edges.append({"from": f"value_{where}", "to": f"told_{where}"})
            edges.append({"from": f"error_{where}.error", "to": f"handler_{where}"})
    return {"id": identifier, "nodes": nodes, "edges": edges}


class Scan:
    """Look for texts wherever an installation keeps or shows something."""

    def __init__(self, running: Running, run_id: str, drafted: dict[str, Any], processes: dict[str, str]) -> None:
        self.running = running
        self.run_id = run_id
        self.drafted = drafted
        self.places: dict[str, str] = dict(processes)
        self._add_databases()
        self._add_files()
        self._add_answers()
        self._add_our_answers()

    def found(self, *texts: str) -> dict[str, str]:
        """Return the places that hold one of the texts, each with what is around it."""
        found = {}
        for place, content in self.places.items():
            for text in texts:
                at = content.find(text)
                if at >= 0:
                    found[place] = content[max(0, at - 150) : at + 150]
        return found

    def _add_databases(self) -> None:
        where = databases(self.running.installation)
        for name, url in (("airflow", where.airflow), ("store", where.store)):
            with psycopg.connect(plain(url)) as session:
                tables = session.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
                for (table,) in tables:
                    # Airflow's own: the Connections, and who made them by which request, of whose fields it masks but
                    # password and extra.
                    if (name, table) in (("airflow", "connection"), ("airflow", "log")):
                        continue
                    rows = session.execute(sql.SQL("select t::text from {} as t").format(sql.Identifier(table)))
                    self.places[f"{name}.{table}"] = "\n".join(str(row[0]) for row in rows)

    def _add_files(self) -> None:
        home = self.running.installation.home
        for folder, _, names in os.walk(home):
            if Path(folder).name == "postgres":
                continue
            for name in names:
                path = Path(folder, name)
                if "postgres" not in path.relative_to(home).parts:
                    with contextlib.suppress(OSError):
                        self.places[str(path.relative_to(home))] = path.read_bytes().decode("utf-8", "replace")

    def _add_answers(self) -> None:
        run = f"/api/v2/dags/{PIPELINE}/dagRuns/{self.run_id}"
        # One client: each signs in anew.
        ask = lifecycle.client(self.running.installation).request
        tasks = ask("GET", f"{run}/taskInstances?limit=200")
        self.places["api tasks"] = json.dumps(tasks, ensure_ascii=False)
        for task in tasks["task_instances"]:
            if task["try_number"]:
                log = ask("GET", f"{run}/taskInstances/{task['task_id']}/logs/{task['try_number']}")
                self.places[f"api log {task['task_id']}"] = json.dumps(log, ensure_ascii=False)
        for command in (
            ["explain", PIPELINE, "--json"], ["export", PIPELINE], ["doctor", "--json"],
            ["validate", str(self.running.folder / f"{DROPPED}.json")],
        ):  # fmt: skip
            done = airloom(self.running, *command)
            self.places[f"airloom {' '.join(command[:1] + command[2:])}"] = done.stdout + done.stderr

    def _add_our_answers(self) -> None:
        """Ask our API by every route that reads, and by those that check, preview and try."""
        address = self.running.installation.address
        headers = {"Authorization": f"Bearer {token(self.running)}"}
        nodes = [node["id"] for node in self.drafted["nodes"]]
        leaky = [f"leaky_{where}" for where in SECRETS]
        named: dict[str, list[Any]] = {
            "pipeline": [PIPELINE], "run_id": [self.run_id], "node": nodes, "number": [1, 2],
            "port": ["rows", "value", "error"], "type": ["leak"], "name": leaky,
        }  # fmt: skip
        posts: list[tuple[str, Any]] = [
            (f"/pipelines/{PIPELINE}/draft/check", None),
            ("/pipelines/check", self.drafted),
            ("/pipelines/columns", self.drafted),
            *((f"/pipelines/{PIPELINE}/preview", {"node": node}) for node in nodes),
            *((f"/connections/{name}/test", {}) for name in leaky),
        ]
        with httpx.Client(base_url=address, headers=headers, timeout=120, trust_env=False) as http:
            templates = http.get("/airloom/api/openapi.json").json()["paths"]
            prefix = API.removeprefix("/airloom")

            def ask(method: str, path: str, what: str, **more: Any) -> None:
                answer = http.request(method, f"{API}{path}", **more)
                self.places[f"{method} {path} {what}"] = f"{answer.status_code} {answer.text}"

            for template in (path.removeprefix(prefix) for path, methods in templates.items() if "get" in methods):
                names = [name for _, name, _, _ in string.Formatter().parse(template) if name]
                if template == "/events" or not set(names) <= set(named):
                    continue
                for values in itertools.product(*(named[name] for name in names)):
                    for query in QUERIES.get(template.rpartition("/")[2], [{}]):
                        parts = {name: quote(str(value), safe="") for name, value in zip(names, values, strict=True)}
                        ask("GET", template.format(**parts), json.dumps(query), params=query)
            for path, body in posts:
                ask("POST", path, str((body or {}).get("node", "")), json=body)
        listener = Listener(f"{address}{API}/events?pipeline={PIPELINE}", headers, "0")
        with psycopg.connect(plain(databases(self.running.installation).store)) as session:
            (count,) = session.execute("select count(*) from feed where pipeline = %s", (PIPELINE,)).fetchone() or (0,)
        self.places["events"] = json.dumps(asyncio.run(listener.listen(count)), ensure_ascii=False)


def token(running: Running) -> str:
    """Return a token of the administrator's."""
    known = lifecycle.client(running.installation)
    return sign_in(running, known.user, known.password)


def airloom(running: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the installation."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("airloom")), *arguments],
        env={**os.environ, **running.environment},
        capture_output=True,
        text=True,
        check=False,
    )


def eventually(look: Callable[[], Any], *, seconds: float = 300, every: float = 0.5) -> Any:
    """Return what is found at last; fail where nothing is."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(every)
    return found


@contextlib.contextmanager
def processes_of(running: Running) -> Iterator[dict[str, str]]:
    """Collect the command lines and environments of the installation's processes during the block."""
    supervisor = Supervisor(running.installation.home, running.installation.state.identity)
    seen: dict[str, str] = {}
    stopping = threading.Event()

    def look() -> None:
        while not stopping.wait(1):
            for process in supervisor.processes():
                with contextlib.suppress(psutil.Error):
                    for one in (process, *process.children(recursive=True)):
                        with contextlib.suppress(psutil.Error):
                            told = " ".join(one.cmdline()) + "\n" + json.dumps(one.environ(), ensure_ascii=False)
                            seen[f"process {one.pid}"] = told

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        stopping.set()
        watcher.join()


@pytest.fixture(scope="module")
def scan(installation: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scan]:
    """Run what fails with each Connection, and drop a file that cannot be published; look everywhere."""
    for connection in connections(installation).values():
        installation.api("POST", "/api/v2/connections", connection)
    data = installation.files / "leaks.jsonl"
    data.write_text('{"a": 1}\n')
    file = tmp_path_factory.mktemp("leaks") / "leaks.json"
    file.write_text(json.dumps(document(PIPELINE, HOWS, data)))
    dropped = installation.folder / f"{DROPPED}.json"
    dropped.write_text(json.dumps(document(DROPPED, ("columns",), data)))
    store = Store(installation.store_url)
    with processes_of(installation) as processes:
        published = airloom(installation, "publish", "--wait", str(file))
        assert published.returncode == 0, published.stderr + published.stdout
        processes["airloom publish"] = published.stdout + published.stderr
        body = {"logical_date": None}
        run_id = installation.api("POST", f"/api/v2/dags/{PIPELINE}/dagRuns", body)["dag_run_id"]
        run = eventually(lambda: (kept := store.runs.get(PIPELINE, run_id)) and kept.ended_at and kept)
        assert run.state == "failed"
        eventually(lambda: any(shown.path == dropped.name for shown in store.problems.all()))
        eventually(lambda: installation.api("GET", "/api/v2/importErrors")["import_errors"], every=5)
        drafted = document(PIPELINE, (*HOWS, "columns"), data)
        with Client(installation.installation.address, token(installation), timeout=300) as client:
            client.publish(PIPELINE, document={**document(PIPELINE, HOWS, data), "description": "once more"})
            client.save_draft(PIPELINE, drafted, etag=None)
    yield Scan(installation, run_id, drafted, processes)
    store.close()
    dropped.unlink()


def test_the_scan_would_find_what_leaks(scan: Scan) -> None:
    found = scan.found(LOGIN)
    places = (
        "airflow.xcom", "airflow.rendered_task_instance_fields", "airflow.import_error", "store.node_runs",
        "store.problems", "airloom explain --json", "airloom publish", "logs/worker.log",
        "api log read_url", "api log child_url", "api log error_password",
        f"POST /pipelines/{PIPELINE}/preview value_url", "POST /connections/leaky_url/test ",
    )  # fmt: skip
    assert [place for place in places if place not in found] == [], sorted(scan.places)
    assert any(place.startswith("logs/tasks/") for place in found)
    assert f"it is {LOGIN}" in scan.places["api log error_password"], "what a node says itself is in its task's log"
    assert f"it is {LOGIN}" in scan.places["logs/scheduler.log"]
    assert any(place.startswith("data/") for place in found)
    assert any("bundles" in place for place in found)
    for answer in ("/nodes/value_url/rows {}", "/nodes/data_url/logs {}", f"/runs/{quote(scan.run_id, safe='')} {{}}"):
        assert [place for place in found if place.startswith("GET ") and place.endswith(answer)], answer
    assert '"ended"' in scan.places["events"]


def test_no_secret_is_anywhere(scan: Scan) -> None:
    pairs = [f"{LOGIN}:{secret}".encode() for secret in SECRETS.values()]
    encoded = [base64.b64encode(pair).decode()[:-4] for pair in pairs]
    assert scan.found("S3cret", "UzNjcmV0", *encoded) == {}


def test_no_process_shows_a_password_of_a_database_in_its_command(scan: Scan) -> None:
    where = databases(scan.running.installation)
    passwords = {make_url(url).password or "" for url in (where.airflow, where.store, where.warehouse)}
    commands = {place: text.partition("\n")[0] for place, text in scan.places.items() if place.startswith("process ")}
    assert len(commands) > 10
    assert [command for command in commands.values() if any(password in command for password in passwords)] == []
