"""Column types of every port, without data: each node's query over empty tables, each fault at its node and field.

Unknown stays unknown: below a node whose columns only a run can tell, nothing is said.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airloom.checks.config import CheckedNode
from airloom.checks.facts import Facts, unreachable
from airloom.checks.resolved import Wire
from airloom.engine.faults import REJECT_COLUMNS
from airloom.engine.policy import SqlFieldError
from airloom.engine.prepare import ready_files
from airloom.engine.relation import ColumnError, Columns, ColumnsUnknown, Query, Relation, name_as
from airloom.engine.scan import Scan
from airloom.engine.shapes import QueryError, Shapes
from airloom.engine.storage import FileMissing, Files
from airloom.nodes.calling import queries_of
from airloom.nodes.fields import marks_of
from airloom.nodes.sdk import FileSource, Node
from airloom.spec.document import EngineName
from airloom.spec.error import AirloomError
from airloom.spec.problem import Problem, Severity

# Binding a field by itself takes as long as its whole node: only where there is something to find.
_CONSTANTS = re.compile(r"'|::|(?<![<>])=|\b(cast|in|distinct|union)\b", re.IGNORECASE)
_COMPARES = re.compile(r"[=<>]|\b(and|or|not|is|in|i?like|between|true|false|exists)\b", re.IGNORECASE)


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

    `sources` are the columns of those that are no files, by node.
    """
    report = ColumnReport()
    found: dict[str, Columns | AirloomError] = dict(sources)
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
            if name in nodes and nodes[name].node is not None:
                _Columns(nodes[name], feeding, found.get(name), shapes, engine, report).find()
    return report


@functools.cache
def prepare() -> None:
    """Do once what each child of this process would do anew: import and set up what `report_columns` needs."""
    import duckdb  # noqa: F401

    from airloom.engine import constants, duck  # noqa: F401
    from airloom.engine.sql_field import parse_condition

    Relation("rows").where(parse_condition("number > 1")).sql("duckdb")


def describe_nodes(nodes: Mapping[str, CheckedNode], facts: Facts, problems: list[Problem]) -> dict[str, Columns]:
    """Ask the nodes that can tell their columns themselves, in this process: it holds the Connections.

    Without Connections and files, a node that needs them stays unknown.
    """
    context = facts.context()
    found: dict[str, Columns] = {}
    for name, checked in nodes.items():
        node = checked.node
        if node is None or not checked.ports.outputs:
            continue
        try:
            columns = node.describe(context or unreachable())
        except AirloomError as error:
            if context is None:
                continue
            at = checked.at + "/config" + ("/" + error.field.lstrip("/") if error.field else "")
            # The table may come before the run does: only what is wrong with a table that is there is an error.
            severity: Severity = "warning" if error.field in (None, "table", "connection") else "error"
            problems.append(Problem(error.code, error.message, severity, name, at, error.hint))
            continue
        except Exception as error:  # noqa: BLE001 somebody's node type may raise anything; the other nodes are checked
            problems.append(_fault_of_type(checked, "tell its columns", error))
            continue
        if columns is not None:
            found[name] = columns
    return found


