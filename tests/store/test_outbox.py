"""The outbox: no event is lost, none is handled twice at once, and none is tried for ever."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from airloom.spec.error import DataError
from airloom.store import outbox
from airloom.store.outbox import ATTEMPTS, LONGEST_PAUSE, pause
from airloom.store.records import Event
from airloom.store.store import Store

KINDS = {"mail"}
OTHERS = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


def make_available(store: Store) -> None:
    """Let the time pass that events wait between attempts."""
    with store._engine.begin() as connection:
        connection.execute(text("update outbox set available_at = now(), lease_until = least(lease_until, now())"))


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


def test_an_event_is_held_by_one_worker_however_long(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LEASE", timedelta(seconds=0.6))
    store.outbox.enqueue("mail", {})
    other = Store(store_url)
    with store.outbox.claim(KINDS) as event:
        assert event is not None
        end = time.monotonic() + 2
        while time.monotonic() < end:
            with other._engine.begin() as connection:  # no row lock holds it
                connection.execute(text("update outbox set available_at = now()"))
            assert claim(other) is None
    assert other.outbox.events() == []
    other.close()


def test_a_worker_that_lost_its_lease_takes_nothing_from_the_one_that_has_it(
    store: Store, store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.outbox.enqueue("mail", {}, deduplication="a")
    other = Store(store_url)

    def lose() -> None:
        with store.outbox.claim(KINDS):
            make_available(store)
            with other.outbox.claim(KINDS) as taken:
                assert taken is not None
                lost.append(store.outbox.enqueue("mail", {}, deduplication="a"))
            raise DataError("too late")

    lost: list[int] = []
    with pytest.raises(DataError):
        lose()
    (waiting,) = lost
    assert [(event.id, event.last_error) for event in store.outbox.events()] == [(waiting, None)]
    with store.outbox.claim(KINDS):
        make_available(store)
        with other.outbox.claim(KINDS) as taken:
            assert taken is not None
    assert "ended before its handler did" in caplog.text
    other.close()


class TestKeys:
    def test_events_of_one_key_come_one_at_a_time_and_in_order(self, store: Store) -> None:
        for number in range(2):
            for key in ("a", "b", None):
                store.outbox.enqueue("mail", {"n": number}, key=key)
        with store.outbox.claim(KINDS) as a, store.outbox.claim(KINDS) as b, store.outbox.claim(KINDS) as free:
            assert [event and (event.key, event.payload["n"]) for event in (a, b, free)] == [
                ("a", 0), ("b", 0), (None, 0),
            ]  # fmt: skip
            with store.outbox.claim(KINDS) as other:
                assert other is not None
                assert (other.key, other.payload["n"]) == (None, 1)
                assert claim(store) is None
        following = [claim(store), claim(store)]
        assert [event and (event.key, event.payload["n"]) for event in following] == [("a", 1), ("b", 1)]

    def test_of_whatever_kind(self, store: Store) -> None:
        store.outbox.enqueue("other", {}, key="a")
        store.outbox.enqueue("mail", {}, key="a")
        assert claim(store) is None

    def test_a_later_one_waits_while_an_earlier_one_fails_and_goes_on_when_it_is_dead(self, store: Store) -> None:
        first, second = (store.outbox.enqueue("mail", {}, key="a") for _ in range(2))
        for attempt in range(ATTEMPTS):
            assert attempt == 0 or claim(store) is None
            make_available(store)
            fail(store)
        assert [event.id for event in store.outbox.events(dead=True)] == [first]
        following = claim(store)
        assert following is not None
        assert following.id == second

    def test_a_dead_one_that_is_tried_again_comes_last(self, store: Store) -> None:
        first = store.outbox.enqueue("mail", {"n": 1}, key="a")
        for _ in range(ATTEMPTS):
            make_available(store)
            fail(store)
        store.outbox.enqueue("mail", {"n": 2}, key="a")
        store.outbox.retry([first])
        assert [event and event.payload["n"] for event in (claim(store), claim(store))] == [2, 1]

    def test_one_that_kills_its_worker_is_dead_when_its_last_lease_ends(self, store: Store) -> None:
        first, second = (store.outbox.enqueue("mail", {}, key="a") for _ in range(2))
        with store._engine.begin() as connection:
            lost = f"update outbox set attempts = {ATTEMPTS}, claimed_by = 'x', lease_until = now() + interval '1 hour'"
            connection.execute(text(f"{lost} where id = {first}"))
        assert (claim(store), store.outbox.events(dead=True)) == (None, [])
        make_available(store)
        assert [event.id for event in store.outbox.events(dead=True)] == [first]
        following = claim(store)
        assert following is not None
        assert following.id == second


class TestDeduplication:
    def test_one_waits_at_a_time(self, store: Store) -> None:
        first = store.outbox.enqueue("mail", {"n": 1}, deduplication="a")
        assert store.outbox.enqueue("mail", {"n": 2}, deduplication="a") == first
        assert store.outbox.enqueue("mail", {"n": 3}, deduplication="b") != first
        assert [event.payload["n"] for event in store.outbox.events()] == [1, 3]

    def test_one_that_is_being_handled_does_not_wait(self, store: Store) -> None:
        first = store.outbox.enqueue("mail", {}, deduplication="a")
        with store.outbox.claim(KINDS):
            second = store.outbox.enqueue("mail", {}, deduplication="a")
            assert second != first
            assert store.outbox.enqueue("mail", {}, deduplication="a") == second
        assert [event.id for event in store.outbox.events()] == [second]

    def test_one_that_failed_waits_and_is_told_what_is_new(self, store: Store) -> None:
        def fail_meanwhile(number: int) -> None:
            with store.outbox.claim(KINDS):
                store.outbox.enqueue("mail", {"n": number}, deduplication="a")
                raise DataError("no")

        first = store.outbox.enqueue("mail", {"n": 1}, deduplication="a")
        for number in range(2, 6):
            make_available(store)
            with pytest.raises(DataError):
                fail_meanwhile(number)
        assert store.outbox.enqueue("mail", {"n": 9}, deduplication="a") == first
        assert [(event.id, event.attempts, event.payload["n"]) for event in store.outbox.events()] == [(first, 4, 5)]

    def test_a_dead_one_keeps_none_out(self, store: Store) -> None:
        first = store.outbox.enqueue("mail", {}, deduplication="a")
        for _ in range(ATTEMPTS):
            make_available(store)
            fail(store)
        second = store.outbox.enqueue("mail", {}, deduplication="a")
        assert second != first
        store.outbox.retry([first])
        assert len(store.outbox.events()) == 2

    def test_many_at_once_put_in_one(self, store: Store) -> None:
        with ThreadPoolExecutor(8) as threads:
            found = set(threads.map(lambda _: store.outbox.enqueue("mail", {}, deduplication="a"), range(40)))
        assert [event.id for event in store.outbox.events()] == list(found)


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
        make_available(store)
    event = claim(store)
    assert event is not None
    assert event.attempts == 3


def test_a_claim_outlives_its_connections(store: Store, store_url: str) -> None:
    store.outbox.enqueue("mail", {})
    other = Store(store_url)
    with store.outbox.claim(KINDS) as event, other._engine.begin() as connection:
        assert event is not None
        connection.execute(text(f"select pg_terminate_backend(pid) from ({OTHERS})"))
    assert store.outbox.events() == []
    other.close()


def test_what_could_be_claimed_for_long_is_overdue(store: Store) -> None:
    late = store.outbox.enqueue("mail", {}, key="a", delay=timedelta(minutes=-10))
    store.outbox.enqueue("mail", {}, key="a", delay=timedelta(minutes=-10))  # waits for the one before
    store.outbox.enqueue("mail", {})
    assert [event.id for event in store.outbox.overdue(timedelta(minutes=5))] == [late]
    with store.outbox.claim(KINDS):
        assert store.outbox.overdue(timedelta(minutes=5)) == []
