"""Two hundred listeners, ten thousand events, and an API server that is killed twice."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Callable

import pytest
from tests.installations import installed
from tests.integration.test_api import sign_in
from tests.integration.test_api_runs import api_server
from tests.web.listening import Listener

from airloom.local import lifecycle
from airloom.store.records import NewEvent
from airloom.store.store import Store

LISTENERS, EVENTS, WRITERS = 200, 10_000, 4
LAST = EVENTS * 9 // 10
pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def test_each_hears_all_once_and_in_order(request: pytest.FixtureRequest, report: Callable[[str], None]) -> None:
    with installed(request.session, AIRLOOM_API_RATE="none") as running:
        store = Store(running.store_url)
        store.create("watched", by="soak")
        known = lifecycle.client(running.installation)
        headers = {"Authorization": f"Bearer {sign_in(running, known.user, known.password)}"}
        address = f"{running.installation.address}/airloom/api/v1/events?pipeline=watched"
        first = store.feed.newest()
        listeners = [Listener(address, headers, str(first)) for _ in range(LISTENERS)]
        began = time.monotonic()
        asyncio.run(listen(listeners, Writers(store), lambda: api_server(running).kill()))
        seconds = time.monotonic() - began
        store.close()
    expected = list(range(first + 1, first + 1 + EVENTS))
    for listener in listeners:
        assert [event["id"] for event in listener.events] == expected
        assert listener.resets == 0
        assert listener.connected >= 3
    again = statistics.median(listener.connected for listener in listeners)
    report(f"{LISTENERS} listeners heard {EVENTS:,} events each in {seconds:.0f} s, over {again:.0f} connections")


class Writers:
    """Write the events from several threads, the last tenth of them not before `finish`."""

    def __init__(self, store: Store) -> None:
        self.written: list[int] = []
        self._store = store
        self._finish = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(WRITERS)]

    def start(self) -> None:
        """Begin to write."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let the last events be written."""
        self._finish.set()

    def _write(self) -> None:
        for number in range(EVENTS // WRITERS):
            if number == LAST // WRITERS:
                self._finish.wait()
            self._store.feed.add([NewEvent("runs", "node", "watched", "run", {"number": number})])
            self.written.append(number)
            time.sleep(0.02)


async def listen(listeners: list[Listener], writers: Writers, kill: Callable[[], None]) -> None:
    """Have all listeners hear all events, while the server is killed twice; the first fault ends it."""

    async def all_connected(times: int) -> None:
        while not all(listener.connected >= times for listener in listeners):
            await asyncio.sleep(0.1)

    async def write_and_kill() -> None:
        await all_connected(1)
        writers.start()
        for times, share in ((2, 0.3), (3, 0.7)):
            while len(writers.written) < EVENTS * share:
                await asyncio.sleep(0.1)
            kill()
            await all_connected(times)
        writers.finish()

    try:
        await asyncio.gather(write_and_kill(), *(listener.listen(EVENTS) for listener in listeners))
    finally:
        writers.finish()
