"""nodes TYPE, for people: ports, a table of fields, examples with their rows; and extras that nodes need."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from airloom.cli import extra


def test_a_type_shows_ports_fields_and_examples(airloom: Any) -> None:
    lines = [line.split() for line in airloom("nodes", "filter").out.splitlines()]
    assert lines[0] == ["filter", "tables"]
    assert ["in", "rows", "(table)"] in lines
    assert ["config", "type", "default", "meaning"] in lines
    where = next(line for line in lines if line[:1] == ["where"])
    assert where[1:4] == ["SQL", "condition", "–"]
    example = lines.index(["Example:", "Paid", "orders"])
    assert lines[example + 1] == ['{"where":', '"status', "=", "'paid'\"}"]
    assert lines[example + 2 : example + 6] == [["in,", "rows:"], ["id", "status"], ["1", "paid"], ["2", "open"]]
    assert lines[example + 6 : example + 9] == [["out,", "rows:"], ["id", "status"], ["1", "paid"]]


def test_every_type_can_be_shown(airloom: Any) -> None:
    types = [node["type"] for node in airloom("nodes", "--json").json]
    assert len(types) > 40
    for name in types:
        answer = airloom("nodes", name)
        assert (answer.code, answer.complaint) == (0, ""), name
        assert answer.out.startswith(f"{name} "), name


def test_json_has_the_examples_too(airloom: Any) -> None:
    [node] = airloom("nodes", "filter", "--json").json
    assert node["examples"][0]["outputs"] == {"rows": [{"id": 1, "status": "paid"}]}


def test_extras_are_listed_and_what_is_there_is_not_installed_again(
    airloom: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    listed = airloom("add").out
    assert "polars" in listed
    assert "bench" not in listed
    assert airloom("add", "polars", "pandas").out == "polars, pandas: installed already.\n"
    unknown = airloom("add", "polrs")
    assert (unknown.code, unknown.complaint) == (1, "Error: there is no extra 'polrs'\n  did you mean 'polars'?\n")


def test_what_an_extra_lacks_is_installed_beside_what_is_there(airloom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[list[str], str]] = []

    def run(command: list[str], **options: Any) -> Any:
        constraints = command[command.index("--constraint") + 1]
        ran.append((command, open(constraints).read()))  # noqa: SIM115
        return subprocess.CompletedProcess(command, len(ran) - 1)

    monkeypatch.setattr(extra, "_installer", lambda: (["uv", "pip", "install"], {}))
    monkeypatch.setattr(extra, "_is_installed", lambda text: not text.startswith("polars"))
    monkeypatch.setattr(subprocess, "run", run)
    assert airloom("add", "polars").code == 0
    command, constraints = ran[0]
    assert command[-1].startswith("polars>=")
    assert "duckdb==" in constraints
    assert "\nairloom==" not in constraints
    assert airloom("add", "polars").code == 3, "the installer failed"
