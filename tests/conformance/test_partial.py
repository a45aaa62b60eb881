"""Parts of pipelines in this process: from any node on, a part ends as in the run of the whole that it reuses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.suite import DATA, GROUPINGS, NODES, ROOT, SAMPLE, Case, cases, ending, plans_of

from airloom.dags import reuse
from airloom.dags.partial import with_step
from airloom.dags.reuse import PartialStart, plan_partial
from airloom.nodes.context import RunFacts
from airloom.plan.partial import WORKING, Wish
from airloom.plan.plan import FINALLY, NOT_RUN, Plan
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.pipeline import run_pipeline
from airloom.runtime.results import NodeResult
from airloom.runtime.step import Workplace
from airloom.runtime.trial import no_connections, node_report
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.document import Grouping
from airloom.spec.params import as_expression_values, read_params
from airloom.spec.reader import read_document
from airloom.store.records import NodeRun, StoredRun
from airloom.store.store import Store

NOW = datetime.now(UTC)
REFUSED = ("failed in run", "did not run in run")


class Play:
    """Run a document by one of its plans as its tasks do, whole or a part of it."""

    def __init__(self, case: Case, plan: Plan, settings: Configuration, out: Path) -> None:
        document, _ = read_document(case.document)
        assert document is not None
        self.plan = plan
        self.params = {"out": str(out)}
        self.document = document.to_json()
        values, problems = read_params(document.params, self.params)
        assert not problems
        self.around = LocalSurroundings(
            RunFacts(case.name, "run", logical_date=NOW, started_at=NOW),
            as_expression_values(document.params, values),
            no_connections,
        )
        self.workplace = Workplace(self.document, settings)

    def whole(self) -> dict[str, NodeResult]:
        """Return the results of all nodes."""
        return dict(run_pipeline(self.plan, self.workplace, self.around))

    def part(self, start: PartialStart) -> dict[str, NodeResult]:
        """Return the results of all nodes in a run of a part."""
        for step in self.plan.steps:
            results = start.run.results_of(step)
            working = start.run.step(step, self.plan)
            before = {source.partition(".")[0] for source in step.reads}
            if any(self.around.results[node].outcome.unhandled for node in before):
                # Airflow starts nothing below a failure that nobody handles.
                results |= {node: NodeResult(NOT_RUN) for node in working.nodes}
            elif working.nodes:
                plan = with_step(self.plan, working)
                results |= self.workplace.run(plan, step.id, self.around, beside=results).nodes
            self.around.results.update(results)
        return self.around.results


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """Return settings that know the suite's node types and let documents read its data and write below a folder."""
    monkeypatch.setenv("AIRLOOM_NODES", str(NODES))
    monkeypatch.setenv("AIRLOOM_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(reuse, "run_state", lambda pipeline, run_id: None)
    configuration.cache_clear()
    return Configuration(root=ROOT, paths=[DATA, str(tmp_path)], data=str(tmp_path / "data"))


def keep(store: Store, play: Play, results: dict[str, NodeResult]) -> None:
    """Keep a run that has ended, as a worker does."""
    name = play.around.run.pipeline
    store.publish({**play.document, "id": name}, play.plan.to_json(), author="ann", source="api")
    store.runs.observe(StoredRun(name, "run", "success", NOW, version=1, params=play.params))
    runs = [
        NodeRun(name, "run", node, found.state, fired=found.fired, outputs=found.outputs, error=found.error,
                statistics=found.statistics)
        for node, found in results.items()
    ]  # fmt: skip
    store.node_runs.record(name, "run", runs)


# Each document by one grouping, in turn: all three take minutes, and differ by few documents.
@pytest.mark.parametrize(
    ("case", "grouping"),
    [pytest.param(case, GROUPINGS[at % 3], id=f"{case.name}-{GROUPINGS[at % 3]}") for at, case in enumerate(cases())],
)
def test_a_part_ends_as_in_the_run_that_it_reuses(
    case: Case, grouping: Grouping, store: Store, settings: Configuration, tmp_path: Path
) -> None:
    plan = plans_of(case, settings)[grouping]
    play = Play(case, plan, settings, tmp_path / "out")
    results = play.whole()
    keep(store, play, results)
    expected = reports(results, tmp_path / "out")
    nodes = [node for step in plan.steps for node in step.nodes if plan.nodes[node].step != FINALLY]
    for node in nodes[len(nodes) // 2 :][:1]:
        start = plan_partial(store, case.name, {}, Wish(first=node, reuse="run", writes=True))
        if start.problems:
            assert all(any(text in problem.message for text in REFUSED) for problem in start.problems), start.problems
            continue
        part = reports(Play(case, plan, settings, tmp_path / "out").part(start), tmp_path / "out")
        for name, what in start.selection.parts.items():
            if what in WORKING and plan.nodes[name].step != FINALLY:
                # An inner node of a step keeps what it gave where it is the end of the part.
                whole = (
                    expected[name]
                    if expected[name]["outputs"]
                    else {**expected[name], "outputs": part[name]["outputs"]}
                )
                assert part[name] == whole, (node, name)
            if what == "skipped":
                assert expected[name]["state"] in ("skipped", "not_run"), (node, name)


def reports(results: dict[str, NodeResult], out: Path) -> dict[str, Any]:
    """Return how nodes ended, in a form that can be compared."""
    return ending({node: node_report(result, SAMPLE) for node, result in results.items()}, out).nodes
