"""The reference in `docs`: `python -m airloom.cli.reference` writes it; with `--check`, it only names what is old.

A generated part of a page stands between `<!-- generated: name -->` and `<!-- end -->`, and comes from the code that it
describes: the models of the document, the catalog of node types, the settings, the command line, the SDK. The page of a
category of nodes, `docs/nodes/<category>.md`, is generated as a whole.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer.main

from airloom.cli import app
from airloom.cli.field import code, default_of, paragraphs, ports_in_words, rows_of_fields, words
from airloom.cli.sdk_reference import sdk_reference
from airloom.engine.policy import FUNCTIONS
from airloom.engine.spark.support import FIGURES, PLACES, SYNTAX, VALUES
from airloom.nodes.describing import describe_node
from airloom.nodes.manifest import manifest
from airloom.nodes.operators import OPERATORS
from airloom.nodes.sdk import Example, Node, Table
from airloom.spec.configuration import Configuration
from airloom.spec.document import Document

FOLDER = Path(__file__).parents[3] / "docs"
NODES = FOLDER / "nodes"
COMMAND = "python -m airloom.cli.reference"
LINE = 110
PART = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Json = Mapping[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Write the pages that are old, or name them where `--check` is given; return how many are old then."""
    check = "--check" in arguments
    wanted = pages()
    old = [path for path, text in wanted.items() if not path.exists() or text != path.read_text(encoding="utf-8")]
    gone = [path for path in sorted(NODES.glob("*.md")) if path not in wanted]
    for path in old:
        print(f"{path.relative_to(FOLDER)} is old" if check else f"{path.relative_to(FOLDER)} is written")
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
    for path in gone:
        print(f"{path.relative_to(FOLDER)} tells of no category" + ("" if check else " and is removed"))
        if not check:
            path.unlink()
    return len(old) + len(gone) if check else 0


