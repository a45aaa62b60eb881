"""The one rule on a real Airflow: each document ends as it does in a try, grouped and ungrouped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.conformance.suite import DATA, ROOT, SAMPLE, Case, Ending, cases, ending, plans_of

from airloom.runtime.trial import try_document
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.document import Grouping

if TYPE_CHECKING:
    from tests.installations import Running

SECONDS = 1200
# The first test waits for the runs of all documents, which go on at once.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(SECONDS + 120)]


@dataclass(frozen=True)
class Runs:
    """The pipelines of each document by grouping, one alone where grouping changes nothing; and how they ended."""

    pipelines: dict[str, dict[Grouping, dict[str, Any]]]
    ended: dict[str, Any]


@pytest.fixture(scope="module")
def settings(installation: Running) -> Iterator[Configuration]:
    """Return the installation's settings, and let this process know its node types."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRLOOM_NODES", installation.environment["AIRLOOM_NODES"])
        configuration.cache_clear()
        yield Configuration(root=ROOT, paths=[DATA, str(installation.files)])


@pytest.fixture(scope="module")
def runs(installation: Running, settings: Configuration) -> Runs:
    """Run all documents on Airflow."""
    pipelines = {case.name: _pipelines(case, settings) for case in cases()}
    asked = [
        {"document": document, "params": {"out": str(installation.files / document["id"])}}
        for of_case in pipelines.values()
        for document in of_case.values()
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
    return Runs(pipelines, json.loads(finished.stdout.splitlines()[-1]))


def _pipelines(case: Case, settings: Configuration) -> dict[Grouping, dict[str, Any]]:
    plans = plans_of(case, settings)
    groupings: tuple[Grouping, ...] = ("none",) if plans["auto"].steps == plans["none"].steps else ("auto", "none")
    return {grouping: case.grouped(grouping) for grouping in groupings}


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_document_ends_on_airflow_as_in_a_try(
    case: Case, installation: Running, settings: Configuration, runs: Runs
) -> None:
    out = installation.files / f"{case.name}__try"
    trial = try_document(case.document, settings, params={"out": str(out)}, sample=SAMPLE, write=True)
    tried = ending(trial.nodes, out)
    assert tried.summary == case.expected
    for grouping, document in runs.pipelines[case.name].items():
        assert document["id"] in runs.ended, f"the run of {document['id']} did not end"
        run = runs.ended[document["id"]]
        compare(tried, ending(run["nodes"], installation.files / document["id"]), grouping)
        assert run["state"] == ("success" if trial.ok else "failed")


def compare(tried: Ending, run: Ending, grouping: Grouping) -> None:
    """Compare a run with a try: inner nodes of a group have no outputs, all else is the same."""
    assert run.nodes.keys() == tried.nodes.keys()
    for node, found in run.nodes.items():
        expected = tried.nodes[node]
        if grouping == "auto" and not found["outputs"]:
            expected = {**expected, "outputs": {}}
        assert found == expected, f"node {node}, grouping {grouping}"
    assert run.files == tried.files
