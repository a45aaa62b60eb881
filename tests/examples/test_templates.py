"""The templates are right, say what they are, and run as they are with the sample data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.engine.storage import Files
from airloom.runtime.trial import try_document
from airloom.spec.configuration import Configuration
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import errors
from airloom.spec.template import Template, template, templates

ALL = pytest.mark.parametrize("one", templates().values(), ids=lambda one: one.id)
WRITTEN = {
    "clean_file": ["clean_file.parquet", "clean_file_rejects.csv"],
    "daily_report": ["daily_report.xlsx"],
    "load_into_database": [],
    "quality_gate": ["quality_gate.jsonl"],
    "time_windows": ["time_windows.csv"],
}


@ALL
def test_it_says_what_it_is(one: Template) -> None:
    assert one.name
    assert "To make it yours: " in one.description
    assert one.category
    assert "id" not in one.document
    for param in one.params.values():
        assert {"type", "default", "title", "description"} <= param.keys()
    assert all(node["name"] for node in one.document["nodes"])


@ALL
def test_nothing_is_wrong_with_it(one: Template, project: Path) -> None:
    files = Files.of(Configuration(root=project))
    report = check(one.begin("mine"), Facts(connections={"warehouse": "postgres"}, files=files))
    assert report.problems == []
    assert report.document is not None
    assert report.document.name == one.name


@ALL
def test_it_runs_as_it_is(one: Template, project: Path) -> None:
    into_files = one.id != "load_into_database"
    trial = try_document(one.begin("mine"), Configuration(root=project), write=into_files)
    assert not errors(trial.problems), trial.problems
    states = {node: report["state"] for node, report in trial.nodes.items() if node not in trial.held_back}
    assert set(states.values()) <= {"success", "skipped"}, states
    assert trial.held_back == ([] if into_files else ["load"])
    output = project / "output"
    assert (sorted(file.name for file in output.glob("*")) if output.exists() else []) == WRITTEN[one.id]


def test_params_change_what_comes(project: Path) -> None:
    document = templates()["quality_gate"].begin("mine")
    for tolerated, verdict in (("20", "passed"), ("3", "refused")):
        try_document(document, Configuration(root=project), params={"tolerated": tolerated}, write=True)
        (line,) = (project / "output" / "quality_gate.jsonl").read_text().splitlines()
        assert json.loads(line)["verdict"] == verdict


def test_one_begins_apart_from_the_other() -> None:
    first, second = (templates()["clean_file"].begin(name) for name in ("first", "second"))
    first["nodes"][0]["config"]["path"] = "elsewhere.csv"
    assert second["nodes"][0]["config"]["path"] == "include/data/penguins/penguins.csv"
    assert templates()["clean_file"].begin("mine", "Mine")["name"] == "Mine"
    with pytest.raises(ConfigurationError, match="there is no template 'clean_fil'") as raised:
        template("clean_fil", templates())
    assert "clean_file" in str(raised.value.hint)
