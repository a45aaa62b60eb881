"""The JSON Schema of a whole document, so that an editor completes a dropped file."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from airloom.nodes.fields import MARK
from airloom.nodes.sdk import Node
from airloom.spec.document import Document

EXPRESSION = {"type": "string", "pattern": r"\{\{", "description": "An expression: {{ … }}"}


def document_schema(nodes: Iterable[type[Node]]) -> dict[str, Any]:
    """Return the schema (draft 2020-12); a node's config is told by its type."""
    schema = Document.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    entry = definitions["NodeEntry"]
    types = []
    rules = []
    for node in nodes:
        name = node.declaration.type
        types.append({"const": name, "title": node.declaration.title, "description": node.declaration.summary})
        definitions[f"config_{name}"] = _with_expressions(name, node.config_schema(), definitions)
        rules.append(
            {
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": {"properties": {"config": {"$ref": f"#/$defs/config_{name}"}}, **_required(node)},
            }
        )
    entry["properties"]["type"] = {"oneOf": types, "title": "Type"}
    entry["allOf"] = rules
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Airloom pipeline", **schema}


def _required(node: type[Node]) -> dict[str, Any]:
    return {"required": ["config"]} if node.config_schema().get("required") else {}


def _with_expressions(name: str, schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a config's schema with its definitions moved out, and an expression allowed wherever text is not."""
    found = copy.deepcopy(schema)
    for key, inner in found.pop("$defs", {}).items():
        definitions[f"{name}_{key}"] = _opened(inner, name)
    opened: dict[str, Any] = _opened(found, name)
    return opened


def _opened(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_opened(item, name) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        value = {**value, "$ref": value["$ref"].replace("#/$defs/", f"#/$defs/{name}_")}
    found = {key: _opened(item, name) for key, item in value.items() if key != MARK}
    if found.get("type") in ("integer", "number", "boolean", "array") or "enum" in found:
        described = {key: found.pop(key) for key in ("title", "description", "default") if key in found}
        return {**described, "anyOf": [found, EXPRESSION]}
    return found
