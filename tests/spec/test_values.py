"""Values of an installation: the file, and the variables that replace what stands in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airloom.spec.values import Values, read_values, value_type

FILE = """
region: north
limit: 3
share: 0.5
open: true
tags: [a, b]
nothing: null
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_text(FILE)
    return path


def test_the_file_gives_names_and_typed_values(file: Path) -> None:
    constants = read_values(file, {}).constants
    assert constants == {"region": "north", "limit": 3, "share": 0.5, "open": True, "tags": ["a", "b"], "nothing": None}


def test_no_file_is_no_values(tmp_path: Path) -> None:
    assert read_values(tmp_path / "values.yaml", {}) == Values()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("region", "3", "3"), ("limit", "10", 10), ("limit", "1.5", 1.5), ("open", "false", False),
        ("tags", '["c"]', ["c"]), ("nothing", "text", "text"), ("nothing", "4", 4),
    ],
)  # fmt: skip
def test_a_variable_has_the_type_of_what_it_replaces(file: Path, name: str, text: str, value: Any) -> None:
    assert read_values(file, {f"AIRLOOM_VALUE_{name.upper()}": text}).constants[name] == value


@pytest.mark.parametrize(
    ("variable", "text", "fault"),
    [
        ("AIRLOOM_VALUE_LIMIT", "many", "AIRLOOM_VALUE_LIMIT: write a number, as the file has it"),
        ("AIRLOOM_VALUE_LIMIT", "NaN", "AIRLOOM_VALUE_LIMIT: write a number, as the file has it"),
        ("AIRLOOM_VALUE_OPEN", "1", "AIRLOOM_VALUE_OPEN: write true or false, as the file has it"),
        ("AIRLOOM_VALUE_RGEION", "x", "AIRLOOM_VALUE_RGEION: values.yaml has no value 'rgeion' that it could replace"),
    ],
)
def test_what_is_wrong_with_a_variable_is_told(file: Path, variable: str, text: str, fault: str) -> None:
    assert read_values(file, {variable: text}) == Values(faults=(fault,))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- a", "values.yaml: it holds names and their values, such as region: north"),
        ("Region: x", "values.yaml: 'Region' is not a name: write lower-case letters, digits and _"),
        ("a: 1\na: 2", "stands more than once"),
        ("a: [", "values.yaml:"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "values.yaml").write_text(text)
    values = read_values(tmp_path / "values.yaml", {})
    assert not values.constants
    assert fault in values.faults[0]


def test_types_in_sql() -> None:
    kinds = {value_type(value) for value in ("a", 1, True, 1.5)}
    assert kinds == {"VARCHAR", "BIGINT", "BOOLEAN", "DOUBLE"}
    assert (value_type([1, 2]), value_type([1, "a"]), value_type([]), value_type({})) == ("BIGINT[]", None, None, None)
