"""What a step's results mean for its task."""

from __future__ import annotations

from typing import Any

import pytest

from airloom.dags.outcome import outcome_of
from airloom.plan.plan import PlanStep
from airloom.runtime.results import NodeResult, error_text

REFERENCE = {"kind": "object", "value": 1}
ERROR: dict[str, Any] = {"code": "data", "message": "no such day", "failure": "data", "node": "b", "hint": None}


@pytest.fixture
def step() -> PlanStep:
    """Return a step of two nodes, of which the second leads to tasks by three ports."""
    follow = {"b.rows": ("load", "report"), "b.rest": ("report",), "b.error": ("alert",)}
    return PlanStep("a-b", "table", ("a", "b"), (), (), follow, True, 0, 30.0, None, None, ("b",))


def test_what_nodes_gave_is_kept_by_node(step: PlanStep) -> None:
    inner = NodeResult("success", fired=["rows"])
    exit_result = NodeResult("success", fired=["rows"], outputs={"rows": REFERENCE}, statistics={"seconds": 1})
    outcome = outcome_of(step, {"a": inner, "b": exit_result})
    assert outcome.values == {
        "a-b.inner": {"a": {"fired": ["rows"]}},
        "b.rows": REFERENCE,
        "b.fired": ["rows"],
        "b.statistics": {"seconds": 1},
    }
    assert (outcome.failure, outcome.skipped) == (None, False)


@pytest.mark.parametrize(
    ("fired", "followed"),
    [(["rows"], ["load", "report"]), (["rest"], ["report"]), (["rows", "rest"], ["load", "report"]), ([], [])],
)
def test_only_what_a_fired_port_leads_to_follows(step: PlanStep, fired: list[str], followed: list[str]) -> None:
    outcome = outcome_of(step, {"b": NodeResult("success", fired=fired)})
    assert outcome.followed == followed
    assert outcome.values["b.fired"] == fired


def test_a_failure_that_nothing_takes_fails_the_task_and_is_kept(step: PlanStep) -> None:
    outcome = outcome_of(step, {"a": NodeResult("success", fired=["rows"]), "b": NodeResult("failed", error=ERROR)})
    assert outcome.failure == ERROR
    assert outcome.values == {"a-b.inner": {"a": {"fired": ["rows"]}}, "b.error": ERROR}


def test_a_failure_that_the_error_port_takes_leads_on(step: PlanStep) -> None:
    outputs = {"error": {"kind": "object", "value": {}}}
    failed = NodeResult("failed", fired=["error"], handled=True, outputs=outputs, error=ERROR)
    outcome = outcome_of(step, {"b": failed})
    assert outcome.failure is None
    assert outcome.followed == ["alert"]
    assert outcome.values == {"b.error": ERROR, "b.fired": ["error"]}


def test_after_a_failure_that_fires_no_port_what_is_below_is_skipped(step: PlanStep) -> None:
    outcome = outcome_of(step, {"b": NodeResult("failed", handled=True, error=ERROR)})
    assert (outcome.failure, outcome.skipped, outcome.followed) == (None, False, [])
    assert outcome.values == {"b.error": ERROR, "b.fired": []}


def test_a_failure_of_an_inner_node_fails_the_task_though_its_exit_was_not_run(step: PlanStep) -> None:
    outcome = outcome_of(step, {"a": NodeResult("failed", error={**ERROR, "node": "a"}), "b": NodeResult("not_run")})
    assert outcome.failure is not None
    assert outcome.failure["node"] == "a"
    assert not outcome.skipped


def test_a_task_is_skipped_where_its_exit_is(step: PlanStep) -> None:
    outcome = outcome_of(step, {"a": NodeResult("skipped"), "b": NodeResult("skipped")})
    assert outcome.skipped
    assert outcome.values == {}


def test_the_text_of_a_failure_names_its_place_and_hint() -> None:
    assert error_text({**ERROR, "hint": "look at the calendar"}) == "node 'b': no such day Hint: look at the calendar"
    assert error_text({**ERROR, "field": "days/0"}) == "node 'b', field 'days/0': no such day"
