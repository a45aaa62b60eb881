"""Trying a document: what runs, what is shown, and what keeps it from running."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.runtime.conftest import node

from airloom.nodes.kinds import File, plain
from airloom.runtime.trial import Trial, try_document

if TYPE_CHECKING:
    from tests.runtime.conftest import Workshop

Json = dict[str, Any]


def document(*nodes: Json, edges: str = "", **more: Any) -> Json:
    return {
        "id": "tried",
        "nodes": list(nodes),
        "edges": [dict(zip(("from", "to"), edge.split(">"), strict=True)) for edge in edges.split()],
        **more,
    }


def shop(workshop: Workshop) -> Json:
    """Return a document with a source, two ways, and a sink with work behind it."""
    workshop.rows("orders.jsonl", [{"id": number, "day": "2026-01-31"} for number in range(15)])
    return document(
        node("orders", "jsonl_read", path="orders.jsonl", columns={"id": "INTEGER", "day": "DATE"}),
        node("small", "filter", where="id < 3"),
        node("write", "csv_write", path="out.csv"),
        node("after", "set", value="{{ nodes.write.done.rows }}"),
        node("aside", "set", value="{{ nodes.orders.rows.rows }}"),
        edges="orders>small small>write write.done>after orders>aside",
    )


def states(trial: Trial) -> dict[str, str]:
    return {name: " ".join([report["state"], *report["fired"]]) for name, report in trial.nodes.items()}


def complaints(trial: Trial) -> list[tuple[str, str, str, str | None]]:
    return [(found.code, found.pointer, found.message, found.hint) for found in trial.problems]


def test_each_node_is_reported_with_its_outputs(workshop: Workshop) -> None:
    trial = try_document(shop(workshop), workshop.settings, sample=2, write=True)
    assert trial.ok
    assert states(trial) == {
        "orders": "success rows",
        "small": "success rows",
        "write": "success done",
        "after": "success value",
        "aside": "success value",
    }
    orders = trial.nodes["orders"]
    assert orders["outputs"] == {
        "rows": {
            "kind": "table",
            "rows": 15,
            "columns": [{"name": "id", "type": "INTEGER"}, {"name": "day", "type": "DATE"}],
            "sample": [{"id": 0, "day": "2026-01-31"}, {"id": 1, "day": "2026-01-31"}],
        }
    }
    assert orders["error"] is None
    assert orders["seconds"] >= 0
    assert trial.nodes["after"]["outputs"] == {"value": {"kind": "any", "value": 3}}
    assert json.loads(json.dumps(trial.to_json()))["nodes"] == trial.nodes
    assert (workshop.folder / "out.csv").read_text().splitlines()[0] == "id,day"


def test_nothing_is_written_unless_asked_for(workshop: Workshop) -> None:
    seen: list[str] = []
    trial = try_document(shop(workshop), workshop.settings, on_node=lambda name, report: seen.append(name))
    assert trial.ok
    assert states(trial) == {
        "orders": "success rows",
        "small": "success rows",
        "write": "not_run",
        "after": "not_run",
        "aside": "success value",
    }
    assert trial.held_back == ["write"]
    assert "write" not in seen
    assert [path.name for path in workshop.folder.iterdir()] == ["orders.jsonl"]


def test_nothing_is_left_of_a_try(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    assert try_document(shop(workshop), workshop.settings, write=True).ok
    assert list(scratch.iterdir()) == []
    assert not Path(str(workshop.settings.data)).exists()


def test_without_a_sample_rows_are_counted_and_not_read(workshop: Workshop) -> None:
    trial = try_document(shop(workshop), workshop.settings, sample=0)
    assert trial.nodes["small"]["outputs"]["rows"]["rows"] == 3
    assert trial.nodes["small"]["outputs"]["rows"]["sample"] == []


def test_until_runs_a_node_and_what_it_needs(workshop: Workshop) -> None:
    seen: list[str] = []
    trial = try_document(
        shop(workshop), workshop.settings, until="small", on_node=lambda name, report: seen.append(name)
    )
    assert trial.ok
    assert seen == ["orders", "small"]
    assert {name for name, state in states(trial).items() if state != "not_run"} == {"orders", "small"}


def test_until_an_unknown_node_runs_nothing(workshop: Workshop) -> None:
    trial = try_document(shop(workshop), workshop.settings, until="smal")
    assert not trial.ok
    assert trial.nodes == {}
    assert complaints(trial) == [("node.unknown", "", "there is no node 'smal'", "did you mean 'small'?")]


def test_a_document_with_problems_is_not_run(workshop: Workshop) -> None:
    wrong = shop(workshop)
    wrong["nodes"][1]["config"]["where"] = "ids < 3"
    trial = try_document(wrong, workshop.settings, write=True)
    assert not trial.ok
    assert trial.nodes == {}
    assert [(code, at, hint) for code, at, _, hint in complaints(trial)] == [
        ("sql", "/nodes/1/config/where", "did you mean 'id'?")
    ]
    assert not (workshop.folder / "out.csv").exists()


@pytest.mark.parametrize("data", [None, [], "text", 7, {}, {"id": "A"}, {"id": "x", "nodes": 3}])
def test_what_is_no_document_is_a_problem(workshop: Workshop, data: object) -> None:
    trial = try_document(data, workshop.settings)
    assert not trial.ok
    assert trial.problems


# Params

PARAMS = {
    "day": {"type": "string", "format": "date", "default": "2026-01-31"},
    "count": {"type": "integer", "minimum": 1, "default": 2},
    "flag": {"type": "boolean", "default": False},
    "must": {"type": "string"},
}


def with_params() -> Json:
    value = {"year": "{{ params.day.year }}", "more": "{{ params.count + 1 }}", "flag": "{{ params.flag }}"}
    return document(node("told", "set", value=value), params=PARAMS)


def test_params_are_read_by_their_declared_types(workshop: Workshop) -> None:
    given = {"day": "2027-02-28", "count": "41", "flag": "true", "must": "7"}
    trial = try_document(with_params(), workshop.settings, params=given)
    assert trial.ok
    assert trial.nodes["told"]["outputs"]["value"]["value"] == {"year": 2027, "more": 42, "flag": True}


@pytest.mark.parametrize(
    ("given", "code", "at", "message", "hint"),
    [
        ({}, "params.missing", "/params/must", "the param 'must' is needed", "give it a value, or declare a default"),
        (
            {"must": "", "cuont": "1"},
            "params.unknown",
            "/params/cuont",
            "the pipeline has no param 'cuont'",
            "did you mean 'count'?",
        ),
        ({"must": "", "count": "0"}, "params.invalid", "/params/count", "0 is less than the minimum of 1", None),
        ({"must": "", "count": "two"}, "params.invalid", "/params/count", "'two' is not of type 'integer'", None),
        ({"must": "", "flag": "maybe"}, "params.invalid", "/params/flag", "'maybe' is not of type 'boolean'", None),
        ({"must": "", "day": "31.1."}, "params.invalid", "/params/day", "this is not a date such as 2024-12-31", None),
    ],
)  # fmt: skip
def test_a_wrong_param_runs_nothing(
    workshop: Workshop, given: dict[str, str], code: str, at: str, message: str, hint: str | None
) -> None:
    trial = try_document(with_params(), workshop.settings, params=given)
    assert not trial.ok
    assert trial.nodes == {}
    assert complaints(trial) == [(code, at, message, hint)]


# Failures


def test_a_file_that_may_still_come_is_a_warning_and_then_a_failure(workshop: Workshop) -> None:
    wanted = document(
        node("orders", "csv_read", path="orders.csv"), node("kept", "filter", where="id < 3"), edges="orders>kept"
    )
    trial = try_document(wanted, workshop.settings)
    assert [problem.severity for problem in trial.problems] == ["warning"]
    assert not trial.ok
    assert states(trial) == {"orders": "failed", "kept": "not_run"}
    assert trial.nodes["orders"]["error"]["message"] == "there is no file 'orders.csv'"
    assert trial.nodes["orders"]["error"]["hint"] == f"looked at {workshop.folder / 'orders.csv'}"


def test_a_handled_failure_is_no_failure_of_the_try(workshop: Workshop) -> None:
    handled = document(node("bad", "broken"), node("alert", "set", value=1), edges="bad.error>alert")
    trial = try_document(handled, workshop.settings)
    assert trial.ok
    assert states(trial) == {"bad": "failed error", "alert": "success value"}
    unhandled = document(node("bad", "broken"), node("next", "set", value=1), edges="bad>next")
    assert not try_document(unhandled, workshop.settings).ok


def test_a_connection_that_is_not_there_says_how_to_give_one(workshop: Workshop) -> None:
    wanted = document(node("read", "postgres_read", connection="shop", table="orders"))
    trial = try_document(wanted, workshop.settings)
    assert not trial.ok
    told = [problem.hint for problem in trial.problems] + [trial.nodes.get("read", {}).get("error", {}).get("hint")]
    assert "set AIRFLOW_CONN_SHOP, or give --connections FILE" in told


# Values


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("2.00"), 2),
        (Decimal("0.1"), 0.1),
        (Decimal("12345678901234567890.12"), "12345678901234567890.12"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (b"\x00\xff", "00ff"),
        ([File("a", 1)], [{"uri": "a", "bytes": 1, "media_type": None, "sha256": None, "etag": None}]),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        ({1: [Decimal("1.5"), (None, True)]}, {"1": [1.5, [None, True]]}),
    ],
)
def test_values_are_shown_as_json(value: Any, shown: Any) -> None:
    assert plain(value) == shown
    assert type(plain(value)) is type(shown)
