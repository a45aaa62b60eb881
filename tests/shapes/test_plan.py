"""Plan format 2, and the reader of format 1 as the release before wrote it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tests.shapes.documents import GREETINGS, node

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.engine.storage import Files
from airloom.plan.build import build_plan
from airloom.plan.plan import Plan, PlanFormatError
from airloom.spec.configuration import Configuration

pytestmark = pytest.mark.usefixtures("settings")
ROOT = Path(__file__).parents[2]
OLD = sorted((Path(__file__).parent / "plans_1").glob("*.json"))
"""Documents with the plans that the release before this format made of them."""


def planned(document: dict[str, Any]) -> Plan:
    files = Files.of(Configuration(root=ROOT, paths=["tests/conformance/data"]))
    report = check(document, Facts(files=files))
    assert report.resolved is not None, report.problems
    return build_plan(report.resolved)


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_plan_of_format_1_reads_as_the_plan_of_today(path: Path) -> None:
    kept = json.loads(path.read_text())
    old, new = Plan.from_json(kept["plan"]), planned(kept["document"])
    assert old.to_json()["format"] == 2
    for name, known in new.nodes.items():
        read = old.nodes[name]
        # What format 1 did not have is absent, and nothing else differs.
        assert (read.file, read.hash, read.body) == ("", "", None)
        for field in ("type", "version", "effect", "role", "method", "step", "inputs", "outputs", "columns"):
            assert getattr(read, field) == getattr(known, field), (name, field)
        # A cast is another query since texts are read strictly; a plan keeps the one that it was made with.
        assert read.sql.keys() == known.sql.keys()
        assert read.type == "cast" or read.sql == known.sql, name
    assert old.steps == new.steps
    assert (old.gates, old.labels) == (new.gates, new.labels)


def test_there_are_plans_of_format_1() -> None:
    assert len(OLD) >= 5


def test_a_plan_of_a_newer_format_says_upgrade() -> None:
    plan = {**planned(GREETINGS).to_json(), "format": 3}
    plan["steps"][0]["colour"] = "blue"
    with pytest.raises(PlanFormatError, match=r"format 3.*upgrade Airloom"):
        Plan.from_json(plan)


def test_hashes_follow_what_a_node_does_and_reads() -> None:
    before = planned(GREETINGS)
    document = copy.deepcopy(GREETINGS)
    document["nodes"][0]["config"]["words"] = ["Ada"]
    document["nodes"][0]["name"] = "People"
    after = planned(document)
    different = {name for name in before.nodes if before.nodes[name].hash != after.nodes[name].hash}
    assert different == {"people", "each", "last"}
    document = copy.deepcopy(GREETINGS)
    document["nodes"][1]["config"]["value"] = "Prof"
    after = planned(document)
    assert {name for name in before.nodes if before.nodes[name].hash != after.nodes[name].hash} == {
        "title", "each", "last",
    }  # fmt: skip
    document = copy.deepcopy(GREETINGS)
    document["nodes"][2]["body"]["nodes"][1] = node("shout", "greet", word="x")
    after = planned(document)
    assert {name for name in before.nodes if before.nodes[name].hash != after.nodes[name].hash} == {"each", "last"}


def test_a_plan_has_triggers_and_interfaces() -> None:
    data = planned(GREETINGS).to_json()
    assert (data["triggers"], data["interfaces"]) == ({}, {})
    step = data["steps"][0]
    assert (step["exits"], step["trigger_rule"]) == (["people"], "none_failed_min_one_success")
