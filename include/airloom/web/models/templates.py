"""Templates, as the API gives them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airloom.web.models.answer import Answer


class TemplateSummary(Answer):
    """A template, without its document."""

    id: str = Field(examples=["clean_file"])
    name: str = Field(examples=["Clean a file"])
    category: str = Field(examples=["files"])
    description: str = Field(description="What it does, and what to change to make it one's own")


class TemplateDetail(TemplateSummary):
    """A template with its document."""

    params: dict[str, Any] = Field(description="The params of its runs, each a JSON Schema")
    document: dict[str, Any] = Field(description="Without an id: that of the pipeline comes in its place")
