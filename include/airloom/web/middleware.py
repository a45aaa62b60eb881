"""What every request and answer has: a correlation id, a limit of size, headers that protect a browser."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airloom.web.correlation import HEADER, begin_request
from airloom.web.request_log import Record

LARGEST_BODY = 6 << 20
"""Bytes; a document of 5 MB and what stands around it."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
}


class BodyTooLarge(HTTPException):
    """Raise where a body goes on beyond the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"a body has at most {limit:,} bytes here")


class Envelope:
    """Wrap every request: give it its correlation id, refuse what is too large, set the headers of the answer."""

    def __init__(
        self,
        app: ASGIApp,
        unexpected: Callable[[Request, Exception], JSONResponse],
        record: Record | None = None,
        largest: Callable[[Scope], int] = lambda scope: LARGEST_BODY,
    ) -> None:
        self._app = app
        self._unexpected = unexpected
        self._record = record
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of HTTP; anything else passes as it is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier = begin_request(Headers(scope=scope).get(HEADER))
        started = False
        size = 0
        limit = self._largest(scope)
        began = time.perf_counter()

        async def measured() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise BodyTooLarge(limit)
            return message

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if self._record is not None:
                    self._record(scope, message["status"], time.perf_counter() - began, identifier)
                headers = MutableHeaders(scope=message)
                headers[HEADER] = identifier
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, measured, answer)
        except Exception as error:
            if started:
                raise
            await self._unexpected(Request(scope), error)(scope, receive, answer)
