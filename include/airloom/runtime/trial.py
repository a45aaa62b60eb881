"""Trying a document here and now: no Airflow, no store, and nothing written outside unless asked for."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.checks.resolved import Resolved
from airloom.engine.child import run_in_child
from airloom.engine.reference import TableReference, is_table
from airloom.engine.statistics import column_statistics
from airloom.engine.storage import Files
from airloom.engine.tables import count, first_rows
from airloom.nodes.context import RunFacts
from airloom.nodes.kinds import plain
from airloom.plan.build import build_plan
from airloom.plan.plan import Plan
from airloom.runtime.descriptions import describer
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.pinned import Pins, pin_problems, pinned_result
from airloom.runtime.pipeline import run_pipeline
from airloom.runtime.results import FAILED, NodeResult
from airloom.runtime.step import Workplace
from airloom.runtime.upstream import inputs_of
from airloom.runtime.values import previewed
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.document import Document
from airloom.spec.error import AirloomError, ConfigurationError
from airloom.spec.params import as_expression_values, parse_given, read_params
from airloom.spec.problem import Problem, errors, pointer, suggestion
from airloom.spec.values import read_values


@dataclasses.dataclass
class Trial:
    """Hold what came of a try: a report of each node, and all problems.

    `held_back` are the nodes that were not allowed to write, `unhandled` those that failed with nothing to handle it.
    """

    nodes: dict[str, dict[str, Any]]
    problems: list[Problem]
    held_back: list[str] = dataclasses.field(default_factory=list)
    unhandled: list[str] = dataclasses.field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Tell whether there was no problem but warnings, and no node failed without anything handling it."""
        return not errors(self.problems) and not self.unhandled

    def to_json(self) -> dict[str, Any]:
        """Return the form that `airloom try --json` prints."""
        return {"nodes": self.nodes, "problems": [problem.to_json() for problem in self.problems]}


def no_connections(name: str) -> Any:
    """Refuse every Connection."""
    raise ConfigurationError(
        f"there is no Connection {name!r} here", hint=f"set AIRFLOW_CONN_{name.upper()}, or give --connections FILE"
    )


def try_document(
    data: object,
    settings: Configuration,
    *,
    params: Mapping[str, str] | None = None,
    until: str | None = None,
    sample: int = 10,
    write: bool = False,
    rows: int | None = None,
    pinned: Pins | None = None,
    statistics: bool = False,
    connections: Callable[[str], Any] = no_connections,
    on_node: Callable[[str, dict[str, Any]], None] = lambda node, report: None,
) -> Trial:
    """Check a document and run it node by node; `until` runs that node and what it needs, `sample` is rows shown.

    Nodes that write are not run unless `write` is set. Of each table that is read from outside, `rows` are taken, all
    where None. A node in `pinned` is not run: its outputs are those given, as a report shows them, and what only it
    needs is not run either. With `statistics`, tables are reported with those of their columns. `on_node` is given the
    report of each node that was to run, as soon as it ended. Results are kept in a temporary folder.
    """
    report = check(data, _facts(settings, connections))
    trial = Trial({}, list(report.problems))
    if report.resolved is None or report.document is None:
        return trial
    schemas = report.document.params
    values, problems = read_params(schemas, parse_given(schemas, params or {}))
    trial.problems.extend(problem.at(pointer("params")) for problem in problems)
    if until is not None and until not in report.resolved.nodes:
        hint = suggestion(until, report.resolved.nodes)
        trial.problems.append(Problem("node.unknown", f"there is no node {until!r}", hint=hint))
    trial.problems.extend(pin_problems(report.resolved, pinned or {}))
    if errors(trial.problems):
        return trial
    plan = _single_plan(report.document, report.resolved)
    pins = pinned or {}
    wanted = _above(plan, plan.nodes if until is None else [until], frozenset(pins))
    with tempfile.TemporaryDirectory(prefix="airloom-try-") as folder:
        local = settings.model_copy(update={"data": folder, "uploads": settings.uploads_url})
        now, document = datetime.now(UTC), report.document.to_json()
        surroundings = LocalSurroundings(
            run=RunFacts(
                report.document.id, "try", logical_date=now, started_at=now, schedule=document.get("schedule")
            ),
            params=as_expression_values(schemas, values),
            connections=connections,
            sample_rows=rows,
            given={"inputs": inputs_of(document)},
        )
        try:
            results = {node: pinned_result(node, outputs, folder) for node, outputs in pins.items() if node in wanted}
        except AirloomError as error:
            trial.problems.append(Problem(error.code, error.message, node=error.node, hint=error.hint))
            return trial
        if not write:
            writing = [node for step in plan.steps for node in step.nodes if plan.nodes[node].effect == "write"]
            trial.held_back = [node for node in writing if node in wanted and node not in results]

        def skip(node: str) -> bool:
            return node not in wanted or node in trial.held_back

        _warm()
        for node, result in run_pipeline(
            plan, Workplace(report.document.to_json(), local), surroundings, skip, results
        ):
            trial.nodes[node] = node_report(result, sample, statistics)
            if result.state == FAILED and not result.handled:
                trial.unhandled.append(node)
            if not skip(node):
                on_node(node, trial.nodes[node])
    return trial


