"""Documents of the suite on a real Airflow, each grouping at once, and how that compares with a try."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.conformance.suite import DATA, GROUPINGS, ROOT, SAMPLE, Case, Ending, cases, ending, plans_of

from airloom.runtime.trial import try_document
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.document import Grouping

if TYPE_CHECKING:
    from tests.installations import Running


@dataclass(frozen=True)
class Runs:
    """The pipelines of each document by grouping, one alone where grouping changes nothing; and how they ended."""

    pipelines: dict[str, dict[Grouping, dict[str, Any]]]
    ended: dict[str, Any]


def drawn(number: int) -> list[Case]:
    """Return so many documents, drawn by the commit that is tested: over time each has its turn."""
    git = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return sorted(random.Random(commit).sample(cases(), number), key=lambda case: case.name)


@contextmanager
def settings_of(installation: Running) -> Iterator[Configuration]:
    """Return the installation's settings, and let this process know its node types."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRLOOM_NODES", installation.environment["AIRLOOM_NODES"])
        configuration.cache_clear()
        yield Configuration(root=ROOT, paths=[DATA, str(installation.files)])


def run(installation: Running, settings: Configuration, of: Sequence[Case], seconds: int) -> Runs:
    """Run documents on Airflow, all at once, and wait for so long until they have ended."""
    pipelines = {case.name: _pipelines(case, settings) for case in of}
    asked = [
        {"document": document, "params": {"out": str(installation.files / document["id"])}}
        for of_case in pipelines.values()
        for document in of_case.values()
    ]
    finished = subprocess.run(
        [sys.executable, "-m", "tests.conformance.airflow_runs"],
        input=json.dumps({"pipelines": asked, "seconds": seconds}),
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
    different = [name for name in GROUPINGS if name == "none" or plans[name].steps != plans["none"].steps]
    return {grouping: case.grouped(grouping) for grouping in different}


def compare(case: Case, installation: Running, settings: Configuration, runs: Runs) -> None:
    """Hold the runs of a document to its try, and the try to the companion file."""
    out = installation.files / f"{case.name}__try"
    trial = try_document(case.document, settings, params={"out": str(out)}, sample=SAMPLE, write=True)
    tried = ending(trial.nodes, out)
    assert tried.summary == case.expected
    assert tried.values(case.values) == case.values
    last = {node["id"] for node in case.document.get("finally", {}).get("nodes", [])}
    state = "failed" if set(trial.unhandled) - last else "success"
    for grouping, document in runs.pipelines[case.name].items():
        assert document["id"] in runs.ended, f"the run of {document['id']} did not end"
        found = runs.ended[document["id"]]
        _compare(tried, ending(found["nodes"], installation.files / document["id"]), grouping)
        assert found["state"] == state


def _compare(tried: Ending, run: Ending, grouping: Grouping) -> None:
    """Compare a run with a try: inner nodes of a group have no outputs, all else is the same."""
    assert run.nodes.keys() == tried.nodes.keys()
    for node, found in run.nodes.items():
        expected = tried.nodes[node]
        if grouping == "auto" and not found["outputs"]:
            expected = {**expected, "outputs": {}}
        assert found == expected, f"node {node}, grouping {grouping}"
    assert run.files == tried.files
