"""Runs of pipelines: what started them and with what, and how they do. Airflow is the truth of their states."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Text, cast, delete, exists, func, or_, select, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, insert

from airloom.store.records import DayOfRuns, StoredRun
from airloom.store.tables import EventRow, RunRow

UNFINISHED = ("starting", "queued", "running")
RUN = [getattr(RunRow, field.name) for field in fields(StoredRun)]
TOLD_ONCE = ("actor", "correlation_id", "trigger", "event", "params", "values", "reuse", "cost")
"""What whoever starts a run knows better than who sees it run."""


class Runs:
    """Read and write the records of runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(
        self,
        pipeline: str,
        run_id: str,
        *,
        version: int,
        trigger: str,
        actor: str | None = None,
        correlation_id: str | None = None,
        event: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        values: dict[str, Any] | None = None,
        reuse: dict[str, Any] | None = None,
    ) -> bool:
        """Keep a run that Airflow is about to be asked for; return whether it is new, for a repeat changes nothing."""
        statement = insert(RunRow).values(
            pipeline=pipeline,
            run_id=run_id,
            state="starting",
            queued_at=func.now(),
            version=version,
            trigger=trigger,
            actor=actor,
            correlation_id=correlation_id,
            event=event,
            params=params,
            values=values,
            reuse=reuse,
        )
        with self._engine.begin() as connection:
            added = connection.execute(statement.on_conflict_do_nothing().returning(RunRow.run_id))
            return added.one_or_none() is not None

    def observe(self, run: StoredRun) -> None:
        """Keep a run as Airflow has it: its state, its times and what came of it.

        What is known of how it began stays: since when it is there, who or what started it, and with what.
        """
        statement = insert(RunRow).values(asdict(run))
        replaced = {
            "version": func.coalesce(statement.excluded.version, RunRow.version),
            **{name: func.coalesce(getattr(RunRow, name), statement.excluded[name]) for name in TOLD_ONCE},
            "changed_at": func.clock_timestamp(),
            **{name: statement.excluded[name] for name in ("state", "started_at", "ended_at", "seconds", "rows")},
        }
        with self._engine.begin() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=[RunRow.pipeline, RunRow.run_id], set_=replaced)
            )

    def get(self, pipeline: str, run_id: str) -> StoredRun | None:
        """Return a run, or None where none of that id is known."""
        query = select(*RUN).where(RunRow.pipeline == pipeline, RunRow.run_id == run_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else StoredRun(**row._mapping)

    def page(
        self,
        *,
        ids: Collection[str] | None = None,
        pipeline: str | None = None,
        state: str | None = None,
        trigger: str | None = None,
        actor: str | None = None,
        version: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str | None = None,
        limit: int = 100,
        before: tuple[datetime, str, str] | None = None,
    ) -> list[StoredRun]:
        """Return the newest runs, or those that follow the run whose `key` is `before`, the newest first.

        `ids` are the pipelines to choose from, None for all. `since` and `until` bound the time at which a run came to
        be, the first included and the second not; `search` is text in pipeline, run id or actor.
        """
        key = (RunRow.queued_at, RunRow.pipeline, RunRow.run_id)
        query = select(*RUN).order_by(*(column.desc() for column in key)).limit(limit)
        if ids is not None:
            query = query.where(RunRow.pipeline.in_(list(ids)))
        equal = {"pipeline": pipeline, "state": state, "trigger": trigger, "actor": actor, "version": version}
        for name, value in equal.items():
            if value is not None:
                query = query.where(getattr(RunRow, name) == value)
        if since is not None:
            query = query.where(RunRow.queued_at >= since)
        if until is not None:
            query = query.where(RunRow.queued_at < until)
        if search:
            columns = (RunRow.pipeline, RunRow.run_id, RunRow.actor)
            query = query.where(or_(*(column.icontains(search, autoescape=True) for column in columns)))
        if before is not None:
            query = query.where(tuple_(*key) < before)
        with self._engine.connect() as connection:
            return [StoredRun(**row._mapping) for row in connection.execute(query)]

    def newest(self, pipelines: Collection[str]) -> dict[str, StoredRun]:
        """Return the newest run of each pipeline that has one, by its id."""
        asked = func.unnest(cast(list(pipelines), ARRAY(Text))).table_valued("pipeline").render_derived()
        of_one = select(*RUN).where(RunRow.pipeline == asked.c.pipeline)
        newest = of_one.order_by(RunRow.queued_at.desc(), RunRow.run_id.desc()).limit(1).lateral()
        with self._engine.connect() as connection:
            rows = connection.execute(select(newest).select_from(asked.join(newest, true())))
            return {row.pipeline: StoredRun(**row._mapping) for row in rows}

    def recent(self, pipelines: Collection[str], count: int) -> dict[str, list[StoredRun]]:
        """Return at most `count` of the newest runs of each pipeline, by its id, the oldest of them first."""
        wanted = func.unnest(cast(list(pipelines), ARRAY(Text))).table_valued("id").render_derived()
        newest = select(*RUN).where(RunRow.pipeline == wanted.c.id)
        newest = newest.order_by(RunRow.queued_at.desc(), RunRow.run_id.desc()).limit(count)
        query = select(newest.lateral()).select_from(wanted)
        recent: dict[str, list[StoredRun]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                recent.setdefault(row.pipeline, []).insert(0, StoredRun(**row._mapping))
        return recent

    def by_day(
        self, since: datetime, *, ids: Collection[str] | None = None, pipeline: str | None = None
    ) -> list[DayOfRuns]:
        """Return how the runs that were queued since a time did, by their day in UTC; `ids` are as in `page`."""
        day = func.date(func.timezone("UTC", RunRow.queued_at))
        failed, succeeded = (func.count().filter(RunRow.state == state) for state in ("failed", "success"))
        median = func.percentile_cont(0.5).within_group(RunRow.seconds)
        query = select(day, func.count(), succeeded, failed, median, func.sum(RunRow.rows))
        query = query.where(RunRow.queued_at >= since).group_by(day).order_by(day)
        if ids is not None:
            query = query.where(RunRow.pipeline.in_(list(ids)))
        if pipeline is not None:
            query = query.where(RunRow.pipeline == pipeline)
        with self._engine.connect() as connection:
            return [DayOfRuns(*row) for row in connection.execute(query)]

    def unfinished(self, before: datetime) -> list[StoredRun]:
        """Return the runs that are there since before a time and, as far as is known, have not ended; oldest first."""
        query = select(*RUN).where(RunRow.state.in_(UNFINISHED), RunRow.queued_at < before)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(RunRow.queued_at, RunRow.pipeline, RunRow.run_id))
            return [StoredRun(**row._mapping) for row in rows]

    def watched(self, since: datetime) -> list[tuple[StoredRun, datetime | None]]:
        """Return the runs that have not ended or changed after a time, each with when it changed last; oldest first."""
        query = select(*RUN, RunRow.changed_at).where(RunRow.state.in_(UNFINISHED) | (RunRow.changed_at > since))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(RunRow.queued_at, RunRow.pipeline, RunRow.run_id))
            return [(StoredRun(*row[:-1]), row[-1]) for row in rows]

    def remove(self, pipeline: str, run_id: str) -> None:
        """Forget a run, which Airflow has refused or no longer knows."""
        with self._engine.begin() as connection:
            connection.execute(delete(RunRow).where(RunRow.pipeline == pipeline, RunRow.run_id == run_id))

    def not_kept(self, runs: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return those of runs (pipeline, run id) whose end is neither kept nor in the outbox."""
        if not runs:
            return []
        pairs = func.unnest(*(cast(list(part), ARRAY(Text)) for part in zip(*runs, strict=True)))
        run = pairs.table_valued("pipeline", "run_id").render_derived()
        ended = exists().where(
            RunRow.pipeline == run.c.pipeline, RunRow.run_id == run.c.run_id, RunRow.state.not_in(UNFINISHED)
        )
        waiting = exists().where(
            EventRow.kind == "run_ended",
            EventRow.payload["dag_id"].as_string() == run.c.pipeline,
            EventRow.payload["run_id"].as_string() == run.c.run_id,
        )
        with self._engine.connect() as connection:
            rows = connection.execute(select(run.c.pipeline, run.c.run_id).where(~ended, ~waiting))
            return [(row.pipeline, row.run_id) for row in rows]
