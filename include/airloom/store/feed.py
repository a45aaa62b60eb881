"""The feed: what happens to pipelines and runs, for those who watch; kept for a week."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from airloom.store.lookup import plain
from airloom.store.records import FeedEvent, NewEvent, StoreUnavailable
from airloom.store.tables import FeedCounterRow, FeedRow

KEPT = timedelta(days=7)
CHANNEL = "airloom_feed"
LOOK_EVERY = 5.0
"""Seconds after which a follower looks by itself: a notification can be lost."""
BATCH = 500

_AFTER = """
select id, topic, kind, pipeline, run_id, payload, at from feed where id > %s order by id limit %s
"""


class Feed:
    """Put events in, and read those after one that is known by its id.

    Ids have no gap, and one is visible only after all before it: whoever has read up to an id misses nothing.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, events: Sequence[NewEvent]) -> None:
        """Put events in, in their order."""
        with self._engine.begin() as connection:
            add_events(connection, events)

    def newest(self) -> int:
        """Return the id of the last event that there was, 0 for none."""
        with self._engine.connect() as connection:
            return connection.execute(select(FeedCounterRow.value)).scalar_one()

    def after(self, last: int, limit: int = BATCH) -> list[FeedEvent] | None:
        """Return the events after one, oldest first; None where some of them are not kept any more."""
        query = select(FeedRow.__table__).where(FeedRow.id > last).order_by(FeedRow.id).limit(limit)
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            newest = connection.execute(select(FeedCounterRow.value)).scalar_one()
            rows = [FeedEvent(**row._mapping) for row in connection.execute(query)]
        first = rows[0].id if rows else newest + 1
        return rows if first == last + 1 else None

    def of_runs(self, runs: Collection[tuple[str, str]]) -> list[FeedEvent]:
        """Return what the feed says of runs (pipeline, run id), oldest first."""
        if not runs:
            return []
        query = select(FeedRow.__table__).where(tuple_(FeedRow.pipeline, FeedRow.run_id).in_(list(runs)))
        with self._engine.connect() as connection:
            return [FeedEvent(**row._mapping) for row in connection.execute(query.order_by(FeedRow.id))]

    def remove_old(self) -> int:
        """Remove what is older than a week, and return how many events went."""
        with self._engine.begin() as connection:
            return connection.execute(delete(FeedRow).where(FeedRow.at < func.now() - KEPT)).rowcount

    async def follow(self, last: int) -> AsyncIterator[list[FeedEvent]]:
        """Give the events after one as they are committed, some at a time, for ever.

        Holds one connection. Raises StoreUnavailable where it breaks.
        """
        url = plain(self._engine.url.render_as_string(hide_password=False))
        try:
            async with AsyncExitStack() as stack:
                connection = await stack.enter_async_context(
                    await psycopg.AsyncConnection.connect(
                        url, autocommit=True, connect_timeout=10, application_name="airloom-events"
                    )
                )
                await connection.execute(f"listen {CHANNEL}".encode())
                while True:
                    rows = await (await connection.execute(_AFTER, (last, BATCH))).fetchall()
                    if rows:
                        last = rows[-1][0]
                        yield [FeedEvent(*row) for row in rows]
                    if len(rows) < BATCH:
                        # It says that something is there, and nothing else: anybody may send it.
                        async for _ in connection.notifies(timeout=LOOK_EVERY, stop_after=1):
                            pass
        except psycopg.Error as error:
            raise StoreUnavailable(f"the store's database does not answer: {type(error).__name__}") from None


def add_events(connection: Connection, events: Sequence[NewEvent]) -> None:
    """Put events in with a transaction's other changes, and as the last of them: others wait from here to its end."""
    if not events:
        return
    raised = update(FeedCounterRow).values(value=FeedCounterRow.value + len(events)).returning(FeedCounterRow.value)
    last = connection.execute(raised).scalar_one()
    rows: list[dict[str, Any]] = [
        {
            "id": last - len(events) + number,
            "topic": event.topic,
            "kind": event.kind,
            "pipeline": event.pipeline,
            "run_id": event.run_id,
            "payload": event.payload,
        }
        for number, event in enumerate(events, 1)
    ]
    connection.execute(insert(FeedRow), rows)
    connection.execute(text(f"notify {CHANNEL}"))
