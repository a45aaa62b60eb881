"""The outbox: events that wait for a worker; each is handled by one worker at a time, and by none too often."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any, cast

import psycopg
from sqlalchemy import ColumnElement, Engine, delete, exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from airloom.spec.error import AirloomError
from airloom.store.records import Event, Queue, StoreUnavailable
from airloom.store.tables import EventRow

log = logging.getLogger(__name__)

ATTEMPTS = 12
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)
LEASE = timedelta(seconds=30)
"""A claim lasts that long, and is renewed for as long as its handler works: what a dead worker had is free then."""

WORKER = "airloom worker"
"""The name by which the server knows the connection on which a worker waits."""

WAITING = EventRow.claimed_by.is_(None)


class Outbox:
    """Put events in, claim them, and look at those that died after too many attempts.

    Events of one `key` are handled in the order in which they came, one at a time: each waits until those before it are
    done, however often they fail, or dead. A dead one that is tried again comes after those that wait then.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # A worker that was stopped for longer than its lease must not take the claim of another for its own.
        self._name = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex[:8]}"

    def enqueue(
        self,
        kind: str,
        payload: dict[str, Any],
        *,
        key: str | None = None,
        deduplication: str | None = None,
        delay: timedelta = timedelta(0),
    ) -> int:
        """Put in an event that a worker may claim after `delay`, and return its id.

        Where one of the same `deduplication` waits, nothing is put in, and the id of that one is returned. One that is
        being handled does not wait: what it is about may have changed since it began.
        """
        values = {"kind": kind, "payload": payload, "key": key, "deduplication": deduplication}
        added = (
            insert(EventRow)
            .values(available_at=func.now() + delay, **values)
            .on_conflict_do_nothing(index_elements=[EventRow.deduplication], index_where=WAITING)
            .returning(EventRow.id)
        )
        known = select(EventRow.id).where(EventRow.deduplication == deduplication, WAITING)
        while True:
            for query in (added, known):
                with self._engine.begin() as connection:
                    identifier = connection.execute(query).scalar_one_or_none()
                if identifier is not None:
                    return identifier
            # It was claimed in between.

    @contextlib.contextmanager
    def claim(self, kinds: Collection[str]) -> Iterator[Event | None]:
        """Hold the next event of these kinds while the block handles it; None where none waits.

        The event goes when the block ends well. After an error it waits, longer with each attempt, and keeps the
        error's text; after ATTEMPTS attempts it stays as a dead one. The error is raised again.
        """
        event = self._begin_attempt(kinds)
        if event is None:
            yield None
            return
        done = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(event, done), name=f"lease {event.id}", daemon=True)
        renewing.start()
        try:
            yield event
        except Exception as error:
            done.set()
            self._fail(event, _reason(error))
            raise
        finally:
            done.set()
        with self._engine.begin() as connection:
            held = connection.execute(delete(EventRow).where(*self._held(event))).rowcount
        if not held:
            log.warning("The lease of event %d (%s) ended before its handler did", event.id, event.kind)

    def events(self, *, dead: bool = False, limit: int = 100) -> list[Event]:
        """Return the events that wait or are being handled, or the dead ones, oldest first."""
        which = _is_dead(EventRow) if dead else ~_is_dead(EventRow)
        return self._events(which, limit)

    def overdue(self, since: timedelta, limit: int = 100) -> list[Event]:
        """Return the events that a worker could have claimed all that time, oldest first."""
        return self._events(_is_ready(since), limit)

    def retry(self, ids: Sequence[int]) -> None:
        """Let dead events be tried again, as new ones: each has another id, after those that wait now."""
        values = {"attempts": 0, "claimed_by": None, "lease_until": None, "deduplication": None}
        with self._engine.begin() as connection:
            gone = delete(EventRow).where(EventRow.id.in_(ids), _is_dead(EventRow))
            dead = connection.execute(gone.returning(EventRow.__table__)).all()
            for row in sorted(dead, key=lambda row: int(row.id)):
                fields = {name: value for name, value in row._mapping.items() if name not in ("id", "available_at")}
                connection.execute(insert(EventRow).values({**fields, **values}))

    def queues(self) -> list[Queue]:
        """Return how many events wait or are handled, by kind; those that were given up are left out."""
        running = (EventRow.claimed_by.is_not(None)) & (EventRow.lease_until > func.now())
        oldest = func.min(EventRow.created_at).filter(~func.coalesce(running, False))
        counts = (func.count().filter(~func.coalesce(running, False)), func.count().filter(running))
        query = select(EventRow.kind, *counts, oldest).where(~_is_dead(EventRow))
        with self._engine.connect() as connection:
            return [Queue(*row) for row in connection.execute(query.group_by(EventRow.kind).order_by(EventRow.kind))]

    def wakeups(self, stopping: threading.Event) -> Iterator[str]:
        """Yield the kind of each event as it is put in, and each second those of all that may be claimed.

        Until `stopping`, by a connection of its own. The look finds what was there before, what waited for its time or
        for another, and what a dead worker held. Raises StoreUnavailable where the connection is lost.
        """
        ready = select(EventRow.kind).where(_is_ready()).distinct()
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            driver = cast(psycopg.Connection[Any], connection.connection.driver_connection)
            connection.detach()
            connection.execute(text("select set_config('application_name', :name, false)"), {"name": WORKER})
            connection.execute(text("listen airloom_outbox"))
            try:
                while not stopping.is_set():
                    yield from connection.execute(ready).scalars().all()
                    yield from (notify.payload for notify in driver.notifies(timeout=1))
            except psycopg.OperationalError as error:
                reason = str(error).strip().partition("\n")[0]
                raise StoreUnavailable(f"the store's database does not answer: {reason}") from error

    def workers(self) -> int:
        """Return how many workers wait for events: the server knows their connections, whatever a clock says."""
        query = text(
            "select count(*) from pg_stat_activity where datname = current_database() and application_name = :name"
        )
        with self._engine.connect() as connection:
            return int(connection.execute(query, {"name": WORKER}).scalar_one())

    def _events(self, which: ColumnElement[bool], limit: int) -> list[Event]:
        query = select(EventRow.__table__).where(which).order_by(EventRow.id).limit(limit)
        with self._engine.connect() as connection:
            return [Event(**row._mapping) for row in connection.execute(query)]

    def _begin_attempt(self, kinds: Collection[str]) -> Event | None:
        """Count the attempt before it begins: an event that kills its worker would else be tried for ever."""
        ready = (
            select(EventRow.id, EventRow.attempts)
            .where(EventRow.kind.in_(kinds), _is_ready())
            .order_by(EventRow.available_at, EventRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._engine.begin() as connection:
            row = connection.execute(ready).one_or_none()
            if row is None:
                return None
            claimed = (
                update(EventRow)
                .where(EventRow.id == row.id)
                .values(
                    attempts=row.attempts + 1,
                    available_at=func.now() + pause(row.attempts + 1),
                    claimed_by=self._name,
                    lease_until=func.now() + LEASE,
                )
            )
            event = connection.execute(claimed.returning(EventRow.__table__)).one()
        return Event(**event._mapping)

    def _renew(self, event: Event, done: threading.Event) -> None:
        """Renew the lease until the handler is done, or another worker has the event."""
        renewed = update(EventRow).where(*self._held(event)).values(lease_until=func.now() + LEASE)
        while not done.wait(LEASE.total_seconds() / 3):
            try:
                with self._engine.begin() as connection:
                    if not connection.execute(renewed).rowcount:
                        return
            except StoreUnavailable as error:
                log.warning("The lease of event %d (%s) is not renewed: %s", event.id, event.kind, error)

    def _fail(self, event: Event, reason: str) -> None:
        is_last = event.attempts >= ATTEMPTS
        released = {
            "available_at": func.now() + pause(event.attempts),
            "last_error": reason,
            "claimed_by": None,
            "lease_until": None,
        }
        # One that was put in since for the same reason becomes this one, which keeps count of its attempts.
        twin = delete(EventRow).where(EventRow.deduplication == event.deduplication, WAITING)
        while True:
            try:
                with self._engine.begin() as connection:
                    held = select(EventRow.id).where(*self._held(event)).with_for_update()
                    if connection.execute(held).one_or_none() is None:
                        return
                    if is_last:
                        released["deduplication"] = None
                    elif event.deduplication is not None:
                        other = connection.execute(twin.returning(EventRow.payload)).one_or_none()
                        if other is not None:
                            released["payload"] = other.payload
                    connection.execute(update(EventRow).where(EventRow.id == event.id).values(released))
                return
            except IntegrityError:
                # Another was put in between the two statements.
                continue

    def _held(self, event: Event) -> tuple[ColumnElement[bool], ...]:
        claim = (EventRow.claimed_by == self._name, EventRow.attempts == event.attempts)
        return (EventRow.id == event.id, *claim)


def pause(attempts: int) -> timedelta:
    """Return how long an event waits after its attempt number `attempts` (from 1) failed."""
    return min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 10), LONGEST_PAUSE)


def _is_free(row: type[EventRow]) -> ColumnElement[bool]:
    return or_(row.claimed_by.is_(None), row.lease_until < func.now())


def _is_dead(row: type[EventRow]) -> ColumnElement[bool]:
    return (row.attempts >= ATTEMPTS) & _is_free(row)


def _is_ready(since: timedelta = timedelta(0)) -> ColumnElement[bool]:
    """Tell which events may be claimed, and could be all that time."""
    other = aliased(EventRow)
    # An earlier id may be committed after a later one was claimed.
    comes_first = (other.id < EventRow.id) | (other.lease_until > func.now())
    waits = exists().where(other.key == EventRow.key, other.id != EventRow.id, comes_first, ~_is_dead(other))
    available = EventRow.available_at <= func.now() - since
    return available & (EventRow.attempts < ATTEMPTS) & _is_free(EventRow) & ~waits


def _reason(error: Exception) -> str:
    # The text of a foreign error may hold what its library was given, a password among it.
    return str(error) if isinstance(error, AirloomError) else type(error).__name__
