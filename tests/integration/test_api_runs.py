"""Runs and live events on a real Airflow: watched, cancelled, retried, deleted; and a server that is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
from tests.integration.test_api import sign_in
from tests.web.listening import Listener

from airloom.local import lifecycle
from airloom.store.store import Store
from airloom.web.client import Client
from airloom.web.models.runs import RunDetail

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


ROUTE: Any = [{"id": "many", "field": "rows", "operator": "gt", "value": 100}]
PARTED: Any = {
    "settings": {"max_active_runs": 8},
    "params": {"status": {"type": "string", "default": "paid"}},
    "nodes": [
        {"id": "orders", "type": "csv_read", "config": {"path": "{files}/parted.csv"}},
        {"id": "paid", "type": "filter", "config": {"where": "status = {{ params.status }}"}},
        {"id": "by_day", "type": "aggregate", "config": {"by": ["day"], "measures": {"orders": {"op": "count"}}}},
        {"id": "route", "type": "switch", "config": {"rules": ROUTE, "fallback": True}},
        {"id": "large", "type": "set", "config": {"value": "large"}},
        {"id": "small", "type": "set", "config": {"value": "{{ nodes.by_day.rows.rows }} at {{ run.logical_date }}"}},
        {"id": "end", "type": "merge"},
        {"id": "save", "type": "csv_write", "config": {"path": "{files}/parted_days.csv"}},
    ],
    "edges": [
        {"from": start, "to": end}
        for start, end in (
            ("orders", "paid"), ("paid", "by_day"), ("by_day", "route"), ("route.many", "large"),
            ("route.fallback", "small"), ("large", "end"), ("small", "end"), ("by_day", "save"),
        )
    ],
}  # fmt: skip


class Parts:
    """Run parts of one pipeline, over a file that may change."""

    def __init__(self, installation: Running, client: Client, http: httpx.Client) -> None:
        self.client = client
        self.http = http
        self.orders, self.days = (installation.files / name for name in ("parted.csv", "parted_days.csv"))
        self.orders.write_text("day,status\n2026-01-01,paid\n2026-01-02,paid\n2026-01-02,open\n")
        text = json.dumps(PARTED).replace("{files}", str(installation.files))
        client.make_pipeline("parted", document=json.loads(text))
        client.publish("parted")
        client.wait_for_version("parted", 1)

    def run(self, **more: Any) -> RunDetail:
        """Start a run and wait for its end."""
        answer = self.http.post("/pipelines/parted/runs", json=more)
        assert answer.status_code == 201, answer.text
        return self.client.wait_for_run("parted", answer.json()["run_id"], timeout=300)

    def preview(self, **more: Any) -> tuple[str, list[str]]:
        """Return what would become of the nodes, and what is in the way."""
        found = self.http.post("/pipelines/parted/runs/preview", json=more).json()
        nodes = " ".join(f"{node['node']}:{node['part']}" for node in found["nodes"])
        return nodes, [problem["message"] for problem in found["problems"]]


@pytest.fixture(scope="module")
def parts(installation: Running, http: httpx.Client, token: str) -> Iterator[Parts]:
    with Client(installation.installation.address, token) as client:
        yield Parts(installation, client, http)


def states(run: RunDetail) -> str:
    found = {node.node: node.state for node in run.nodes}
    return " ".join(f"{node['id']}:{found[node['id']]}" for node in PARTED["nodes"])


def test_a_part_runs_with_what_another_run_has_left(installation: Running, parts: Parts, http: httpx.Client) -> None:
    first = parts.run()
    assert states(first).endswith("large:skipped small:success end:success save:success")
    parts.days.unlink()
    part = {"nodes": {"from": "small"}, "reuse": first.run_id}
    assert parts.preview(**part) == (
        "orders:reused paid:reused by_day:reused route:reused large:skipped small:run end:run save:left_out",
        [],
    )
    second = parts.run(**part)
    assert states(second) == (
        "orders:reused paid:reused by_day:reused route:reused large:skipped small:success end:success save:skipped"
    )
    assert second.reuse is not None
    assert (second.reuse.run_id, second.reuse.nodes, second.rows) == (first.run_id, {"from": "small"}, None)
    values = [
        http.get(f"/pipelines/parted/runs/{run}/nodes/end/rows").json()["value"]
        for run in (first.run_id, second.run_id)
    ]
    assert values[0] == values[1]
    assert values[0][0].startswith("2 at 20")
    # Inner nodes of a step are computed again; what writes does so where that is asked for; a run of a part is reused.
    third = parts.run(nodes={"from": "paid"}, reuse=second.run_id, writes=True)
    assert parts.preview(nodes={"from": "paid"}, reuse=second.run_id)[0].startswith("orders:again paid:run by_day:run")
    assert (states(third).count("success"), parts.days.read_text().count("\n")) == (7, 3)
    # What the conf of a run says of it is nothing, and neither is a task of it that somebody clears.
    forged = {"logical_date": None, "conf": {"airloom": {"partial": True, "reuse": first.run_id}}}
    begun = installation.api("POST", "/api/v2/dags/parted/dagRuns", forged)["dag_run_id"]
    watch_end(parts, begun)
    assert states(parts.client.run("parted", begun)) == states(first)
    cleared = {"dry_run": False, "dag_run_id": second.run_id, "only_failed": False, "include_downstream": True,
               "task_ids": ["orders-by_day"]}  # fmt: skip
    installation.api("POST", "/api/v2/dags/parted/clearTaskInstances", cleared)
    parts.days.unlink()
    watch_end(parts, second.run_id)
    assert states(parts.client.run("parted", second.run_id)) == states(second)
    assert not parts.days.exists()


def watch_end(parts: Parts, run_id: str) -> None:
    """Wait until a run has begun that Airflow was asked for, and has ended."""
    for _ in range(600):
        if parts.http.get(f"/pipelines/parted/runs/{run_id}/progress").json().get("state") == "running":
            break
        threading.Event().wait(0.1)
    parts.client.wait_for_run("parted", run_id, timeout=300)


def test_a_part_that_misses_something_is_refused_before_anything_starts(
    installation: Running, parts: Parts, http: httpx.Client
) -> None:
    first = parts.run()
    refused = http.post("/pipelines/parted/runs", json={"nodes": {"only": "large"}})
    assert (refused.status_code, refused.json()["details"][0]["code"]) == (422, "partial.reuse")
    assert parts.preview(nodes={"only": "small"}, reuse=first.run_id, params={"status": "open"})[1] == [
        f"node '{name}' is not as it was in run {first.run_id!r}: it, a node before it, or a param that they read has "
        "changed"
        for name in ("route", "by_day")
    ]
    parts.orders.write_text("day,status\n2026-01-01,paid\n")
    (problem,) = parts.preview(nodes={"from": "paid"}, reuse=first.run_id)[1]
    assert problem.endswith(f"and {parts.orders} has changed since")
    with contextlib.closing(Store(installation.store_url)) as store:
        kept = {node.node: node.outputs for node in store.node_runs.of("parted", first.run_id)}
    Path(kept["by_day"]["rows"]["uri"]).unlink()
    (problem,) = parts.preview(nodes={"only": "save"}, reuse=first.run_id, writes=True)[1]
    assert problem.startswith(f"node 'by_day' gave in run {first.run_id!r} what is gone: at rows, ")
    unknown = http.post("/pipelines/parted/runs/preview", json={"nodes": {"only": "small"}, "reuse": "run_of_another"})
    assert (unknown.status_code, unknown.json()["message"]) == (404, "pipeline 'parted' has no run 'run_of_another'")


def test_a_run_goes_on_from_a_node_and_what_is_before_it_stays(parts: Parts, http: httpx.Client) -> None:
    run = parts.run()
    wrong = http.post(f"/pipelines/parted/runs/{run.run_id}/retry", json={"from": "smal"})
    assert (wrong.status_code, wrong.json()["details"][0]["hint"]) == (422, "did you mean 'small'?")
    assert http.post(f"/pipelines/parted/runs/{run.run_id}/retry").status_code == 409
    assert http.post(f"/pipelines/parted/runs/{run.run_id}/retry", json={"from": "small"}).status_code == 202
    again = parts.client.wait_for_run("parted", run.run_id, timeout=300)
    assert {node.node: node.attempt for node in again.nodes if node.attempt == 2} == {"small": 2, "end": 2}
    assert states(again) == states(run)


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
