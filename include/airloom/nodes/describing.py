"""What the outside is told of a node type: command line, API and docs show the same."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from airloom.nodes.ports import Declared, Each, InterfacePorts, Maybe, Port
from airloom.nodes.sdk import Example, Node


def describe_node(node: type[Node]) -> dict[str, Any]:
    """Return what a node type declares of itself, its ports, its config's schema, and examples."""
    declaration = node.declaration
    inputs: tuple[Declared, ...] | list[Port] | None = declaration.inputs
    outputs: tuple[Declared, ...] | list[Port] | None = declaration.outputs
    if inputs is None:
        inputs = node.input_ports({})
    if outputs is None:
        outputs = node.output_ports({})
    return {
        "type": declaration.type,
        "category": declaration.category,
        "version": declaration.version,
        "title": declaration.title,
        "summary": declaration.summary,
        "inputs": [_port(port, target=True) for port in inputs],
        "outputs": [_port(port, target=False) for port in outputs],
        "effect": declaration.effect,
        "role": declaration.role,
        "requires": declaration.requires.partition(":")[0] if declaration.requires else None,
        "installed": node.missing_module() is None,
        "icon": declaration.icon,
        "stability": declaration.stability,
        "presets": [asdict(preset) for preset in declaration.presets],
        "examples": [_example(example) for example in node.examples],
        "schema": node.config_schema(),
    }


def _example(example: Example) -> dict[str, Any]:
    shown = asdict(example)
    if example.body is None:
        del shown["body"]
    return shown


def _port(declared: Declared, *, target: bool) -> dict[str, Any]:
    if isinstance(declared, Each):
        return {"each": declared.field, "name": declared.name, "kind": declared.kind}
    if isinstance(declared, Maybe):
        only = {"when": declared.when} | ({} if declared.equals is None else {"equals": declared.equals})
        return {"name": declared.port.name, "kind": declared.port.kind, **only}
    if isinstance(declared, InterfacePorts):
        return {"interface": declared.field}
    found: dict[str, Any] = {"name": declared.name, "kind": declared.kind}
    if target:
        found |= {"many": declared.many, "required": declared.required}
    return found
