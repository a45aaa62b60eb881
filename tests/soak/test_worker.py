"""A worker killed fifty times, and lanes beside one whose handler takes ten seconds."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

import pytest
from tests.worker.test_worker import kill_workers, wait_until, working

from airloom.store.store import Store
from airloom.worker.handlers import LANES, Handler
from airloom.worker.worker import lanes_of

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]


def test_fifty_kills_lose_nothing_and_double_nothing(
    store: Store, store_url: str, report: Callable[[str], None]
) -> None:
    put_in, effects, begun, ended = kill_workers(store, store_url, kills=50)
    report(f"50 kills: {put_in} events, {effects} effects, begun {begun} times, ended {ended} times")
    assert effects == put_in
    assert begun > ended >= put_in


@pytest.mark.parametrize("slow", LANES)
def test_ten_seconds_in_one_lane(store: Store, slow: str, report: Callable[[str], None]) -> None:
    took: list[float] = []
    table = {lane: Handler(lane, lambda _, payload: took.append(time.time() - payload["at"])) for lane in LANES}
    table[slow] = Handler(slow, lambda *_: time.sleep(10))
    others = [lane for lane in LANES if lane != slow]
    stopping = threading.Event()
    with working(*lanes_of(store, table, stopping)):
        for _ in range(2 * LANES[slow]):
            store.outbox.enqueue(slow, {})
        for number in range(200):
            store.outbox.enqueue(others[number % 2], {"at": time.time()})
            time.sleep(0.05)
        wait_until(lambda: not store.outbox.events())
        stopping.set()
    median, longest = statistics.median(took) * 1000, max(took) * 1000
    report(f"beside {slow}: {len(took)} events of other lanes, median {median:.0f} ms, longest {longest:.0f} ms")
    assert len(took) == 200
    assert median < 200
