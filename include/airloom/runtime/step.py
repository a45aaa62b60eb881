"""Running one step in this process: what an Airflow task, a preview and `airloom try` all go through."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from airloom.engine.batches import Batches
from airloom.engine.child import run_in_child
from airloom.engine.reference import TableReference, is_table, kind_of_value, object_reference
from airloom.engine.spark.session import BESIDE_HEAP
from airloom.engine.storage import DataFolder, Files
from airloom.engine.tables import arrow_of, open_batches, write_batches
from airloom.nodes.calling import call
from airloom.nodes.catalog import catalog
from airloom.nodes.context import PlainContext, RunFacts
from airloom.nodes.ports import Port, signature_of
from airloom.nodes.sdk import Batches as BatchesPort
from airloom.nodes.sdk import Control, Fired, Node, Written, ports_of
from airloom.plan.plan import Plan, PlanNode, PlanStep
from airloom.plan.rule import Outcome, decide, fired_ports, handles_failure, live_sources
from airloom.runtime.rendering import make_node, render_config, shown
from airloom.runtime.results import FAILED, NOT_RUN, SKIPPED, SUCCESS, NodeResult, StepResult, Surroundings, error_json
from airloom.runtime.table_work import TableDone, TableNode, TableWork, run_table_work
from airloom.runtime.values import TableValue, converted, value_of
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.document import EngineName
from airloom.spec.error import AirloomError, ConfigurationError, DataError, SystemFault
from airloom.spec.expression import View

BESIDE_TABLES = 512 << 20
"""Bytes that a query's process may take beside its tables: DuckDB's limit counts neither code nor long texts."""


def run_step(
    plan: Plan,
    step_id: str,
    document: Mapping[str, Any],
    surroundings: Surroundings,
    settings: Configuration | None = None,
) -> StepResult:
    """Run a step and return how each of its nodes ended; a node's failure is in its result and never raised."""
    return _Step(plan, plan.step(step_id), document, surroundings, settings or configuration()).run()


