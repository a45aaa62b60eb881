"""Additions are additions: each new thing is a file of its own and a line in a table, and no other file changes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from tests.shapes.documents import GREETED, GREETINGS, Json, edge, node

from airloom.checks.check import check
from airloom.dags import factory
from airloom.nodes import dialect
from airloom.nodes.kinds import KINDS, PortKind
from airloom.plan.build import build_plan
from airloom.runtime.trial import Trial
from airloom.spec.configuration import configuration
from airloom.spec.problem import Problem

pytestmark = pytest.mark.usefixtures("settings")
Try = Callable[[Json], Trial]


@pytest.fixture(autouse=True)
def _check_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check in this process, which has what a test adds, whatever threads an earlier test left."""
    monkeypatch.setattr("airloom.checks.check.safe_start", lambda: "fork")


class Recipe:
    """A dialect of lines: a name, then one word a line that is greeted."""

    name = "recipe"

    def recognises(self, data: object) -> bool:
        return isinstance(data, dict) and "recipe" in data

    def read(self, data: dict[str, Any]) -> dialect.Translation:
        nodes, places = [], {"": "/recipe", "/id": "/recipe"}
        for number, (type_name, words) in enumerate(data["lines"]):
            nodes.append(node(f"line_{number}", type_name, **({"words": words} if words is not None else {})))
            places[f"/nodes/{number}"] = f"/lines/{number}"
            places[f"/nodes/{number}/type"] = f"/lines/{number}/0"
            places[f"/nodes/{number}/config/words"] = f"/lines/{number}/1"
        edges = [edge(f"line_{at}", f"line_{at + 1}") for at in range(len(nodes) - 1)]
        problems = [] if data["recipe"] else [Problem("recipe.name", "a recipe has a name", pointer="/recipe")]
        return dialect.Translation({"id": data["recipe"] or "x", "nodes": nodes, "edges": edges}, places, problems)


@pytest.fixture
def _recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dialect.DIALECTS, "recipe", Recipe())


@pytest.mark.usefixtures("_recipes")
def test_a_foreign_dialect_is_read_before_the_document(tried: Try) -> None:
    trial = tried({"recipe": "soup", "lines": [["words", ["a", "b"]], ["merge", None]]})
    assert trial.ok, trial.problems
    assert trial.nodes["line_1"]["outputs"]["merged"]["value"] == ["a", "b"]


@pytest.mark.usefixtures("_recipes")
def test_problems_point_into_the_foreign_file() -> None:
    problems = check({"recipe": "soup", "lines": [["words", [1]], ["mergee", None]]}).problems
    assert {(problem.code, problem.pointer) for problem in problems} == {
        ("config.invalid", "/lines/0/1/0"),
        ("node.unknown_type", "/lines/1/0"),
    }
    assert [problem.pointer for problem in check({"recipe": "", "lines": [["words", ["a"]]]}).problems] == ["/recipe"]


class EchoOperator(BaseOperator):
    """An operator that no step of the package has."""

    def __init__(
        self, *, step: Any, document: Any, plan: Any, config: Any, sql: Any, type_name: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.step_kind = step.kind


def test_a_step_kind_is_a_line_in_the_factorys_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(factory.OPERATORS, "echo", f"{__name__}:EchoOperator")
    report = check(GREETINGS)
    assert report.resolved is not None
    monkeypatch.setattr(report.resolved.nodes["each"].node_class, "step_kind", "echo")
    plan = build_plan(report.resolved)
    dag = factory.pipeline(GREETINGS, plan.to_json())
    assert dag.get_task("each").step_kind == "echo"
    assert type(dag.get_task("each")).__name__ == "EchoOperator"


def test_a_step_kind_that_is_not_there_says_what_to_do() -> None:
    report = check(GREETINGS)
    assert report.resolved is not None
    plan = build_plan(report.resolved).to_json()
    plan["steps"][0]["kind"] = "teleport"
    with pytest.raises(ValueError, match=r"'teleport'.*upgrade Airloom"):
        factory.pipeline(GREETINGS, plan)


def test_a_looping_node_is_a_file_of_the_tests(tried: Try) -> None:
    assert tried(GREETINGS).nodes["each"]["outputs"]["value"]["value"] == GREETED


class Clock:
    """What a wiring kind of these tests carries."""

    def __init__(self, time: str) -> None:
        self.time = time


CLOCKS = '''"""Node types of a wiring kind that the package does not know."""

from airloom.nodes.sdk import Config, Context, Transform
from tests.shapes.test_additions import Clock


class Tower(Config):
    """Make a clock."""

    time: str

    def make(self, context: Context) -> Clock:
        return Clock(self.time)


class Tell(Transform):
    """Tell the time."""

    def run(self, clock: Clock) -> str:
        return f"It is {clock.time}"
'''


def test_a_wiring_kind_is_a_line_in_the_table_of_kinds(
    tried: Try, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Under its own name, as the file of node types imports it.
    clock = importlib.import_module("tests.shapes.test_additions").Clock
    monkeypatch.setitem(KINDS, "clock", PortKind("clock", (clock,), wiring=True))
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "clocks.py").write_text(CLOCKS)
    monkeypatch.setenv("AIRLOOM_NODES", str(tmp_path / "nodes"))
    configuration.cache_clear()
    document = {"id": "clocks", "nodes": [node("tower", "tower", time="noon"), node("tell", "tell")],
                "edges": [edge("tower", "tell")]}  # fmt: skip
    trial = tried(document)
    assert trial.ok, trial.problems
    assert trial.nodes["tell"]["outputs"]["value"]["value"] == "It is noon"
    wrong = {**document, "nodes": [node("tower", "set", value=1), node("tell", "tell")]}
    assert [problem.code for problem in check(wrong).problems if problem.severity == "error"] == ["edge.kind"]
