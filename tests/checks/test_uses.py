"""What a document uses of the world around it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from pydantic import Field

from airloom.checks.resolved import Resolved
from airloom.checks.uses import Use, uses_of
from airloom.nodes.sdk import Action, ConnectionId, FilePath, Part, PipelineId
from airloom.spec.document import NodeEntry

Postgres = ConnectionId["postgres"]


class Place(Part):
    """A table in a database."""

    connection: Postgres = Field(description="Where")
    table: str | None = Field(None, description="Which")


class Sprawl(Action):
    """Use all that there is."""

    connection: Postgres | None = Field("warehouse", description="Where")
    table: str | None = Field(None, description="Which")
    places: list[Place] = Field([], description="More")
    files: list[FilePath] = Field([], description="Files")
    then: PipelineId | None = Field(None, description="What runs next")

    def run(self) -> None:
        """Do nothing."""


def uses(*configs: dict[str, Any], node: type[Any] = Sprawl) -> list[tuple[str, str, str | None]]:
    nodes = {
        f"n{index}": SimpleNamespace(entry=NodeEntry(id=f"n{index}", type="sprawl", config=config), node_class=node)
        for index, config in enumerate(configs)
    }
    found = uses_of(cast(Resolved, SimpleNamespace(every_node=nodes)))
    return [(use.node, use.kind, use.name) for use in found]


def test_each_thing_once_in_the_order_of_the_document() -> None:
    config = {
        "files": ["b.csv", "a.csv", "./b.csv"],
        "connection": "warehouse",
        "table": "public.orders",
        "places": [{"connection": "lake", "table": "t"}, {"connection": "lake"}, {"connection": "lake", "table": "t"}],
        "then": "report",
    }
    assert uses(config) == [
        ("n0", "type", "sprawl"),
        ("n0", "connection", "warehouse"),
        ("n0", "table", "warehouse/public.orders"),
        ("n0", "connection", "lake"),
        ("n0", "table", "lake/t"),
        ("n0", "path", "b.csv"),
        ("n0", "path", "a.csv"),
        ("n0", "pipeline", "report"),
    ]
    assert uses(config, config)[8:] == [("n1", kind, name) for _, kind, name in uses(config)]


def test_what_an_expression_says_only_the_run_knows() -> None:
    config = {"connection": "{{ params.where }}", "table": "t", "files": ["days/{{ params.day }}.csv"]}
    assert uses(config)[1:] == [("n0", "connection", None), ("n0", "table", None), ("n0", "path", None)]
    config = {"connection": "warehouse", "table": "{{ params.table }}", "then": "{{ params.next }}"}
    assert uses(config)[1:] == [("n0", "connection", "warehouse"), ("n0", "table", None), ("n0", "pipeline", None)]


def test_a_default_is_used_where_the_config_says_nothing() -> None:
    assert uses({}) == [("n0", "type", "sprawl"), ("n0", "connection", "warehouse")]
    assert uses({"connection": None}) == [("n0", "type", "sprawl")]


def test_a_path_is_one_thing_however_it_is_written() -> None:
    written = ["./data/../data//a.csv", "data/a.csv", "s3://bucket/a/../b.csv"]
    assert [name for _, kind, name in uses({"files": written}) if kind == "path"] == ["data/a.csv", written[2]]


def test_a_use_can_be_told_from_another() -> None:
    assert Use("a", "path", None) != Use("a", "path", "None")
