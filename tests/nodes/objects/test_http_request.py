from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from tests.http_server import Asked, Reply, Server, as_json, serving

from airloom.checks.check import check
from airloom.engine.address_guard import AddressForbidden
from airloom.engine.http_client import OutcomeUnknown
from airloom.nodes.objects.http_request import HttpRequest
from airloom.nodes.sdk import ConfigurationError, DataError
from airloom.nodes.testing import NoSurroundings, run_node
from airloom.runtime.trial import try_document
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.error import AirloomError, TransientError

PASSWORD = "pa55-of-the-connection"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server that the administrator allows; no pause is made before a request is sent again."""
    with serving() as found:
        monkeypatch.setenv("AIRLOOM_HTTP_ALLOW", f"127.0.0.1:{found.port}")
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        configuration.cache_clear()
        yield found
    configuration.cache_clear()


@dataclass(frozen=True)
class WithConnection(NoSurroundings):
    """Give one Connection, whatever its name."""

    found: Any = None

    def connection(self, name: str) -> Any:
        """Return it."""
        return self.found


def connection(server: Server, **fields: Any) -> Any:
    given = {
        "host": "127.0.0.1",
        "schema": "http",
        "port": server.port,
        "login": None,
        "password": None,
        "extra_dejson": {},
    }
    return SimpleNamespace(**{**given, **fields})


def asked(config: dict[str, Any], value: Any = None, found: Any = None) -> dict[str, Any]:
    node = HttpRequest.model_validate(config)
    answer: dict[str, Any] = run_node(node, value=value, context=WithConnection(found=found))["response"]
    return answer


def test_an_answer_is_status_headers_and_body(server: Server) -> None:
    server.answers["/a"] = lambda asked: as_json({"n": 1}, 201, X_Note="b")
    answer = asked({"url": f"{server.url}/a", "parameters": {"q": ["x", 2], "on": True, "none": None}})
    assert answer["status"] == 201
    assert answer["headers"]["x-note"] == "b"
    assert answer["body"] == {"n": 1}
    assert server.asked[0].query == {"q": ["x", "2"], "on": ["true"]}


@pytest.mark.parametrize(
    ("reply", "config", "body"),
    [
        ((200, {"content-type": "application/problem+json"}, b"[1]"), {}, [1]),
        ((200, {"content-type": "text/html; charset=latin-1"}, "ä".encode("latin-1")), {}, "ä"),
        ((200, {}, "ä".encode()), {}, "ä"),
        ((200, {}, b'{"a": 1}'), {"read_as": "json"}, {"a": 1}),
        ((200, {"content-type": "application/json"}, b"1"), {"read_as": "text"}, "1"),
        ((204, {}, b""), {}, None),
        ((200, {"content-type": "application/json"}, b'{"a": {"b": null}}'), {"path": "a.b"}, None),
        ((200, {"content-type": "application/json"}, b'{"a": [5, 6]}'), {"path": "a.1"}, 6),
    ],
)
def test_a_body_is_read_as_its_type_says(server: Server, reply: Reply, config: dict[str, Any], body: Any) -> None:
    server.answers["/"] = lambda asked: reply
    assert asked({"url": f"{server.url}/", **config})["body"] == body


@pytest.mark.parametrize(
    ("reply", "config", "message"),
    [
        (
            (200, {"content-type": "application/pdf"}, b"%PDF"),
            {},
            "the answer is application/pdf, neither JSON nor text",
        ),
        ((200, {"content-type": "text/plain"}, b"\xff"), {}, "bytes that are not letters in utf-8"),
        ((200, {"content-type": "application/json"}, b"{"), {}, "cannot be read as JSON"),
        ((200, {"content-type": "application/json"}, b"NaN"), {}, "NaN is not a value of JSON"),
        ((200, {"content-type": "application/json"}, b"{}"), {"path": "a.b"}, "nothing at 'a.b'"),
        ((200, {}, b"x" * 2000), {"size_limit": "1KB"}, "larger than 1,000 bytes"),
    ],
)
def test_an_answer_that_cannot_be_read_is_named(
    server: Server, reply: Reply, config: dict[str, Any], message: str
) -> None:
    server.answers["/"] = lambda asked: reply
    with pytest.raises(DataError, match=message):
        asked({"url": f"{server.url}/", **config})


@pytest.mark.parametrize(
    ("config", "value", "sent", "kind"),
    [
        ({"body": {"a": "ä"}}, None, '{"a": "ä"}', "application/json"),
        ({"body": "plain"}, None, "plain", "text/plain; charset=utf-8"),
        ({"body": "x", "headers": {"Content-Type": "application/json"}}, None, '"x"', "application/json"),
        ({"body": "<a/>", "headers": {"content-type": "text/xml"}}, None, "<a/>", "text/xml"),
        ({"form": {"a": "1 2", "b": ["x", "y"]}}, None, "a=1+2&b=x&b=y", "application/x-www-form-urlencoded"),
        ({}, [1, None], "[1, null]", "application/json"),
        ({"body": 0}, "not this", "0", "application/json"),
        ({}, None, "", None),
    ],
)
def test_a_body_is_sent(server: Server, config: dict[str, Any], value: Any, sent: str, kind: str | None) -> None:
    server.answers["/"] = lambda asked: as_json(None)
    asked({"url": f"{server.url}/", "method": "POST", **config}, value)
    assert server.asked[0].body.decode() == sent
    assert server.asked[0].headers.get("content-type") == kind


def test_a_get_sends_nothing_that_comes_in(server: Server) -> None:
    server.answers["/"] = lambda asked: as_json(None)
    asked({"url": f"{server.url}/"}, {"a": 1})
    assert server.asked[0].body == b""


# Connections


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"login": "ada", "password": "x"}, {"authorization": "Basic YWRhOng="}),
        ({"password": "x"}, {"authorization": "Bearer x"}),
        ({"extra_dejson": {"X-Key": "k", "timeout": "5", "verify": False}}, {"x-key": "k"}),
        ({"extra_dejson": {"headers": {"Authorization": "Token x"}}}, {"authorization": "Token x"}),
    ],
)
def test_a_connection_signs_in(server: Server, fields: dict[str, Any], headers: dict[str, str]) -> None:
    server.answers["/v1/a"] = lambda asked: as_json(None)
    asked({"connection": "api", "url": "v1/a"}, found=connection(server, **fields))
    own = {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert {name: text for name, text in server.asked[0].headers.items() if name not in own} == headers


def test_a_connection_may_hold_a_path(server: Server) -> None:
    server.answers["/v1/a"] = lambda asked: as_json(1)
    server.answers["/v1"] = lambda asked: as_json(2)
    host = connection(server, host="http://127.0.0.1/v1/")
    assert asked({"connection": "api", "url": "/a"}, found=host)["body"] == 1
    assert asked({"connection": "api", "url": ""}, found=host)["body"] == 2
    assert asked({"connection": "api", "url": f"{server.url}/v1/a"}, found=host)["body"] == 1


@pytest.mark.parametrize("url", ["https://evil.example/", "http://127.0.0.1:1/", "//evil.example/", "@evil.example/"])
def test_its_secrets_go_to_its_server_alone(server: Server, url: str) -> None:
    found = connection(server, password=PASSWORD)
    with pytest.raises(AirloomError) as caught:
        asked({"connection": "api", "url": url}, found=found)
    assert PASSWORD not in str(caught.value)
    assert ("not on the server" in str(caught.value)) == ("://" in url)


def test_secrets_that_a_server_echoes_stay_in(server: Server, tmp_path: Any) -> None:
    server.answers["/"] = lambda asked: as_json({"you": asked.headers}, X_Echo=asked.headers["authorization"])
    server.answers["/bad"] = lambda asked: (404, {}, asked.headers["authorization"].encode())
    nodes = [
        {"id": "good", "type": "http_request", "config": {"connection": "api", "url": "/"}},
        {"id": "bad", "type": "http_request", "config": {"connection": "api", "url": "/bad"}},
    ]
    found = connection(server, login="ada", password=PASSWORD, conn_type="http", extra="")
    settings = Configuration(root=tmp_path, data=str(tmp_path / "data"))
    trial = try_document({"id": "echo", "nodes": nodes, "edges": []}, settings, connections=lambda name: found)
    text = json.dumps(dict(trial.nodes), default=str)
    assert trial.nodes["good"]["outputs"]["response"]["value"]["headers"]["x-echo"] == "Basic ***"
    assert "status 404" in text
    assert PASSWORD not in text
    assert base64.b64encode(f"ada:{PASSWORD}".encode()).decode() not in text


# Refusals


@pytest.mark.parametrize(
    ("status", "config", "kind"),
    [
        (400, {}, DataError),
        (401, {}, ConfigurationError),
        (403, {}, ConfigurationError),
        (404, {}, DataError),
        (429, {}, TransientError),
        (500, {}, TransientError),
        (501, {}, DataError),
        (503, {"method": "POST"}, TransientError),
        (500, {"method": "POST"}, OutcomeUnknown),
        (500, {"method": "POST", "safe_to_repeat": True}, TransientError),
        (502, {"method": "PUT"}, TransientError),
        (502, {"method": "PUT", "safe_to_repeat": False}, OutcomeUnknown),
    ],
)
def test_a_status_says_whether_another_attempt_can_help(
    server: Server, status: int, config: dict[str, Any], kind: type[AirloomError]
) -> None:
    server.answers["/"] = lambda asked: (status, {}, b"this is  why" + b"\n" * 5000)
    with pytest.raises(AirloomError, match=f"status {status}: this is why") as caught:
        asked({"url": f"{server.url}/?key=secret", **config})
    assert type(caught.value) is kind
    assert "secret" not in str(caught.value)


def test_a_status_may_be_accepted(server: Server) -> None:
    server.answers["/"] = lambda asked: as_json({"why": "gone"}, 410)
    assert asked({"url": f"{server.url}/", "accept": [404, 410]}) | {"headers": {}} == {
        "status": 410, "headers": {}, "body": {"why": "gone"},
    }  # fmt: skip


def test_only_what_the_administrator_allows_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRLOOM_HTTP_ALLOW")
    configuration.cache_clear()
    with pytest.raises(AddressForbidden) as caught:
        asked({"url": f"{server.url}/"})
    assert "AIRLOOM_HTTP_ALLOW" in str(caught.value.hint)
    assert server.asked == []


# Pages

ITEMS = [{"id": number} for number in range(7)]


def paged(asked: Asked) -> Reply:
    """Answer as servers with pages of three do, in every way of paging."""
    at = int(asked.query.get("offset", ["0"])[0]) + 3 * (int(asked.query.get("page", ["1"])[0]) - 1)
    at = int(asked.query.get("after", [str(at)])[0])
    more = at + 3 < len(ITEMS)
    host = asked.headers["host"]
    following = f"http://{host}/?after={at + 3}&kept={asked.query.get('kept', [''])[0]}"
    links = [f'<http://{host}/?after=0>; rel="first"'] + (
        [f'<{following}>; title="x, y"; rel="next last"'] if more else []
    )
    body = {"data": {"items": ITEMS[at : at + 3]}, "next": at + 3 if more else None, "url": following if more else ""}
    return as_json(body, link=", ".join(links))


@pytest.mark.parametrize(
    ("pages", "requests"),
    [
        ({"by": "page"}, 4),
        ({"by": "offset"}, 4),
        ({"by": "cursor", "parameter": "after", "next": "next"}, 3),
        ({"by": "link"}, 3),
        ({"by": "link", "next": "url"}, 3),
    ],
)
def test_all_pages_are_one_list(server: Server, pages: dict[str, Any], requests: int) -> None:
    server.answers["/"] = paged
    config = {"url": f"{server.url}/", "path": "data.items", "pages": pages, "parameters": {"kept": "yes"}}
    assert asked(config)["body"] == ITEMS
    assert len(server.asked) == requests
    assert all(request.query["kept"] == ["yes"] for request in server.asked)


def test_more_pages_than_allowed_are_an_error(server: Server) -> None:
    server.answers["/"] = paged
    config = {"url": f"{server.url}/", "path": "data.items", "pages": {"by": "page", "most": 3}}
    with pytest.raises(DataError, match="there are more than 3 pages"):
        asked(config)
    assert asked(config | {"pages": {"by": "page", "most": 4}})["body"] == ITEMS


@pytest.mark.parametrize(
    ("body", "config", "message"),
    [
        ({"items": [1], "next": "same"}, {"by": "cursor", "next": "next"}, "the pages lead back to one"),
        ({"items": [1], "next": "/"}, {"by": "link", "next": "next"}, "the pages lead back to one"),
        ({"items": [1], "next": {}}, {"by": "cursor", "next": "next"}, "a cursor is a text or a number, not an object"),
        ({"items": [1], "next": "http://127.0.0.1:1/"}, {"by": "link", "next": "next"}, "on another server"),
        ({"items": None}, {"by": "page"}, "at 'items' stands null, not a list"),
    ],
)
def test_pages_that_go_wrong_are_named(server: Server, body: Any, config: dict[str, Any], message: str) -> None:
    server.answers["/"] = lambda asked: as_json(body)
    with pytest.raises(DataError, match=message):
        asked({"url": f"{server.url}/", "path": "items", "pages": config})


def test_the_size_of_all_pages_is_bounded(server: Server) -> None:
    server.answers["/"] = lambda asked: as_json(["x" * 400])
    with pytest.raises(DataError, match="the pages are larger than 1,000 bytes"):
        asked({"url": f"{server.url}/", "pages": {"by": "page"}, "size_limit": "1KB"})


# The config


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "Field required"),
        ({"url": "x", "method": "TRACE"}, "Input should be 'GET'"),
        ({"url": "x", "headers": {"Host": "y"}}, "the header 'Host' is written by itself"),
        ({"url": "x", "body": 1, "form": {}}, "body and form are both"),
        ({"url": "x", "method": "PUT", "pages": {"by": "page"}}, "no answer to PUT comes in pages"),
        ({"url": "x", "timeout": "0s"}, "more than 0s and at most 1h"),
        ({"url": "x", "size_limit": "1GB"}, "size_limit is at most 100"),
        ({"url": "x", "accept": [42]}, "greater than or equal to 100"),
        ({"url": "x", "pages": {"by": "cursor"}}, "Field required"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HttpRequest.model_validate(config)


def test_a_url_without_a_host_needs_a_connection() -> None:
    with pytest.raises(ConfigurationError, match="'/orders' is not a URL"):
        asked({"url": "/orders"})


def test_a_secret_header_does_not_stand_in_a_document() -> None:
    def codes(headers: dict[str, str]) -> list[str]:
        node = {"id": "a", "type": "http_request", "config": {"url": "https://example.com", "headers": headers}}
        return [found.code for found in check({"id": "x", "nodes": [node], "edges": []}).problems]

    for name in ("Authorization", "X-API-Key", "Cookie", "x-access-token"):
        assert codes({name: "abc"}) == ["secret.literal"]
    assert codes({"Accept": "text/plain", "Authorization": "Bearer {{ run.id }}"}) == []


@pytest.mark.parametrize(
    ("method", "effect"), [("GET", "read"), ("HEAD", "read"), ("POST", "write"), ("{{ x }}", "write")]
)
def test_the_effect_is_that_of_the_method(method: str, effect: str) -> None:
    assert HttpRequest.effect_of({"url": "x", "method": method}) == effect
    if "{" not in method:
        assert HttpRequest.effect_of(HttpRequest.model_validate({"url": "x", "method": method})) == effect
    assert HttpRequest.effect_of({"url": "x"}) == "read"
