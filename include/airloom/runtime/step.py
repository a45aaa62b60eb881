"""Running one step in this process: what an Airflow task, a preview and `airloom try` all go through."""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from airloom.engine.address import is_url
from airloom.engine.child import run_in_child
from airloom.engine.data_folder import DataFolder
from airloom.engine.reference import TableReference
from airloom.engine.spark.session import BESIDE_HEAP
from airloom.engine.storage import Files
from airloom.engine.tables import one_database
from airloom.nodes.calling import call
from airloom.nodes.catalog import NodeFileUnknown, catalog, remember
from airloom.nodes.context import Context, PlainContext, RunFacts
from airloom.nodes.functions import known_file
from airloom.nodes.ports import Port
from airloom.nodes.sdk import Node, ports_of
from airloom.plan.plan import FINALLY, GROUP, PIPELINE, Plan, PlanNode, PlanStep
from airloom.plan.rule import decide, fired_ports, handles_failure
from airloom.runtime.inputs import Inputs, live_inputs
from airloom.runtime.loop import BodyRun, DoneItems, Share
from airloom.runtime.outputs import Outputs
from airloom.runtime.progress import Done, Progress, digest
from airloom.runtime.rendering import make_node, render_config, shown
from airloom.runtime.results import (
    FAILED,
    NOT_RUN,
    SKIPPED,
    SUCCESS,
    Call,
    NodeResult,
    StepResult,
    Surroundings,
    error_json,
    error_text,
)
from airloom.runtime.table_child import TableChild
from airloom.runtime.table_plan import TableNode, TableWork
from airloom.runtime.table_work import TableDone, run_table_work
from airloom.runtime.upstream import Upstream
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.document import Counts, EngineName
from airloom.spec.duration import parse_duration, retry_pause
from airloom.spec.error import AirloomError, ConfigurationError, DataError, SystemFault
from airloom.spec.node_file import NodeFile
from airloom.spec.scope import visits
from airloom.spec.upload import uploads_named

BESIDE_TABLES = 512 << 20
"""Bytes that a query's process may take beside its tables: DuckDB's limit counts neither code nor long texts."""
PASSING = ("transient", "system")
"""Kinds of failures that another try may not have."""
TABLE_METHODS = ("query", "scan", "copy_to")


def run_step(
    plan: Plan,
    step_id: str,
    document: Mapping[str, Any],
    surroundings: Surroundings,
    settings: Configuration | None = None,
) -> StepResult:
    """Run a step and return how each of its nodes ended; a node's failure is in its result and never raised."""
    return Workplace(document, settings or configuration()).run(plan, step_id, surroundings)


@dataclass(frozen=True)
class _Retries:
    """Say how often a node is tried again, and when."""

    number: int
    delay: float
    doubles: bool
    longest: float

    @classmethod
    def of(cls, document: Mapping[str, Any], entry: Mapping[str, Any]) -> _Retries:
        """Return those of an entry of a document."""
        values = {**document.get("settings", {}), **{key: value for key, value in entry.items() if value is not None}}
        return cls(
            values.get("retries", 0),
            parse_duration(values.get("retry_delay", "30s")).total_seconds(),
            values.get("retry_backoff") == "exponential",
            parse_duration(values.get("max_retry_delay", "1h")).total_seconds(),
        )

    def pause(self, retry: int) -> float:
        """Return the seconds before a retry, the first being 1."""
        return retry_pause(self.delay, retry, doubles=self.doubles, longest=self.longest)