class _Step:
    def __init__(
        self,
        plan: Plan,
        step: PlanStep,
        document: Mapping[str, Any],
        surroundings: Surroundings,
        settings: Configuration,
    ) -> None:
        self.plan = plan
        self.step = step
        self.around = surroundings
        self.settings = settings
        self.configs = {node["id"]: node.get("config", {}) for node in document["nodes"]}
        self.files = Files.of(settings)
        self.data = DataFolder(settings.data_url)
        self.engine: EngineName = document.get("settings", {}).get("engine", "duckdb")
        self.results: dict[str, NodeResult] = {}
        self.names = {
            "nodes": View(plan.nodes, self._ports),
            "params": surroundings.params,
            "trigger": surroundings.trigger or {},
            "run": _run_names(surroundings.run),
            "loop": {},
        }

    # What is known of nodes, here and in other steps

    def _outcome(self, node: str) -> Outcome:
        if node in self.results:
            return self.results[node].outcome
        if self.plan.nodes[node].step == self.step.id:
            # Asked before its turn, for the whole group at once: it is taken to end well.
            return Outcome(SUCCESS, self.plan.nodes[node].ports)
        fired = self.around.fired(node)
        return Outcome(SKIPPED) if fired is None else Outcome(SUCCESS, tuple(fired))

    def _outcomes(self, node: PlanNode) -> dict[str, Outcome]:
        sources = {source.partition(".")[0] for port in node.inputs for source in port.sources}
        return {source: self._outcome(source) for source in sorted(sources) if self.plan.nodes[source].step}

    def _reference(self, source: str) -> dict[str, Any] | None:
        node, _, port = source.partition(".")
        if node in self.results:
            return self.results[node].outputs.get(port)
        return self.around.reference(node, port)

    def _ports(self, node: str) -> View:
        ports = (*self.plan.nodes[node].ports, "error")
        return View(ports, lambda port: self._port_value(node, port))

    def _port_value(self, node: str, port: str) -> Any:
        reference = self._reference(f"{node}.{port}")
        if reference is None:
            raise KeyError(f"nodes.{node}.{port} did not fire")
        return value_of(reference)

    # Running

    def run(self) -> StepResult:
        if self.step.kind == "table" and len(self.step.nodes) > 1:
            self._run_group()
        if len(self.results) < len(self.step.nodes):
            for identifier in self.step.nodes:
                self._run_node(self.plan.nodes[identifier])
        return StepResult({node: self.results[node] for node in self.step.nodes})

    def _run_group(self) -> None:
        """Run all nodes as one query; where that fails, nothing is kept, and running them singly names the fault."""
        nodes = []
        for node in (self.plan.nodes[identifier] for identifier in self.step.nodes):
            decision = decide(node, self._outcomes(node))
            if decision == "run":
                nodes.append(node)
            else:
                self.results[node.id] = NodeResult(SKIPPED if decision == "skipped" else NOT_RUN)
        if not nodes or nodes[-1].id != self.step.exit or not self._run_together(nodes):
            self.results.clear()

    def _run_together(self, nodes: list[PlanNode]) -> bool:
        try:
            rendered = {node.id: self._render(node) for node in nodes}
            done = self._table_work(nodes, rendered)
        except Exception:  # noqa: BLE001 whatever it is, the node at fault shows it again
            self.around.log.info("the step failed as one query; its nodes are run one by one to name the one at fault")
            return False
        share = done.seconds / len(nodes)
        for node in nodes:
            self._keep_table(node, done, rendered[node.id], share, inner=node.id != self.step.exit)
        return True

    def _run_node(self, node: PlanNode) -> None:
        decision = decide(node, self._outcomes(node))
        if decision != "run":
            self.results[node.id] = NodeResult(SKIPPED if decision == "skipped" else NOT_RUN)
            return
        started = time.monotonic()
        rendered: dict[str, Any] | None = None
        try:
            rendered = self._render(node)
            if node.method in ("query", "scan", "copy_to"):
                self._keep_table(node, self._table_work([node], {node.id: rendered}), rendered)
            else:
                self._run_method(node, rendered)
        except Exception as error:  # noqa: BLE001 whatever a node raises is its result
            self._keep_failure(node, error, rendered)
        self.results[node.id].statistics.setdefault("seconds", round(time.monotonic() - started, 3))

    def _render(self, node: PlanNode) -> dict[str, Any]:
        node_class = catalog().get(node.type, node.version)
        if extra := node_class.missing_extra():
            # Whoever published it had the package; another worker may have it, too.
            raise SystemFault(
                f"{node.type} needs a package that is not installed on {socket.gethostname()}",
                node=node.id,
                hint=f"run there: pip install 'airloom[{extra}]'",
            )
        try:
            return render_config(node_class, self.configs[node.id], self.names)
        except AirloomError as error:
            error.node = error.node or node.id
            raise

    def _keep_failure(self, node: PlanNode, error: Exception, rendered: dict[str, Any] | None) -> None:
        found = error_json(error, node.id)
        if found["trace"]:
            self.around.log.error("node %s failed: %s\n%s", node.id, found["message"], found["trace"])
        else:
            self.around.log.error("node %s failed: %s", node.id, error)
        result = NodeResult(FAILED, error=found, rendered=shown(rendered) if rendered is not None else None)
        retried = found["failure"] in ("transient", "system") and not self.around.run.last_attempt
        if not retried:
            result.handled = handles_failure(node)
            result.fired = list(fired_ports(node, failed=True))
            null = {"kind": "object", "value": {**found, "trace": None}}
            for port in result.fired:
                result.outputs[port] = null if port == "error" else {"kind": "any", "value": None}
        self.results[node.id] = result

    # Tables

    def _table_work(self, nodes: list[PlanNode], rendered: Mapping[str, Mapping[str, Any]]) -> TableDone:
        inside = {node.id for node in nodes}
        sources: dict[str, TableReference] = {}
        work = []
        for node in nodes:
            outcomes = self._outcomes(node)
            inputs = {port.name: live_sources(port.sources, outcomes) for port in node.inputs}
            for source in (source for found in inputs.values() for source in found):
                if source.partition(".")[0] not in inside and source not in sources:
                    sources[source] = self._table(node, source)
            many = frozenset(port.name for port in node.inputs if port.many)
            work.append(
                TableNode(
                    id=node.id, type=node.type, version=node.version, config=rendered[node.id], inputs=inputs,
                    many=many, outputs=node.ports, sql=node.sql if self._all_live(node, inputs) else {},
                    columns=node.columns,
                )
            )  # fmt: skip
        exit_node = nodes[-1]
        targets = {}
        if exit_node.method != "copy_to":
            facts = replace(self.around.run, node=exit_node.id)
            targets = {f"{exit_node.id}.{port}": self.data.place(facts, port, "parquet") for port in exit_node.ports}
        memory = int(self.settings.memory_limit * 1.5) + BESIDE_TABLES
        work_of_all = TableWork(
            tuple(work), sources, targets, self.files, self.settings.memory_limit, self.settings.threads, self.engine,
            self.settings.spark_master, self.data.place(replace(self.around.run, node=exit_node.id), "on", "spark"),
            self.around.sample_rows,
        )  # fmt: skip
        return run_in_child(
            run_table_work,
            work_of_all,
            timeout=self.settings.query_timeout,
            memory=memory if self.engine == "duckdb" else memory + BESIDE_HEAP,
        )

    @staticmethod
    def _all_live(node: PlanNode, inputs: Mapping[str, list[str]]) -> bool:
        return all(len(inputs[port.name]) == len(port.sources) for port in node.inputs)

    def _table(self, node: PlanNode, source: str) -> TableReference:
        reference = self._reference(source)
        if is_table(reference):
            return TableReference.from_json(reference or {})
        value = value_of(reference) if reference is not None else None
        if not isinstance(value, list):
            raise DataError(
                f"{source} carries no table but {kind_of_value(value)}",
                node=node.id,
                hint="only a table, or a list of objects, can be read as rows",
            )
        rows = arrow_of(value, source)
        # The list is kept as a table of its own, so that a query can read it like any other.
        facts = replace(self.around.run, node=node.id)
        place = self.data.place(facts, f"from-{source}", "parquet")
        return write_batches(Batches(rows.schema, rows.to_batches()), place)

    def _keep_table(
        self, node: PlanNode, done: TableDone, rendered: Mapping[str, Any], seconds: float | None = None, *,
        inner: bool = False,
    ) -> None:  # fmt: skip
        result = NodeResult(SUCCESS, fired=list(node.ports), rendered=shown(rendered))
        for port in node.ports if not inner else ():
            name = f"{node.id}.{port}"
            if node.id in done.written:
                result.outputs[port] = {"kind": "object", "value": done.written[node.id]}
            else:
                result.outputs[port] = done.outputs[name].to_json()
        rows = {port: reference.get("rows") for port, reference in result.outputs.items() if is_table(reference)}
        if node.id in done.written:
            rows = {"done": done.written[node.id]["rows"]}
        if not inner:
            result.statistics = {"rows": rows, "seconds": round(done.seconds if seconds is None else seconds, 3)}
        self.results[node.id] = result

    # Everything else

    def _run_method(self, node: PlanNode, rendered: Mapping[str, Any]) -> None:
        made = make_node(catalog().get(node.type, node.version), rendered)
        ports = ports_of(type(made), made)
        around = self.around
        facts = replace(around.run, node=node.id)
        context = PlainContext(facts, around.params, self.files, around.connection, around.log)
        with ExitStack() as stack:
            values = self._inputs(node, made, ports.inputs, stack)
            answer = call(made, ports.inputs, values, context)
            if answer is None and isinstance(made, Control):
                answer = Fired("")
            self.results[node.id] = self._keep_answer(node, ports.outputs, answer)
        self.results[node.id].rendered = shown(rendered)

    def _inputs(self, node: PlanNode, made: Node, ports: tuple[Port, ...], stack: ExitStack) -> dict[str, Any]:
        outcomes = self._outcomes(node)
        by_name = {port.name: port for port in ports}
        streams = _stream_ports(made)
        values: dict[str, Any] = {}
        for port in node.inputs:
            found = []
            for source in live_sources(port.sources, outcomes):
                if by_name[port.name].kind == "table" and port.name in streams:
                    found.append(stack.enter_context(open_batches(self._table(node, source))))
                else:
                    reference = self._reference(source)
                    value = value_of(reference) if reference is not None else None
                    found.append(converted(value, by_name[port.name].kind))
            values[port.name] = found if port.many else (found[0] if found else None)
        return values

    def _keep_answer(self, node: PlanNode, ports: tuple[Port, ...], answer: Any) -> NodeResult:
        if isinstance(answer, Fired):
            known = {port.name for port in ports}
            if answer.port and answer.port not in known:
                raise ConfigurationError(f"the node chose port {answer.port!r}, which it does not have")
            result = NodeResult(SUCCESS, fired=list(fired_ports(node, chosen=answer.port)))
            if answer.port:
                result.outputs[answer.port] = self._store(node, answer.port, "any", answer.value)
            return result
        if isinstance(answer, Written):
            done = {"rows": answer.rows, "target": answer.target}
            result = NodeResult(SUCCESS, fired=["done"], outputs={"done": {"kind": "object", "value": done}})
            result.statistics = {"rows": {"done": answer.rows}}
            return result
        named = isinstance(answer, tuple) and hasattr(answer, "_fields")
        answers = list(answer) if named else [answer]
        result = NodeResult(SUCCESS, fired=[port.name for port in ports])
        for port, value in zip(ports, answers, strict=True):
            result.outputs[port.name] = self._store(node, port.name, port.kind, value)
        rows = {name: ref["rows"] for name, ref in result.outputs.items() if is_table(ref)}
        result.statistics = {"rows": rows} if rows else {}
        return result

    def _store(self, node: PlanNode, port: str, kind: str, value: Any) -> dict[str, Any]:
        facts = replace(self.around.run, node=node.id)
        if isinstance(value, TableValue):
            return value.reference.to_json()
        if isinstance(value, Batches):
            if self.around.sample_rows is not None and node.effect == "read":
                value = value.first(self.around.sample_rows)
            return write_batches(value, self.data.place(facts, port, "parquet")).to_json()
        if hasattr(value, "model_dump"):
            value = value.model_dump(mode="json")
        return object_reference(port, kind, value, lambda: (self.data.place(facts, port, "json"), self.data.write_json))


def _stream_ports(node: Node) -> set[str]:
    parameters = signature_of(getattr(type(node), node.method)).parameters.values()
    return {parameter.name for parameter in parameters if parameter.annotation is BatchesPort}


def _run_names(run: RunFacts) -> dict[str, Any]:
    return {
        "id": run.run_id,
        "logical_date": run.logical_date,
        "started_at": run.started_at,
        "attempt": run.attempt,
    }
