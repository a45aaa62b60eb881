"""Column types of every port, without data: each node's query over empty tables, each fault at its node and field.

Unknown stays unknown: below a node whose columns only a run can tell, nothing is said.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airloom.checks.blame import Blame
from airloom.checks.config import CheckedNode
from airloom.checks.facts import Describe, Description, Facts, Question
from airloom.checks.resolved import Wire
from airloom.engine.faults import REJECT_COLUMNS
from airloom.engine.prepare import ready_files
from airloom.engine.relation import Columns, ColumnsUnknown, Query, Relation
from airloom.engine.scan import Scan
from airloom.engine.shapes import QueryError, Shapes
from airloom.engine.storage import FileMissing, Files
from airloom.nodes.calling import queries_of
from airloom.nodes.context import Context, PlainContext, RunFacts
from airloom.nodes.fields import value_at
from airloom.nodes.sdk import FileSource, Node
from airloom.spec.document import Document, EngineName
from airloom.spec.error import AirloomError, ConfigurationError, TextFault, TransientError
from airloom.spec.problem import Part, Problem, Severity


class NodeFault(ConfigurationError):
    """Raise when a node type does what none should."""

    code = "node.fault"

    @classmethod
    def of(cls, node_type: str, what: str, error: Exception) -> NodeFault:
        """Return the fault of a type that cannot do something."""
        message = f"the node type {node_type!r} cannot {what}: {type(error).__name__}: {error}"
        return cls(message, hint="the author of the node type has to correct it")


class NoAnswer(TransientError):
    """Raise when a system behind a Connection does not answer in time."""

    code = "connection.no_answer"


@dataclass
class ColumnReport:
    """Hold the columns of each `node.port` that is known, each table node's SQL, and what is wrong."""

    columns: dict[str, Columns] = field(default_factory=dict)
    sql: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def report_columns(
    nodes: Mapping[str, CheckedNode],
    wires: Sequence[Wire],
    order: Sequence[str],
    facts: Facts,
    sources: Mapping[str, Columns],
    engine: EngineName,
) -> ColumnReport:
    """Return the column types of a document's nodes; to be run in a process that can be killed.

    `sources` are the columns of those that read through Connections, by node.
    """
    report = ColumnReport()
    found: dict[str, Columns | AirloomError] = dict(sources)
    _describe_without_connections(nodes, facts.files, found, report.problems)
    feeding: dict[tuple[str, str], list[str]] = {}
    for wire in wires:
        feeding.setdefault((wire.target, wire.input), []).append(f"{wire.source}.{wire.output}")
    with contextlib.ExitStack() as stack:
        scans = _scans(nodes, facts.files, found)
        paths: dict[str, list[str]] = {}
        for name, scan in scans.items():
            try:
                paths[name] = ready_files(scan, stack)
            except AirloomError as error:
                found[name] = error
        shapes = stack.enter_context(Shapes(read=[path for found_paths in paths.values() for path in found_paths]))
        for name, local in paths.items():
            try:
                found[name] = shapes.scanned(scans[name], local)
            except AirloomError as error:
                found[name] = error
        for name in order:
            if name in nodes and nodes[name].read is not None:
                _Columns(nodes[name], feeding, found.get(name), shapes, engine, report).find()
    return report


@functools.cache
def prepare() -> None:
    """Do once what each child of this process would do anew: import and set up what `report_columns` needs."""
    import duckdb  # noqa: F401

    from airloom.engine import constants, duck  # noqa: F401
    from airloom.engine.sql_field import parse_condition

    Relation("rows").where(parse_condition("number > 1")).sql("duckdb")


def ask_for_columns(
    document: Document, nodes: Mapping[str, CheckedNode], describe: Describe, problems: list[Problem]
) -> dict[str, Columns]:
    """Return the columns of the nodes that read through Connections, as far as they are told."""
    asked = {name: checked for name, checked in nodes.items() if _is_asked(checked) and _describes(checked)}
    if not asked:
        return {}
    questions = [
        Question(
            name,
            checked.entry.type,
            checked.entry.version,
            checked.entry.config,
            document.params,
            list(checked.connections.values()),
        )
        for name, checked in asked.items()
    ]
    found: dict[str, Columns] = {}
    for name, description in describe(questions).items():
        if description.error is not None:
            problems.append(_undescribed(asked[name], description.error))
        elif description.columns is not None:
            found[name] = description.columns
    return found


