"""The command line in this process, in a project folder of its own; and answers that are kept to compare with."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airloom.cli import main
from airloom.cli.output import console
from airloom.spec.configuration import configuration

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "UPDATE_SNAPSHOTS"
ORDERS = "id,day,status,amount\n1,2026-01-01,paid,10.5\n2,2026-01-01,open,3\n3,2026-01-02,paid,7\n"


@dataclass(frozen=True)
class Answer:
    """What a command printed, and the code that it ended with."""

    code: int
    out: str
    complaint: str

    @property
    def json(self) -> Any:
        """Return the output as JSON; a code that says usage or system has none."""
        return json.loads(self.out)


Command = Callable[..., Answer]
Snapshot = Callable[[str, Any], None]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no row of a table be folded, whatever the process that runs the tests has for a terminal."""
    monkeypatch.setattr(console, "width", 1000)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty project folder with one data file, where relative paths of commands start."""
    for name in [name for name in os.environ if name.startswith("AIRLOOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AIRLOOM_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "include" / "data").mkdir(parents=True)
    (tmp_path / "include" / "data" / "orders.csv").write_text(ORDERS)
    configuration.cache_clear()
    return tmp_path


@pytest.fixture
def airloom(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return what runs a command line in the project folder."""

    def run(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["airloom", *map(str, arguments)])
        configuration.cache_clear()
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return run


@pytest.fixture
def sales(project: Path) -> dict[str, Any]:
    """Return a document without problems, which stands in sales.json, too."""
    document = {
        "id": "sales",
        "name": "Sales",
        "params": {"status": {"type": "string", "default": "paid"}},
        "nodes": [
            {"id": "orders", "type": "csv_read", "config": {"path": "include/data/orders.csv"}},
            {"id": "kept", "type": "filter", "config": {"where": "status = {{ params.status }}"}},
            {
                "id": "by_day",
                "type": "aggregate",
                "config": {"by": ["day"], "measures": {"revenue": {"op": "sum", "column": "amount"}}},
            },
            {"id": "in_order", "type": "sort", "config": {"by": ["day"]}},
            {"id": "save", "type": "csv_write", "config": {"path": "output/sales.csv"}},
        ],
        "edges": [
            {"from": "orders", "to": "kept"},
            {"from": "kept", "to": "by_day"},
            {"from": "by_day", "to": "in_order"},
            {"from": "in_order", "to": "save"},
        ],
    }
    (project / "sales.json").write_text(json.dumps(document))
    return document


@pytest.fixture
def snapshot(project: Path) -> Snapshot:
    """Return what compares a value with the one kept under a name; UPDATE_SNAPSHOTS=1 keeps it anew.

    What differs from run to run is replaced: times, seconds, and the project folder.
    """

    def compare(name: str, value: Any) -> None:
        text = json.dumps(settled(value), indent=2, ensure_ascii=False) + "\n"
        text = text.replace(str(project), "<project>")
        path = SNAPSHOTS / f"{name}.json"
        if os.environ.get(UPDATE):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == path.read_text(), f"where this is meant, run the test with {UPDATE}=1"

    return compare


def settled(value: Any) -> Any:
    """Return a value without what differs from run to run."""
    if isinstance(value, dict):
        return {key: 0 if key == "seconds" else settled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [settled(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+\d\d:\d\d", value):
        return "<time>"
    return value
