"""The client of Airflow's REST API, against a small server that answers as Airflow does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from airloom.local.client import AirflowClient, AirflowError
from airloom.spec.error import TransientError

PASSWORD = "s3cret-of-the-test"
Request = tuple[str, str, str | None, Any]


class Answer(BaseHTTPRequestHandler):
    """Sign in with one password; repeat the body of a request that is refused, as Airflow's validation does."""

    requests: list[Request]
    tokens: list[str]

    def do_GET(self) -> None:
        token = self.headers["Authorization"]
        self.requests.append(("GET", self.path, token, None))
        if self.path == "/text":
            return self._give(200, "<html>")
        if token == f"Bearer {self.tokens[-1]}" or self.path == "/api/v2/monitor/health":
            return self._give(200, {"path": self.path})
        return self._give(401, {"detail": f"Token Expired: {token}"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(("POST", self.path, self.headers["Authorization"], body))
        if self.path != "/auth/token" or body["password"] != PASSWORD:
            return self._give(422, {"detail": "refused", "input": body, "padding": "x" * 1000})
        self.tokens.append(f"token-{len(self.tokens)}")
        return self._give(201, {"access_token": self.tokens[-1]})

    def do_DELETE(self) -> None:
        self._give(204, None)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep the tests' output clean."""

    def _give(self, status: int, value: Any) -> None:
        body = b"" if value is None else value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving() -> Iterator[tuple[str, type[Answer]]]:
    handler = type("Handler", (Answer,), {"requests": [], "tokens": ["none"]})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()
        thread.join()


def test_it_signs_in_once_and_again_when_the_token_has_expired() -> None:
    with serving() as (address, handler):
        client = AirflowClient(address, "admin", PASSWORD)
        assert client.request("GET", "/api/v2/dags") == {"path": "/api/v2/dags"}
        assert client.request("GET", "/api/v2/pools") == {"path": "/api/v2/pools"}
        handler.tokens.append("another")
        assert client.request("GET", "/api/v2/pools") == {"path": "/api/v2/pools"}
        assert client.request("DELETE", "/api/v2/pools/a") is None
    assert [request[1] for request in handler.requests] == [
        "/auth/token", "/api/v2/dags", "/api/v2/pools", "/api/v2/pools", "/auth/token", "/api/v2/pools",
    ]  # fmt: skip


def test_health_needs_no_account() -> None:
    with serving() as (address, handler):
        assert AirflowClient(address, "admin", "wrong").health() == {"path": "/api/v2/monitor/health"}
    assert [request[2] for request in handler.requests] == [None]


def test_a_refusal_names_the_request_and_no_secret() -> None:
    with serving() as (address, _):
        client = AirflowClient(address, "admin", PASSWORD)
        with pytest.raises(AirflowError, match="POST /api/v2/variables: 422") as raised:
            client.request("POST", "/api/v2/variables", {"value": PASSWORD, "token": "token-1"})
        assert raised.value.status == 422
        assert PASSWORD not in str(raised.value)
        assert "token-1" not in str(raised.value)
        assert len(str(raised.value)) < 600
        with pytest.raises(AirflowError) as raised:
            AirflowClient(address, "admin", "an-old-password").request("GET", "/api/v2/dags")
        assert "an-old-password" not in str(raised.value)
        with pytest.raises(AirflowError, match="the answer is not JSON"):
            client.request("GET", "/text")
    assert PASSWORD not in repr(client)


def test_nobody_there_is_a_fault_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as (address, _):
        pass
    with pytest.raises(TransientError, match=f"Airflow does not answer at {address}: .*refused"):
        AirflowClient(address, "admin", PASSWORD).health()


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving() as (address, _):
        assert AirflowClient(address, "admin", PASSWORD).health()
