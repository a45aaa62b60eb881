from __future__ import annotations

import logging
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.dags.outcome import FINAL_FAILURES
from airloom.nodes.control.stop import Stop, Stopped
from airloom.nodes.sdk import ports_of
from airloom.nodes.testing import run_node


def test_as_failed_it_raises_the_message_and_no_attempt_follows() -> None:
    with pytest.raises(Stopped, match="no orders") as caught:
        run_node(Stop(message="no orders"))
    assert caught.value.to_json()["code"] == "stopped"
    assert caught.value.failure in FINAL_FAILURES


def test_as_successful_it_only_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert run_node(Stop(state="success", message="nothing to do"), value=5) == {"": None}
    assert "stopped: nothing to do" in caplog.text


def problems(extra: dict[str, Any], edges: list[dict[str, str]]) -> list[tuple[str, str]]:
    stop = {"id": "end", "type": "stop", "config": {"message": "x"}, **extra}
    document = {"id": "stops", "nodes": [stop, {"id": "note", "type": "set", "config": {"value": 1}}], "edges": edges}
    return [(problem.code, problem.pointer) for problem in check(document).problems if problem.severity == "error"]


def test_nothing_comes_after_it() -> None:
    assert ports_of(Stop, {"message": "x"}).outputs == ()
    assert problems({}, [{"from": "end", "to": "note"}]) == [("edge.port", "/edges/0/from")]


def test_nothing_handles_its_failure() -> None:
    assert problems({}, [{"from": "end.error", "to": "note"}]) == [("edge.unknown_port", "/edges/0/from")]
    assert problems({"on_error": "continue"}, []) == [("node.handled", "/nodes/0/on_error")]