def pages() -> dict[Path, str]:
    """Return every page as it is to be; raise KeyError for a part that nothing makes."""
    written = {path: current(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.md"))}
    return written | {NODES / f"{category}.md": category_page(category) for category in categories()}


def current(text: str) -> str:
    """Return a page with its generated parts as they are to be."""
    return PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[3]}", text)


# The document


def document_fields() -> str:
    """Return the tables of the fields of a document, each object in turn."""
    schema = Document.model_json_schema(by_alias=True)
    parts = ["## The pipeline", fields_of(schema)]
    for title, name in (
        ("schedule", "Schedule"),
        ("settings", "PipelineSettings"),
        ("A node", "NodeEntry"),
        ("An edge", "Edge"),
        ("ui", "Place"),
    ):
        code = title if title[0].isupper() else f"`{title}`"
        parts += [f"## {code}", fields_of(schema["$defs"][name])]
    return "\n\n".join(parts)


def fields_of(schema: Json) -> str:
    """Return the table of an object's fields: name, type, default, meaning."""
    return table(["field", "type", "default", "meaning"], rows_of_fields(schema))


# The node types


def nodes() -> str:
    """Return the index of the built-in node types, by category."""
    parts = []
    for category, found in categories().items():
        rows = [[_link(node, f"nodes/{category}.md"), node.declaration.summary] for node in found]
        parts += [f"## [{category.capitalize()}](nodes/{category}.md)", table(["type", "what it does"], rows)]
    return "\n\n".join(parts)


def category_page(category: str) -> str:
    """Return the page of one category of node types."""
    found = categories()[category]
    parts = [
        f"# {category.capitalize()}",
        "What all node types share stands in [Node types](../nodes.md), which lists the other categories, too.",
        f"<!-- This page is generated: {COMMAND} -->",
        table(["type", "what it does"], [[_link(node), node.declaration.summary] for node in found]),
        *map(node_section, found),
    ]
    return "\n\n".join(parts) + "\n"


@functools.cache
def categories() -> dict[str, list[type[Node]]]:
    """Return the node types of the package by their categories, whatever the folder of the user holds."""
    newest = {home.declaration.type: home for home in manifest()}  # versions stand in their order
    found: dict[str, list[type[Node]]] = {}
    for home in sorted(newest.values(), key=lambda home: (home.declaration.category, home.declaration.type)):
        found.setdefault(home.declaration.category, []).append(home.load())
    return found


def node_section(node: type[Node]) -> str:
    """Return the section of one node type: summary, ports, fields, examples."""
    described = describe_node(node)
    schema = described["schema"]
    parts = [f"## `{described['type']}`", paragraphs(node.__doc__)]
    parts.append(
        f"In: {ports_in_words(described['inputs'])}. Out: {ports_in_words(described['outputs'])}. "
        f"Effect: {node.declaration.effect}. Role: {node.declaration.role}."
    )
    if described["stability"] == "preview":
        parts.append("A preview: it may change in any release.")
    if described["requires"]:
        parts.append(f"Needs the extra `{described['requires']}`: `./airloom add {described['requires']}`.")
    if schema.get("properties"):
        parts.append(fields_of(schema))
    for name, inner in schema.get("$defs", {}).items():
        if "properties" in inner:
            parts += [f"{words(name).capitalize()}:", fields_of(inner)]
    for preset in node.declaration.presets:
        parts += [f"*{preset.title}*, ready to take:", fenced(dict(preset.config))]
    parts += [example_of(example) for example in node.examples]
    return "\n\n".join(part for part in parts if part)


def _link(node: type[Node], page: str = "") -> str:
    return f"[`{node.declaration.type}`]({page}#{node.declaration.type})"


def example_of(example: Example) -> str:
    """Return an example: its config, and what goes in and comes out where it says so."""
    parts = [f"*{example.title}*", fenced(dict(example.config))]
    if example.body is not None:
        parts += ["`body`:", fenced(dict(example.body))]
    for word, values in (("in", example.inputs), ("out", example.outputs)):
        for port, value in values.items():
            parts += [f"`{port}` {word}:", _shown(value)]
    return "\n\n".join(parts)


def _shown(value: Any) -> str:
    if _is_rows(value):
        names = list(dict.fromkeys(name for row in value for name in row))
        return table(names, [[code(row[name]) if name in row else "" for name in names] for row in value])
    if isinstance(value, list) and value and all(_is_rows(item) for item in value):
        return "\n\nand\n\n".join(_shown(item) for item in value)
    return fenced(value)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def operators() -> str:
    """Return the table of the operators of rules, with what they make of the values and what SQL makes of them."""
    rows = [[code(name), found.true_where, found.compared, found.in_sql] for name, found in OPERATORS.items()]
    return table(["operator", "true where", "compared", "in SQL"], rows)


# Settings and commands


def settings() -> str:
    """Return the table of the variables `AIRLOOM_*`."""
    fields = Configuration.model_json_schema()["properties"]
    rows = [[f"`AIRLOOM_{name.upper()}`", default_of(field), field["description"]] for name, field in fields.items()]
    return table(["variable", "default", "meaning"], rows)


def commands() -> str:
    """Return a section for each command: what it does, and its arguments and options."""
    group: Any = typer.main.get_command(app)
    parts = []
    for name, command in _leaves("airloom", group):
        parts += [f"### `{name}`", paragraphs(command.help)]
        rows = [
            [_option(parameter), (parameter.help or "").strip()]
            for parameter in command.params
            if parameter.name != "help"
        ]
        if rows:
            parts.append(table(["argument or option", "meaning"], rows))
    return "\n\n".join(parts)


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield every command of a group with its whole name, those of groups in it too."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from _leaves(f"{name} {word}", inner)


def _option(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
        return code(f"{name.strip('[]')}…" if parameter.nargs == -1 else name.strip("[]"))
    names = [*parameter.opts, *parameter.secondary_opts]
    return ", ".join(f"`{name}`" for name in names)


# Markdown


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar in a cell does not end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def fenced(value: Any) -> str:
    """Return a value as a block of JSON, on one line where it fits."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > LINE:
        text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return f"```json\n{text}\n```"


# Spark


def spark() -> str:
    """Return what of each table node, and of users' SQL, runs on Spark."""
    rows = [
        [_link(node, f"nodes/{category}.md"), *_on_spark(node.declaration.without_spark)]
        for category, found in categories().items()
        for node in found
        if issubclass(node, Table)
    ]
    parts = ["## Nodes", table(["type", "on Spark", "what Spark lacks"], rows)]
    tried = [*VALUES, *FIGURES, *PLACES]
    functions = []
    for kind, names in FUNCTIONS.items():
        here, lacking = (sorted(name for name in names if (name in tried) is there) for there in (True, False))
        functions.append([kind, ", ".join(map(code, here)), ", ".join(map(code, lacking))])
    parts += ["## Functions of SQL", table(["kind", "on Spark", "not on Spark"], functions)]
    return "\n\n".join([*parts, "## Operators and casts", ", ".join(map(code, SYNTAX))])


def _on_spark(lacking: str) -> tuple[str, str]:
    if lacking.startswith("everything"):
        return "no", lacking.partition(": ")[2]
    return ("in part", lacking) if lacking else ("yes", "")


PARTS: dict[str, Callable[[], str]] = {
    "document": document_fields,
    "nodes": nodes,
    "operators": operators,
    "settings": settings,
    "commands": commands,
    "spark": spark,
    "sdk": sdk_reference,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
