"""Calling a node's method with what its ports carry."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from airloom.engine.relation import Query, Relation, keep_inner_apart
from airloom.engine.storage import Files
from airloom.nodes.context import Context, LoopBody
from airloom.nodes.ports import Port, signature_of
from airloom.nodes.sdk import GIVEN, Node, ports_of


def call(
    node: Node,
    ports: Sequence[Port],
    values: Mapping[str, Any],
    context: Context | None = None,
    body: LoopBody | None = None,
) -> Any:
    """Call the node's method; `values` has a list for a many-port, and None for a port that carries nothing."""
    given = {Context: context, Files: context.files if context else None, LoopBody: body}
    arguments: list[Any] = []
    named: dict[str, Any] = {}
    used: set[str] = set()
    for parameter in list(signature_of(getattr(type(node), node.method)).parameters.values())[1:]:
        if parameter.annotation in GIVEN:
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                named[parameter.name] = given[parameter.annotation]
            else:
                arguments.append(given[parameter.annotation])
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
        queries = answer
    elif isinstance(answer, tuple):
        queries = {port.name: query for port, query in zip(ports.outputs, answer, strict=True)}
    else:
        queries = {ports.outputs[0].name: answer}
    given = [found for value in relations.values() for found in (value if isinstance(value, list) else [value])]
    columns = [name for found in given if found is not None and found.known for name in found.columns]
    keep_inner_apart(queries.values(), columns)
    return queries
