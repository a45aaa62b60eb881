"""Public reports about tools of this field, and what Airloom makes of the same input.

Each YAML file beside this module is a theme. An entry says `link` and `says`, gives its `files`, a chain of `nodes` (or
nodes with `edges`, or a `schedule`), and what to `expect`: `rows`, `columns` and `rejects` of the last node, words of
an `error`, a `problem` or a `warning`, files `written`, the `table` that a `query` finds in the `database`, or the
`times` of runs. `again` runs it once more with other files, `then` another document over what the first one wrote.
`was` tells what came at first where that was something else, `still` why something else comes yet.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from airloom.checks.check import Report, check
from airloom.checks.facts import Facts
from airloom.engine.reference import TableReference, is_table
from airloom.engine.storage import Files
from airloom.engine.tables import first_rows
from airloom.nodes.context import RunFacts
from airloom.nodes.kinds import plain
from airloom.plan.build import build_plan
from airloom.runtime.descriptions import describer
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.pipeline import run_pipeline
from airloom.runtime.results import NodeResult
from airloom.runtime.step import Workplace
from airloom.runtime.trial import no_connections
from airloom.spec.configuration import Configuration
from airloom.spec.params import as_expression_values, read_params
from airloom.spec.problem import Problem
from airloom.spec.text import read_text

HERE = Path(__file__).parent
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ALONE = ("params", "schedule", "settings", "database", "again", "then")
"""What makes an entry a document of its own; all others of a theme run as one."""

Outcome = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Entry:
    """A report and the input that stands for it."""

    theme: str
    number: int
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """Return a short name: project and number of the report, and which entry of its theme it is."""
        project, _, report = self.data["link"].removeprefix("https://github.com/").partition("/")
        return f"{self.theme}-{self.number}-{project}-{report.replace('/issues/', '-').replace('/pull/', '-')}"

    @property
    def alone(self) -> bool:
        """Tell whether the entry has what only a whole document has."""
        return any(key in self.data for key in ALONE) or "nodes." in json.dumps(self.data["nodes"])

    @cached_property
    def nodes(self) -> list[dict[str, Any]]:
        """Return the nodes; those written as `{type: config}` are called by their types."""
        nodes: list[dict[str, Any]] = []
        for written in self.data["nodes"]:
            if "type" in written:
                nodes.append({"id": written["type"], **written})
                continue
            ((kind, config),) = written.items()
            same = sum(node["type"] == kind for node in nodes)
            nodes.append({"id": f"{kind}_{same + 1}" if same else kind, "type": kind, "config": config or {}})
        return nodes

    @cached_property
    def edges(self) -> list[dict[str, str]]:
        """Return the edges: those of `edges`, texts such as `a>b.port`, or each node to the next."""
        names = [node["id"] for node in self.nodes]
        written = self.data.get("edges")
        pairs = itertools.pairwise(names) if written is None else (edge.split(">") for edge in written.split())
        return [{"from": start, "to": end} for start, end in pairs]

    @property
    def document(self) -> dict[str, Any]:
        """Return the document of this entry alone."""
        more = {key: self.data[key] for key in ("params", "schedule", "settings") if key in self.data}
        return {"id": "report", **more, "nodes": self.nodes, "edges": self.edges, "outputs": self.outputs}

    @property
    def outputs(self) -> dict[str, str]:
        """Return what the document gives: the result, and rejects where some are expected."""
        node, port = self.result
        if "rejects" not in self.data["expect"]:
            return {"result": f"{node}.{port}" if port else node}
        return {"result": f"{node}.{port or 'rows'}", "rejects": f"{node}.rejects"}

    @property
    def result(self) -> tuple[str, str]:
        """Return the node and the port whose value is looked at: those of `of`, or the last node's first."""
        node, _, port = str(self.data.get("of", self.nodes[-1]["id"])).partition(".")
        return node, port


def entries_of(theme: str) -> list[Entry]:
    """Return the entries of a theme."""
    data, problems = read_text((HERE / f"{theme}.yaml").read_text(encoding="utf-8"), f"{theme}.yaml")
    assert not problems, problems
    return [Entry(theme, number, found) for number, found in enumerate(data, start=1)]  # type: ignore[arg-type, var-annotated]


def themes() -> list[str]:
    """Return the names of all themes."""
    return sorted(path.stem for path in HERE.glob("*.yaml"))


