"""Is this pipeline right? All that is wrong, at once; never an exception for a user's mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from importlib.util import find_spec
from os import cpu_count
from threading import BoundedSemaphore
from typing import Any

from airloom.checks.code_tests import problems_of_tests
from airloom.checks.columns import ColumnReport, ask_for_columns, prepare, report_columns
from airloom.checks.config import SECRET_TEXT, CheckedNode, ConfigCheck
from airloom.checks.facts import Facts
from airloom.checks.graph import GraphCheck, ScopeGraph, check_end
from airloom.checks.order import check_order
from airloom.checks.references import ReferenceCheck
from airloom.checks.resolution import Resolution
from airloom.checks.resolved import Resolved
from airloom.checks.unread import check_unread
from airloom.engine.child import MemoryExceeded, QueryTimeout, ask, run_in_child, safe_start
from airloom.engine.relation import Columns
from airloom.nodes.catalog import UnknownNodeType, catalog
from airloom.nodes.dialect import point_back, translate
from airloom.nodes.fields import marks_of, value_at
from airloom.nodes.kinds import KINDS
from airloom.nodes.manifest import manifest
from airloom.nodes.ports import ERROR, Port, no_interfaces
from airloom.spec.document import RESERVED_IDS, Document, Edge
from airloom.spec.error import AirloomError, SystemFault
from airloom.spec.params import Schemas, check_schemas
from airloom.spec.problem import Problem, errors, pointer, suggestion
from airloom.spec.reader import read_document
from airloom.spec.scope import scopes, visits
from airloom.spec.text import faults

CHECK_SECONDS = 30.0
WHOLE_CHECK_SECONDS = 60.0
MANY = 16
"""Threads for whoever has many documents checked: a few work at a time, the others wait for databases."""
PATTERN_SECONDS = 3.0
CHECK_MEMORY = 4 << 30
"""Bytes; the check's process is killed above them."""

_at_work = BoundedSemaphore(max(2, cpu_count() or 1))


@dataclass
class Report:
    """What a check found: all problems, the columns of each `node.port`, and what a plan is built from."""

    document: Document | None
    problems: list[Problem]
    columns: Mapping[str, Columns] = field(default_factory=dict)
    resolved: Resolved | None = None

    @property
    def correct(self) -> bool:
        """Tell whether the pipeline can be published: there is no problem but warnings."""
        return self.document is not None and not errors(self.problems)


def check(data: object, facts: Facts | None = None) -> Report:
    """Check a document as it was read from JSON or YAML; never raises for a user's mistake.

    One in another dialect is read into ours first: what is wrong then stands at its place in what was given.

    A process with threads has it checked in another one, a few documents at a time, within a bounded time.
    """
    facts = facts or Facts()
    if unheld := list(faults(data)):
        return Report(None, unheld)
    report = _check_here(data, facts) if safe_start() == "fork" else _check_apart(data, facts)
    if facts.run_tests and report.resolved is not None:
        # Here, where it is remembered what has passed.
        report.problems += problems_of_tests(report.resolved)
        if not report.correct:
            report.resolved = None
    return report


def _check_apart(data: object, facts: Facts) -> Report:
    answers = {"interface": _while_waiting(facts.interface)}
    if facts.describe is not None:
        answers["describe"] = _while_waiting(facts.describe)
    if facts.calls is not None:
        answers["calls"] = _while_waiting(facts.calls)
    plain = replace(facts, describe=None, calls=None, interface=no_interfaces)
    try:
        with _at_work:
            return run_in_child(
                _check_in_child,
                data,
                plain,
                frozenset(answers),
                timeout=WHOLE_CHECK_SECONDS,
                start="server",
                prepare=(prepare_server,),
                answers=answers,
            )
    except (QueryTimeout, MemoryExceeded, SystemFault) as error:
        return Report(None, [Problem("check.stopped", f"the document was not checked: {error.message}")])