def _is_asked(checked: CheckedNode) -> bool:
    """Tell whether a node has to ask through a Connection."""
    return bool(checked.connections) and not checked.node_class.describes_by_config


def _describes(checked: CheckedNode) -> bool:
    overridden = checked.node_class.describe is not Node.describe
    return overridden and checked.node is not None and bool(checked.ports.outputs)


def _undescribed(checked: CheckedNode, error: AirloomError) -> Problem:
    if isinstance(error, NodeFault) or error.code == NodeFault.code:
        return Problem(error.code, error.message, "error", checked.entry.id, checked.at, error.hint)
    field = error.field
    if field is None and error.code == NoAnswer.code:
        field = next(iter(checked.connections), None)
    at = checked.at + "/config" + ("/" + field.lstrip("/") if field else "")
    # The table may come before the run does: only what is wrong with a table that is there is an error.
    severity: Severity = "warning" if error.field in (None, "table", "connection") else "error"
    return Problem(error.code, error.message, severity, checked.entry.id, at, error.hint)


def described(node: Node, context: Context) -> Description:
    """Ask a node for its columns; what goes wrong is in the answer."""
    try:
        return Description(node.describe(context))
    except AirloomError as error:
        return Description(error=error)
    except Exception as error:  # noqa: BLE001 somebody's node type may raise anything; the other nodes are checked
        return Description(error=NodeFault.of(node.declaration.type, "tell its columns", error))


def _describe_without_connections(
    nodes: Mapping[str, CheckedNode], files: Files | None, found: dict[str, Any], problems: list[Problem]
) -> None:
    """Ask the nodes that can tell their columns by their config, or by files."""
    context = PlainContext(
        RunFacts("check", "check"), {}, files or Files(Path(), ()), _refuse, logging.getLogger("airloom.check")
    )
    for name, checked in nodes.items():
        if _is_asked(checked) or not _describes(checked):
            continue
        description = described(checked.node, context)  # type: ignore[arg-type] # asked before
        if description.columns is not None:
            found[name] = description.columns
        elif description.error is not None and (files is not None or isinstance(description.error, NodeFault)):
            problems.append(_undescribed(checked, description.error))


def _refuse(name: str) -> Any:
    hint = "whoever wrote the node type has to declare the field with ConnectionId"
    raise ConfigurationError(f"Connection {name!r} is asked for, but no field of the config names it", hint=hint)


def _scans(
    nodes: Mapping[str, CheckedNode], files: Files | None, found: dict[str, Columns | AirloomError]
) -> dict[str, Scan]:
    """Return the scans of the file sources; an error of one is put into `found`."""
    scans: dict[str, Scan] = {}
    for name, checked in nodes.items():
        node = checked.read
        if files is not None and isinstance(node, FileSource):
            try:
                scans[name] = node.scan(files)
            except AirloomError as error:
                found[name] = error
    return scans