class Workplace:
    """Hold what all steps of a document work with: its configs and settings, the files that it may reach."""

    def __init__(self, document: Mapping[str, Any], settings: Configuration) -> None:
        self.settings = settings
        self.configs = {visit.entry["id"]: visit.entry.get("config", {}) for visit in visits(document)}
        # What was checked at publishing stands in the document; an expression may not lead to another one.
        named = frozenset(identifier for _, identifier in uploads_named(self.configs))
        self.files = Files.of(settings, readable=named)
        self.engine: EngineName = document.get("settings", {}).get("engine", "duckdb")
        self.counts: Counts = document.get("settings", {}).get("counts", "small")
        self.data = DataFolder(settings.data_url)
        self.classes: dict[str, type[Node]] = {}
        self.retries = {visit.entry["id"]: _Retries.of(document, visit.entry) for visit in visits(document)}
        """How a node is tried again where its step does that itself."""
        self.ended: dict[str, NodeResult] = {}
        """How nodes outside of bodies ended, for whoever is interrupted."""
        self.at_work = ""
        """The node that runs now."""
        self.table_child: TableChild | None = None

    @property
    def memory(self) -> int:
        """Return the bytes that a process of table nodes may allocate."""
        memory = int(self.settings.memory_limit * 1.5) + BESIDE_TABLES
        return memory if self.engine == "duckdb" else memory + BESIDE_HEAP

    @contextmanager
    def body_tables(self, run: RunFacts) -> Iterator[None]:
        """Let the tables of bodies, also of those in them, be worked with in one process and one database meanwhile."""
        if self.table_child is not None:
            yield
            return
        folder = self.data.run_folder(run.pipeline, run.run_id)
        with nullcontext() if is_url(folder) else one_database(folder):
            self.table_child = TableChild(self.memory, folder)
            try:
                yield
            finally:
                self.table_child.end()
                self.table_child = None

    def run(
        self,
        plan: Plan,
        step_id: str,
        surroundings: Surroundings,
        skip: Callable[[str], bool] = lambda node: False,
        beside: Mapping[str, NodeResult] | None = None,
        share: Share | Sequence[int] | None = None,
    ) -> StepResult:
        """Run a step and return how each of its nodes ended; a node's failure is in its result and never raised.

        In a step without exits, the nodes that `skip` names are not run. `beside` are the results of nodes that the
        step would have in a run of the whole pipeline. Of a loop whose items several tasks share, `share` says which
        are this task's, and nothing is given; or, for the task behind them all, the first attempt of each: it gives
        what they have done.
        """
        step = _Step(self, plan, plan.step(step_id), surroundings, skip, share)
        step.results.update(beside or {})
        return step.run()


