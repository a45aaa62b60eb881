"""Line and column of what is wrong in a document's text, JSON and YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from tests.spec.test_text import VALUES

from airloom.spec.places import located
from airloom.spec.problem import Problem, pointer
from airloom.spec.text import read_text, write_text

DOCUMENT = """\
id: sales
# a note
nodes:
  - id: orders
    type: csv_read
    config: {path: a.csv, "null_values": [NA, &none ""]}
  - {id: kept, type: filter, config: {where: status =
      'paid' or
      status = 'open'}}
edges: [{from: orders, to: kept}]
finally: *none
"""


def place(at: str, text: str, name: str) -> tuple[int | None, int | None]:
    [problem] = located([Problem("code", "message", pointer=at)], text, name)
    return problem.line, problem.column


@pytest.mark.parametrize(
    ("at", "line", "column"),
    [
        ("", 1, 1),
        ("/id", 1, 1),
        ("/nodes", 3, 1),
        ("/nodes/0", 4, 5),
        ("/nodes/0/config/path", 6, 14),
        ("/nodes/0/config/null_values", 6, 27),
        ("/nodes/0/config/null_values/1", 6, 47),
        ("/nodes/1/config/where", 7, 39),
        ("/edges/0/to", 10, 24),
        ("/finally", 11, 1),
        # What is not there stands where its nearest parent does.
        ("/nodes/0/config/delimiter", 6, 5),
        ("/nodes/7/id", 3, 1),
        ("/schedule/cron", 1, 1),
        ("/finally/nodes/0", 11, 1),
    ],
)
def test_places_of_yaml(at: str, line: int, column: int) -> None:
    assert place(at, DOCUMENT, "a.yaml") == (line, column)


@pytest.mark.parametrize(
    ("at", "line", "column"),
    [
        ("", 1, 1),
        ("/a~1b", 2, 2),
        ("/a~1b/0", 2, 10),
        ("/a~1b/1", 2, 15),
        ('/a~1b/1/é"{', 2, 16),
        ("/last", 4, 1),
        ("/last/deep", 4, 1),
    ],
)
def test_places_of_json(at: str, line: int, column: int) -> None:
    text = '\ufeff{\n\t"a/b": [1.5,\t{"é\\"{": "]},"}],\n"last": 1,\n"last": true}'
    assert place(at, text, "a.json") == (line, column)


@pytest.mark.parametrize(
    ("name", "text", "at", "line", "column"),
    [
        ("a.json", '{"a": 1,\n  oops}', "", 2, 3),
        ("a.json", '{"a": 1,\n "b": NaN}', "", 2, 7),
        ("a.json", '["NaN",\n -Infinity]', "", 2, 2),
        ("a.json", '["1",\n {"a": ' + "9" * 5000 + "}]", "", 2, 8),
        ("a.json", '[1,\n "\\u0000"]', "/1", 2, 2),
        ("a.json", '{"a": 1,\n "a": 2}', "/a", 2, 2),
        ("a.yaml", "a: 1\nb: 2\na: 3", "/a", 3, 1),
        ("a.yaml", "a: [1\nb: 2", "", 2, 2),
        ("a.yaml", "a:\n  - 1\n  - !x 1", "/a/1", 3, 5),
        ("a.yaml", "a: 1\n---\nb: 1", "", 2, 1),
        ("a.yaml", "a:\n  <<: {b: 1}", "/a", 2, 3),
        ("a.yaml", "a: 1\nb: *none", "", 2, 4),
        ("a.yaml", "a: 1\nb: 1e999", "/b", 2, 1),
        ("a.yaml", "a: 1\n" + "b: " + "9" * 5000, "/b", 2, 4),
    ],
)
def test_faults_of_a_text_have_a_place(name: str, text: str, at: str, line: int, column: int) -> None:
    _, problems = read_text(text, name)
    assert [(problem.pointer, problem.line, problem.column) for problem in problems] == [(at, line, column)]
    assert "(line" not in problems[0].message


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_a_hostile_text_takes_no_longer_than_its_length(name: str) -> None:
    deep = "[" * 200_000
    assert place("/0" * 50, deep, name) == (1, 51)
    wide = "[" + ",".join(["1"] * 200_000) + "]"
    assert place("/199999", wide, name) == (1, 1 + 2 * 199_999 + 1)


def pointers(value: Any, at: str = "") -> list[str]:
    """Return the pointers of all values, each behind the one that it stands in."""
    if isinstance(value, dict):
        inner = [found for key, item in value.items() for found in pointers(item, at + pointer(key))]
    elif isinstance(value, list):
        inner = [found for index, item in enumerate(value) for found in pointers(item, at + pointer(index))]
    else:
        inner = []
    return [at, *inner]


def marks(node: yaml.Node, at: str = "", place: yaml.Node | None = None) -> dict[str, tuple[int, int]]:
    """Return the places that PyYAML's tree of nodes tells: another way to them than its events."""
    mark = (place or node).start_mark
    assert mark is not None
    found = {at: (mark.line + 1, mark.column + 1)}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            found |= marks(value, at + pointer(key.value), key)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            found |= marks(value, at + pointer(index))
    return found


@given(document=VALUES)
@settings(deadline=None)
def test_every_value_of_a_written_document_has_its_own_place(document: Any) -> None:
    known = pointers(document)
    problems = [Problem(f"code.{number}", "message", pointer=at) for number, at in enumerate(known)]
    written = write_text(document, "yaml")
    root = yaml.compose(written, Loader=yaml.SafeLoader)
    assert root is not None
    expected = marks(root)
    for at, problem in zip(known, located(problems, written, "a.yaml"), strict=True):
        assert (problem.line, problem.column) == expected[at]

    written = write_text(document, "json")
    lines = written.split("\n")
    for at, problem in zip(known, located(problems, written, "a.json"), strict=True):
        assert problem.line is not None
        assert problem.column is not None
        rest = lines[problem.line - 1][problem.column - 1 :]
        part = at.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        is_item = not at or isinstance(_parent(document, at), list)
        assert is_item or rest.startswith(json.dumps(part, ensure_ascii=False) + ": ")


def _parent(document: Any, at: str) -> Any:
    value = document
    for part in at.split("/")[1:-1]:
        key = part.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value