def _facts(settings: Configuration, connections: Callable[[str], Any]) -> Facts:
    values = read_values(settings.values_file)
    return Facts(files=Files.of(settings), describe=describer(connections), values=values)


def _single_plan(document: Document, resolved: Resolved) -> Plan:
    settings = document.settings.model_copy(update={"grouping": "none"})
    return build_plan(dataclasses.replace(resolved, document=document.model_copy(update={"settings": settings})))


def _above(plan: Plan, nodes: Iterable[str], pinned: frozenset[str]) -> set[str]:
    """Return these nodes and all that they need; what is pinned needs nothing."""
    needed: set[str] = set()
    waiting = list(nodes)
    while waiting:
        current = waiting.pop()
        if current in needed:
            continue
        needed.add(current)
        if current not in pinned:
            node = plan.nodes[current]
            sources = (*(source for port in node.inputs for source in port.sources), *node.after)
            waiting += [name for name in (source.partition(".")[0] for source in sources) if name in plan.nodes]
    return needed


def _warm() -> None:
    # Each step is a fork of this process: what is imported here is not imported again by each of them.
    import duckdb  # noqa: F401
    import sqlglot  # noqa: F401


def node_report(result: NodeResult, sample: int, statistics: bool = False) -> dict[str, Any]:
    """Return what a try, a preview and a run's view show of a node.

    Tables are read in a process of their own: a process that holds DuckDB's threads cannot safely fork the next step.
    """
    tables = {
        port: TableReference.from_json(reference) for port, reference in result.outputs.items() if is_table(reference)
    }
    read: dict[str, Any] = {}
    if tables:
        read = run_in_child(_table_reports, tables, sample, statistics, timeout=configuration().query_timeout)
    outputs = {port: read.get(port) or previewed(reference) for port, reference in result.outputs.items()}
    return {
        "state": result.state,
        "fired": result.fired,
        "outputs": outputs,
        "error": result.error,
        "seconds": result.statistics.get("seconds", 0.0),
    }


def _table_reports(tables: Mapping[str, TableReference], sample: int, statistics: bool) -> dict[str, Any]:
    return {port: _table_report(reference, sample, statistics) for port, reference in tables.items()}


def _table_report(reference: TableReference, sample: int, statistics: bool) -> dict[str, Any]:
    report: dict[str, Any] = {
        "kind": "table",
        "rows": count(reference),
        "columns": [{"name": name, "type": kind} for name, kind in reference.columns.items()],
        "sample": [plain(row) for row in first_rows(reference, sample)] if sample else [],
    }
    if statistics:
        report["statistics"] = plain(column_statistics(reference))
    return report
