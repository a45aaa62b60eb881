"""Keeping what a node gave: a reference for each port, and its statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from airloom.engine.batches import Batches
from airloom.engine.data_folder import DataFolder
from airloom.engine.reference import is_table
from airloom.engine.tables import write_batches
from airloom.nodes.context import RunFacts
from airloom.nodes.kinds import TableValue
from airloom.nodes.ports import Port
from airloom.nodes.sdk import Fired, Written
from airloom.plan.plan import PlanNode
from airloom.plan.rule import fired_ports
from airloom.runtime.rendering import shown
from airloom.runtime.results import SUCCESS, NodeResult
from airloom.runtime.table_work import TableDone
from airloom.runtime.values import reference_of
from airloom.spec.error import ConfigurationError


class Outputs:
    """Keep the outputs of the nodes of a run; `sample_rows` is how many rows of a source are kept, all where None.

    `without_secrets` gives a JSON value, which the port of a node gave, as it may be kept.
    """

    def __init__(
        self,
        data: DataFolder,
        run: RunFacts,
        sample_rows: int | None,
        without_secrets: Callable[[str, str, Any], Any],
    ) -> None:
        self._data = data
        self._run = run
        self._sample_rows = sample_rows
        self._without_secrets = without_secrets

    def place(self, node: str, port: str, suffix: str) -> str:
        """Return where an output of a node lies."""
        return self._data.place(replace(self._run, node=node), port, suffix)

    def keep_answer(self, node: PlanNode, ports: tuple[Port, ...], answer: Any) -> NodeResult:
        """Return the result of a node whose method gave `answer`."""
        if answer is None and node.role == "choice":
            answer = Fired("")
        if isinstance(answer, Fired):
            return self._keep_choice(node, ports, answer)
        if isinstance(answer, Written):
            done = {"rows": answer.rows, "target": answer.target}
            result = NodeResult(SUCCESS, fired=["done"], outputs={"done": {"kind": "object", "value": done}})
            result.statistics = {"rows": {"done": answer.rows}}
            return result
        named = isinstance(answer, tuple) and hasattr(answer, "_fields")
        # A port that this config lacks has a field in the answer all the same.
        if named and len(answer) > len(ports):
            answer = [getattr(answer, port.name) for port in ports]
        answers = list(answer) if named else [answer]
        result = NodeResult(SUCCESS, fired=[port.name for port in ports])
        for port, value in zip(ports, answers, strict=True):
            result.outputs[port.name] = self._reference(node, port.name, port.kind, value)
        rows = {name: reference["rows"] for name, reference in result.outputs.items() if is_table(reference)}
        result.statistics = {"rows": rows} if rows else {}
        return result

    def keep_table(
        self, node: PlanNode, done: TableDone, rendered: Mapping[str, Any], seconds: float, *, inner: bool
    ) -> NodeResult:
        """Return the result of a node of a table step; an `inner` one leaves nothing outside of its step."""
        result = NodeResult(SUCCESS, fired=list(node.ports), rendered=shown(rendered))
        # By these a later run knows whether the node would read the same again.
        read = {"read": done.read[node.id]} if node.id in done.read else {}
        if inner:
            named = {
                port: done.counts[f"{node.id}.{port}"] for port in node.ports if f"{node.id}.{port}" in done.counts
            }
            result.statistics = {**({"rows": named} if named else {}), **read}
            return result
        if node.id in done.written:
            result.outputs = {port: {"kind": "object", "value": done.written[node.id]} for port in node.ports}
            rows = {"done": done.written[node.id]["rows"]}
        else:
            result.outputs = {port: done.outputs[f"{node.id}.{port}"].to_json() for port in node.ports}
            rows = {port: reference["rows"] for port, reference in result.outputs.items()}
        result.statistics = {"rows": rows, "seconds": round(seconds, 3), **read}
        return result

    def _keep_choice(self, node: PlanNode, ports: tuple[Port, ...], answer: Fired) -> NodeResult:
        if node.role != "choice":
            raise ConfigurationError(
                f"the node type {node.type!r} chose port {answer.port!r}, and its role is {node.role}",
                hint='whoever wrote the node type declares it with role="choice"',
            )
        if answer.port and answer.port not in {port.name for port in ports}:
            raise ConfigurationError(f"the node chose port {answer.port!r}, which it does not have")
        result = NodeResult(SUCCESS, fired=list(fired_ports(node, chosen=answer.port)))
        if answer.port:
            result.outputs[answer.port] = self._reference(node, answer.port, "any", answer.value)
        return result

    def _reference(self, node: PlanNode, port: str, kind: str, value: Any) -> dict[str, Any]:
        if isinstance(value, TableValue):
            return value.reference.to_json()
        if isinstance(value, Batches):
            if self._sample_rows is not None and node.effect == "read":
                value = value.first(self._sample_rows)
            return write_batches(value, self.place(node.id, port, "parquet")).to_json()

        def write(large: Any, uri: str) -> int:
            return self._data.write_json(self._without_secrets(node.id, port, large), uri)

        return reference_of(node.id, port, kind, value, lambda: (self.place(node.id, port, "json"), write))
