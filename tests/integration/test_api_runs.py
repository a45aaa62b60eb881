"""Runs and live events on a real Airflow: watched, cancelled, retried, deleted; and a server that is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
from tests.integration.test_api import sign_in
from tests.web.listening import Listener

from airloom.local import lifecycle
from airloom.web.client import Client

if TYPE_CHECKING:
    from tests.installations import Running

pytestmark = pytest.mark.integration
SLOW = "import time\n\n\ndef run(value):\n    time.sleep(3000)\n    return 1\n"


@pytest.fixture(scope="module")
def token(installation: Running) -> str:
    """Return a token of the administrator's."""
    known = lifecycle.client(installation.installation)
    return sign_in(installation, known.user, known.password)


@pytest.fixture(scope="module")
def http(installation: Running, token: str) -> Iterator[httpx.Client]:
    """Return a client of the API."""
    base = f"{installation.installation.address}/airloom/api/v1"
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=base, headers=headers, timeout=60, trust_env=False) as http:
        yield http


@pytest.fixture
def client(installation: Running, token: str) -> Iterator[Client]:
    with Client(installation.installation.address, token) as client:
        yield client


class Watch:
    """Listen in a thread, from now until told what to wait for."""

    def __init__(self, http: httpx.Client, query: str) -> None:
        self.listener = Listener(f"{http.base_url}events{query}", dict(http.headers))
        self._thread = threading.Thread(target=lambda: asyncio.run(self.listener.listen(10_000)), daemon=True)
        self._thread.start()
        self.wait(lambda: self.listener.place is not None)

    def wait(self, done: Any) -> None:
        """Wait until this is so."""
        for _ in range(1800):
            if done():
                return
            threading.Event().wait(0.1)
        raise AssertionError(self.words())

    def words(self) -> list[str]:
        """Return what was told, in words."""
        told = []
        for event in self.listener.events:
            node = event["payload"]
            told.append(f"{node['node']} {node['state']}" if event["kind"] == "node" else event["kind"])
        return told

    def until(self, word: str, times: int = 1) -> list[str]:
        """Return what was told once this was."""
        self.wait(lambda: self.words().count(word) >= times)
        return self.words()


def test_a_run_is_watched_and_its_log_names_the_request(client: Client, http: httpx.Client) -> None:
    nodes = [{"id": name, "type": "set", "config": {"value": name}} for name in ("one", "two")]
    document = {"nodes": nodes, "edges": [{"from": "one", "to": "two"}], "settings": {"grouping": "none"}}
    client.make_pipeline("watched", document=document)
    watch = Watch(http, "?pipeline=watched")
    client.publish("watched")
    answer = http.post("/pipelines/watched/runs", json={}, headers={"X-Correlation-ID": "request-4711"})
    run = answer.json()["run_id"]
    assert (answer.status_code, answer.json()["correlation_id"]) == (201, "request-4711")
    words = watch.until("ended")
    assert words[:3] == ["published", "queued", "started"]
    assert words.index("one success") < words.index("two success") < words.index("ended")
    assert len(words) == len(set(words))
    log = http.get(f"/pipelines/watched/runs/{run}/nodes/one/logs", headers={"Accept": "text/plain"}).text
    assert "correlation_id=request-4711" in log
    assert "node one: success" in log
    assert http.get(f"/pipelines/watched/runs/{run}/nodes/two/rows").json()["value"] == "two"
    assert http.get(f"/pipelines/watched/runs/{run}").json()["progress"] == 1
    assert http.delete(f"/pipelines/watched/runs/{run}").status_code == 204
    watch.until("deleted")
    assert http.get(f"/pipelines/watched/runs/{run}").status_code == 404


def test_cancelling_stops_a_task_at_work(installation: Running, client: Client, http: httpx.Client) -> None:
    nodes = [
        {"id": "slow", "type": "python_code", "config": {"code": SLOW}},
        {"id": "after", "type": "set", "config": {"value": 1}},
    ]
    client.make_pipeline("cancelled", document={"nodes": nodes, "edges": [{"from": "slow", "to": "after"}]})
    client.publish("cancelled")
    watch = Watch(http, "?pipeline=cancelled&topic=runs")
    run = client.start_run("cancelled").run_id
    watch.until("slow running")
    watch.wait(lambda: _boxes(installation))
    answer = http.post(f"/pipelines/cancelled/runs/{run}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "failed")
    words = watch.until("ended")
    assert words[-1] == "ended"
    assert "slow failed" in words
    found = http.get(f"/pipelines/cancelled/runs/{run}").json()
    assert {node["node"]: node["state"] for node in found["nodes"]}["slow"] == "failed"
    assert found["state"] == "failed"
    watch.wait(lambda: not _boxes(installation))


def _manager(installation: Running) -> psutil.Process:
    supervisor = lifecycle.Supervisor(installation.installation.home, installation.installation.state.identity)
    manager = supervisor.process()
    assert manager is not None
    return manager


def _boxes(installation: Running) -> list[psutil.Process]:
    """Return the processes that run users' code."""
    found = []
    for process in _manager(installation).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "boxed" in " ".join(process.cmdline()):
                found.append(process)
    return found


def api_server(installation: Running) -> psutil.Process:
    """Return the process of Airflow's API server."""
    names = ("api-server", "api_server")
    (server,) = [
        child for child in _manager(installation).children() if any(name in " ".join(child.cmdline()) for name in names)
    ]
    return server


def test_a_retry_goes_on_from_where_it_failed(installation: Running, client: Client, http: httpx.Client) -> None:
    path = installation.files / "late.csv"
    nodes = [
        {"id": "first", "type": "set", "config": {"value": 1}},
        {"id": "read", "type": "csv_read", "config": {"path": str(path), "columns": {"a": "INTEGER"}}},
        {"id": "save", "type": "jsonl_write", "config": {"path": str(installation.files / "late.jsonl")}},
    ]
    document = {"nodes": nodes, "edges": [{"from": "read", "to": "save"}], "settings": {"grouping": "none"}}
    client.make_pipeline("retried", document=document)
    client.publish("retried")
    watch = Watch(http, "?pipeline=retried&topic=runs")
    run = client.start_run("retried").run_id
    assert "first success" in watch.until("ended")
    path.write_text("a\n7\n")
    assert http.post(f"/pipelines/retried/runs/{run}/retry").status_code == 202
    words = watch.until("ended", 2)
    again = words[words.index("ended") + 1 :]
    assert (again[0], again[-1]) == ("queued", "ended")
    assert "first success" not in again
    assert "read success" in again
    ended = client.run("retried", run)
    assert (ended.state, {node.node: node.attempt for node in ended.nodes}["read"]) == ("success", 2)
    rows = http.get(f"/pipelines/retried/runs/{run}/nodes/read/rows").json()
    assert rows["rows"] == [{"a": 7}]


def test_a_killed_server_loses_nothing(installation: Running, client: Client, http: httpx.Client) -> None:
    client.make_pipeline("killed", document={"nodes": [{"id": "one", "type": "set", "config": {"value": 1}}]})
    watch = Watch(http, "?pipeline=killed")
    api_server(installation).kill()
    for _ in range(600):
        try:
            client.publish("killed")
            break
        except ConnectionError:
            threading.Event().wait(0.2)
    assert watch.until("published") == ["published"]
    assert watch.listener.connected == 2
