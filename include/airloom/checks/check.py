"""Is this pipeline right? All that is wrong, at once; never an exception for a user's mistake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from airloom.checks.columns import ColumnReport, describe_nodes, prepare, report_columns
from airloom.checks.config import CheckedNode, ConfigCheck
from airloom.checks.facts import Facts
from airloom.checks.graph import check_graph, resolved_nodes
from airloom.checks.order import check_order
from airloom.checks.resolved import Resolved, Wire
from airloom.engine.child import run_in_child
from airloom.engine.relation import Columns
from airloom.spec.document import Document, Edge, NodeEntry, read_document
from airloom.spec.error import AirloomError
from airloom.spec.params import Schemas, check_schemas
from airloom.spec.problem import Problem, errors, pointer

CHECK_SECONDS = 30.0
PATTERN_SECONDS = 3.0
CHECK_MEMORY = 4 << 30
"""Bytes; the check's process is killed above them."""


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
    """Check a document as it was read from JSON or YAML; never raises for a user's mistake."""
    facts = facts or Facts()
    document, problems = read_document(data)
    if document is None:
        return Report(None, problems)
    faulty = _check_params(document.params)
    problems.extend(faulty)
    _check_settings(document, facts, problems)
    checker = ConfigCheck(_with_open_params(document, faulty), facts)
    checker.check_params(document.params)
    nodes = _check_nodes(document, _places(data, "nodes", NodeEntry), checker, problems)
    wires, order = _check_graph(document, data, nodes, problems)
    found = ColumnReport()
    if order:
        check_order(nodes, wires, problems)
        # What comes into a node by an edge to no input of it is not known, nor what it makes of that.
        misled = {
            found.node for found in problems if found.code == "edge.unknown_port" and found.pointer.endswith("/to")
        }
        known = {name: node for name, node in nodes.items() if name not in misled}
        found = _columns(document, known, wires, order, facts, problems)
    problems = _sorted(_without_secrets(problems, checker.secrets))
    report = Report(document, problems, found.columns)
    if report.correct:
        referenced = {
            ref[1] for node in nodes.values() for ref in node.references if ref[0] == "nodes" and len(ref) > 1
        }
        report.resolved = Resolved(
            document, resolved_nodes(nodes), wires, found.sql, found.columns, frozenset(referenced)
        )
    return report


def _check_graph(
    document: Document, data: Any, nodes: Mapping[str, CheckedNode], problems: list[Problem]
) -> tuple[tuple[Wire, ...], list[str]]:
    if not all(isinstance(data.get(field, []), list) for field in ("nodes", "edges")):
        return (), []  # That is told, and every edge and every input would repeat it.
    return check_graph(document, _places(data, "edges", Edge), _declared(data), nodes, problems)


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


def _places(data: Any, field: str, model: type[NodeEntry] | type[Edge]) -> list[int]:
    """Return the index in the document of each node or edge that could be read: a faulty one was left out."""
    places = []
    for index, item in enumerate(_items(data, field)):
        try:
            model.model_validate(item)
        except ValueError:
            continue
        places.append(index)
    return places


def _declared(data: Any) -> set[str]:
    """Return the ids of all nodes, also of those that could not be read."""
    names = (item.get("id") for item in _items(data, "nodes") if isinstance(item, dict))
    return {name for name in names if isinstance(name, str)}


def _items(data: Any, field: str) -> list[Any]:
    found = data.get(field)
    return found if isinstance(found, list) else []


def _check_nodes(
    document: Document, places: list[int], checker: ConfigCheck, problems: list[Problem]
) -> dict[str, CheckedNode]:
    if not document.nodes and not problems:
        problems.append(Problem("document.empty", "the pipeline has no nodes", pointer="/nodes", hint="add a source"))
    found: dict[str, CheckedNode] = {}
    for index, entry in zip(places, document.nodes, strict=True):
        at = pointer("nodes", index)
        if entry.id in found:
            problems.append(
                Problem("node.duplicate_id", f"two nodes are called {entry.id!r}", "error", entry.id, at + "/id",
                        "give one of them another id")
            )  # fmt: skip
            continue
        checked = checker.check(entry, at)
        if checked is not None:
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
                hint="add it with: pip install 'airloom[spark]', or leave settings.engine out",
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
    pool = document.settings.pool
    if pool and facts.pools is not None and pool not in facts.pools:
        problems.append(
            Problem("pool.unknown", f"there is no pool {pool!r}", pointer="/settings/pool",
                    hint="create it in Airflow: Admin, Pools")
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
    sources = describe_nodes(nodes, facts, problems)
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
        problem
        for problem in problems
        if problem.code == "secret.literal" or not any(text in f"{problem.message}{problem.hint}" for text in secrets)
    ]


def _sorted(problems: list[Problem]) -> list[Problem]:
    def place(problem: Problem) -> list[tuple[int, int | str]]:
        parts = problem.pointer.split("/")[1:]
        return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]

    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.severity != "error", place(problem)))
