"""How the service does, as the API gives it."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from airloom.web.models.answer import Answer


class Queue(Answer):
    """How much work of a kind waits."""

    kind: str
    waiting: int
    running: int
    oldest_at: datetime | None = Field(description="Since when the oldest waits")


class DeadEvent(Answer):
    """Work that was given up."""

    id: int
    kind: str
    created_at: datetime
    attempts: int
    last_error: str | None


class Queues(Answer):
    """The background work."""

    queues: list[Queue]
    dead: list[DeadEvent]


class DayOfRuns(Answer):
    """How the runs of a day did."""

    day: date = Field(description="In UTC, by when they were queued")
    runs: int
    succeeded: int
    failed: int
    median_seconds: float | None
    rows: int | None


class Figures(Answer):
    """How runs did, day by day; days without runs are left out."""

    since: datetime
    days: list[DayOfRuns]


class Health(Answer):
    """Whether the service can answer."""

    status: str = Field(description="ok or failing")
    version: str
    parts: dict[str, str] = Field(description="How each part does: ok, or what is wrong")
