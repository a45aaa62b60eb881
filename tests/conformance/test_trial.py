"""The one rule in this process: each document ends as its companion says, and grouping changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.conformance.generate import FOLDER, SEEDS, draw, text_of
from tests.conformance.suite import DATA, NODES, ROOT, SAMPLE, Case, Ending, cases, ending, plans_of

from airloom.nodes.context import RunFacts
from airloom.plan.plan import Plan
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.pipeline import run_pipeline
from airloom.runtime.step import Workplace
from airloom.runtime.trial import no_connections, node_report, try_document
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.params import as_expression_values, read_params
from airloom.spec.problem import errors
from airloom.spec.reader import read_document


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """Return settings that know the suite's node types and let documents read its data and write below a folder."""
    monkeypatch.setenv("AIRLOOM_NODES", str(NODES))
    configuration.cache_clear()
    return Configuration(root=ROOT, paths=[DATA, str(tmp_path)], data=str(tmp_path / "data"))


def tried(case: Case, settings: Configuration, out: Path) -> Ending:
    trial = try_document(case.document, settings, params={"out": str(out)}, sample=SAMPLE, write=True)
    assert not errors(trial.problems), [str(problem) for problem in trial.problems]
    return ending(trial.nodes, out)


def run(case: Case, plan: Plan, settings: Configuration, out: Path) -> Ending:
    document, _ = read_document(case.document)
    assert document is not None
    values, problems = read_params(document.params, {"out": str(out)})
    assert not problems
    now = datetime.now(UTC)
    surroundings = LocalSurroundings(
        RunFacts(case.name, "run", logical_date=now, started_at=now),
        as_expression_values(document.params, values),
        no_connections,
    )
    results = dict(run_pipeline(plan, Workplace(document.to_json(), settings), surroundings))
    return ending({node: node_report(result, SAMPLE) for node, result in results.items()}, out)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_document_ends_as_expected_grouped_and_ungrouped(case: Case, settings: Configuration, tmp_path: Path) -> None:
    single = tried(case, settings, tmp_path / "single")
    assert single.summary == case.expected
    assert single.values(case.values) == case.values

    plans = plans_of(case, settings)
    one_task = run(case, plans["all"], settings, tmp_path / "all")
    assert one_task.files == single.files
    assert one_task.nodes == single.nodes

    plan = plans["auto"]
    together = run(case, plan, settings, tmp_path / "together")
    assert together.files == single.files
    exits = {node for step in plan.steps for node in step.exits}
    for node, ended in single.nodes.items():
        # A group keeps what leaves it: an inner node has no outputs, unless the group was run node by node.
        if node in exits or together.nodes[node]["outputs"]:
            assert together.nodes[node] == ended
        else:
            assert together.nodes[node] == {**ended, "outputs": {}}


def test_the_suite_reaches_every_sort_of_step_and_state(settings: Configuration) -> None:
    found = cases()
    plans = [plans_of(case, settings)["auto"] for case in found]
    steps = [step for plan in plans for step in plan.steps]
    assert len(found) >= 60
    assert {step.kind for step in steps} == {"table", "objects", "node", "loop", "finally"}
    assert any(len(step.nodes) > 3 for step in steps)
    assert any(step.chooses for step in steps)
    assert any(plan.gates for plan in plans)
    states = [node["state"] for case in found for node in case.expected.values()]
    assert min(states.count(state) for state in ("success", "failed", "skipped", "not_run")) >= 20
    assert sum("failed" in str(case.expected) for case in found) >= 25


def test_what_is_drawn_is_what_is_kept() -> None:
    for seed in SEEDS:
        document, expected = draw(seed)
        path = FOLDER / f"{document['id']}.json"
        assert path.read_text() == text_of(document), "run python tests/conformance/generate.py"
        assert json.loads(path.with_suffix(".expected.json").read_text()) == expected
