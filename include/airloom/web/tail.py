"""The newest events of the feed in this process, and the streams of those who watch.

One connection listens for all streams. A stream holds neither a connection nor a thread while it waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType
from typing import Any

from fastapi.concurrency import run_in_threadpool

from airloom.store.records import FeedEvent, StoreUnavailable
from airloom.store.store import Store

log = logging.getLogger(__name__)

REMEMBERED = 2000
"""Events of the feed that are kept here; older ones are read from the store."""
HEARTBEAT = 15.0
"""Seconds after which a stream says that it is there."""
AGAIN = 1.0
"""Seconds until another attempt, where the store does not answer."""
READERS = 3
"""How many streams read older events from the store at a time."""


class Tail:
    """Follow the feed from the first stream on, and give each stream what comes after its own last event."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events: deque[FeedEvent] = deque(maxlen=REMEMBERED)
        self._last = 0
        self._changed = asyncio.Event()
        self._readers = asyncio.Semaphore(READERS)
        self._follower: asyncio.Task[None] | None = None
        self._begun = asyncio.Lock()
        self.stopping = asyncio.Event()

    async def newest(self) -> int:
        """Return the id of the newest event."""
        await self._begin()
        return self._last

    async def pieces(self, last: int) -> AsyncIterator[list[FeedEvent] | None]:
        """Give the events after one, some at a time, until the server stops; an empty list is a sign of life.

        None says that some of them are not kept any more: then it goes on with those that come from now on.
        """
        await self._begin()
        while not self.stopping.is_set():
            changed = self._changed
            events = await self._after(last)
            if events is None:
                last = self._last
                yield None
            elif events:
                last = events[-1].id
                yield events
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), HEARTBEAT)
                if not changed.is_set():
                    yield []

    def stop(self) -> None:
        """End all streams."""
        self.stopping.set()
        self._wake()

    async def close(self) -> None:
        """End all streams, and the connection."""
        self.stop()
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower

    async def _begin(self) -> None:
        async with self._begun:
            if self._follower is None:
                self._last = await run_in_threadpool(self._store.feed.newest)
                self._follower = asyncio.create_task(self._follow(), name="feed")

    async def _follow(self) -> None:
        while True:
            try:
                async for events in self._store.feed.follow(self._last):
                    self._events.extend(events)
                    self._last = events[-1].id
                    self._wake()
            except StoreUnavailable as error:
                log.warning("Events wait: %s", error)
            except Exception:
                log.exception("Following the feed failed, and is tried again")
            await asyncio.sleep(AGAIN)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _after(self, last: int) -> list[FeedEvent] | None:
        if last == self._last:
            return []
        if self._events and self._events[0].id <= last + 1 and last < self._last:
            return [event for event in self._events if event.id > last]
        async with self._readers:
            try:
                return await run_in_threadpool(self._store.feed.after, last)
            except StoreUnavailable:
                await asyncio.sleep(AGAIN)
                return []


@contextlib.contextmanager
def at_signal(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` in the event loop when this process is told to end, before the server waits for open answers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        earlier = before[number]
        if callable(earlier):
            earlier(number, frame)
        elif earlier == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in (int(signal.SIGTERM), int(signal.SIGINT)):
        before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, earlier in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, earlier)
