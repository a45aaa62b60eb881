"""The outbox: events that wait for a worker; each is handled by one worker at a time, and by none too often."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from airloom.spec.error import AirloomError
from airloom.store.records import Event
from airloom.store.tables import EventRow

ATTEMPTS = 12
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)


class Outbox:
    """Put events in, claim them, and look at those that died after too many attempts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def enqueue(self, kind: str, payload: dict[str, Any], *, delay: timedelta = timedelta(0)) -> int:
        """Put in an event that a worker may claim after `delay`, and return its id."""
        with self._engine.begin() as connection:
            values = {"kind": kind, "payload": payload, "available_at": func.now() + delay}
            return connection.execute(insert(EventRow).values(values).returning(EventRow.id)).scalar_one()

    @contextlib.contextmanager
    def claim(self, kinds: Collection[str]) -> Iterator[Event | None]:
        """Hold the next event of these kinds while the block handles it; None where none waits.

        The event goes when the block ends well. After an error it waits, longer with each attempt, and keeps the
        error's text; after ATTEMPTS attempts it stays as a dead one. The error is raised again.
        """
        with self._engine.connect() as connection:
            event = self._begin_attempt(connection, kinds)
            if event is None:
                yield None
                return
            with connection.begin() as transaction:
                # Locked until the end, so that no other worker takes it, however long the block needs. Another may
                # hold it for a moment: it saw the event before this attempt began, and lets go.
                held = select(EventRow.id).where(EventRow.id == event.id, EventRow.attempts == event.attempts)
                if connection.execute(held.with_for_update()).scalar_one_or_none() is None:
                    yield None
                    return
                try:
                    yield event
                except Exception as error:
                    connection.execute(update(EventRow).where(EventRow.id == event.id).values(last_error=_text(error)))
                    transaction.commit()
                    raise
                connection.execute(delete(EventRow).where(EventRow.id == event.id))

    def events(self, *, dead: bool = False, limit: int = 100) -> list[Event]:
        """Return the events that wait, or the dead ones, oldest first."""
        which = EventRow.attempts >= ATTEMPTS if dead else EventRow.attempts < ATTEMPTS
        with self._engine.connect() as connection:
            rows = connection.execute(select(EventRow).where(which).order_by(EventRow.id).limit(limit)).all()
        return [Event(**row._mapping) for row in rows]

    def retry(self, ids: Sequence[int]) -> None:
        """Let dead events be tried again, as if they were new."""
        with self._engine.begin() as connection:
            connection.execute(
                update(EventRow)
                .where(EventRow.id.in_(ids), EventRow.attempts >= ATTEMPTS)
                .values(attempts=0, available_at=func.now())
            )

    def _begin_attempt(self, connection: Connection, kinds: Collection[str]) -> Event | None:
        """Count the attempt before it begins: an event that kills its worker would else be tried for ever."""
        with connection.begin():
            ready = (
                select(EventRow)
                .where(
                    EventRow.available_at <= func.now(),
                    EventRow.attempts < ATTEMPTS,
                    EventRow.kind.in_(kinds),
                )
                .order_by(EventRow.available_at, EventRow.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            row = connection.execute(ready).one_or_none()
            if row is None:
                return None
            event = Event(**{**row._mapping, "attempts": row.attempts + 1})
            connection.execute(
                update(EventRow)
                .where(EventRow.id == event.id)
                .values(attempts=event.attempts, available_at=func.now() + pause(event.attempts))
            )
        return event


def pause(attempts: int) -> timedelta:
    """Return how long an event waits after its attempt number `attempts` (from 1) failed."""
    return min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 10), LONGEST_PAUSE)


def _text(error: Exception) -> str:
    # The text of a foreign error may hold what its library was given, a password among it.
    return str(error) if isinstance(error, AirloomError) else type(error).__name__
