"""Pinned outputs: what a node is taken to give, so that it need not run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from airloom.checks.resolved import Resolved
from airloom.engine.tables import write_shown
from airloom.runtime.results import SUCCESS, NodeResult
from airloom.spec.error import AirloomError, ConfigurationError
from airloom.spec.problem import Problem, suggestion


class PinnedColumn(BaseModel):
    """Name a column and its type."""

    name: str
    type: str


class PinnedTable(BaseModel):
    """Hold rows as a report shows them."""

    kind: Literal["table"]
    columns: list[PinnedColumn]
    sample: list[dict[str, Any]]


class PinnedValue(BaseModel):
    """Hold a JSON value."""

    kind: str
    value: Any


Pins = Mapping[str, Mapping[str, PinnedTable | PinnedValue]]
"""Node → port → output."""

_PINS = TypeAdapter(dict[str, dict[str, PinnedTable | PinnedValue]])


def read_pins(data: object) -> Pins:
    """Read pinned outputs, given as JSON by node and port, or as the whole report of a try.

    Raises ConfigurationError where they are neither.
    """
    if isinstance(data, dict) and isinstance(data.get("nodes"), dict) and "problems" in data:
        data = {node: report["outputs"] for node, report in data["nodes"].items() if report.get("outputs")}
    try:
        return _PINS.validate_python(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise ConfigurationError(
            f"these are not outputs of nodes: {fault['msg'].lower()}" + (f" at {place}" if place else ""),
            hint='write {"orders": {"rows": {"kind": "table", "columns": [{"name": "id", "type": "INTEGER"}], '
            '"sample": [{"id": 1}]}}}, or give what `try --json` printed',
        ) from None


def pin_problems(resolved: Resolved, pinned: Pins) -> Iterator[Problem]:
    """Yield a problem for each node and port that the document does not have."""
    for node, outputs in pinned.items():
        if node not in resolved.nodes:
            hint = suggestion(node, resolved.nodes)
            yield Problem("node.unknown", f"outputs are pinned of a node {node!r}, which is not there", hint=hint)
            continue
        ports = [*(port.name for port in resolved.nodes[node].ports.outputs), "error"]
        for port in outputs:
            if port not in ports:
                hint = suggestion(port, ports) or f"its ports: {', '.join(ports)}"
                yield Problem(
                    "port.unknown", f"an output is pinned of port {port!r}, which is not there", node=node, hint=hint
                )


def pinned_result(node: str, outputs: Mapping[str, PinnedTable | PinnedValue], folder: str) -> NodeResult:
    """Return the result of a node that gave these outputs; tables are written below a folder.

    Raises DataError that names the node where rows are none of their columns' types.
    """
    references: dict[str, dict[str, Any]] = {}
    for port, output in outputs.items():
        if isinstance(output, PinnedValue):
            references[port] = {"kind": output.kind, "value": output.value}
            continue
        columns = {column.name: column.type for column in output.columns}
        try:
            table = write_shown(columns, output.sample, os.path.join(folder, "pinned", f"{node}.{port}.parquet"))
        except AirloomError as error:
            error.node = error.node or node
            raise
        references[port] = table.to_json()
    return NodeResult(SUCCESS, fired=list(outputs), outputs=references)
