"""The rules of control flow, one a row of `rules.csv`: each names the documents, or the tests, that show it.

What is shown by a document is named by its id, a test by `file::function`.
"""

from __future__ import annotations

import ast
import csv
import functools
from pathlib import Path

import pytest
from tests.conformance.suite import HERE, ROOT, cases

with (HERE / "rules.csv").open(newline="") as file:
    ROWS = list(csv.DictReader(file))


def unshown(shown_by: str) -> list[str]:
    """Return what a row names and is not there; a row that names nothing has an empty name."""
    return [name for name in map(str.strip, shown_by.split(";")) if not _is_there(name)]


def _is_there(name: str) -> bool:
    path, divided, function = name.partition("::")
    return function in _functions(ROOT / path) if divided else name in _documents()


@functools.cache
def _documents() -> frozenset[str]:
    return frozenset(case.name for case in cases())


@functools.cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return frozenset(found.name for found in tree.body if isinstance(found, ast.FunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['part']}: {row['rule']}")
def test_a_rule_is_shown(row: dict[str, str]) -> None:
    assert list(row) == ["part", "rule", "shown by"]
    assert row["part"]
    assert row["rule"]
    assert unshown(row["shown by"]) == []


def test_no_rule_is_there_twice() -> None:
    rules = [(row["part"], row["rule"]) for row in ROWS]
    assert len(set(rules)) == len(rules)


@pytest.mark.parametrize(
    ("shown_by", "missing"),
    [
        ("", [""]),
        ("no_such_document", ["no_such_document"]),
        ("diamond; tests/conformance/test_rules.py::test_nothing", ["tests/conformance/test_rules.py::test_nothing"]),
        ("tests/no_such_file.py::test_x", ["tests/no_such_file.py::test_x"]),
        ("diamond; tests/conformance/test_rules.py::test_a_rule_is_shown", []),
    ],
)
def test_what_is_not_there_shows_nothing(shown_by: str, missing: list[str]) -> None:
    assert unshown(shown_by) == missing
