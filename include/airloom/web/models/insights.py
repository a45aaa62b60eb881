"""What a pipeline does, as the API tells it before and beside its runs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from airloom.web.models.answer import Answer
from airloom.web.models.pipelines import Use


class ColumnsOfDocument(Answer):
    """The columns of every table of a document that are known before a run."""

    ports: dict[str, list[list[str]]] = Field(
        description="Name and type of each column, by `node.port`", examples=[{"orders.rows": [["day", "DATE"]]}]
    )
    problems: list[dict[str, Any]]


class SqlOfPort(Answer):
    """The SQL that a port of a table node is made by."""

    step: str | None = Field(description="The task that it runs in; null inside of a body")
    node: str
    port: str
    sql: str | None = Field(description="In DuckDB's dialect, over `node.port`s; null where only a run can tell")


class Reader(Use):
    """That a node of another pipeline reads what this one writes, or that it runs this one."""

    writer: str | None = Field(description="The node of this pipeline that writes it; null where it is run as a whole")


class Impact(Answer):
    """Which of the pipelines that you may read depend on a pipeline."""

    readers: list[Reader]


class NodeToPreview(BaseModel):
    """What to run for a look at a node."""

    node: str = Field(max_length=100, examples=["orders"])
    document: dict[str, Any] | None = Field(None, description="In place of the draft")
    params: dict[str, Any] = Field({}, description="Values of the document's params")
    rows: int = Field(10_000, ge=1, le=100_000, description="How many rows of each source are read")
    sample: int = Field(100, ge=0, le=1000, description="How many rows of each table are shown")
    pins: dict[str, Any] = Field(
        {},
        description="Outputs by node and port, in the form of `nodes` of an earlier preview: these nodes are not run",
        examples=[{}],
    )


class Preview(Answer):
    """What a preview gave."""

    nodes: dict[str, dict[str, Any]] = Field(
        description="Of each node: state, fired, seconds, error, and its outputs with rows and statistics"
    )
    problems: list[dict[str, Any]]
    held_back: list[str] = Field(description="Nodes that were not run, for they write")
