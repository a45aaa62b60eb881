from __future__ import annotations

import gzip
import logging
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from tests.http_server import Asked, Reply, Server, as_json, serving

from airloom.engine.address_guard import AddressForbidden, AddressGuard, look_up
from airloom.engine.http_client import (
    Answer,
    Bounds,
    Credentials,
    HttpClient,
    OutcomeUnknown,
    Request,
    origin_of,
    shown,
)
from airloom.spec.error import AirloomError, ConfigurationError, DataError, TransientError

LOG = logging.getLogger("test.http")
SECRET = "s3cret-of-the-connection"


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server that pipelines may ask."""
    with serving() as found:
        yield found


class Sending:
    """Send requests, and note the pauses instead of making them."""

    def __init__(self, *servers: Server, **bounds: Any) -> None:
        self.pauses: list[float] = []
        self.guard = AddressGuard([f"{server.host}:{server.port}" for server in servers])
        self.bounds = Bounds(**{"seconds": 5.0, **bounds})

    def __call__(self, url: str, method: str = "GET", **more: Any) -> Answer:
        with HttpClient(self.guard, self.bounds, LOG, self.pauses.append) as client:
            return client.send(Request(method, url, **more))


def once_then(*replies: Reply | None) -> Any:
    """Answer with each of the replies in turn, with the last for good; None closes the connection."""
    left = list(replies)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


# What is asked, and what comes


def test_a_request_arrives_as_it_is_meant(server: Server) -> None:
    server.answers["/in"] = lambda asked: as_json({"ok": True}, X_Note="a")
    answer = Sending(server)(
        f"{server.url}/in?a=1", "POST", headers={"X-Mine": "ä"}, query=[("b", "2 &")],
        content=b"body",
    )  # fmt: skip
    asked = server.asked[0]
    assert (asked.method, asked.query, asked.body) == ("POST", {"a": ["1"], "b": ["2 &"]}, b"body")
    assert asked.headers["user-agent"].startswith("airloom/")
    assert asked.headers["x-mine"].encode("latin-1").decode() == "ä"
    assert (answer.status, answer.content, answer.headers["x-note"]) == (200, b'{"ok": true}', "a")


def test_no_proxy_and_no_netrc_of_the_machine_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.answers["/"] = lambda asked: as_json(1)
    assert Sending(server)(f"{server.url}/").status == 200


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_packed_answers_are_unpacked(server: Server, pack: Any) -> None:
    text = b"many words " * 5000
    name = "gzip" if pack is gzip.compress else "deflate"
    server.answers["/"] = lambda asked: (200, {"content-encoding": name}, pack(text))
    assert Sending(server)(f"{server.url}/").content == text


def test_two_packed_files_behind_another_are_one_answer(server: Server) -> None:
    two = gzip.compress(b"a" * 100_000) + gzip.compress(b"b" * 100_000)
    server.answers["/"] = lambda asked: (200, {"content-encoding": "gzip"}, two)
    assert Sending(server)(f"{server.url}/").content == b"a" * 100_000 + b"b" * 100_000


@pytest.mark.parametrize("bad", [gzip.compress(b"x" * 10_000)[:-20], b"no gzip"], ids=["cut off", "no gzip"])
def test_what_cannot_be_unpacked_is_a_fault_of_the_data(server: Server, bad: bytes) -> None:
    server.answers["/"] = lambda asked: (200, {"content-encoding": "gzip"}, bad)
    with pytest.raises(DataError, match="packed"):
        Sending(server)(f"{server.url}/")


# Bounds


def test_an_answer_that_is_too_large_is_left(server: Server) -> None:
    server.answers["/"] = lambda asked: (200, {}, b"x" * 2000)
    assert len(Sending(server, size=2000)(f"{server.url}/").content) == 2000
    with pytest.raises(DataError, match="larger than 1,999 bytes"):
        Sending(server, size=1999)(f"{server.url}/")


def test_a_bomb_is_never_unpacked_whole(server: Server) -> None:
    packing = zlib.compressobj(9)
    bomb = b"".join(packing.compress(b"\0" * 1_000_000) for _ in range(100)) + packing.flush()
    server.answers["/"] = lambda asked: (200, {"content-encoding": "deflate"}, bomb)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="larger than 1,000,000 bytes"):
            Sending(server, size=1_000_000)(f"{server.url}/")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def slowly(content: bytes, pause: float) -> Any:
    def answer(asked: Asked) -> None:
        for at in range(len(content)):
            asked.handler.wfile.write(content[at : at + 1])
            asked.handler.wfile.flush()
            time.sleep(pause)

    return answer


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n" + b"x" * 90,
        b"HTTP/1.1 200 OK\r\nx-long: " + b"y" * 90,
    ],
    ids=["body", "headers"],
)
def test_an_answer_in_drops_ends_at_the_deadline(server: Server, content: bytes) -> None:
    server.answers["/"] = slowly(content, 0.05)
    started = time.monotonic()
    with pytest.raises(TransientError, match="did not answer in time"):
        Sending(server, seconds=1.0, retries=0)(f"{server.url}/")
    assert 0.9 < time.monotonic() - started < 2.5


# Redirects, and where they may lead


def to(address: str, status: int = 302) -> Any:
    return lambda asked: (status, {"location": address}, b"")


def test_a_redirect_is_followed_and_its_method_kept_as_the_status_says(server: Server) -> None:
    server.answers |= {"/end": lambda asked: as_json(asked.method), "/303": to("/end", 303), "/307": to("end", 307)}
    send = Sending(server)
    assert send(f"{server.url}/303", "POST", content=b"x").content == b'"GET"'
    assert send(f"{server.url}/307", "POST", content=b"x").content == b'"POST"'
    assert [asked.body for asked in server.asked] == [b"x", b"", b"x", b"x"]


def test_redirects_in_a_circle_end(server: Server) -> None:
    server.answers["/"] = to("/")
    with pytest.raises(DataError, match="more than 10 redirects"):
        Sending(server)(f"{server.url}/")


def test_a_redirect_to_a_closed_address_is_not_followed(server: Server) -> None:
    with serving("127.0.0.2") as inner:
        inner.answers["/"] = lambda asked: as_json("inner")
        server.answers["/"] = to(f"{inner.url}/")
        send = Sending(server)
        with pytest.raises(AddressForbidden, match=f"127.0.0.2:{inner.port} is not public"):
            send(f"{server.url}/")
        for url in (
            "http://169.254.169.254/latest/meta-data/",
            "http://[::1]/",
            "http://localhost/",
            "http://2130706433/",
        ):
            server.answers["/"] = to(url)
            with pytest.raises(AddressForbidden):
                send(f"{server.url}/")
    assert inner.asked == []
    assert send.pauses == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "http://a b/"])
def test_a_redirect_to_what_is_no_web_server_is_not_followed(server: Server, url: str) -> None:
    server.answers["/"] = to(url)
    with pytest.raises(DataError, match="not a URL of a web server"):
        Sending(server)(f"{server.url}/")


def test_a_name_that_leads_elsewhere_the_second_time_leads_nowhere(server: Server) -> None:
    looked_up: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["127.0.0.2"]

    with serving("127.0.0.2") as inner:
        inner.answers["/"] = lambda asked: as_json("inner")
        send = Sending(server)
        send.guard = AddressGuard([f"127.0.0.1/32:{server.port}"], resolve=rebinding)
        server.answers["/"] = lambda asked: as_json(asked.headers["host"])
        url = f"http://rebound.example:{server.port}/"
        # What was judged is what is asked: the name is not looked up anew for the connection.
        assert send(url).content == f'"rebound.example:{server.port}"'.encode()
        assert looked_up == ["rebound.example"]
        with pytest.raises(AddressForbidden):
            send(url)
    assert inner.asked == []


def test_the_guard_judges_what_the_machine_itself_looks_up(server: Server) -> None:
    server.answers["/"] = lambda asked: as_json("seen")
    assert "127.0.0.1" in look_up("localhost", 80)
    with pytest.raises(AddressForbidden, match="localhost"):
        Sending()(f"http://localhost:{server.port}/")
    assert server.asked == []


# Credentials


def credentials(server: Server) -> Credentials:
    return Credentials(origin_of(server.url), {"Authorization": f"Bearer {SECRET}"})


def test_credentials_go_to_their_origin_alone(server: Server) -> None:
    with serving("127.0.0.3") as other:
        server.answers |= {"/same": to("/end"), "/end": lambda asked: as_json(1), "/away": to(f"{other.url}/")}
        other.answers["/"] = lambda asked: as_json(2)
        send = Sending(server, other)
        more: Any = {"credentials": credentials(server), "headers": {"X-Token": "mine", "Accept": "text/plain"}}
        assert send(f"{server.url}/same", **more).content == b"1"
        assert send(f"{server.url}/away", **more).content == b"2"
    assert [asked.headers.get("authorization") for asked in server.asked] == [f"Bearer {SECRET}"] * 3
    assert "authorization" not in other.asked[0].headers
    assert "x-token" not in other.asked[0].headers
    assert other.asked[0].headers["accept"] == "text/plain"


def test_a_body_is_not_taken_to_another_server(server: Server) -> None:
    with serving("127.0.0.3") as other:
        server.answers["/"] = to(f"{other.url}/", 307)
        with pytest.raises(DataError, match="redirects a POST with a body to another server"):
            Sending(server, other)(f"{server.url}/", "POST", content=b"x")
    assert other.asked == []


def test_no_secret_stands_in_an_error_or_a_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.answers["/"] = once_then(as_json({}, 503), None)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(TransientError) as caught:
        Sending(server)(f"{server.url}/?token={SECRET}#x", credentials=credentials(server))
    assert SECRET not in str(caught.value) + repr(credentials(server))
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name == LOG.name)
    assert ours
    assert SECRET not in ours
    assert shown(f"https://u:p@example.com/a?b=c#{SECRET}") == "https://example.com/a"


# Attempts


def test_what_may_pass_is_asked_again_after_growing_pauses(server: Server) -> None:
    server.answers["/"] = once_then(as_json(0, 500), None, as_json(0, 429), as_json(1))
    send = Sending(server, retries=3)
    assert send(f"{server.url}/").content == b"1"
    assert send.pauses == [1, 2, 4]


def test_the_last_answer_is_handed_back_whatever_it_says(server: Server) -> None:
    server.answers["/"] = lambda asked: as_json("busy", 503)
    send = Sending(server, retries=1)
    assert send(f"{server.url}/").status == 503
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 409, 501])
def test_what_does_not_pass_is_asked_once(server: Server, status: int) -> None:
    server.answers["/"] = lambda asked: as_json("no", status)
    assert Sending(server)(f"{server.url}/").status == status
    assert len(server.asked) == 1


def test_retry_after_says_how_long(server: Server) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    server.answers["/"] = once_then(
        as_json(0, 429, retry_after="7"), as_json(0, 503, retry_after=later), as_json(0, 503, retry_after="soon"),
        as_json(1),
    )  # fmt: skip
    send = Sending(server, retries=3)
    assert send(f"{server.url}/").content == b"1"
    assert send.pauses[0] == 7
    assert 15 < send.pauses[1] <= 20
    assert send.pauses[2] == 4


def test_pauses_are_bounded_and_longer_ones_left_to_the_task(server: Server) -> None:
    server.answers["/"] = lambda asked: as_json(0, 429, retry_after="3600")
    send = Sending(server)
    with pytest.raises(TransientError, match="status 429, and the next attempt would be in 3600 s"):
        send(f"{server.url}/")
    assert send.pauses == []


def test_a_server_that_is_not_there_may_come_back() -> None:
    with serving() as gone:
        pass
    send = Sending(gone)
    with pytest.raises(TransientError, match="cannot be asked"):
        send(f"{gone.url}/", "POST", repeatable=False)
    assert send.pauses == [1, 2]


@pytest.mark.parametrize("status", [429, 503])
def test_what_must_not_be_repeated_is_sent_again_where_nothing_was_done(server: Server, status: int) -> None:
    server.answers["/"] = once_then(as_json(0, status), as_json(1))
    assert Sending(server)(f"{server.url}/", "POST", repeatable=False).content == b"1"


def test_what_must_not_be_repeated_and_may_be_done_is_not_sent_again(server: Server) -> None:
    server.answers["/"] = lambda asked: None
    with pytest.raises(OutcomeUnknown, match="whether the POST was done is not known") as caught:
        Sending(server)(f"{server.url}/", "POST", repeatable=False)
    assert caught.value.failure == "data"
    server.answers["/"] = lambda asked: as_json(0, 500)
    assert Sending(server)(f"{server.url}/", "POST", repeatable=False).status == 500
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://example.com/", "is not the URL of a web server"),
        ("https://", "is not the URL of a web server"),
        ("https://u:p@example.com/", "holds no user and password"),
        ("http://exa mple.com", "is not the URL of a web server"),
        ("http://example.com:port/", "not a URL"),
    ],
)
def test_what_cannot_be_asked_is_a_fault_of_the_config(url: str, message: str) -> None:
    with pytest.raises(AirloomError, match=message) as caught:
        Sending()(url)
    assert isinstance(caught.value, ConfigurationError)


def test_a_header_cannot_hold_a_second_one(server: Server) -> None:
    with pytest.raises(ConfigurationError, match="cannot be sent"):
        Sending(server)(f"{server.url}/", headers={"X-A": "b\r\nX-C: d"})
    assert server.asked == []
