"""Node types, as the API gives them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from airloom.web.models.answer import Answer


class NodeTypeSummary(Answer):
    """A node type."""

    type: str = Field(examples=["csv_read"])
    version: int
    category: str
    title: str
    summary: str
    effect: str = Field(description="pure, read or write")
    role: str
    code: bool = Field(description="Whether who writes one writes a program, for which a right is needed")
    icon: str = Field(description="A name of Lucide's")
    stability: str = Field(description="stable, or preview: it may change in any release")


class Catalog(Answer):
    """The node types by category."""

    categories: list[str]
    types: list[NodeTypeSummary]
    problems: list[dict[str, Any]] = Field(description="What is wrong with files of your own node types")
    disabled: list[str] = Field(description="Types that are switched off")


class NodeTypeDetail(Answer):
    """A node type with the schema of its config, its ports and examples."""

    type: str
    category: str
    version: int
    title: str
    summary: str
    documentation: str = Field(description="All that its class says of it, as Markdown")
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    effect: str
    role: str
    requires: str | None = Field(description="The extra that it needs")
    switched_off: bool = Field(description="Whether no new version may use it")
    installed: bool = Field(description="Whether what it needs is installed")
    icon: str
    stability: str
    presets: list[dict[str, Any]]
    examples: list[dict[str, Any]]
    config_schema: dict[str, Any] = Field(alias="schema", description="The JSON Schema of its config")


class ConfigToTry(BaseModel):
    """A config to ask about."""

    config: dict[str, Any] = Field({}, examples=[{"conditions": [{"name": "big", "where": "amount > 100"}]}])
    version: int | None = Field(None, ge=1, description="Of the node type; the newest otherwise")


class PortOfConfig(Answer):
    """A port of a node."""

    name: str
    kind: str
    many: bool = False
    required: bool = True


class PortsOfConfig(Answer):
    """The ports that a config gives a node; every node that runs has the output `error` beside them."""

    inputs: list[PortOfConfig]
    outputs: list[PortOfConfig]


class PortToAsk(BaseModel):
    """A port of a document to ask about."""

    document: dict[str, Any]
    node: str = Field(max_length=100, examples=["orders"])
    port: str = Field(max_length=200, examples=["rows"])
    side: Literal["output", "input"] = "output"


class ColumnsOfPort(Answer):
    """The columns of a table."""

    columns: list[list[str]] | None = Field(
        description="Name and type of each; null where they are not known before a run", examples=[[["day", "DATE"]]]
    )