def _while_waiting(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Let another check work while this one waits for an answer."""

    def waiting(*arguments: Any) -> Any:
        _at_work.release()
        try:
            return answer(*arguments)
        finally:
            _at_work.acquire()

    return waiting


def _check_in_child(data: object, facts: Facts, answers: frozenset[str]) -> Report:
    asked: dict[str, Any] = {name: partial(ask, name) for name in answers}
    return _check_here(data, replace(facts, **asked))


@cache
def prepare_server() -> None:
    """Do once what each process that checks a document would do anew."""
    prepare()
    for home in manifest():
        home.load().config_schema()


def _check_here(data: object, facts: Facts) -> Report:
    translation = translate(data)
    unreadable = translation.document is None and translation.problems
    report = Report(None, []) if unreadable else _check(translation.document, facts)
    report.problems = [*translation.problems, *(point_back(problem, translation, data) for problem in report.problems)]
    if errors(translation.problems):
        report.resolved = None
    return report


def _check(data: object, facts: Facts) -> Report:
    document, problems = read_document(data)
    problems = [_pointed_into_config(problem, data) for problem in problems]
    if document is None:
        return Report(None, _without_secrets(problems, set()))
    faulty = _check_params(document.params)
    problems.extend(faulty)
    _check_settings(document, facts, problems)
    _check_inputs(document, problems)
    checker = ConfigCheck(_with_open_params(document, faulty), facts)
    checker.check_words(document)
    nodes = _check_nodes(document, checker, problems)
    graph_check = GraphCheck(document, nodes, problems)
    graphs = graph_check.check()
    ReferenceCheck(document, graphs, nodes, problems).check()
    wires = tuple(wire for graph in graphs for wire in graph.wires)
    order = [name for graph in graphs for name in graph.order]
    if order:
        check_order(nodes, wires, problems)
    # In a circle, columns are followed as if the edge that leads back were not there.
    followed = [wire for graph in graphs for wire in (graph.wires if graph.order else graph.uncircled[0])]
    order += [name for graph in graphs for name in graph.uncircled[1]]
    found = ColumnReport()
    if order:
        # What comes into a node by an edge to no input of it is not known, nor what it makes of that.
        misled = {
            found.node for found in problems if found.code == "edge.unknown_port" and found.pointer.endswith("/to")
        }
        known = {name: node for name, node in nodes.items() if name not in misled}
        found = _columns(document, known, followed, order, facts, problems)
        _tell_unchecked(document, nodes, found.columns, problems)
    ends = _check_ends(document, nodes, graphs, problems)
    graph_check.warn_of_unconnected()
    check_unread(nodes, wires, [f"{node}.{port.name}" for node, port in ends.values()], problems)
    problems = _sorted(_without_secrets(problems, checker.secrets))
    report = Report(document, problems, found.columns)
    if report.correct:
        report.resolved = Resolution(document, nodes, graphs, found, ends, facts).resolve()
    return report


def _pointed_into_config(problem: Problem, data: object) -> Problem:
    """Return the problem of a node's unknown field; where it is one of its type's config, saying so."""
    entry, _, field = problem.pointer.rpartition("/")
    if problem.code != "document.unknown_field" or not entry.rpartition("/")[0].endswith("/nodes"):
        return problem
    node = value_at(data, entry)
    kind = node.get("type") if isinstance(node, dict) else None
    try:
        node_class = catalog().get(kind) if isinstance(kind, str) else None
    except UnknownNodeType:
        return problem
    if node_class is None or field not in node_class.model_fields:
        return problem
    message = f"{field!r} is a field of the config of {kind}"
    return replace(problem, message=message, hint="put it into config; in YAML, indent it below config")


def _tell_unchecked(
    document: Document, nodes: Mapping[str, CheckedNode], columns: Mapping[str, Columns], problems: list[Problem]
) -> None:
    """Say at the first problem of a node that keeps its columns from being known what is not checked for it."""
    if not problems:
        return
    readers: dict[str, list[str]] = {}
    sources: dict[str, list[str]] = {}
    for scope in scopes(document):
        for _, edge in scope.edges:
            (source, port), (target, _) = Edge.split(edge.source), Edge.split(edge.target)
            if port != ERROR and target in nodes and any(port.kind == "table" for port in nodes[target].ports.inputs):
                readers.setdefault(source, []).append(target)
                sources.setdefault(target, []).append(source)
    known = {end.partition(".")[0] for end in columns}
    told: set[str] = set()
    for index, problem in sorted(enumerate(problems), key=lambda item: item[1].severity):
        node = problem.node
        if node is None or node in told or node in known or not _names_columns_below(node, readers, nodes):
            continue
        if node in nodes and not any(port.kind == "table" for port in nodes[node].ports.outputs):
            continue
        told.add(node)
        if all(source in known for source in sources.get(node, ())):
            unchecked = f"columns below {node!r} are not checked until this is corrected"
            problems[index] = replace(problem, hint=f"{problem.hint}; {unchecked}" if problem.hint else unchecked)


def _names_columns_below(name: str, readers: Mapping[str, list[str]], nodes: Mapping[str, CheckedNode]) -> bool:
    """Tell whether a node that reads tables of another one, however far behind, names columns."""
    seen: set[str] = set()
    waiting = [*readers.get(name, ())]
    while waiting:
        reader = waiting.pop()
        if reader in seen:
            continue
        seen.add(reader)
        config = nodes[reader].entry.config
        marks = marks_of(nodes[reader].node_class.config_schema(), config)
        if any(mark["is"] in ("column", "sql") for _, mark, _ in marks):
            return True
        waiting += readers.get(reader, ())
    return False


def _check_ends(
    document: Document, nodes: Mapping[str, CheckedNode], graphs: list[ScopeGraph], problems: list[Problem]
) -> dict[str, tuple[str, Port]]:
    """Return node and port of each result of a body and each output of the pipeline, by their places."""
    named = [
        (f"/outputs/{name}", "document.output", end, graph.scope)
        for graph in graphs
        for name, end in document.outputs.items()
        if graph.scope.at == ""
    ]
    owners = {entry.id: entry for graph in graphs for _, entry in graph.scope.nodes}
    for scope in (graph.scope for graph in graphs):
        body = owners[scope.owner].body if scope.owner in owners else None
        if body is not None and body.result is not None:
            named.append((scope.at + "/result", "body.result", body.result, scope))
    ends: dict[str, tuple[str, Port]] = {}
    for at, code, end, scope in named:
        found = check_end(end, code, at, scope, nodes)
        if isinstance(found, Problem):
            problems.append(found)
        elif found is not None:
            ends[at] = found
    return ends


def _check_params(params: Schemas) -> list[Problem]:
    problems: list[Problem] = []
    slow = False
    for name, schema in params.items():
        if "pattern" not in str(schema):
            problems += check_schemas({name: schema})
            continue
        if slow:
            continue
        try:
            # Some patterns take longer than anybody lives, and only the end of the process stops them.
            problems += run_in_child(check_schemas, {name: schema}, timeout=PATTERN_SECONDS)
        except AirloomError as error:
            message = f"the default of {name!r} could not be checked: {error.message}"
            hint = "write a simpler pattern: repeat nothing that repeats itself, as in (a+)+"
            problems.append(Problem("params.pattern", message, pointer=pointer("params", name), hint=hint))
            slow = True  # One wait is enough: a document of a thousand such patterns would take a thousand.
    return problems


def _with_open_params(document: Document, faulty: list[Problem]) -> Document:
    """Return the document with nothing said about the params whose schemas are faulty: they can have any value."""
    names = {problem.pointer.split("/")[2] for problem in faulty}
    params = {name: {} if name in names else schema for name, schema in document.params.items()}
    return document.model_copy(update={"params": params})


def _check_nodes(document: Document, checker: ConfigCheck, problems: list[Problem]) -> dict[str, CheckedNode]:
    if not document.nodes and not problems:
        problems.append(Problem("document.empty", "the pipeline has no nodes", pointer="/nodes", hint="add a source"))
    found: dict[str, CheckedNode] = {}
    ids: set[str] = set()
    for visit in visits(document):
        entry, at = visit.entry, visit.at
        repeated = entry.id in ids
        ids.add(entry.id)
        if repeated:
            problems.append(
                Problem("node.duplicate_id", f"two nodes are called {entry.id!r}", "error", entry.id, at + "/id",
                        "give one of them another id")
            )  # fmt: skip
        if entry.id in RESERVED_IDS:
            problems.append(
                Problem("node.reserved_id", f"{entry.id!r} cannot be the id of a node", "error", entry.id, at + "/id",
                        "edges and expressions mean something else by it; choose another id")
            )  # fmt: skip
            continue
        checked = checker.check(entry, at, visit.scope)
        if checked is not None and not repeated:
            found[entry.id] = checked
    problems.extend(checker.problems)
    return found


def _check_settings(document: Document, facts: Facts, problems: list[Problem]) -> None:
    if document.settings.engine == "spark" and find_spec("pyspark") is None:
        problems.append(
            Problem(
                "extra.missing",
                "Spark is not installed here",
                pointer="/settings/engine",
                hint="add it with: airloom add spark, or leave settings.engine out",
            )
        )
    if document.schedule is not None:
        if document.settings.catchup and document.schedule.start is None:
            problems.append(
                Problem("schedule.start", "nothing says since when missed times are run later",
                        pointer="/settings/catchup", hint="set schedule.start, or leave catchup out")
            )  # fmt: skip
        for name, schema in document.params.items():
            if "default" not in schema:
                problems.append(
                    Problem("params.default", f"a run by schedule needs a default of the param {name!r}",
                            pointer=pointer("params", name), hint="give it one, or leave the schedule out")
                )  # fmt: skip
    handler = document.settings.on_failure
    if handler == document.id:
        problems.append(
            Problem("pipeline.circle", "a pipeline cannot run when it has failed itself",
                    pointer="/settings/on_failure", hint="name another one")
        )  # fmt: skip
    elif handler and facts.calls is not None and facts.calls(handler) is None:
        problems.append(
            Problem("pipeline.unknown", f"there is no pipeline {handler!r}",
                    pointer="/settings/on_failure", hint="publish it first")
        )  # fmt: skip
    pool = document.settings.pool
    if pool and facts.pools is not None and pool not in facts.pools:
        problems.append(
            Problem("pool.unknown", f"there is no pool {pool!r}", pointer="/settings/pool",
                    hint="create it in Airflow: Admin, Pools")
        )  # fmt: skip


def _check_inputs(document: Document, problems: list[Problem]) -> None:
    known = [kind.name for kind in KINDS.values() if not kind.wiring]
    for name, declared in document.inputs.items():
        if declared.kind not in known:
            hint = suggestion(declared.kind, known) or f"kinds: {', '.join(known)}"
            problems.append(
                Problem("inputs.kind", f"there is no kind of port {declared.kind!r}",
                        pointer=pointer("inputs", name, "kind"), hint=hint)
            )  # fmt: skip
        if document.schedule is not None and declared.required:
            problems.append(
                Problem("inputs.default", f"a run by schedule needs a default of the input {name!r}",
                        pointer=pointer("inputs", name), hint="give it one, or leave the schedule out")
            )  # fmt: skip


def _columns(
    document: Document,
    nodes: Mapping[str, CheckedNode],
    wires: Any,
    order: list[str],
    facts: Facts,
    problems: list[Problem],
) -> ColumnReport:
    engine = document.settings.engine
    sources = ask_for_columns(document, nodes, facts.describe, problems) if facts.describe is not None else {}
    prepare()
    try:
        found: ColumnReport = run_in_child(
            report_columns, nodes, wires, order, facts, sources, engine, timeout=CHECK_SECONDS, memory=CHECK_MEMORY
        )
    except AirloomError as error:
        problems.append(
            Problem("check.stopped", f"the columns could not be found out: {error.message}", hint=error.hint)
        )
        return ColumnReport()
    known = {(problem.node, problem.pointer) for problem in problems}
    problems.extend(problem for problem in found.problems if (problem.node, problem.pointer) not in known)
    return found


def _without_secrets(problems: list[Problem], secrets: set[str]) -> list[Problem]:
    """Leave out what would repeat a secret that stands in the document; that it does is a problem of its own."""
    return [
        replace(problem, message=SECRET_TEXT.sub("…", problem.message), hint=_hidden(problem.hint))
        for problem in problems
        if problem.code == "secret.literal" or not any(text in f"{problem.message}{problem.hint}" for text in secrets)
    ]


def _hidden(hint: str | None) -> str | None:
    return hint and SECRET_TEXT.sub("…", hint)


def _sorted(problems: list[Problem]) -> list[Problem]:
    def place(problem: Problem) -> list[tuple[int, int | str]]:
        parts = problem.pointer.split("/")[1:]
        return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]

    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.severity != "error", place(problem)))
