"""Listeners to the live events, as a browser is one: they connect again and go on after the last event."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

Json = dict[str, Any]


@dataclass
class Listener:
    """Keep what came, and connect again until told to stop; `place` is the id after which to go on."""

    url: str
    headers: dict[str, str]
    place: str | None = None
    events: list[Json] = field(default_factory=list)
    resets: int = 0
    connected: int = 0

    async def listen(self, count: int) -> list[Json]:
        """Return the events once so many have come."""
        async with httpx.AsyncClient(timeout=httpx.Timeout(30, read=60), trust_env=False) as client:
            while len(self.events) < count:
                with contextlib.suppress(httpx.TransportError):
                    async for event in self._stream(client):
                        self.events.append(event)
                        if len(self.events) >= count:
                            break
                await asyncio.sleep(0.1)
        return self.events

    async def _stream(self, client: httpx.AsyncClient) -> AsyncIterator[Json]:
        headers = {**self.headers, **({"Last-Event-ID": self.place} if self.place is not None else {})}
        async with client.stream("GET", self.url, headers=headers) as answer:
            if answer.status_code >= 500:
                return
            assert answer.status_code == 200, await answer.aread()
            self.connected += 1
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line:
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
                    continue
                self.place = fields.get("id", self.place)
                if fields.get("event") == "reset":
                    self.resets += 1
                elif "data" in fields:
                    yield {"id": int(fields["id"]), **json.loads(fields["data"])}
                fields = {}


@contextlib.contextmanager
def served(application: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve an application in a thread, and yield the address of its API."""
    config = uvicorn.Config(application, port=port, log_level="warning", timeout_graceful_shutdown=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/api/v1"
    finally:
        # A thread gets no signal, which would say this.
        application.state.tail.stop()
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
