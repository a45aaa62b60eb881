"""Calling a node's method with what its ports carry."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from airloom.engine.relation import Query, Relation
from airloom.engine.storage import Files
from airloom.nodes.context import Context
from airloom.nodes.ports import Port, signature_of
from airloom.nodes.sdk import Node, ports_of


def call(node: Node, ports: Sequence[Port], values: Mapping[str, Any], context: Context | None = None) -> Any:
    """Call the node's method; `values` has a list for a many-port, and None for a port that carries nothing."""
    arguments: list[Any] = []
    named: dict[str, Any] = {}
    used: set[str] = set()
    for parameter in list(signature_of(getattr(type(node), node.method)).parameters.values())[1:]:
        if parameter.annotation in (Context, Files):
            given = context if parameter.annotation is Context else context.files if context else None
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                named[parameter.name] = given
            else:
                arguments.append(given)
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            for port in ports:
                if port.name == parameter.name or (node.declaration.inputs is not None and port.name not in used):
                    value = values.get(port.name)
                    arguments.extend(value if isinstance(value, list) and port.many else [value])
                    used.add(port.name)
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            named.update({port.name: values.get(port.name) for port in ports if port.name not in used})
        else:
            value = values.get(parameter.name)
            if value is None and parameter.default is not inspect.Parameter.empty:
                value = parameter.default
            used.add(parameter.name)
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                named[parameter.name] = value
            else:
                arguments.append(value)
    return getattr(node, node.method)(*arguments, **named)


def queries_of(node: Node, relations: Mapping[str, Relation | list[Relation] | None]) -> dict[str, Query]:
    """Return a table node's queries by output port; raise ColumnsUnknown or ConfigurationError as the node does."""
    ports = ports_of(type(node), node)
    answer = call(node, ports.inputs, relations)
    if isinstance(answer, dict):
        return answer
    if isinstance(answer, tuple):
        return {port.name: query for port, query in zip(ports.outputs, answer, strict=True)}
    return {ports.outputs[0].name: answer}
