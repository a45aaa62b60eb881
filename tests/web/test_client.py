"""The Python client against the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.airflow_dags import read_pipeline
from tests.web.answering import answering
from tests.web.conftest import Web
from tests.web.listening import served

from airloom.engine.tables import write_shown
from airloom.spec.configuration import configuration
from airloom.spec.problem import Problem
from airloom.store.records import NodeRun, StoredRun
from airloom.web.app import make_app
from airloom.web.client import ApiRefused, Client

NODE = {"id": "only", "type": "set", "config": {"value": 1}}


class Mounted(httpx.BaseTransport):
    """Hand requests to the application in this process, as Airflow's server mounts it."""

    def __init__(self, web: Web) -> None:
        self.web = web

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().removeprefix("/airloom")
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        answer = self.web.client.request(request.method, path, headers=headers, content=request.read())
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def client(web: Web) -> Iterator[Client]:
    """Return a client that acts for ann."""
    with Client("http://airflow.example", web.tokens["ann"], transport=Mounted(web)) as client:
        yield client


def test_from_a_draft_to_the_way_back(client: Client) -> None:
    assert client.me().name == "ann"
    client.make_pipeline("sales", document={"nodes": []})
    draft = client.save_draft("sales", {"nodes": [NODE]}, etag=client.draft("sales").etag)
    assert client.publish("sales", message="first", etag=draft.etag).number == 1
    client.publish("sales", document={"nodes": [{**NODE, "config": {"value": 2}}]})
    (change,) = client.difference("sales", 1).changes
    assert (change.before, change.after) == (1, 2)
    assert client.rollback("sales", 1).number == 3
    assert [version.number for version in client.versions("sales")] == [3, 2, 1]
    assert client.version("sales", 2).document["nodes"][0]["config"] == {"value": 2}
    assert "sales" in client.export("sales", form="yaml")
    assert [pipeline.id for pipeline in client.pipelines()] == ["sales"]


def test_errors_carry_what_the_api_said(client: Client) -> None:
    client.make_pipeline("sales", document={"nodes": []})
    with pytest.raises(ApiRefused, match="saved a draft") as raised:
        client.save_draft("sales", {}, etag="other")
    assert (raised.value.status, raised.value.kind) == (412, "PRECONDITION_FAILED")
    assert raised.value.details["current"]["author"] == "ann"
    with pytest.raises(ApiRefused, match="there is no pipeline") as raised:
        client.pipeline("other")
    assert raised.value.status == 404


def test_a_host_that_does_not_answer(web: Web) -> None:
    with Client("http://127.0.0.1:9", "s3cret") as client, pytest.raises(ConnectionError) as raised:
        client.me()
    assert "s3cret" not in str(raised.value)


