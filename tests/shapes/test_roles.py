"""Roles: only a node of role choice fires the port it names; all others fire all their ports."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.shapes.documents import Json, edge, node

from airloom.checks.check import check
from airloom.nodes.catalog import catalog
from airloom.plan.build import build_plan
from airloom.runtime.trial import Trial

pytestmark = pytest.mark.usefixtures("settings")
Try = Callable[[Json], Trial]


def sending(answer: str = "sent") -> Json:
    nodes = [
        node("send", "send", ports=["sent", "refused"], answer=answer),
        node("thank", "set", value="thanks"),
        node("ask", "set", value="again"),
        node("any", "merge"),
    ]
    edges = [edge("send.sent", "thank"), edge("send.refused", "ask"), edge("thank", "any"), edge("ask", "any")]
    nodes.insert(0, node("start", "set", value=1))
    return {"id": "sending", "nodes": nodes, "edges": [edge("start", "send"), *edges]}


@pytest.mark.parametrize(("answer", "taken", "left"), [("sent", "thank", "ask"), ("refused", "ask", "thank")])
def test_an_action_that_chooses_fires_only_the_port_it_names(tried: Try, answer: str, taken: str, left: str) -> None:
    trial = tried(sending(answer))
    assert trial.ok, trial.problems
    assert trial.nodes["send"]["fired"] == [answer]
    assert {name: trial.nodes[name]["state"] for name in (taken, left, "any")} == {
        taken: "success", left: "skipped", "any": "success",
    }  # fmt: skip


def test_its_step_chooses_on_airflow_and_it_is_held_back_as_what_writes() -> None:
    report = check(sending())
    assert report.resolved is not None
    plan = build_plan(report.resolved)
    assert plan.step("send").chooses
    assert (plan.nodes["send"].role, plan.nodes["send"].effect) == ("choice", "write")


def test_ports_of_a_choosing_action_may_lead_into_one_input() -> None:
    document = sending()
    document["nodes"].pop()
    document["nodes"].pop()
    document["edges"] = [edge("start", "send"), edge("send.sent", "thank"), edge("send.refused", "thank")]
    assert check(document).correct


def test_a_node_type_that_is_not_of_role_choice_must_not_choose(tried: Try) -> None:
    trial = tried({"id": "liar", "nodes": [node("start", "set", value=1), node("lie", "dishonest")],
                   "edges": [edge("start", "lie")]})  # fmt: skip
    assert trial.nodes["lie"]["state"] == "failed"
    assert "role" in trial.nodes["lie"]["error"]["message"]


def test_effect_and_role_are_told_apart() -> None:
    known = {name: catalog().get(name).declaration for name in ("switch", "merge", "filter", "csv_write", "set")}
    assert {name: (found.effect, found.role) for name, found in known.items()} == {
        "switch": ("pure", "choice"),
        "merge": ("pure", "choice"),
        "filter": ("pure", "work"),
        "csv_write": ("write", "work"),
        "set": ("pure", "work"),
    }
