"""The logs of a run's tasks, as Airflow keeps them: in files, with a worker that still runs, or in remote storage.

For processes that Airflow lets into its database, as `airloom.dags.platform`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airloom.dags.surroundings import index_path

BEGIN, END = "::group::", "::endgroup::"
IMPORTANT = ("warning", "error", "critical")


@dataclass(frozen=True)
class TaskAttempt:
    """Name one attempt of a task of a run, and the state that it is in or ended with; 0 where it never started."""

    task: str
    map_index: int
    number: int
    state: str | None
    started_at: datetime | None

    @property
    def index(self) -> str:
        """Return the index path of the task's nodes."""
        return index_path(self.map_index)


@dataclass(frozen=True)
class LogLine:
    """Hold one line of a log; what Airflow says of its own work around the nodes is `folded`."""

    at: datetime | None
    level: str
    text: str
    folded: bool = False


def task_attempts(pipeline: str, run_id: str) -> list[TaskAttempt]:
    """Return the attempts of a run's tasks, each task by its first start, those that never started last."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from airflow.utils.session import create_session
    from sqlalchemy import select

    attempts = {}
    with create_session(scoped=False) as session:
        for model in (TaskInstanceHistory, TaskInstance):
            fields = (model.task_id, model.map_index, model.try_number, model.state, model.start_date)
            for row in session.execute(select(*fields).where(model.dag_id == pipeline, model.run_id == run_id)):
                attempts[tuple(row[:3])] = TaskAttempt(row[0], row[1], row[2], row[3] and str(row[3]), row[4])
    begun: dict[tuple[str, int], float] = {}
    for attempt in attempts.values():
        if attempt.started_at is not None:
            key = (attempt.task, attempt.map_index)
            begun[key] = min(begun.get(key, float("inf")), attempt.started_at.timestamp())

    def order(attempt: TaskAttempt) -> tuple[float, str, int, int]:
        key = (attempt.task, attempt.map_index)
        return (begun.get(key, float("inf")), *key, attempt.number)

    return sorted(attempts.values(), key=order)


def log_lines(pipeline: str, run_id: str, attempt: TaskAttempt) -> list[LogLine]:
    """Return the log of an attempt as far as it is written; nothing of one that never started."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from airflow.utils.log.log_reader import TaskLogReader
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    if attempt.number == 0:
        return []
    with create_session(scoped=False) as session:
        models: tuple[Any, ...] = (TaskInstance, TaskInstanceHistory)
        for model in models:
            query = select(model).where(
                model.dag_id == pipeline,
                model.run_id == run_id,
                model.task_id == attempt.task,
                model.map_index == attempt.map_index,
                model.try_number == attempt.number,
            )
            task = session.scalar(query.options(joinedload(model.dag_run)))
            if task is not None:
                from_the_start: Any = {}
                lines, _ = TaskLogReader().read_log_chunks(task, attempt.number, from_the_start)
                return list(_lines(lines))
    return []


def _lines(messages: Iterable[Any]) -> Iterator[LogLine]:
    depth = 0
    for message in messages:
        record = message.model_dump()
        text, level = str(record["event"]), str(record.get("level") or "info")
        if text.startswith(END):
            depth -= 1
            continue
        opens = text.startswith(BEGIN)
        text = text.removeprefix(BEGIN) if opens else text
        folded = opens or (depth > 0 and level not in IMPORTANT)
        depth += opens
        yield LogLine(record.get("timestamp"), level, text, folded)
        yield from _trace(record.get("error_detail") or (), record.get("timestamp"), level)


def _trace(errors: Iterable[Any], at: datetime | None, level: str) -> Iterator[LogLine]:
    """Yield the errors that a line carries: what each says, and, folded, where it was raised."""
    for error in errors:
        yield LogLine(at, level, f"{error.get('exc_type')}: {error.get('exc_value')}")
        for frame in error.get("frames") or ():
            text = f"  {frame.get('filename')}:{frame.get('lineno')} in {frame.get('name')}"
            yield LogLine(at, level, text, folded=True)