def test_rows_come_one_after_the_other(
    web: Web, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRLOOM_DATA", str(tmp_path))
    configuration.cache_clear()
    web.store.publish({"id": "sales"}, {"nodes": {"load": {"step": "load"}}}, author="ann", source="api")
    web.store.runs.observe(StoredRun("sales", "run_1", "success", datetime.now(UTC), version=1))
    rows = [{"number": number} for number in range(450)]
    table = write_shown({"number": "INTEGER"}, rows, str(tmp_path / "rows.parquet"))
    web.store.node_runs.record(
        "sales", "run_1", [NodeRun("sales", "run_1", "load", "success", outputs={"rows": table.to_json()})]
    )
    assert list(client.rows("sales", "run_1", "load")) == rows
    assert client.output("sales", "run_1", "load", limit=3).total == 450
    assert [run.run_id for run in client.runs(pipeline="sales")] == ["run_1"]
    client.delete_run("sales", "run_1")
    assert list(client.runs(pipeline="sales")) == []


def test_connections_tokens_and_grants(web: Web) -> None:
    with Client("http://airflow.example", web.tokens["adam"], transport=Mounted(web)) as client, answering(web.store):
        made = client.make_connection("client_db", "postgres", host="127.0.0.1", port=1, password="s3cret")
        try:
            assert made.name in [one.name for one in client.connections()]
            client.edit_connection("client_db", login="ann")
            assert client.try_connection("client_db").works is False
            assert client.grant_connection("client_db", "user", "bob").subject == "bob"
            client.revoke_connection("client_db", "user", "bob")
            assert "postgres" in [one.type for one in client.connection_types()]
        finally:
            client.delete_connection("client_db")
        token = client.make_token("ci", ["read"], pipelines=["sales"])
        assert [one.id for one in client.tokens()] == [token.id]
        assert client.revoke_token(token.id).revoked_at is not None


def test_what_is_done_to_pipelines(web: Web, client: Client) -> None:
    client.make_pipeline("sales", document={"nodes": [NODE]})
    client.publish("sales")
    assert [one.done for one in client.batch("tag", ["sales"], tag="eu")] == [True]
    client.share("sales", "user", "bob", "reader")
    assert [one.subject for one in client.collaborators("sales")] == ["ann", "bob"]
    client.unshare("sales", "user", "bob")
    assert (client.sql("sales"), client.impact("sales").readers) == ([], [])
    assert client.archive("sales").ending_runs == []
    assert client.restore("sales").archived is False
    assert {"set", "join"} <= {found.type for found in client.node_types().types}


def test_a_version_is_waited_for_and_days_are_filled(web: Web, client: Client) -> None:
    document = {"id": "filled", "nodes": [NODE], "schedule": {"cron": "0 0 * * *"}}
    read_pipeline(web.store, document)
    client.wait_for_version("filled", 1)
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (2, 3)]
    assert client.backfill("filled", *days, dry_run=True).times == days
    client.publish("filled", document={**document, "name": "2"})
    with pytest.raises(TimeoutError, match="Airflow has not read version 2 of pipeline 'filled' within 0 s"):
        client.wait_for_version("filled", 2, timeout=0, every=0.01)


class Broken(httpx.HTTPTransport):
    """Break each answer that goes on, after so many of its events."""

    def __init__(self, events: int) -> None:
        super().__init__()
        self.events = events
        self.asked: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers.get("last-event-id"))
        # The application is served at the root here, in Airflow below /airloom.
        path = request.url.raw_path.removeprefix(b"/airloom")
        request.url = request.url.copy_with(raw_path=path)
        answer = super().handle_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=Cut(answer.stream, self.events))


class Cut(httpx.SyncByteStream):
    """Give a stream up to some of its events, then break."""

    def __init__(self, stream: Any, events: int) -> None:
        self.stream, self.events = stream, events

    def __iter__(self) -> Iterator[bytes]:
        seen = 0
        for piece in self.stream:
            yield piece
            seen += piece.count(b"data:")
            if seen >= self.events:
                raise httpx.ReadError("cut")

    def close(self) -> None:
        self.stream.close()


def test_events_go_on_where_the_connection_broke(web: Web) -> None:
    for number in range(3):
        web.store.create(f"p{number}", by="ann")
    transport = Broken(1)
    with (
        served(make_app(web.store)) as url,
        Client(url.removesuffix("/api/v1"), web.tokens["ann"], transport=transport) as client,
    ):
        events = client.events(after=0)
        told = [next(events) for _ in range(3)]
        web.store.create("p3", by="ann")
        told.append(next(events))
        events.close()
    assert [(event.kind, event.pipeline) for event in told] == [("created", f"p{number}") for number in range(4)]
    assert len(transport.asked) > 1
    assert transport.asked[0] == "0"
    assert transport.asked[1] != "0"


def test_an_administrator_operates(web: Web) -> None:
    with Client("http://airflow.example", web.tokens["adam"], transport=Mounted(web)) as client, answering(web.store):
        found = client.examination()
        assert {finding.area for finding in found.findings} >= {"machine", "Airflow"}
        assert found.right is not any(finding.state == "wrong" for finding in found.findings)
        web.store.problems.set("new.yaml", [Problem("text.syntax", "it ends too early", line=3)])
        (file,) = client.broken_files()
        assert (file.path, file.pipeline, file.problems[0].line) == ("new.yaml", None, 3)
        cleaned = client.clean_up(days=400)
        assert (cleaned.days, cleaned.complete) == (400, True)
