"""How soon a listener hears of what happens: `python bench/events.py`, on a real Airflow.

Twenty listeners hold a stream of the API server each, signed in as an administrator; twenty events a second are put
into the feed, each its own transaction. The time is from the return of the commit to the moment at which a listener
has read the whole event.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time

import httpx
from _harness import Report, arguments, median
from _installation import Running, installation

from airloom.store.records import NewEvent
from airloom.store.store import Store

PER_SECOND = 20


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=1, quick=1, listeners=20, seconds=60)
    seconds = 10 if asked.quick else asked.seconds
    report = Report("Live events")
    with installation() as running:
        running.start()
        store = Store(running.store_url)
        store.create("watched", by="bench")
        committed: dict[int, float] = {}
        heard = asyncio.run(_listen(running, store, committed, asked.listeners, seconds * PER_SECOND))
        store.close()
    delays = sorted((at - committed[number]) * 1000 for times in heard for number, at in times.items())
    places = {"median": 0.5, "95 %": 0.95, "99 %": 0.99, "longest": 1.0}
    figures = {name: delays[min(int(len(delays) * share), len(delays) - 1)] for name, share in places.items()}
    report.table(("milliseconds", *figures), [("commit to listener", *(f"{value:.1f}" for value in figures.values()))])
    report.note(f"{asked.listeners} listeners, {len(committed):,} events, {len(delays):,} deliveries.")
    report.goal("commit to listener, median", median(delays), "<", 300, "ms")
    report.end()


async def _listen(
    running: Running, store: Store, committed: dict[int, float], listeners: int, count: int
) -> list[dict[int, float]]:
    """Return, for each listener, when each event came."""
    known = running.client
    credentials = {"username": known.user, "password": known.password}
    heard: list[dict[int, float]] = [{} for _ in range(listeners)]
    ready = asyncio.Semaphore(0)

    async def all_ready() -> None:
        for _ in range(listeners):
            await ready.acquire()

    async def listen(times: dict[int, float], headers: dict[str, str]) -> None:
        timeout = httpx.Timeout(30, read=120)
        async with (
            httpx.AsyncClient(timeout=timeout, trust_env=False) as client,
            client.stream("GET", f"{known.address}/airloom/api/v1/events?pipeline=watched", headers=headers) as answer,
        ):
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("retry:"):
                    ready.release()
                if line.startswith("data:"):
                    times[json.loads(line[5:])["payload"]["number"]] = time.time()
                    if len(times) == count:
                        return

    def write() -> None:
        began = time.monotonic()
        for number in range(count):
            threading.Event().wait(max(0.0, began + number / PER_SECOND - time.monotonic()))
            store.feed.add([NewEvent("runs", "node", "watched", "run", {"number": number})])
            committed[number] = time.time()

    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.post(f"{known.address}/auth/token", json=credentials)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def write_when_ready() -> None:
        await all_ready()
        await asyncio.to_thread(write)

    async with asyncio.TaskGroup() as group:
        for times in heard:
            group.create_task(listen(times, headers))
        group.create_task(write_when_ready())
    return heard


if __name__ == "__main__":
    main()
