"""The one rule on a real Airflow: each document ends as it does in a try, grouped and ungrouped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.conformance.suite import DATA, ROOT, SAMPLE, Case, Ending, cases, ending, plan_of

from airloom.runtime.trial import try_document
from airloom.spec.configuration import Configuration, configuration

if TYPE_CHECKING:
    from tests.integration.conftest import Running

SECONDS = 900
GROUPINGS = ("auto", "none")
# Every test waits for the runs of all, which go on at once.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(SECONDS + 60)]


@pytest.fixture(scope="module")
def settings(installation: Running) -> Iterator[Configuration]:
    """Return the installation's settings, and let this process know its node types."""
    before = os.environ.get("AIRLOOM_NODES")
    os.environ["AIRLOOM_NODES"] = installation.environment["AIRLOOM_NODES"]
    configuration.cache_clear()
    yield Configuration(root=ROOT, paths=[DATA, str(installation.files)])
    os.environ.pop("AIRLOOM_NODES")
    if before is not None:
        os.environ["AIRLOOM_NODES"] = before
    configuration.cache_clear()


def pipelines(case: Case, settings: Configuration) -> dict[str, dict[str, Any]]:
    """Return the pipelines of a document by grouping; one alone where grouping makes no difference."""
    found = {}
    steps = []
    for grouping in GROUPINGS:
        document = {**case.grouped(grouping), "id": f"{case.name}__{grouping}"}
        plan = plan_of(document, settings)
        if plan.steps not in steps:
            found[grouping] = document
        steps.append(plan.steps)
    return found


@pytest.fixture(scope="module")
def ended(installation: Running, settings: Configuration) -> dict[str, Any]:
    """Run all documents on Airflow; return how their nodes ended by pipeline."""
    asked = [
        {"document": document, "params": {"out": str(installation.files / document["id"])}}
        for case in cases()
        for document in pipelines(case, settings).values()
    ]
    finished = subprocess.run(
        [sys.executable, "-m", "tests.conformance.airflow_runs"],
        input=json.dumps({"pipelines": asked, "seconds": SECONDS}),
        env={**os.environ, **installation.environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return dict(json.loads(finished.stdout.splitlines()[-1]))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_document_ends_on_airflow_as_in_a_try(
    case: Case, installation: Running, settings: Configuration, ended: dict[str, Any], tmp_path: Path
) -> None:
    out = installation.files / f"{case.name}__try"
    trial = try_document(case.document, settings, params={"out": str(out)}, sample=SAMPLE, write=True)
    tried = ending(trial.nodes, out)
    assert tried.summary == case.expected
    for grouping, document in pipelines(case, settings).items():
        assert document["id"] in ended, f"the run of {document['id']} did not end"
        run = ended[document["id"]]
        compare(tried, ending(run["nodes"], installation.files / document["id"]), grouping)
        assert run["state"] == ("success" if trial.ok else "failed")


def compare(tried: Ending, run: Ending, grouping: str) -> None:
    """Compare a run with a try: inner nodes of a group have no outputs, all else is the same."""
    assert run.nodes.keys() == tried.nodes.keys()
    for node, found in run.nodes.items():
        expected = tried.nodes[node]
        if grouping == "auto" and not found["outputs"]:
            expected = {**expected, "outputs": {}}
        assert found == expected, f"node {node}, grouping {grouping}"
    assert run.files == tried.files
