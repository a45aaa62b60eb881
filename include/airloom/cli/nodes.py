"""nodes: the node types, and all about one; schema, for editors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson
from airloom.cli.output import complaints, console, print_json, print_table
from airloom.cli.reach import is_afar, reach_afar

if TYPE_CHECKING:
    from airloom.nodes.sdk import Node

app = typer.Typer()


@app.command()
def nodes(
    type_name: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="One node type.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the node types, or tell all about one: its ports, the fields of its config, examples."""
    from airloom.nodes.catalog import catalog
    from airloom.nodes.describing import describe_node

    if is_afar():
        _tell_from_afar(type_name, as_json)
        return
    known = catalog()
    node_classes = [known.get(type_name)] if type_name else known.all()
    found = [describe_node(node) for node in node_classes]
    for problem in known.problems:
        complaints.print(f"[yellow]{escape(str(problem))}[/yellow]")
    if as_json:
        print_json(found)
        return
    if type_name:
        _print_node_type(found[0], node_classes[0])
        return
    _print_node_types([(node["category"], node["type"], node["summary"]) for node in found])


@app.command()
def schema() -> None:
    """Print the JSON Schema of a whole document, for editors."""
    from airloom.nodes.catalog import catalog
    from airloom.nodes.schema import document_schema

    print_json(document_schema(catalog().all()))


def _tell_from_afar(type_name: str | None, as_json: bool) -> None:
    with reach_afar() as installation:
        known = installation.node_types()
        names = [type_name] if type_name else [found.type for found in known.types]
        details = [installation.node_type(name) for name in names] if type_name or as_json else []
    documentation = [node.pop("documentation") for node in details]
    if as_json:
        print_json(details)
    elif type_name:
        _print_node_type(details[0], documentation[0])
    else:
        _print_node_types([(found.category, found.type, found.summary) for found in known.types])


def _print_node_types(found: list[tuple[str, str, str]]) -> None:
    shown = None
    for category, name, summary in found:
        if category != shown:
            shown = category
            console.print(f"\n[bold]{escape(category)}[/bold]")
        console.print(f"  {escape(name):24} {escape(summary)}")


def _print_node_type(node: dict[str, Any], node_class: type[Node]) -> None:
    from airloom.cli.field import paragraphs, ports_in_words, words

    preview = " [yellow]a preview: it may change in any release[/yellow]" if node["stability"] == "preview" else ""
    console.print(f"[bold]{escape(node['type'])}[/bold] [dim]{escape(node['category'])}[/dim]{preview}")
    console.print(escape(paragraphs(node_class.__doc__)))
    if missing := node_class.missing_module():
        console.print(f"[yellow]It needs {escape(missing.name)}: {escape(missing.hint)}[/yellow]")
    print_table(
        ["", ""],
        [
            ["in", _plain(ports_in_words(node["inputs"]))],
            ["out", _plain(ports_in_words(node["outputs"]))],
            ["effect", node["effect"]],
            ["role", node["role"]],
        ],
        head=False,
    )
    _print_fields(node["schema"], "config")
    for name, inner in node["schema"].get("$defs", {}).items():
        if "properties" in inner:
            _print_fields(inner, words(name))
    for preset in node["presets"]:
        console.print(f"\n[bold]{escape(preset['title'])}[/bold], a ready config:")
        _print_value(preset["config"])
    for example in node["examples"]:
        _print_example(example)


def _print_fields(schema: Mapping[str, Any], title: str) -> None:
    from airloom.cli.field import rows_of_fields

    if not schema.get("properties"):
        return
    console.print()
    head = [title, "type", "default", "meaning"]
    print_table(head, [[_plain(cell) for cell in row] for row in rows_of_fields(schema)])


def _print_example(example: Mapping[str, Any]) -> None:
    console.print(f"\n[bold]Example: {escape(example['title'])}[/bold]")
    _print_value(example["config"])
    if "body" in example:
        console.print("body:")
        _print_value(example["body"])
    for word, ports in (("in", example["inputs"]), ("out", example["outputs"])):
        for port, value in ports.items():
            tables = value if isinstance(value, list) and value and all(map(_is_rows, value)) else [value]
            for one in tables:
                console.print(f"[dim]{word}, {escape(port)}:[/dim]")
                _print_value(one)


def _print_value(value: Any) -> None:
    if not _is_rows(value):
        text = json.dumps(value, ensure_ascii=False, default=str)
        if len(text) > console.width - 2 and console.is_terminal:
            text = json.dumps(value, ensure_ascii=False, default=str, indent=2)
        console.print("\n".join(f"  {escape(line)}" for line in text.splitlines()))
        return
    columns = list(dict.fromkeys(name for row in value for name in row))
    print_table([f"  {columns[0]}", *columns[1:]], [_cells(row, columns) for row in value])


def _cells(row: Mapping[str, Any], columns: list[str]) -> list[str]:
    texts = [_cell(row[name]) if name in row else "" for name in columns]
    return [f"  {texts[0]}", *texts[1:]]


def _cell(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) and row for row in value)


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")
