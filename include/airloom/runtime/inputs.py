"""What a node is given: values and tables of its edges, and what is wired to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from inspect import Parameter
from typing import Any

from airloom.engine.batches import Batches
from airloom.engine.reference import TableReference, is_table, kind_of_value
from airloom.engine.tables import arrow_of, open_batches, write_batches
from airloom.nodes.calling import call
from airloom.nodes.context import Context
from airloom.nodes.kinds import KINDS
from airloom.nodes.ports import Port, signature_of
from airloom.nodes.sdk import Batches as BatchesPort
from airloom.nodes.sdk import Node
from airloom.plan.plan import Plan, PlanNode
from airloom.plan.rule import live_sources
from airloom.runtime.outputs import Outputs
from airloom.runtime.upstream import Upstream
from airloom.runtime.values import input_value
from airloom.spec.error import AirloomError, DataError

Make = Callable[[PlanNode], tuple[Node, tuple[Port, ...], Context]]
"""Renders a node's config and makes the node, its ports and its context."""


class Inputs:
    """Give the nodes of a step what their ports carry; what is wired to several of them is made once."""

    def __init__(self, plan: Plan, upstream: Upstream, outputs: Outputs, make: Make) -> None:
        self._plan = plan
        self._upstream = upstream
        self._outputs = outputs
        self._make = make
        self._wired: dict[str, Any] = {}

    def values(self, node: PlanNode, made: Node, ports: tuple[Port, ...], stack: ExitStack) -> dict[str, Any]:
        """Return a value for each input: a list for a many-port, None for one that carries nothing."""
        outcomes = self._upstream.outcomes(node)
        kinds = {port.name: port.kind for port in ports}
        streams = _stream_ports(made, ports)
        values: dict[str, Any] = {}
        for port in node.inputs:
            carried: list[Any] = []
            if KINDS[port.kind].wiring:
                for source in port.sources:
                    wired = self._of_config(source.partition(".")[0])
                    carried.extend(wired if isinstance(wired, list) else [wired])
            for source in live_sources(port.sources, outcomes):
                if kinds[port.name] == "table" and port.name in streams:
                    carried.append(stack.enter_context(open_batches(self.table(node, source))))
                else:
                    carried.append(input_value(self._upstream.reference(source), kinds[port.name]))
            values[port.name] = carried if port.many else (carried[0] if carried else None)
        return values

    def table(self, node: PlanNode, source: str) -> TableReference:
        """Return the table that a `node.port` carries for a node; a list is kept as a table of its own."""
        reference = self._upstream.reference(source)
        if is_table(reference):
            return TableReference.from_json(reference or {})
        value = self._upstream.value(source)
        if not isinstance(value, list):
            raise DataError(
                f"{source} carries no table but {kind_of_value(value)}",
                node=node.id,
                hint="only a table, or a list of objects, can be read as rows",
            )
        rows = arrow_of(value, source)
        # A query can read it like any other.
        place = self._outputs.place(node.id, f"from-{source}", "parquet")
        return write_batches(Batches(rows.schema, rows.to_batches()), place)

    def _of_config(self, name: str) -> Any:
        """Return what a config node makes, with what is wired to it."""
        if name not in self._wired:
            node = self._plan.nodes[name]
            try:
                made, ports, context = self._make(node)
                with ExitStack() as stack:
                    self._wired[name] = call(made, ports, self.values(node, made, ports, stack), context)
            except AirloomError as error:
                error.node = error.node or name
                raise
        return self._wired[name]


def live_inputs(node: PlanNode, upstream: Upstream) -> dict[str, list[str]]:
    """Return the `node.port`s that fired, by input."""
    outcomes: Mapping[str, Any] = upstream.outcomes(node)
    return {port.name: live_sources(port.sources, outcomes) for port in node.inputs}


def _stream_ports(node: Node, ports: tuple[Port, ...]) -> set[str]:
    parameters = signature_of(getattr(type(node), node.method)).parameters.values()
    streams = [parameter for parameter in parameters if parameter.annotation is BatchesPort]
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in streams):
        return {port.name for port in ports}
    return {parameter.name for parameter in streams}
