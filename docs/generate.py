"""Write the generated parts of the pages: `python docs/generate.py`; with `--check`, only name the pages that are old.

A part stands between `<!-- generated: name -->` and `<!-- end -->`, and comes from the code that it tells about: the
models of the document, the catalog of node types, the settings, the command line.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer.main

from airloom.cli import app
from airloom.engine.policy import FUNCTIONS
from airloom.engine.spark.support import FIGURES, PLACES, SYNTAX, VALUES
from airloom.nodes.catalog import Catalog, catalog
from airloom.nodes.describing import describe_node
from airloom.nodes.fields import MARK
from airloom.nodes.sdk import Example, Node, Table
from airloom.spec.configuration import Configuration
from airloom.spec.document import IDENTIFIER, Document
from airloom.spec.duration import PATTERN

FOLDER = Path(__file__).parent
LINE = 110
PART = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Json = Mapping[str, Any]

WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
MEANINGS = {"column": "column", "path": "path", "raw": "text, not rendered", "secret": "secret"}
SQL = {"condition": "SQL condition", "formula": "SQL formula", "query": "SQL query", "foreign": "SQL of the system"}
CATEGORIES = {
    "files": "Files",
    "databases": "Databases",
    "tables": "Tables",
    "control": "Control",
    "objects": "Objects",
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages that are old, or name them where `--check` is given; return how many are old then."""
    old = {path: text for path in sorted(FOLDER.glob("*.md")) if (text := current(path)) != path.read_text()}
    for path, text in old.items():
        print(f"{path.name} is old" if "--check" in arguments else f"{path.name} is written")
        if "--check" not in arguments:
            path.write_text(text)
    return len(old) if "--check" in arguments else 0


def current(path: Path) -> str:
    """Return a page with its generated parts as they are to be; raise KeyError for a part that nothing makes."""
    return PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[3]}", path.read_text())


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
    required = schema.get("required", [])
    rows = []
    for name, field in schema["properties"].items():
        default = "required" if name in required else default_of(field)
        rows.append([f"`{name}`", kind_of(field), default, field.get("description", "")])
    return table(["field", "type", "default", "meaning"], rows)


def kind_of(schema: Json) -> str:
    """Return a JSON Schema in words."""
    if MARK in schema:
        return _marked(schema[MARK])
    if "$ref" in schema:
        return _words(schema["$ref"].rsplit("/", 1)[-1])
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            kinds = [kind_of(branch) for branch in schema[key] if branch.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(kind_of(item) for item in schema['prefixItems'])}]"
        return f"list of {kind_of(schema['items'])}" if schema.get("items") else "list"
    if schema.get("type") == "object":
        return _object(schema)
    return _scalar(schema)


def _marked(mark: Json) -> str:
    if mark["is"] == "connection":
        return f"Connection ({mark['type']})"
    return SQL[mark["form"]] if mark["is"] == "sql" else MEANINGS[mark["is"]]


def _object(schema: Json) -> str:
    inner = schema.get("additionalProperties")
    if not isinstance(inner, Mapping):
        inner = next(iter(schema.get("patternProperties", {}).values()), None)
    if inner is None:
        return "object"
    names = schema.get("propertyNames", {})
    return f"object: {'column' if MARK in names else 'name'} → {kind_of(inner)}"


def _scalar(schema: Json) -> str:
    if schema.get("pattern") == PATTERN:
        return "duration"
    if schema.get("pattern") == IDENTIFIER:
        return "id"
    if schema.get("format") == "date-time":
        return "date and time"
    kinds = schema.get("type", [])
    return " or ".join(WORDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)) or "any value"


def default_of(field: Json) -> str:
    """Return the default of a field as JSON writes it, a dash where it has none."""
    default = field.get("default")
    return "–" if default in (None, "", [], {}) else code(default)


# The node types


def nodes() -> str:
    """Return the reference of every built-in node type, by category."""
    known: dict[str, list[type[Node]]] = {}
    for node in built_in():
        known.setdefault(node.declaration.category, []).append(node)
    parts = [table(["type", "what it does"], [[_link(node), node.declaration.summary] for node in built_in()])]
    for category in (*CATEGORIES, *(other for other in known if other not in CATEGORIES)):
        if category in known:
            parts.append(f"## {CATEGORIES.get(category, category.capitalize())}")
            parts += [node_section(node) for node in known[category]]
    return "\n\n".join(parts)


def built_in() -> list[type[Node]]:
    """Return the node types of the package, by category and name, whatever the folder of the user holds."""
    of_package = {name: homes for name, homes in catalog().homes.items() if not any(home.own for home in homes)}
    found = Catalog(homes=of_package).all()
    order = [*CATEGORIES]
    place = {node: order.index(category) if (category := node.declaration.category) in order else 99 for node in found}
    return sorted(found, key=lambda node: (place[node], node.declaration.category, node.declaration.type))


def node_section(node: type[Node]) -> str:
    """Return the section of one node type: summary, ports, fields, examples."""
    described = describe_node(node)
    schema = described["schema"]
    parts = [f"### `{described['type']}`", paragraphs(node.__doc__)]
    parts.append(
        f"In: {_ports(described['inputs'])}. Out: {_ports(described['outputs'])}. Effect: {node.declaration.effect}."
    )
    if described["requires"]:
        parts.append(f"Needs the extra `{described['requires']}`: `pip install 'airloom[{described['requires']}]'`.")
    if schema.get("properties"):
        parts.append(fields_of(schema))
    for name, inner in schema.get("$defs", {}).items():
        if "properties" in inner:
            parts += [f"{_words(name).capitalize()}:", fields_of(inner)]
    parts += [example_of(example) for example in node.examples]
    return "\n\n".join(part for part in parts if part)


def paragraphs(text: str | None) -> str:
    """Return a docstring as paragraphs without indents and line ends of its own."""
    found = (text or "").strip().split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in found)


def _link(node: type[Node]) -> str:
    return f"[`{node.declaration.type}`](#{node.declaration.type})"


def _ports(ports: Iterable[Json]) -> str:
    return ", ".join(_port(port) for port in ports) or "nothing"


def _port(port: Json) -> str:
    if "each" in port:
        return f"one for each of `{port['each']}` ({port['kind']})"
    kind = port["kind"]
    if port.get("many"):
        kind = f"one or more of {kind}" if port["required"] else f"any number of {kind}"
    elif not port.get("required", True):
        kind += ", optional"
    return f"`{port['name']}` ({kind})" + (f" where `{port['when']}` is set" if "when" in port else "")


def example_of(example: Example) -> str:
    """Return an example: its config, and what goes in and comes out where it says so."""
    parts = [f"*{example.title}*", fenced(dict(example.config))]
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


def code(value: Any) -> str:
    """Return a value as code, text without quotes where it stays clear."""
    text = (
        value
        if isinstance(value, str) and value.strip() == value != ""
        else json.dumps(value, ensure_ascii=False, default=str)
    )
    return f"`{text}`"


def fenced(value: Any) -> str:
    """Return a value as a block of JSON, on one line where it fits."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > LINE:
        text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return f"```json\n{text}\n```"


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removeprefix("Pipeline")).removesuffix(" Entry").lower()


# Spark


def spark() -> str:
    """Return what of each table node, and of users' SQL, runs on Spark."""
    rows = [
        [f"[`{node.declaration.type}`](nodes.md#{node.declaration.type})", *_on_spark(node.declaration.without_spark)]
        for node in built_in()
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
    "settings": settings,
    "commands": commands,
    "spark": spark,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
