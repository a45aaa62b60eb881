"""The tutorials work as they stand, and give what their page shows and plain Python works out from the same files."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from airloom.nodes.catalog import catalog
from airloom.runtime.trial import try_document
from airloom.spec.configuration import Configuration
from airloom.spec.text import read_text

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
PAGE = (PROJECT / "docs" / "tutorials.md").read_text()
DOCUMENT = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RESULT = re.compile(r"^`output/(\S+)`, (\d+) rows(?:, the first (\d+))?:\n\n((?:\|.*\|\n)+)", re.MULTILINE)

spec = importlib.util.spec_from_file_location("expected_tutorials", HERE / "expected_tutorials.py")
assert spec
assert spec.loader
expected = importlib.util.module_from_spec(spec)
spec.loader.exec_module(expected)

Row = dict[str, Any]


@dataclass
class Shown:
    """A result as the page shows it: how many rows there are, and the cells of those that it lists."""

    count: int
    names: list[str]
    rows: list[list[str]]


def documents() -> dict[str, tuple[Any, dict[str, Shown]]]:
    """Return the documents of the page by their ids, each with the results that follow it."""
    _, *parts = DOCUMENT.split(PAGE)
    found = {}
    for text, below in zip(parts[::2], parts[1::2], strict=True):
        data, problems = read_text(text, "tutorial.yaml")
        assert not problems
        assert isinstance(data, dict)
        results = {}
        for name, count, first, table in RESULT.findall(below):
            names, _, *rows = [[cell.strip() for cell in line[1:-2].split("|")] for line in table.splitlines(True)]
            assert len(rows) == int(first or count), name
            assert first or len(rows) <= 12, name
            results[name] = Shown(int(count), names, rows)
        found[data["id"]] = (data, results)
    return found


TUTORIALS = documents()
SHOWN = {name: shown for _, results in TUTORIALS.values() for name, shown in results.items()}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all tutorials wrote to, one after the other, without any problem."""
    root = tmp_path_factory.mktemp("tutorials")
    (root / "include").mkdir()
    (root / "include" / "data").symlink_to(PROJECT / "include" / "data")
    settings = Configuration(root=root)
    for name, (data, _) in TUTORIALS.items():
        trial = try_document(data, settings, sample=0, write=True)
        failed = {node: report["error"] for node, report in trial.nodes.items() if report["state"] != "success"}
        assert (trial.problems, failed) == ([], {}), name
    return root / "output"


def written(path: Path) -> list[Row]:
    """Return the rows of a file that a tutorial wrote; those of a CSV file hold text alone."""
    with path.open(newline="") as lines:
        return [json.loads(line) for line in lines] if path.suffix == ".jsonl" else list(csv.DictReader(lines))


def cell(value: Any) -> str:
    """Return a value as the page writes it."""
    return value if isinstance(value, str) else f"`{json.dumps(value)}`"


def same(found: Any, wanted: Any) -> bool:
    """Tell whether a written value is the one that plain Python has."""
    if wanted is None:
        return found in ("", None)
    if isinstance(wanted, int | float):
        return float(found) == pytest.approx(wanted, abs=1e-9)
    if isinstance(wanted, datetime):
        return bool(found == str(wanted))
    return bool(found == (wanted if isinstance(wanted, list) else str(wanted)))


def test_every_result_is_shown() -> None:
    written_by = {
        name: {
            Path(node["config"]["path"]).name for node in data["nodes"] if node["type"] in ("csv_write", "jsonl_write")
        }
        for name, (data, _) in TUTORIALS.items()
    }
    assert written_by == {name: set(results) for name, (_, results) in TUTORIALS.items()}


def test_every_table_and_window_node_has_a_tutorial() -> None:
    used = {node["type"] for data, _ in TUTORIALS.values() for node in data["nodes"]}
    declared = [node.declaration for node in catalog().all()]
    families = {node.type for node in declared if node.category in ("tables", "windows")}
    assert families - used == {"python_transform", "sample"}


@pytest.mark.parametrize("name", SHOWN)
def test_a_result_is_the_one_on_the_page(name: str, output: Path) -> None:
    rows = written(output / name)
    shown = SHOWN[name]
    assert len(rows) == shown.count
    assert list(rows[0]) == shown.names
    assert [[cell(value) for value in row.values()] for row in rows[: len(shown.rows)]] == shown.rows


@pytest.mark.parametrize("name", SHOWN)
def test_a_result_is_the_one_that_plain_python_gives(name: str, output: Path) -> None:
    rows = written(output / name)
    wanted = getattr(expected, Path(name).stem)()
    assert len(rows) == len(wanted)
    for row, right in zip(rows, wanted, strict=True):
        assert list(row) == list(right)
        assert [column for column in right if not same(row[column], right[column])] == [], (row, right)
