"""Users' node types are pinned: a plan runs the text that it was published with, whatever the folder holds since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.shapes.documents import Json, edge, node

from airloom.checks.check import check
from airloom.nodes.context import RunFacts
from airloom.plan.build import build_plan
from airloom.plan.plan import Plan
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.pipeline import run_pipeline
from airloom.runtime.step import Workplace
from airloom.runtime.trial import no_connections, node_report
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.node_file import NodeFile

TYPES = '''"""Two types of a user."""

from airloom.nodes.sdk import Query, Relation, Table, Transform, literal


class Count(Transform):
    """Give numbers."""

    def run(self) -> list[dict[str, int]]:
        return [{"number": number} for number in range(WORD)]


class Mark(Table):
    """Mark rows."""

    def query(self, rows: Relation) -> Query:
        return rows.select(rows.all(rows.columns), literal(WORD).as_("mark"))
'''
DOCUMENT: Json = {
    "id": "marks",
    "nodes": [node("count", "count"), node("mark", "mark"), node("first", "limit", rows=1)],
    "edges": [edge("count", "mark"), edge("mark", "first")],
}


class Kept(LocalSurroundings):
    """Surroundings that know one file by its hash, as the store does, and count how often they are asked."""

    file: NodeFile
    asked = 0

    def node_file(self, digest: str) -> NodeFile | None:
        self.asked += 1
        return self.file if digest == self.file.hash else None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRLOOM_NODES", str(tmp_path / "nodes"))
    configuration.cache_clear()
    (tmp_path / "nodes").mkdir()
    return tmp_path / "nodes"


def planned() -> Plan:
    report = check(DOCUMENT)
    assert report.resolved is not None, report.problems
    return build_plan(report.resolved)


def rows(plan: Plan, file: NodeFile, tmp_path: Path) -> tuple[Any, int]:
    surroundings = Kept(RunFacts("marks", "run"), {}, no_connections)
    surroundings.file = file
    settings = Configuration(root=tmp_path, data=str(tmp_path / "data"))
    results = dict(run_pipeline(plan, Workplace(DOCUMENT, settings), surroundings))
    assert results["first"].state == "success", [result.error for result in results.values()]
    return node_report(results["first"], 10)["outputs"]["rows"]["sample"], surroundings.asked


def test_a_plan_runs_the_text_that_it_was_made_with(folder: Path, tmp_path: Path) -> None:
    before, after = NodeFile("marks.py", TYPES.replace("WORD", "7")), NodeFile("marks.py", TYPES.replace("WORD", "8"))
    (folder / "marks.py").write_text(before.text)
    old = planned()
    assert {old.nodes[name].file for name in ("count", "mark")} == {before.hash}
    assert old.nodes["first"].file == ""
    (folder / "marks.py").write_text(after.text)
    new = planned()
    assert new.nodes["mark"].hash != old.nodes["mark"].hash
    assert rows(old, before, tmp_path)[0] == [{"number": 0, "mark": 7}]
    assert rows(new, after, tmp_path)[0] == [{"number": 0, "mark": 8}]


def test_a_task_needs_no_folder(folder: Path, tmp_path: Path) -> None:
    file = NodeFile("marks.py", TYPES.replace("WORD", "9"))
    (folder / "marks.py").write_text(file.text)
    plan = planned().to_json()
    (folder / "marks.py").unlink()
    folder.rmdir()
    # A process that has never seen the folder: what this one remembers of it is another text.
    unseen = NodeFile("marks.py", file.text.replace("9", "11"))
    for name in ("count", "mark"):
        plan["nodes"][name]["file"] = unseen.hash
    found, asked = rows(Plan.from_json(plan), unseen, tmp_path)
    assert found == [{"number": 0, "mark": 11}]
    assert asked == 1


def test_a_text_that_nobody_has_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "marks.py").write_text(TYPES.replace("WORD", "3"))
    plan = planned().to_json()
    plan["nodes"]["count"]["file"] = "0" * 64
    surroundings = Kept(RunFacts("marks", "run"), {}, no_connections)
    surroundings.file = NodeFile("other.py", "")
    settings = Configuration(root=tmp_path, data=str(tmp_path / "data"))
    results = dict(run_pipeline(Plan.from_json(plan), Workplace(DOCUMENT, settings), surroundings))
    error = results["count"].error
    assert error is not None
    assert (error["node"], error["failure"]) == ("count", "configuration")
    assert "count" in error["message"]


def test_a_fault_of_a_users_type_names_file_and_line(folder: Path, tmp_path: Path) -> None:
    text = TYPES.replace("range(WORD)", "range({}['nxt'])").replace("WORD", "1")
    (folder / "marks.py").write_text(text)
    surroundings = Kept(RunFacts("marks", "run"), {}, no_connections)
    surroundings.file = NodeFile("other.py", "")
    settings = Configuration(root=tmp_path, data=str(tmp_path / "data"))
    error = dict(run_pipeline(planned(), Workplace(DOCUMENT, settings), surroundings))["count"].error
    assert error is not None
    line = "return [{\"number\": number} for number in range({}['nxt'])]"
    assert error["message"] == f"KeyError: 'nxt' (marks.py, line 10: {line})"
