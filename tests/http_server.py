"""A web server of this process, for tests of what asks one: each path is answered by a function."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """A request as it came; `handler` writes to the connection itself."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    handler: BaseHTTPRequestHandler = field(repr=False)


Reply = tuple[int, dict[str, str], bytes]
Answering = Callable[[Asked], Reply | None]


@dataclass
class Server:
    """A server that listens; `asked` holds all requests, `answers` what answers each path."""

    port: int
    host: str
    answers: dict[str, Answering]
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return the address of the server."""
        return f"http://{self.host}:{self.port}"


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    """Return an answer of JSON."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return status, {"content-type": "application/json", **named}, json.dumps(value).encode()


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[Server]:
    """Serve at a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): text for name, text in self.headers.items()}
            asked = Asked(self.command, parts.path, parse_qs(parts.query), headers, body, self)
            server.asked.append(asked)
            reply = server.answers[parts.path](asked) if parts.path in server.answers else (404, {}, b"not there")
            if reply is None:
                self.close_connection = True
                return
            status, headers, content = reply
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    listening = Quiet((host, 0), Handler)
    server = Server(listening.server_port, host, {})
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
