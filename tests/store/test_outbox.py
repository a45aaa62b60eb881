"""The outbox: no event is lost, none is handled twice at once, and none is tried for ever."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from airloom.spec.error import DataError
from airloom.store.outbox import ATTEMPTS, LONGEST_PAUSE, pause
from airloom.store.records import Event, StoreUnavailable
from airloom.store.store import Store

KINDS = {"mail"}
OTHERS = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


def make_available(store: Store) -> None:
    """Let the time pass that events wait between attempts."""
    with store._engine.begin() as connection:
        connection.execute(text("update outbox set available_at = now()"))


def claim(store: Store) -> Event | None:
    with store.outbox.claim(KINDS) as event:
        return event


def fail(store: Store, message: str = "no such address") -> None:
    """Claim an event and fail to handle it."""
    with pytest.raises(DataError), store.outbox.claim(KINDS):
        raise DataError(message)


def test_events_come_in_their_order_and_go(store: Store) -> None:
    for number in range(3):
        store.outbox.enqueue("mail", {"n": number})
    store.outbox.enqueue("other", {})
    claimed = [claim(store) for _ in range(3)]
    assert [event.payload for event in claimed if event] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert claim(store) is None
    assert [event.kind for event in store.outbox.events()] == ["other"]


def test_an_event_may_wait(store: Store) -> None:
    store.outbox.enqueue("mail", {}, delay=timedelta(hours=1))
    assert claim(store) is None
    make_available(store)
    assert claim(store) is not None


def test_a_failed_event_waits_and_others_go_on(store: Store) -> None:
    failing, other = store.outbox.enqueue("mail", {}), store.outbox.enqueue("mail", {})
    fail(store)
    following = claim(store)
    assert following is not None
    assert following.id == other
    assert claim(store) is None
    (kept,) = store.outbox.events()
    assert (kept.id, kept.attempts, kept.last_error) == (failing, 1, "no such address")
    make_available(store)
    again = claim(store)
    assert again is not None
    assert again.attempts == 2


def test_the_text_of_a_foreign_error_is_not_kept(store: Store) -> None:
    store.outbox.enqueue("mail", {})
    with pytest.raises(RuntimeError), store.outbox.claim(KINDS):
        raise RuntimeError("password=s3cret")
    assert [event.last_error for event in store.outbox.events()] == ["RuntimeError"]


def test_a_dead_event_stays_visible_and_may_be_tried_again(store: Store) -> None:
    identifier = store.outbox.enqueue("mail", {"n": 1})
    for _ in range(ATTEMPTS):
        make_available(store)
        fail(store, "never")
    make_available(store)
    assert claim(store) is None
    assert store.outbox.events() == []
    (dead,) = store.outbox.events(dead=True)
    assert (dead.id, dead.attempts, dead.last_error) == (identifier, ATTEMPTS, "never")
    store.outbox.retry([identifier])
    assert store.outbox.events(dead=True) == []
    revived = claim(store)
    assert revived is not None
    assert revived.attempts == 1


def test_pauses_grow_up_to_a_bound() -> None:
    pauses = [pause(attempt) for attempt in range(1, 60)]
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[1]
    assert pauses[-1] == LONGEST_PAUSE


def test_an_event_is_held_by_one_worker_however_long(store: Store, store_url: str) -> None:
    store.outbox.enqueue("mail", {})
    other = Store(store_url)
    with store.outbox.claim(KINDS) as event:
        assert event is not None
        make_available_in_row_lock = claim(other)
        assert make_available_in_row_lock is None
    assert other.outbox.events() == []
    other.close()


def test_two_workers_never_handle_the_same_event(store: Store, store_url: str) -> None:
    expected = {store.outbox.enqueue("mail", {"n": number}) for number in range(60)}
    handled: list[int] = []

    def work() -> None:
        own = Store(store_url)
        while (event := claim(own)) is not None:
            handled.append(event.id)
        own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(handled) == Counter(expected)


def hang(url: str, claimed: Any) -> None:
    """Claim an event in a process that will be killed."""
    with Store(url).outbox.claim(KINDS) as event:
        assert event is not None
        claimed.set()
        time.sleep(600)


def test_a_killed_worker_loses_nothing(store: Store, store_url: str) -> None:
    identifier = store.outbox.enqueue("mail", {})
    context = multiprocessing.get_context("spawn")
    for attempt in (1, 2):
        claimed = context.Event()
        process = context.Process(target=hang, args=(store_url, claimed))
        process.start()
        assert claimed.wait(60)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        (kept,) = store.outbox.events()
        assert (kept.id, kept.attempts) == (identifier, attempt)
        # Its row is free as soon as the server notices; the pause guards until then.
        make_available(store)
    event = claim(store)
    assert event is not None
    assert event.attempts == 3


def test_a_claim_that_loses_its_connection_is_done_again(store: Store, store_url: str) -> None:
    store.outbox.enqueue("mail", {})
    other = Store(store_url)
    with pytest.raises(StoreUnavailable), store.outbox.claim(KINDS), other._engine.begin() as connection:
        connection.execute(text(f"select pg_terminate_backend(pid) from ({OTHERS})"))
    make_available(other)
    assert claim(store) is not None
    other.close()
