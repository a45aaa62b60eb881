"""Uploads, as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from airloom.web.models.answer import Answer
from airloom.web.models.pipelines import Use


class Upload(Answer):
    """A file that somebody has sent; a node reads it by the path `upload:ID`."""

    id: str = Field(examples=["0c1f6f2d5a0e4b7f9a51c3f2b7d3a8e4"])
    name: str = Field(description="What the file was called", examples=["orders.csv"])
    media_type: str = Field(examples=["text/csv"])
    bytes: int
    sha256: str
    owner: str
    created_at: datetime


class UploadDetail(Upload):
    """An upload, with what reads it."""

    node_type: str | None = Field(description="The type of node that reads such a file; null where none does")
    download: str = Field(description="Where it is for the next 15 minutes")
    used_by: list[Use] = Field(description="The nodes that name it, in the pipelines that you may read")


class UploadPreview(Answer):
    """The first rows of an upload."""

    node_type: str = Field(description="The type of node that has read it", examples=["csv_read"])
    columns: list[list[str]] = Field(description="Name and DuckDB type of each")
    rows: list[dict[str, Any]]
