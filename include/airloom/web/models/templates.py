"""Templates, as the API gives them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airloom.web.models.answer import Answer


class TemplateSummary(Answer):
    """A template, without its document."""

    id: str = Field(
        description="That of a pipeline with the tag `template` begins with `pipeline:`", examples=["clean_file"]
    )
    name: str = Field(examples=["Clean a file"])
    category: str = Field(description="`pipelines` where it is a pipeline", examples=["files"])
    description: str = Field(description="What it does, and what to change to make it one's own")
    owner: str | None = Field(description="Whose it is; null where it comes with the package", examples=["ada"])


class TemplateDetail(TemplateSummary):
    """A template with its document."""

    params: dict[str, Any] = Field(description="The params of its runs, each a JSON Schema")
    document: dict[str, Any] = Field(description="Without an id: that of the pipeline comes in its place")
