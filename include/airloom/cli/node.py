"""node new: a node type of one's own, with its test."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from airloom.cli.output import console
from airloom.spec.error import ConfigurationError

app = typer.Typer()
group = typer.Typer(help="Write node types of your own.", no_args_is_help=True)
app.add_typer(group, name="node")


class Kind(StrEnum):
    """Name the sorts of node that there is a template for."""

    TABLE = "table"
    TRANSFORM = "transform"
    CONTROL = "control"
    SOURCE = "source"
    SINK = "sink"
    ACTION = "action"
    LOOP = "loop"
    CONFIG = "config"


@group.command()
def new(
    name: Annotated[str, typer.Argument(help="The node type, such as round_numbers.")],
    kind: Annotated[
        Kind,
        typer.Option(
            help="What it works on: tables, values, the way on; or reads from outside, writes there, does something "
            "there and chooses; repeats a body; is wired to a node."
        ),
    ] = Kind.TABLE,
) -> None:
    """Make a node type and its test, which pass; then change both."""
    from airloom.nodes.catalog import catalog
    from airloom.nodes.sdk import type_name
    from airloom.spec.configuration import configuration
    from airloom.spec.document import IDENTIFIER

    node_type = type_name(name)
    class_name = "".join(word.capitalize() for word in node_type.split("_"))
    if not re.match(IDENTIFIER, node_type) or type_name(class_name) != node_type:
        hint = "write it as round_numbers or RoundNumbers"
        raise ConfigurationError(f"{name!r} is not a name of a node type", hint=hint)
    if node_type in catalog().types():
        hint = f"look at it: airloom nodes {node_type}"
        raise ConfigurationError(f"there is a node type {node_type!r} already", hint=hint)
    settings = configuration()
    node = settings.nodes_folder / f"{node_type}.py"
    test = settings.root.absolute() / "tests" / "nodes" / "own" / f"test_{node_type}.py"
    for path in (node, test):
        if path.exists():
            raise ConfigurationError(f"{path} is there already", hint="choose another name, or remove it")
    templates = Path(__file__).parent / "templates"
    for path, template in ((node, f"{kind}.py"), (test, f"{kind}_test.py")):
        text = (templates / template).read_text(encoding="utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NewNode", class_name).replace("new_node", node_type), encoding="utf-8")
        console.print(escape(str(path)))
    console.print(f"Next: python -m pytest {escape(str(test))}")