def put(folder: Path, files: Mapping[str, Any]) -> None:
    """Write files: texts as they are; else bytes, a text in an encoding, or a table made by SQL or by Arrow."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else _bytes(content))


def _bytes(content: Mapping[str, Any]) -> bytes:
    (kind, value), *more = content.items()
    options = dict(more)
    makers: dict[str, Callable[[], bytes]] = {
        "base64": lambda: base64.b64decode(value),
        "hex": lambda: bytes.fromhex(value),
        "text": lambda: str(value).encode(options["encoding"]),
        "parts": lambda: "".join(text * times for text, times in value).encode(),
        "numbered": lambda: _numbered(*value).encode(),
        "parquet": lambda: _parquet(value),
        "arrow": lambda: _arrow(value, **options),
        "workbook": lambda: _workbook(value),
    }
    return makers[kind]()


def _numbered(before: str, each: str, times: int, after: str) -> str:
    return before + "".join(each.replace("#", str(number)) for number in range(times)) + after


def _parquet(query: str) -> bytes:
    import duckdb
    import pyarrow.parquet

    target = io.BytesIO()
    with duckdb.connect() as connection:
        pyarrow.parquet.write_table(connection.sql(query).to_arrow_table(), target)
    return target.getvalue()


def _arrow(columns: Mapping[str, tuple[str, list[Any]]], int96: bool = False) -> bytes:
    import pyarrow
    import pyarrow.parquet

    def array(kind: str, values: list[Any]) -> Any:
        # Arrow's own words for types; a time is written as a number of its unit.
        made = eval(f"pyarrow.{kind}", {"pyarrow": pyarrow})
        whole = pyarrow.types.is_temporal(made)
        number = pyarrow.int32() if whole and made.bit_width == 32 else pyarrow.int64()
        return pyarrow.array(values, number).cast(made) if whole else pyarrow.array(values, made)

    target = io.BytesIO()
    table = pyarrow.table({name: array(*column) for name, column in columns.items()})
    pyarrow.parquet.write_table(table, target, use_deprecated_int96_timestamps=int96)
    return target.getvalue()


def _workbook(sheets: Mapping[str, list[Any]]) -> bytes:
    import xlsxwriter

    target = io.BytesIO()
    book = xlsxwriter.Workbook(target)
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        repeated = (
            row for each in rows for row in ([each["row"]] * each["times"] if isinstance(each, dict) else [each])
        )
        for at, row in enumerate(repeated):
            for column, cell in enumerate(row):
                _put_cell(book, sheet, at, column, cell)
    book.close()
    return target.getvalue()


def _put_cell(book: Any, sheet: Any, row: int, column: int, cell: Any) -> None:
    if not isinstance(cell, dict):
        if isinstance(cell, str):
            sheet.write_string(row, column, cell)
        else:
            sheet.write(row, column, cell)
    elif "formula" in cell:
        sheet.write_formula(row, column, cell["formula"], None, cell.get("value", 0))
    elif "merge" in cell:
        sheet.merge_range(row, column, row + cell["rows"] - 1, column + cell["columns"] - 1, cell["merge"])
    else:
        sheet.write_number(row, column, cell["number"], book.add_format({"num_format": cell["format"]}))


def run_theme(theme: str, folder: Path, connections: Callable[[Entry], Callable[[str], Any]]) -> Iterator[Outcome]:
    """Run the entries of a theme in a folder, and yield what came of each, in their order.

    All that have no problem are one document: a step costs less than a document. `connections` gives an entry with a
    database what finds its Connections.
    """
    entries = entries_of(theme)
    settings = Configuration(root=folder, paths=[str(folder)], data=str(folder / "data"))
    facts = Facts(files=Files.of(settings))
    for entry in entries:
        put(folder, entry.data.get("files", {}))
    outcomes: dict[int, Outcome] = {}
    together = [entry for entry in entries if not entry.alone]
    report = check(_joined(together), facts) if together else None
    if report and report.problems:
        found = {_entry_at(problem, together) for problem in report.problems}
        together = [entry for entry in together if entry not in found]
        report = check(_joined(together), facts) if together else None
    if report:
        problems, results = run(report, settings, no_connections)
        assert not problems, problems
        for entry in together:
            own = {node["id"]: results[f"e{entry.number}_{node['id']}"] for node in entry.nodes}
            outcomes[entry.number] = _outcome(entry, [], own, folder)
    for entry in entries:
        yield outcomes.get(entry.number) or run_alone(entry, folder, settings, connections(entry))


def run_alone(
    entry: Entry, folder: Path, settings: Configuration, connections: Callable[[str], Any] = no_connections
) -> Outcome:
    """Run the document of an entry; where it has `again`, once more for each set of files there."""
    if "schedule" in entry.data:
        return _scheduled(entry, settings)
    facts = Facts(files=Files.of(settings), describe=describer(connections))
    problems, results = run(check(entry.document, facts), settings, connections)
    for number, files in enumerate(entry.data.get("again", []), start=2):
        put(folder, files)
        problems, results = run(check(entry.document, facts), settings, connections, f"run {number}")
    if then := entry.data.get("then"):
        if problems or any(result.state != "success" for result in results.values()):
            return _outcome(entry, problems, results, folder)
        return run_alone(Entry(entry.theme, entry.number, {**entry.data, **then, "then": None}), folder, settings)
    return _outcome(entry, problems, results, folder)


def run(
    report: Report, settings: Configuration, connections: Callable[[str], Any], run_id: str = "run 1"
) -> tuple[list[Problem], dict[str, NodeResult]]:
    """Run a document that is checked, its writing nodes too; return problems and results."""
    if report.resolved is None or report.document is None:
        return list(report.problems), {}
    schemas = report.document.params
    values, problems = read_params(schemas, {})
    facts = RunFacts(report.document.id, run_id, logical_date=NOW, started_at=NOW)
    surroundings = LocalSurroundings(facts, as_expression_values(schemas, values), connections)
    plan = build_plan(report.resolved)
    results = dict(run_pipeline(plan, Workplace(report.document.to_json(), settings), surroundings))
    return [*report.problems, *problems], results


def _joined(entries: list[Entry]) -> dict[str, Any]:
    nodes, edges, outputs = [], [], {}
    for entry in entries:
        prefix = f"e{entry.number}_"
        outputs |= {prefix + name: prefix + port for name, port in entry.outputs.items()}
        nodes += [{**node, "id": prefix + node["id"]} for node in entry.nodes]
        edges += [{end: prefix + port for end, port in edge.items()} for edge in entry.edges]
    return {"id": "reports", "nodes": nodes, "edges": edges, "outputs": outputs}


def _entry_at(problem: Problem, entries: list[Entry]) -> Entry:
    kind, place = problem.pointer.split("/")[1:3]
    length = "nodes" if kind == "nodes" else "edges"
    for entry in entries:
        count = len(getattr(entry, length))
        if int(place) < count:
            return entry
        place = str(int(place) - count)
    raise AssertionError(problem)


def _outcome(entry: Entry, problems: list[Problem], results: Mapping[str, NodeResult], folder: Path) -> Outcome:
    outcome: Outcome = {}
    for severity, key in (("error", "problems"), ("warning", "warnings")):
        if found := [problem for problem in problems if problem.severity == severity]:
            outcome[key] = [f"{each.code} {each.pointer} {each.message} → {each.hint}" for each in found]
    errors = {node: result.error for node, result in results.items() if result.error}
    if errors:
        outcome["error"] = [f"{node}: {error['message']} → {error.get('hint')}" for node, error in errors.items()]
    node, port = entry.result
    if node in results:
        outputs = results[node].outputs
        for name in (port or next(iter(outputs), ""), "rejects"):
            outcome.update(_port(name, outputs.get(name)))
    if written := entry.data["expect"].get("written"):
        places = {name: folder / name for name in written}
        outcome["written"] = {name: place.read_text() if place.exists() else None for name, place in places.items()}
    return json.loads(json.dumps(outcome))  # type: ignore[no-any-return]


def _port(name: str, output: Any) -> Outcome:
    if output is None:
        return {}
    if not is_table(output):
        return {"value": plain(output.get("value"))}
    reference = TableReference.from_json(output)
    rows = [[plain(value) for value in row.values()] for row in first_rows(reference, 100_000)]
    if name == "rejects":
        at = list(reference.columns)
        if at[-4:] != ["line", "column", "text", "reason"]:
            return {"rejects": rows}
        return {"rejects": [[line, text, column, reason] for _, line, column, text, reason in rows]}
    return {"columns": dict(reference.columns), "names": list(reference.columns), "rows": rows}


def _scheduled(entry: Entry, settings: Configuration) -> Outcome:
    """Return the times of the first runs, as Airflow's own timetable makes them of the DAG, or the problems."""
    report = check(entry.document, Facts(files=Files.of(settings)))
    outcome = _outcome(entry, list(report.problems), {}, Path())
    if report.resolved is None or report.document is None or "problems" in outcome:
        return outcome
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    from airloom.dags.factory import pipeline

    dag = pipeline(report.document.to_json(), build_plan(report.resolved).to_json())
    served = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    after = datetime.fromisoformat(entry.data["after"]) if "after" in entry.data else NOW
    earliest = max(after, dag.start_date) if dag.start_date else after
    restriction = TimeRestriction(earliest=_moment(earliest), latest=_moment(dag.end_date), catchup=True)
    times, last = [], None
    for _ in range(entry.data.get("runs", 3)):
        info = served.timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        if info is None:
            break
        last = info.data_interval
        times.append(info.run_after.astimezone(UTC).isoformat(timespec="minutes").removesuffix("+00:00"))
    return {**outcome, "times": times}


def _moment(value: datetime | None) -> Any:
    import pendulum

    return value and pendulum.instance(value)


def faults(entry: Entry, outcome: Outcome) -> list[str]:
    """Return what of an outcome is not as expected."""
    expected = dict(entry.data["expect"])
    wrong = []
    for key, singular in (("problems", "problem"), ("warnings", "warning"), ("error", "error")):
        words = expected.pop(singular, None)
        texts = outcome.get(key, [])
        if words is None and texts:
            wrong.append(f"there is a {singular}: {texts}")
        if words is not None and not any(all(word in text for word in words) for text in texts):
            wrong.append(f"no {singular} says {words}: {texts}")
    for key, value in expected.items():
        came = outcome.get(key)
        if key == "rejects":
            came = [row[: len(each)] for row, each in zip(came or [], value, strict=False)] + (came or [])[len(value) :]
        if key == "rows" and not entry.data.get("ordered"):
            value, came = _sorted(value), _sorted(came or [])
        if value != came or type(value) is not type(came):
            wrong.append(f"{key}: expected {value}, came {came}")
    return wrong


def _sorted(rows: list[Any]) -> list[str]:
    return sorted(json.dumps(row) for row in rows)
