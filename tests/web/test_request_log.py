"""The lines about requests: one each, without what is secret in addresses."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from airloom.spec.configuration import configuration
from airloom.store.store import Store
from airloom.web.app import make_app


@pytest.fixture
def lines(
    store: Store, people: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Return what the API writes about two requests, as JSON."""
    monkeypatch.setenv("AIRLOOM_API_LOG", "json")
    configuration.cache_clear()
    with TestClient(make_app(store), raise_server_exceptions=False) as client:
        configuration.cache_clear()
        headers = {"Authorization": f"Bearer {people['ann']}", "X-Correlation-ID": "mine"}
        client.get("/api/v1/pipelines/none?search=s3cret", headers=headers)
        client.get("/api/v1/downloads/s3cret")
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("{")]


def test_a_line_tells_of_each_request(lines: list[str]) -> None:
    told = [json.loads(line) for line in lines]
    assert [(one["route"].removeprefix("/api/v1"), one["status"], one["pipeline"]) for one in told] == [
        ("/pipelines/{pipeline}", 404, "none"),
        ("/downloads/{token}", 403, None),
    ]
    assert told[0]["correlation_id"] == "mine"
    assert told[0]["milliseconds"] > 0
    assert "s3cret" not in "".join(lines)