class _Step:
    def __init__(
        self,
        workplace: Workplace,
        plan: Plan,
        step: PlanStep,
        surroundings: Surroundings,
        skip: Callable[[str], bool],
        share: Share | Sequence[int] | None,
    ) -> None:
        self.skip = skip
        self.share = share
        self.workplace = workplace
        self.plan = plan
        self.step = step
        self.around = surroundings
        self.settings = workplace.settings
        self.upstream = Upstream(plan, step, surroundings)
        self.retries_left = 0 if surroundings.run.last_attempt else 1
        run, rows = surroundings.run, surroundings.sample_rows
        self.outputs = Outputs(workplace.data, run, rows, self._value_without_secrets)
        self.inputs = Inputs(plan, self.upstream, self.outputs, self._make)
        self.results = self.upstream.results

    def run(self) -> StepResult:
        with self.around.redactor.watching(self.around.log):
            self._run()
            results = {node: self._without_secrets(node, self.results[node]) for node in self.step.nodes}
        return StepResult(results, self.step.exits)

    def _run(self) -> None:
        if self.step.kind in (GROUP, FINALLY):
            self._run_all()
            return
        if self.step.kind == "table" and len(self.step.nodes) > 1:
            self._run_group()
        if any(node not in self.results for node in self.step.nodes):
            for identifier in self.step.nodes:
                self._run_node(self.plan.nodes[identifier])

    def _without_secrets(self, node: str, result: NodeResult) -> NodeResult:
        redactor = self.around.redactor
        for port, reference in result.outputs.items():
            value = reference.get("value")
            clean = self._value_without_secrets(node, port, value)
            if clean != value:
                result.outputs[port] = {**reference, "value": clean}
        result.statistics = redactor.value(result.statistics, keys=False)
        result.rendered = redactor.value(result.rendered)
        return result

    def _value_without_secrets(self, node: str, port: str, value: Any) -> Any:
        clean = self.around.redactor.data(value)
        if clean != value:
            text = "port %s of node %s gave a secret of a Connection: *** stands in its place"
            self.around.log.warning(text, port, node)
        return clean

    def _run_group(self) -> None:
        """Run all nodes as one query; where that fails, nothing is kept, and running them singly names the fault."""
        nodes = []
        for node in (self.plan.nodes[identifier] for identifier in self.step.nodes):
            decision = decide(node, self.upstream.outcomes(node))
            if decision == "run":
                nodes.append(node)
            else:
                self.results[node.id] = NodeResult(SKIPPED if decision == "skipped" else NOT_RUN)
        leaving = {node.id for node in nodes}.intersection(self.step.exits)
        if len(leaving) < len(self.step.exits) or not self._run_together(nodes):
            for identifier in self.step.nodes:
                self.results.pop(identifier, None)

    def _run_together(self, nodes: list[PlanNode]) -> bool:
        try:
            rendered = {node.id: self._render(node) for node in nodes}
            done = self._table_work(nodes, rendered, self.step.exits)
        except Exception:  # noqa: BLE001 whatever it is, the node at fault shows it again
            self.around.log.info("the step failed as one query; its nodes are run one by one to name the one at fault")
            return False
        share = done.seconds / len(nodes)
        for node in nodes:
            inner = node.id not in self.step.exits
            self.results[node.id] = self.outputs.keep_table(node, done, rendered[node.id], share, inner=inner)
        return True

    def _run_all(self) -> None:
        """Run nodes that share a task whatever they are; what an earlier attempt did is not done again."""
        nodes = [self.plan.nodes[identifier] for identifier in self.step.nodes]
        writes = any(node.effect == "write" for node in nodes)
        progress = Progress(self.workplace.data, replace(self.around.run, node=self.step.id), at_once=writes)
        try:
            for node in nodes:
                if self.skip(node.id):
                    self.results[node.id] = NodeResult(NOT_RUN)
                    continue
                done = progress.done(node.id)
                if done is not None and done.result is not None:
                    self.results[node.id] = NodeResult(**done.result)
                    continue
                self._run_with_retries(node)
                result = self._without_secrets(node.id, self.results[node.id])
                if result.state == SUCCESS or result.handled:
                    progress.add(node.id, Done(digest(None), asdict(result)), {})
        finally:
            progress.keep()

    def _run_with_retries(self, node: PlanNode) -> None:
        retries = self.workplace.retries[node.id]
        for left in range(retries.number, -1, -1):
            self.retries_left = left
            self.around.run = replace(self.around.run, last_attempt=left == 0)
            self._run_node(node)
            error = self.results[node.id].error
            if not left or error is None or error["failure"] not in PASSING:
                return
            pause = retries.pause(retries.number - left + 1)
            self.around.log.warning("node %s is tried again in %g s: %s", node.id, pause, error_text(error))
            time.sleep(pause)

    def _run_node(self, node: PlanNode) -> None:
        if self.around.outer is None:
            self.workplace.at_work = node.id
        self._run_now(node)
        if self.around.outer is None:
            self.workplace.ended[node.id] = self.results[node.id]

    def _run_now(self, node: PlanNode) -> None:
        decision = decide(node, self.upstream.outcomes(node))
        if decision != "run":
            self.results[node.id] = NodeResult(SKIPPED if decision == "skipped" else NOT_RUN)
            return
        started = time.monotonic()
        rendered: dict[str, Any] | None = None
        try:
            rendered = self._render(node)
            if node.method in TABLE_METHODS:
                done = self._table_work([node], {node.id: rendered}, (node.id,))
                result = self.outputs.keep_table(node, done, rendered, done.seconds, inner=False)
            else:
                result = self._run_method(node, rendered)
        except Exception as error:  # noqa: BLE001 whatever a node raises is its result
            result = self._failure(node, error, rendered)
        result.statistics.setdefault("seconds", round(time.monotonic() - started, 3))
        self.results[node.id] = result

    def _run_method(self, node: PlanNode, rendered: Mapping[str, Any]) -> NodeResult:
        made, ports, context = self._made(node, rendered)
        if made.step_kind == PIPELINE:
            return self._call_pipeline(node, rendered)
        body = None if node.body is None else self._body(node)
        with ExitStack() as stack:
            if body is not None:
                stack.enter_context(self.workplace.body_tables(self.around.run))
                stack.callback(body.end)
            values = self.inputs.values(node, made, ports, stack)
            answer = call(made, ports, values, context, body)
            if body is not None:
                body.go_on()
            if isinstance(self.share, Share):
                result = NodeResult(SUCCESS)
            else:
                result = self.outputs.keep_answer(node, ports_of(type(made), made).outputs, answer)
        if body is not None:
            result.statistics["nodes"] = body.statistics
        result.rendered = shown(rendered)
        return result

    def _body(self, node: PlanNode) -> BodyRun | DoneItems:
        if self.share is None or isinstance(self.share, Share):
            return BodyRun(node, self.workplace, self.around, self.upstream, self.share)
        return DoneItems(self.workplace.data, replace(self.around.run, node=node.id), self.share)

    def _call_pipeline(self, node: PlanNode, rendered: Mapping[str, Any]) -> NodeResult:
        inputs = {}
        for name, live in live_inputs(node, self.upstream).items():
            if live and (reference := self.upstream.reference(live[0])) is not None:
                inputs[name] = reference
        config = {**rendered}
        waits = config.get("wait", True)
        called = self.around.call(Call(node.id, config["pipeline"], config.get("params") or {}, inputs, waits))
        run = {"pipeline": config["pipeline"], "run_id": called.run_id}
        result = NodeResult(SUCCESS, fired=list(node.ports), rendered=shown(rendered), statistics={"run": run})
        for port in node.outputs:
            reference = {"kind": "object", "value": run} if port.name == "run" else called.outputs.get(port.name)
            if reference is None and port.kind == "table":
                raise DataError(
                    f"the pipeline {config['pipeline']!r} gave no table at its output {port.name!r}",
                    hint=f"in the run {called.run_id} nothing led to it",
                )
            result.outputs[port.name] = reference or {"kind": port.kind, "value": None}
        return result

    def _make(self, node: PlanNode) -> tuple[Node, tuple[Port, ...], Context]:
        return self._made(node, self._render(node))

    def _made(self, node: PlanNode, rendered: Mapping[str, Any]) -> tuple[Node, tuple[Port, ...], Context]:
        made = make_node(self._class(node), rendered)
        around = self.around
        facts = replace(around.run, node=node.id)
        functions = partial(self._function, node)
        context = PlainContext(facts, around.params, self.workplace.files, around.connection, around.log, functions)
        return made, ports_of(type(made), made).inputs, context

    def _class(self, node: PlanNode) -> type[Node]:
        if node.id in self.workplace.classes:
            return self.workplace.classes[node.id]
        try:
            node_class = catalog().get(node.type, node.version, node.file)
        except NodeFileUnknown:
            file = self.around.node_file(node.file)
            if file is None:
                raise
            remember(file)
            node_class = catalog().get(node.type, node.version, node.file)
        if missing := node_class.missing_module():
            # Whoever published it had the package; another worker may have it, too.
            raise SystemFault(
                f"{node.type} needs {missing.name}, which is not installed on {socket.gethostname()}",
                node=node.id,
                hint=f"there: {missing.hint}",
            )
        self.workplace.classes[node.id] = node_class
        return node_class

    def _function(self, node: PlanNode, name: str) -> NodeFile:
        digest = node.functions.get(name, "")
        file = known_file(digest) or (self.around.node_file(digest) if digest else None)
        if file is None:
            raise ConfigurationError(
                f"the file of the function {name!r} that this was published with is not known here ({digest[:12]})",
                node=node.id,
                hint="publish the pipeline again where its file is",
            )
        return file

    def _render(self, node: PlanNode) -> dict[str, Any]:
        try:
            return render_config(self._class(node), self.workplace.configs[node.id], self.upstream.names)
        except AirloomError as error:
            error.node = error.node or node.id
            raise

    def _failure(self, node: PlanNode, error: Exception, rendered: dict[str, Any] | None) -> NodeResult:
        failure = error_json(error, node.id, self.around.redactor)
        if failure["trace"]:
            # What failed is logged by whoever gets the result.
            what = self.around.redactor.text("".join(traceback.format_exception_only(error)))
            self.around.log.error("node %s failed:\n%s", node.id, failure["trace"].removesuffix(what).rstrip())
        result = NodeResult(FAILED, error=failure, rendered=shown(rendered) if rendered is not None else None)
        retried = failure["failure"] in PASSING and self.retries_left > 0
        if not retried:
            result.handled = handles_failure(node)
            result.fired = list(fired_ports(node, failed=True))
            null = {"kind": "object", "value": {**failure, "trace": None}}
            for port in result.fired:
                result.outputs[port] = null if port == "error" else {"kind": "any", "value": None}
        return result

    # Tables

    def _table_work(
        self, nodes: list[PlanNode], rendered: Mapping[str, Mapping[str, Any]], exits: tuple[str, ...]
    ) -> TableDone:
        inside = {node.id for node in nodes}
        sources: dict[str, TableReference] = {}
        work = []
        for node in nodes:
            inputs = live_inputs(node, self.upstream)
            for source in (source for live in inputs.values() for source in live):
                if source.partition(".")[0] not in inside and source not in sources:
                    sources[source] = self.inputs.table(node, source)
            many = frozenset(port.name for port in node.inputs if port.many)
            work.append(
                TableNode(
                    id=node.id, type=node.type, version=node.version, config=rendered[node.id], inputs=inputs,
                    many=many, outputs=node.ports, sql=node.sql if _all_live(node, inputs) else {},
                    columns=node.columns, file=node.file,
                )
            )  # fmt: skip
        leaving = [node for node in nodes if node.id in exits and node.method != "copy_to"]
        targets = {
            f"{node.id}.{port}": self.outputs.place(node.id, port, "parquet") for node in leaving for port in node.ports
        }
        work_of_all = TableWork(
            tuple(work), sources, targets, self.workplace.files, self.settings.memory_limit, self.settings.threads,
            self.workplace.engine, self.settings.spark_master, self.outputs.place(nodes[-1].id, "on", "spark"),
            self.around.sample_rows, self.workplace.counts,
        )  # fmt: skip
        timeout = self.settings.query_timeout
        if self.workplace.table_child is not None and self.workplace.engine == "duckdb":
            alike = all(node.method == "query" for node in nodes)
            return self.workplace.table_child.run(work_of_all, alike=alike, timeout=timeout)
        return run_in_child(run_table_work, work_of_all, timeout=timeout, memory=self.workplace.memory)


def _all_live(node: PlanNode, inputs: Mapping[str, list[str]]) -> bool:
    return all(len(inputs[port.name]) == len(port.sources) for port in node.inputs)
