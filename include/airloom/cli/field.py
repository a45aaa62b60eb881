"""Fields of a config or a document in words: name, type, default, meaning; and the ports of a node type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from airloom.nodes.fields import MARK
from airloom.spec.document import IDENTIFIER
from airloom.spec.duration import PATTERN

Json = Mapping[str, Any]

WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
MEANINGS = {
    "column": "column", "function": "name of a function", "path": "path", "pipeline": "pipeline",
    "raw": "text, not rendered", "secret": "secret",
}  # fmt: skip
SQL = {"condition": "SQL condition", "formula": "SQL formula", "query": "SQL query", "foreign": "SQL of the system"}


def rows_of_fields(schema: Json) -> list[list[str]]:
    """Return name, type, default and meaning of each field of an object, as Markdown."""
    required = schema.get("required", [])
    rows = []
    for name, field in schema["properties"].items():
        default = "required" if name in required else default_of(field)
        rows.append([f"`{name}`", kind_of(field), default, field.get("description", "")])
    return rows


def kind_of(schema: Json) -> str:
    """Return a JSON Schema in words."""
    if MARK in schema:
        return _marked(schema[MARK])
    if "$ref" in schema:
        return words(schema["$ref"].rsplit("/", 1)[-1])
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
        return f"Connection ({mark['type']})" if "type" in mark else "Connection"
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


def ports_in_words(ports: Iterable[Json]) -> str:
    """Return the ports of a node type on one line."""
    return ", ".join(_port(port) for port in ports) or "nothing"


def _port(port: Json) -> str:
    if "each" in port:
        return f"one for each of `{port['each']}` ({port['kind']})"
    if "interface" in port:
        return f"those of the pipeline that `{port['interface']}` names"
    kind = port["kind"]
    if port.get("many"):
        kind = f"one or more of {kind}" if port["required"] else f"any number of {kind}"
    elif not port.get("required", True):
        kind += ", optional"
    only = ""
    if "when" in port:
        only = f" where `{port['when']}` is " + (f"`{port['equals']}`" if "equals" in port else "set")
    return f"`{port['name']}` ({kind}){only}"


def paragraphs(text: str | None) -> str:
    """Return a docstring as paragraphs without indents and line ends of its own."""
    found = (text or "").strip().split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in found)


def code(value: Any) -> str:
    """Return a value as code, text without quotes where it stays clear."""
    text = (
        value
        if isinstance(value, str) and value.strip() == value != ""
        else json.dumps(value, ensure_ascii=False, default=str)
    )
    return f"`{text}`"


def words(name: str) -> str:
    """Return the name of a class as words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removeprefix("Pipeline")).removesuffix(" Entry").lower()
