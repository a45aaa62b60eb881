"""Documents run in this process, step by step, in a folder of the test's own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.engine.reference import TableReference
from airloom.engine.storage import Files
from airloom.engine.tables import first_rows
from airloom.nodes.context import RunFacts
from airloom.plan.build import build_plan
from airloom.plan.plan import Plan
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.pipeline import run_pipeline
from airloom.runtime.results import NodeResult
from airloom.runtime.step import Workplace, run_step
from airloom.runtime.trial import no_connections
from airloom.spec.configuration import Configuration, configuration

NODES = Path(__file__).parents[1] / "conformance" / "nodes"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class Run:
    """A document under way: its plan, and what its steps have left so far."""

    document: dict[str, Any]
    plan: Plan
    surroundings: LocalSurroundings
    settings: Configuration
    results: dict[str, NodeResult] = field(default_factory=dict)

    def step(self, identifier: str) -> dict[str, NodeResult]:
        """Run one step and return the results of its nodes."""
        found = run_step(self.plan, identifier, self.document, self.surroundings, self.settings).nodes
        self.surroundings.results.update(found)
        return found

    def all(self) -> dict[str, NodeResult]:
        """Run all steps and return the results of all nodes."""
        return dict(run_pipeline(self.plan, Workplace(self.document, self.settings), self.surroundings))

    def attempt(self, number: int, *, last: bool) -> None:
        """Let the next step be another attempt."""
        self.surroundings.run = dataclasses.replace(self.surroundings.run, attempt=number, last_attempt=last)


@dataclass
class Workshop:
    """A folder for files, and runs of documents over them."""

    folder: Path
    settings: Configuration

    def file(self, name: str, text: str) -> str:
        """Write a file and return its path as documents name it."""
        (self.folder / name).write_text(text)
        return name

    def rows(self, name: str, rows: list[Mapping[str, Any]]) -> str:
        """Write a JSON Lines file."""
        return self.file(name, "".join(json.dumps(row) + "\n" for row in rows))

    def begin(self, *nodes: Mapping[str, Any], edges: str = "", grouping: str = "auto", **more: Any) -> Run:
        """Check and plan a document; `edges` are `a>b.port` texts with spaces between."""
        document = {
            "id": "made",
            "settings": {"grouping": grouping},
            "nodes": list(nodes),
            "edges": [dict(zip(("from", "to"), edge.split(">"), strict=True)) for edge in edges.split()],
            **more,
        }
        report = check(document, Facts(files=Files.of(self.settings)))
        assert report.resolved is not None, [str(problem) for problem in report.problems]
        run = RunFacts("made", "run 1", logical_date=NOW, started_at=NOW)
        surroundings = LocalSurroundings(run, {}, no_connections)
        return Run(document, build_plan(report.resolved), surroundings, self.settings)

    def run(self, *nodes: Mapping[str, Any], edges: str = "", grouping: str = "auto") -> dict[str, NodeResult]:
        """Run a document and return the results of its nodes."""
        return self.begin(*nodes, edges=edges, grouping=grouping).all()


def node(identifier: str, kind: str, **config: Any) -> dict[str, Any]:
    """Return a node's entry."""
    return {"id": identifier, "type": kind, "config": config}


def rows_of(result: NodeResult, port: str = "rows") -> list[dict[str, Any]]:
    """Return the rows that left a port."""
    return first_rows(TableReference.from_json(result.outputs[port]), 10_000)


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Return a workshop that also knows the node types of the conformance suite."""
    monkeypatch.setenv("AIRLOOM_NODES", str(NODES))
    configuration.cache_clear()
    (tmp_path / "files").mkdir()
    folder = tmp_path / "files"
    return Workshop(folder, Configuration(root=folder, paths=[str(folder)], data=str(tmp_path / "data")))


@pytest.fixture
def states() -> Callable[[Mapping[str, NodeResult]], dict[str, str]]:
    """Return a function that shortens results to states with the ports that fired."""
    return lambda results: {name: " ".join([found.state, *found.fired]) for name, found in results.items()}