def _scans(
    nodes: Mapping[str, CheckedNode], files: Files | None, found: dict[str, Columns | AirloomError]
) -> dict[str, Scan]:
    """Return the scans of the file sources; an error of one is put into `found`."""
    scans: dict[str, Scan] = {}
    for name, checked in nodes.items():
        if files is not None and isinstance(checked.node, FileSource):
            try:
                scans[name] = checked.node.scan(files)
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
        self.node: Node = checked.node  # type: ignore[assignment] # asked before
        self.described = described
        self.shapes = shapes
        self.engine = engine
        self.report = report
        self.sources = {port.name: feeding.get((self.name, port.name), []) for port in checked.ports.inputs}

    def find(self) -> None:
        if isinstance(self.described, AirloomError):
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
            self._check_marked_columns()

    def _keep(self, port: str, columns: Columns) -> None:
        name = f"{self.name}.{port}"
        try:
            self.shapes.add(name, columns)
        except AirloomError as error:
            self._problem(error, "")
            return
        self.report.columns[name] = dict(columns)

    def _relations(self) -> dict[str, Any]:
        relations: dict[str, Any] = {}
        for port in self.checked.ports.inputs:
            found = [
                Relation(source, self.shapes.columns.get(source), engine=self.engine)
                for source in self.sources[port.name]
            ]
            relations[port.name] = found if port.many else (found[0] if found else None)
        return relations

    def _find_query(self) -> None:
        if any(port.required and not self.sources[port.name] for port in self.checked.ports.inputs):
            return
        try:
            queries = queries_of(self.node, self._relations())
        except ColumnsUnknown:
            return
        except AirloomError as error:
            self._find_faults(error)
            return
        except Exception as error:  # noqa: BLE001 somebody's node type may raise anything; the other nodes are checked
            self.report.problems.append(_fault_of_type(self.checked, "make its query", error))
            return
        if not all(source in self.shapes.columns for found in self.sources.values() for source in found):
            return
        texts: dict[str, str] = {}
        for port, query in queries.items():
            columns = self._describe(port, query, texts)
            if columns is None:
                return
        for port, text in texts.items():
            self.report.sql.setdefault(self.name, {})[port] = text
        for at, fault in self._sure_faults(queries):
            self._problem(fault, at)

    @functools.cached_property
    def _forms(self) -> list[tuple[str, str]]:
        """Return the place of each field of SQL with what it is: a condition, a formula, a query."""
        marks = marks_of(type(self.node).config_schema(), dict(self.checked.entry.config))
        return [(at, mark["form"]) for at, mark, _ in marks if mark["is"] == "sql" and mark["form"] != "foreign"]

    def _sure_faults(self, queries: Mapping[str, Query]) -> Iterator[tuple[str, AirloomError]]:
        """Yield what fails in every run, in fields of SQL that can be bound."""
        yield from self._no_conditions()
        asked = [(at, form) for at, form in self._forms if _CONSTANTS.search(_value_at(self.node, at))]
        if not asked or self._constants_fault(*queries.values()) is None:
            return
        relations = [relation for relation in self._relations().values() if isinstance(relation, Relation)]
        for at, form in asked:
            if form == "query":
                fault = self._constants_fault(*queries.values())
            elif len(relations) == 1:
                formula = relations[0].formula(_value_at(self.node, at), aggregates=True)
                fault = self._constants_fault(relations[0].select(name_as(formula, "value")))
            else:
                fault = None
            if fault is not None:
                yield at, fault

    def _constants_fault(self, *queries: Query) -> AirloomError | None:
        from airloom.engine.constants import check_constants

        try:
            for query in queries:
                check_constants(query, self.shapes)
        except AirloomError as error:
            return error
        return None

    def _no_conditions(self) -> Iterator[tuple[str, QueryError]]:
        """Yield the fields that should be conditions and are values of another type."""
        texts = {at: _value_at(self.node, at) for at, form in self._forms if form == "condition"}
        asked = {at: text for at, text in texts.items() if not _COMPARES.search(text)}
        relations = [found for found in self._relations().values() if isinstance(found, Relation)] if asked else []
        for at, text in asked.items() if len(relations) == 1 else ():
            if _fault_of(relations[0], text, aggregates=False) is None:
                formula = relations[0].formula(text)
                found = self.shapes.kinds(relations[0].select(name_as(formula, "value")))
                kind = found[0][1] if found else "BOOLEAN"
                if kind not in ("BOOLEAN", '"NULL"'):
                    hint = "compare it, as in amount > 0 or status = 'paid'"
                    yield at, QueryError(f"a condition is true or false; this is {kind}", hint=hint)

    def _describe(self, port: str, query: Query, texts: dict[str, str]) -> Columns | None:
        try:
            text, columns = self.shapes.describe(query)
        except QueryError as error:
            at, found = self._blame(error)
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
            at, fault = self._spark_blame(error, known)
            self._problem(fault, at)
            return False
        return True

    def _spark_blame(self, error: AirloomError, known: Mapping[str, Columns]) -> tuple[str, AirloomError]:
        """Say each SQL field alone; the first that Spark cannot be told is the one."""
        from airloom.engine.spark.query import SparkUnsupported, to_spark

        fields = _sql_fields(self.node, self.checked.entry.config)
        relations = [relation for relation in self._relations().values() if isinstance(relation, Relation)]
        for at, _ in fields if relations else ():
            try:
                formula = relations[0].formula(_value_at(self.node, at), aggregates=True)
                to_spark(relations[0].select(name_as(formula, "value")).sql("duckdb"), known)
            except SparkUnsupported as found:
                return at, found
            except AirloomError:
                # A whole query is no formula; it is the only field of its node.
                return at, error
        return "", error

    # Where a fault stands

    def _find_faults(self, error: AirloomError) -> None:
        """Report what keeps the node from making its queries: every field that is wrong by itself, else the error."""
        before = len(self.report.problems)
        self._check_marked_columns()
        for at, fault in self._field_faults(error):
            self._problem(fault, at)
        if not any(problem.message == error.message for problem in self.report.problems[before:]):
            self._problem(error, self._field_of(error))

    def _field_faults(self, error: AirloomError) -> list[tuple[str, AirloomError]]:
        fields = _sql_fields(self.node, self.checked.entry.config)
        relations = list(self._relations().values())
        if len(fields) < 2 or len(relations) != 1 or not isinstance(relations[0], Relation):
            return []
        found = []
        for at, _ in fields:
            text = _value_at(self.node, at)
            plain, grouped = (_fault_of(relations[0], text, aggregates=allowed) for allowed in (False, True))
            # Whether the node allows aggregates here shows in the error it raised itself.
            fault = plain if plain is not None and plain.message == error.message else grouped
            if fault is not None:
                found.append((at, fault))
        return found

    def _field_of(self, error: AirloomError) -> str:
        config = self.checked.entry.config
        if error.field:
            return "/" + error.field.lstrip("/")
        if isinstance(error, ColumnError):
            for at, mark, value in marks_of(type(self.node).config_schema(), config):
                if mark["is"] == "column" and value == error.column:
                    return at
            return next((at for at, text in _sql_fields(self.node, config) if error.column in text), "")
        return self._blame(error)[0] if isinstance(error, SqlFieldError) else ""

    def _blame(self, error: AirloomError) -> tuple[str, AirloomError]:
        """Bind each SQL field alone; the first that fails is the one."""
        for at, fault in self._no_conditions():
            return at, fault
        fields = _sql_fields(self.node, self.checked.entry.config)
        if len(fields) == 1:
            return fields[0][0], error
        relations = [relation for relation in self._relations().values() if isinstance(relation, Relation)]
        for at, _ in fields if relations else ():
            text = _value_at(self.node, at)
            try:
                formula = relations[0].formula(text, aggregates=True)
                self.shapes.describe(relations[0].select(formula))
            except AirloomError as found:
                return at, found
        return "", error

    def _check_marked_columns(self) -> None:
        tables = [port for port in self.checked.ports.inputs if port.kind == "table" and self.sources[port.name]]
        if len(tables) != 1 or len(self.sources[tables[0].name]) != 1:
            return
        columns = self.shapes.columns.get(self.sources[tables[0].name][0])
        if columns is None:
            return
        relation = Relation("rows", columns)
        for at, mark, value in marks_of(type(self.node).config_schema(), self.checked.entry.config):
            if mark["is"] == "column" and "{{" not in value:
                try:
                    relation.resolve(value)
                except ColumnError as error:
                    self._problem(error, at)

    def _problem(self, error: AirloomError, at: str, severity: Severity = "error") -> None:
        where = self.checked.at + "/config" + at
        self.report.problems.append(Problem(error.code, error.message, severity, self.name, where, error.hint))


def _fault_of_type(checked: CheckedNode, what: str, error: Exception) -> Problem:
    message = f"the node type {checked.entry.type!r} cannot {what}: {type(error).__name__}: {error}"
    hint = "whoever wrote the node type has to mend it"
    return Problem("node.fault", message, "error", checked.entry.id, checked.at, hint)


def _fault_of(relation: Relation, text: str, *, aggregates: bool) -> AirloomError | None:
    try:
        relation.formula(text, aggregates=aggregates)
    except AirloomError as error:
        return error
    return None


def _sql_fields(node: Node, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    marks = marks_of(type(node).config_schema(), dict(config))
    return [(at, value) for at, mark, value in marks if mark["is"] == "sql"]


def _value_at(node: Node, at: str) -> Any:
    value: Any = node
    for part in (part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[1:]):
        if isinstance(value, Mapping):
            value = value[part]
        elif isinstance(value, list | tuple):
            value = value[int(part)]
        else:
            value = getattr(value, part)
    return value
