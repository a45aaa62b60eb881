"""Texts of documents: what is read, what is refused and how, and that writing keeps everything."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from airloom.spec.text import LARGEST_TEXT, Format, faults, read_text, write_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
AMBIGUOUS = [
    "on",
    "yes",
    "No",
    "true",
    "null",
    "~",
    "012",
    "1:30",
    "1e3",
    "1_0",
    "0x1f",
    "2024-01-01",
    "-",
    "#",
    "<<",
    "=",
]
WORDS = st.sampled_from([*AMBIGUOUS, "", "a: b", "\x85"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | WORDS, inner, max_size=4),
    max_leaves=20,
)


def order(value: Any) -> Any:
    """Show the order of keys, which equality of dicts leaves out."""
    if isinstance(value, dict):
        return [(key, order(item)) for key, item in value.items()]
    return [order(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("format", ["json", "yaml"])
@given(document=VALUES)
@settings(deadline=None)
def test_what_is_written_is_read_back(format: Format, document: Any) -> None:
    data, problems = read_text(write_text(document, format), f"pipeline.{format}")
    assert problems == []
    assert order(data) == order(document)


@given(document=VALUES)
@settings(deadline=None)
def test_other_readers_of_yaml_read_the_same(document: Any) -> None:
    assert order(yaml.safe_load(write_text(document, "yaml"))) == order(document)


@given(text=st.text())
@settings(deadline=None)
def test_no_text_makes_the_reader_fail(text: str) -> None:
    for name in ("a.json", "a.yaml"):
        data, problems = read_text(text, name)
        assert not problems or data is None


def test_yaml_has_the_types_of_json() -> None:
    text = """
        date: 2024-01-01
        time: 2024-01-01 10:00:00
        minutes: 1:30
        code: 012
        hexadecimal: 0x1f
        switch: on
        answer: no
        number: 1.5e3
        integer: -7
        nothing: ~
        empty:
        truth: true
        quoted: "12"
        tagged: !!str 12
        on: joined
        7: seven
    """
    data, problems = read_text(text, "pipeline.yml")
    assert problems == []
    assert data == {
        "date": "2024-01-01",
        "time": "2024-01-01 10:00:00",
        "minutes": "1:30",
        "code": "012",
        "hexadecimal": "0x1f",
        "switch": "on",
        "answer": "no",
        "number": 1500.0,
        "integer": -7,
        "nothing": None,
        "empty": None,
        "truth": True,
        "quoted": "12",
        "tagged": "12",
        "on": "joined",
        "7": "seven",
    }


def test_a_byte_order_mark_is_left_out() -> None:
    assert read_text('\ufeff{"id": "a"}', "a.json") == ({"id": "a"}, [])
    assert read_text("\ufeffid: a", "a.yaml") == ({"id": "a"}, [])


def test_an_alias_is_a_copy_of_its_own() -> None:
    data, problems = read_text("a: &x {n: [1]}\nb: *x", "a.yaml")
    assert problems == []
    data["a"]["n"].append(2)
    assert data["b"] == {"n": [1]}


@pytest.mark.parametrize(
    ("name", "text", "code", "pointer", "words"),
    [
        ("a.json", '{"a": 1, "a": 2}', "repeated_key", "/a", "'a'"),
        ("a.json", '[{"b": {"a/b": 1, "c": 0, "a/b": 2}}]', "repeated_key", "/0/b/a~1b", "'a/b'"),
        ("a.json", '{"a": 1,\n  oops}', "syntax", "", "line 2, column 3"),
        ("a.json", "", "syntax", "", "line 1, column 1"),
        ("a.json", "# note\n{}", "syntax", "", "comments"),
        ("a.json", "[NaN]", "number", "", "NaN"),
        ("a.json", "[1, -Infinity]", "number", "", "-Infinity"),
        ("a.json", "[1, 1e999]", "number", "/1", "too large"),
        ("a.json", "[" + "9" * 5000 + "]", "number", "", "digits"),
        ("a.json", '{"a": "\\u0000"}', "character", "/a", "NUL"),
        ("a.json", '{"a": "\\ud800"}', "character", "/a", "surrogate"),
        ("a.json", '{"a\\u0000": 1}', "character", "", "NUL"),
        ("a.json", "[" * 101 + "]" * 101, "deep", "/0" * 100, "100"),
        ("a.json", "[" * 200_000, "deep", "", "100"),
        ("a.yaml", "a: 1\nb: 2\na: 3", "repeated_key", "/a", "line 3, column 1"),
        ("a.yaml", "x:\n- {c: 1, c: 2}", "repeated_key", "/x/0/c", "line 2, column 10"),
        ("a.yaml", "a: [1\nb: 2", "syntax", "", "line 2"),
        ("a.yaml", "a: 1\n\tb: 2", "syntax", "", "line 2"),
        ("a.yaml", "a: \0", "syntax", "", "character"),
        ("a.yaml", "a: 1\n---\na: 2", "syntax", "", "second"),
        ("a.yaml", "a: 1e999", "number", "/a", "too large"),
        ("a.yaml", "a: " + "9" * 5000, "number", "/a", "digits"),
        ("a.yaml", "[" * 200_000, "deep", "", "100"),
        ("a.yaml", "a: !!python/object/apply:os.system [ls]", "tag", "/a", "python"),
        ("a.yaml", "a: !!timestamp 2024-01-01", "tag", "/a", "timestamp"),
        ("a.yaml", "a: &x [*x]", "alias", "", "*x"),
        ("a.yaml", "a: *x", "alias", "", "*x"),
        ("a.yaml", "? [1, 2]\n: 3", "key", "", "text"),
        ("a.yaml", "a: &x {b: 1}\nc: {<<: *x}", "merge", "/c", "line 2"),
    ],
)
def test_a_fault_names_its_place(name: str, text: str, code: str, pointer: str, words: str) -> None:
    data, problems = read_text(text, name)
    assert data is None
    assert [(problem.code, problem.pointer) for problem in problems] == [(f"text.{code}", pointer)]
    assert words in str(problems[0])


def test_all_repeated_keys_are_named_together() -> None:
    for name in ("a.json", "a.yaml"):
        _, problems = read_text('{"a": {"b": 1, "b": 2}, "c": 1, "c": 2, "c": 3}', name)
        assert {problem.pointer for problem in problems} == {"/a/b", "/c"}


def test_aliases_that_grow_without_bound_are_refused_early() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    data, problems = read_text("\n".join(lines), "a.yaml")
    assert data is None
    assert [problem.code for problem in problems] == ["text.large"]


def test_aliases_that_nest_deeper_than_allowed_are_refused() -> None:
    lines = ["a: &a " + "[" * 60 + "]" * 60, "b: &b " + "[" * 60 + "*a" + "]" * 60]
    assert [problem.code for problem in read_text("\n".join(lines), "a.yaml")[1]] == ["text.deep"]


def test_a_text_that_is_too_large_is_refused() -> None:
    _, problems = read_text(" " * (LARGEST_TEXT + 1), "a.yaml")
    assert [problem.code for problem in problems] == ["text.large"]


def test_of_many_faults_the_first_hundred_are_named() -> None:
    """An object that stands in many places of itself has more of them than anybody reads, or a database takes."""
    problems = list(faults([math.nan] * 1000))
    assert [problem.code for problem in problems] == ["text.number"] * 100 + ["text.more"]
    assert len(list(faults([math.nan] * 100))) == 100
