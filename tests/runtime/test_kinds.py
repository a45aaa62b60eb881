"""A new kind of port is one entry of a table; files and models on their way; what cannot be passed on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.runtime.conftest import node
from tests.runtime.place import Place
from tests.runtime.test_trial import document

from airloom.checks.check import check
from airloom.nodes.kinds import KINDS, PortKind
from airloom.runtime.trial import Trial, try_document
from airloom.spec.error import DataError

if TYPE_CHECKING:
    from tests.runtime.conftest import Workshop


@pytest.fixture(autouse=True)
def own_nodes(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the catalog know the node types of this folder; a check in another process would not know the new kinds."""
    monkeypatch.setattr("airloom.checks.check.safe_start", lambda: "fork")
    monkeypatch.setenv("AIRLOOM_NODES", str(Path(__file__).parent / "kinds_nodes"))


def _read_place(value: Any) -> Place:
    try:
        return Place(*value)
    except TypeError:
        raise DataError(f"{value!r} is not a place") from None


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a kind of port."""
    kind = PortKind(
        "place",
        (Place,),
        write=lambda place: [place.north, place.east],
        read=_read_place,
        preview=lambda value: f"{value[0]}° N, {value[1]}° E",
        conversions={"text": lambda value: f"north {value[0]}"},
    )
    monkeypatch.setitem(KINDS, "place", kind)


BERLIN = node("berlin", "find_place", north=52.5, east=13.4)


def values(trial: Trial) -> dict[str, Any]:
    """Return what each node's one output shows, or its error."""
    assert trial.nodes, [str(problem) for problem in trial.problems]
    return {
        name: report["error"]["message"] if report["error"] else next(iter(report["outputs"].values()))["value"]
        for name, report in trial.nodes.items()
    }


@pytest.mark.usefixtures("place")
def test_a_new_kind_of_port_is_one_entry_of_a_table(workshop: Workshop) -> None:
    trial = try_document(
        document(
            BERLIN, node("moved", "move_place", by=1), node("said", "shout"),
            node("again", "set", value="{{ nodes.moved.value }}"),
            node("back", "move_place", by=-1), node("read", "set", value="{{ nodes.moved.value[0] }}"),
            node("wrong", "set", value="Berlin"), node("late", "move_place", by=1),
            edges="berlin>moved moved>said moved>again again>back moved>read wrong>late",
        ),
        workshop.settings,
    )  # fmt: skip
    assert {name: report["outputs"]["value"]["kind"] for name, report in trial.nodes.items() if report["outputs"]} == {
        "berlin": "place", "moved": "place", "said": "text", "again": "any", "back": "place", "read": "any",
        "wrong": "any",
    }  # fmt: skip
    assert values(trial) == {
        "berlin": "52.5° N, 13.4° E",
        "moved": "53.5° N, 13.4° E",
        "said": "NORTH 53.5!",
        "again": [53.5, 13.4],
        "back": "52.5° N, 13.4° E",
        "read": 53.5,
        "wrong": "Berlin",
        "late": "'Berlin' is not a place",
    }


@pytest.mark.usefixtures("place")
def test_what_a_new_kind_does_not_convert_to_does_not_connect() -> None:
    found = check(document(BERLIN, node("half", "halve"), edges="berlin>half"))
    assert [(problem.code, problem.message) for problem in found.problems] == [
        ("edge.kind", "berlin.value gives a place, half.number takes a number")
    ]
    assert check(document(BERLIN, node("said", "shout"), edges="berlin>said")).problems == []


def test_files_and_models_come_as_their_classes_and_are_shown_as_objects(workshop: Workshop) -> None:
    trial = try_document(
        document(
            node("scan", "store_file"), node("size", "size_of"),
            node("kept", "set", value="{{ nodes.scan.value }}"), node("again", "size_of"),
            node("trained", "train"), node("good", "judge"),
            node("where", "set", value="at {{ nodes.scan.value.uri }}"),
            node("known", "set", value="{{ nodes.trained.value.metadata.auc }}"),
            edges="scan>size scan>kept kept>again trained>good scan>where trained>known",
        ),
        workshop.settings,
    )  # fmt: skip
    file = {"uri": "uploads/scan.pdf", "bytes": 120, "media_type": "application/pdf", "sha256": None, "etag": "7"}
    assert values(trial) == {
        "scan": file,
        "size": 120,
        "kept": file,
        "again": 120,
        "trained": {
            "uri": "models/churn.bin", "bytes": 9, "sha256": "ab", "framework": "xgboost", "metadata": {"auc": 0.9},
        },
        "good": 0.9,
        "where": "at uploads/scan.pdf",
        "known": 0.9,
    }  # fmt: skip
    assert trial.nodes["scan"]["outputs"]["value"]["kind"] == "file"
    assert trial.nodes["trained"]["outputs"]["value"]["kind"] == "model"


def test_what_cannot_be_passed_on_fails_its_node(workshop: Workshop) -> None:
    trial = try_document(document(node("made", "give_engine")), workshop.settings)
    error = trial.nodes["made"]["error"]
    assert error["message"] == "port 'value' of node 'made' carries an Engine, which cannot be passed on"
    assert (error["node"], error["failure"]) == ("made", "data")
    assert "dataclasses" in error["hint"]


def test_a_table_within_a_value_is_told_not_carried(workshop: Workshop) -> None:
    workshop.file("orders.csv", "id,day\n1,2026-01-31\n")
    trial = try_document(
        document(
            node("orders", "csv_read", path="orders.csv"), node("told", "set", value=["{{ nodes.orders.rows }}"]),
            edges="orders>told",
        ),
        workshop.settings,
    )  # fmt: skip
    assert trial.nodes["told"]["outputs"]["value"]["value"] == [{"columns": ["id", "day"], "rows": 1}]
