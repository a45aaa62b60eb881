"""What runs have left, as the API gives it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from airloom.web.models.answer import Answer


class Attempt(Answer):
    """One attempt of the task that a node runs in."""

    task: str = Field(description="The task; the other nodes of its step write into the same log")
    index: str = Field(description="Which item of which loop, such as 3")
    map_index: int = Field(description="The same as Airflow has it; -1 where there is none")
    number: int = Field(description="Counts from 1; 0 where it never started")
    state: str | None = Field(description="As Airflow has it")
    started_at: datetime | None


class LogLine(Answer):
    """A line of a log."""

    at: datetime | None
    level: str = Field(examples=["info"])
    text: str
    folded: bool = Field(description="Airflow says it of its own work around the nodes")


class LogPage(Answer):
    """A part of the log of an attempt."""

    attempt: int
    lines: list[LogLine]
    next_cursor: str | None = Field(description="Where the log goes on, now or later; null where it has ended")


class NodeOutput(Answer):
    """What a port of a node gave: some rows of a table, or a value."""

    port: str
    kind: str
    columns: list[list[str]] | None = Field(description="Of a table: names and DuckDB types")
    rows: list[dict[str, Any]] | None
    total: int | None = Field(description="The rows of the whole table; null where nobody counted them")
    value: Any = Field(None, description="What is not a table")
    next_cursor: str | None


class Artifact(Answer):
    """A file or a table that a run has left."""

    node: str
    index: str
    port: str
    kind: str
    name: str = Field(description="The name of the file", examples=["rows-1.parquet"])
    media_type: str
    bytes: int | None
    rows: int | None
    download: str | None = Field(description="Where it is for the next 15 minutes; null where it is not one file")
