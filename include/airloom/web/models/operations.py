"""How the service does, as the API gives it."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from airloom.doctor.finding import State
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


class Finding(Answer):
    """How one thing is that pipelines need."""

    area: str = Field(description="machine, folders, Airflow, store or pipelines", examples=["Airflow"])
    name: str = Field(examples=["core.executor"])
    state: State = Field(description="right; advice where pipelines run, though not as well as they could; or wrong")
    message: str
    hint: str | None = Field(description="What to do")


class Examination(Answer):
    """What an examination of the installation says, as a worker's machine sees it."""

    right: bool = Field(description="Whether nothing is wrong")
    findings: list[Finding]


class CleanUp(BaseModel):
    """What to remove."""

    days: float | None = Field(
        None, ge=1, le=36_500, description="Age in days of what goes; AIRLOOM_KEEP_DATA_DAYS where it is absent"
    )


class CleanedUp(Answer):
    """What a clean-up removed."""

    days: float = Field(description="The age in days from which tables between steps went", examples=[30])
    runs: int = Field(description="Runs whose tables between steps went")
    files: int = Field(description="Files that went with them")
    at_work: int = Field(description="Runs as old that keep theirs, for they have not ended")
    folders: int = Field(description="Temporary folders of killed tasks that went, on the worker's machine")
    events: int = Field(description="Events that went, a week after they happened")
    complete: bool = Field(description="False where more is left: clean up again, and the worker goes on")


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