class _Columns:
    def __init__(
        self,
        checked: CheckedNode,
        feeding: Mapping[tuple[str, str], list[str]],
        described: Columns | AirloomError | None,
        shapes: Shapes,
        engine: EngineName,
        report: ColumnReport,
    ) -> None:
        self.checked = checked
        self.name = checked.entry.id
        self.node: Node = checked.read  # type: ignore[assignment] # asked before
        self.described = described
        self.shapes = shapes
        self.engine = engine
        self.report = report
        self.sources = {port.name: feeding.get((self.name, port.name), []) for port in checked.ports.inputs}

    def find(self) -> None:
        if not self.checked.sure:
            # What is left of its config is looked at, as far as it is right or wrong by itself.
            for at, fault in self._blame.wrong_alone(self._table_columns()):
                self._problem(fault, at)
        elif isinstance(self.described, AirloomError):
            # The file may come before the run does: what cannot be looked at now is no error yet.
            missing = isinstance(self.described, FileMissing)
            at = "/" + (self.described.field or "path").lstrip("/")
            self._problem(self.described, at, severity="warning" if missing else "error")
        elif self.described is not None:
            self._keep(self.checked.ports.outputs[0].name, self.described)
            if self.node.method == "scan" and len(self.checked.ports.outputs) > 1:
                self._keep(self.checked.ports.outputs[1].name, REJECT_COLUMNS)
        elif self.node.method == "query":
            self._find_query()
        else:
            for at, fault in self._blame.wrong_columns(self._table_columns()):
                self._problem(fault, at)

    def _keep(self, port: str, columns: Columns) -> None:
        name = f"{self.name}.{port}"
        try:
            self.shapes.add(name, columns)
        except AirloomError as error:
            self._problem(error, "")
            return
        self.report.columns[name] = dict(columns)

    @functools.cached_property
    def _relations(self) -> dict[str, Any]:
        relations: dict[str, Any] = {}
        for port in self.checked.ports.inputs:
            found = [
                Relation(source, self.shapes.columns.get(source), engine=self.engine)
                for source in self.sources[port.name]
            ]
            relations[port.name] = found if port.many else (found[0] if found else None)
        return relations

    @functools.cached_property
    def _blame(self) -> Blame:
        config = self.checked.entry.config
        if self.checked.node is None:
            config = self.node.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return Blame(self.node, config, self._relations, self.shapes)

    def _find_query(self) -> None:
        if any(port.required and not self.sources[port.name] for port in self.checked.ports.inputs):
            return
        try:
            queries: Mapping[str, Query] | None = queries_of(self.node, self._relations)
        except ColumnsUnknown:
            queries = None
        except AirloomError as error:
            for at, fault in self._blame.of_making(error, self._table_columns()):
                self._problem(fault, at)
            return
        except Exception as error:  # noqa: BLE001 somebody's node type may raise anything; the other nodes are checked
            fault = NodeFault.of(self.checked.entry.type, "make its query", error)
            self.report.problems.append(_undescribed(self.checked, fault))
            return
        unreadable = list(self._blame.unreadable())
        for at, fault in unreadable:
            self._problem(fault, at)
        if not unreadable and queries is not None:
            self._bind(queries)

    def _bind(self, queries: Mapping[str, Query]) -> None:
        if not all(source in self.shapes.columns for found in self.sources.values() for source in found):
            return
        texts: dict[str, str] = {}
        for port, query in queries.items():
            columns = self._describe(port, query, texts)
            if columns is None:
                return
        for port, text in texts.items():
            self.report.sql.setdefault(self.name, {})[port] = text
        for at, fault in self._blame.sure_faults(queries):
            self._problem(fault, at)
        for at, fault in self._blame.null_comparisons():
            self._problem(fault, at, "warning")

    def _describe(self, port: str, query: Query, texts: dict[str, str]) -> Columns | None:
        try:
            text, columns = self.shapes.describe(query)
        except QueryError as error:
            for at, found in self._blame.of_binding(error):
                self._problem(found, at)
            return None
        texts[port] = text
        if self.engine == "spark" and not self._runs_on_spark(text, columns):
            return None
        self._keep(port, columns)
        return columns

    def _runs_on_spark(self, text: str, columns: Columns) -> bool:
        from airloom.engine.spark.query import SparkUnsupported, check_columns, to_spark

        known = {source: self.shapes.columns[source] for found in self.sources.values() for source in found}
        try:
            if self.node.declaration.order != "uses":
                to_spark(text, known)
            check_columns(columns)
        except SparkUnsupported as error:
            at, fault = self._blame.of_spark(error, known)
            self._problem(fault, at)
            return False
        return True

    def _table_columns(self) -> Columns | None:
        """Return the columns of the one table that comes in, or None where there are several or they are unknown."""
        tables = [port for port in self.checked.ports.inputs if port.kind == "table" and self.sources[port.name]]
        if len(tables) != 1 or len(self.sources[tables[0].name]) != 1:
            return None
        return self.shapes.columns.get(self.sources[tables[0].name][0])

    def _problem(self, error: AirloomError, at: str, severity: Severity = "error") -> None:
        where = self.checked.at + "/config" + at
        text = value_at(self.checked.entry.config, at)
        for found in (error, *(error.others if isinstance(error, TextFault) else ())):
            part = Part.of(text, found.word, found.line) if isinstance(found, TextFault) else None
            self.report.problems.append(
                Problem(found.code, found.message, severity, self.name, where, found.hint, part=part)
            )
