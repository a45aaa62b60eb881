"""The documents of the suite, and the form in which their runs are compared, wherever they ran."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.checks.resolved import Resolved
from airloom.engine.storage import Files
from airloom.plan.build import build_plan
from airloom.plan.plan import Plan
from airloom.spec.configuration import Configuration
from airloom.spec.document import Grouping

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DATA = "tests/conformance/data"
NODES = HERE / "nodes"
GROUPINGS: tuple[Grouping, ...] = ("auto", "none", "all")
SAMPLE = 1000
"""Rows of a table that are compared: more than any document makes."""


@dataclass(frozen=True)
class Case:
    """A document, and how each of its nodes has to end: state, fired ports, rows of the tables that fired."""

    path: Path

    @property
    def name(self) -> str:
        """Return the id of the document."""
        return self.path.stem

    @cached_property
    def document(self) -> dict[str, Any]:
        """Return the document."""
        return dict(json.loads(self.path.read_text()))

    @cached_property
    def companion(self) -> dict[str, Any]:
        """Return what the companion file says of each node."""
        return dict(json.loads(self.path.with_suffix(".expected.json").read_text()))

    @property
    def expected(self) -> dict[str, Any]:
        """Return how each node has to end."""
        ends = self.companion.items()
        return {node: {key: value for key, value in end.items() if key != "values"} for node, end in ends}

    @property
    def values(self) -> dict[str, Any]:
        """Return the values by `node.port` where the companion file names them."""
        ends = self.companion.items()
        return {f"{node}.{port}": value for node, end in ends for port, value in end.get("values", {}).items()}

    def grouped(self, grouping: Grouping) -> dict[str, Any]:
        """Return the document with a grouping, and an id that tells of it."""
        settings = {**self.document.get("settings", {}), "grouping": grouping}
        return {**self.document, "id": f"{self.name}__{grouping}", "settings": settings}


def cases() -> list[Case]:
    """Return all documents, the written ones and the drawn ones, by name."""
    found = [path for path in (HERE / "documents").rglob("*.json") if not path.name.endswith(".expected.json")]
    return [Case(path) for path in sorted(found, key=lambda path: path.name)]


def plans_of(case: Case, settings: Configuration) -> dict[str, Plan]:
    """Return the plans of a document by grouping; the document has no problems."""
    report = check(case.document, Facts(files=Files.of(settings)))
    assert report.resolved is not None, [str(problem) for problem in report.problems]
    return {grouping: build_plan(_grouped(report.resolved, grouping)) for grouping in GROUPINGS}


def _grouped(resolved: Resolved, grouping: Grouping) -> Resolved:
    settings = resolved.document.settings.model_copy(update={"grouping": grouping})
    return replace(resolved, document=resolved.document.model_copy(update={"settings": settings}))


@dataclass
class Ending:
    """How a run ended: its nodes, and the files that it wrote."""

    nodes: dict[str, dict[str, Any]]
    files: dict[str, list[str]] = field(default_factory=dict)

    def values(self, wanted: Iterable[str]) -> dict[str, Any]:
        """Return the values of these `node.port`s, None where one did not fire."""
        ends = ((end, *end.split(".")) for end in wanted)
        return {end: self.nodes[node]["outputs"].get(port, {}).get("value") for end, node, port in ends}

    @property
    def summary(self) -> dict[str, Any]:
        """Return what companion files hold: state, fired ports, and rows by port."""
        found: dict[str, Any] = {}
        for node, ended in self.nodes.items():
            found[node] = {"state": ended["state"], "fired": ended["fired"]}
            rows = {port: _rows(output) for port, output in ended["outputs"].items()}
            if known := {port: count for port, count in rows.items() if count is not None}:
                found[node]["rows"] = known
        return found


def ending(reports: Mapping[str, Mapping[str, Any]], out: Path) -> Ending:
    """Return how a run ended, by `airloom.runtime.trial.node_report` of each node, in a form that can be compared.

    Rows are sorted, for a table has no order; what names the folder of the run is taken away.
    """
    nodes = {}
    for node, report in reports.items():
        # What an error port carries is the error, which is compared as such.
        outputs = {port: _comparable(output) for port, output in report["outputs"].items() if port != "error"}
        error = {key: value for key, value in (report["error"] or {}).items() if key != "trace"}
        nodes[node] = {
            "state": report["state"],
            "fired": list(report["fired"]),
            "outputs": _placeless(outputs, out),
            "error": _placeless(error, out),
        }
    return Ending(nodes, written_files(out))


def written_files(folder: Path) -> dict[str, list[str]]:
    """Return the rows of each file below a folder, sorted, as text."""
    import duckdb

    found = {}
    for path in sorted(folder.rglob("*")) if folder.exists() else []:
        if path.is_dir():
            continue
        if path.suffix == ".parquet":
            rows = [repr(row) for row in duckdb.connect().read_parquet(str(path)).fetchall()]
        else:
            rows = path.read_text().splitlines()
        found[str(path.relative_to(folder))] = sorted(rows)
    return found


def _comparable(output: Mapping[str, Any]) -> dict[str, Any]:
    if output["kind"] != "table":
        return {"kind": output["kind"], "value": output["value"]}
    rows = sorted(json.dumps(row, sort_keys=True) for row in output["sample"])
    return {"kind": "table", "columns": output["columns"], "rows": rows}


def _placeless(value: Any, out: Path) -> Any:
    return json.loads(json.dumps(value).replace(str(out), "OUT"))


def _rows(output: Mapping[str, Any]) -> int | None:
    if output["kind"] == "table":
        return len(output["rows"])
    value = output["value"]
    return value["rows"] if isinstance(value, dict) and value.keys() == {"rows", "target"} else None
