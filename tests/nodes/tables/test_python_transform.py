"""python_transform: what a document may say, and what a step makes of it; the box has tests of its own."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.engine import walls
from airloom.engine.box import CodeError, NoBoxHere
from airloom.nodes.tables.python_transform import PythonTransform
from airloom.nodes.testing import NoSurroundings, run_node
from airloom.plan.build import build_plan
from airloom.spec.configuration import configuration

PASS = "def transform(df):\n    return df\n"
ROWS = [{"day": "mon", "n": 1}, {"day": "tue", "n": None}]


def document(**config: Any) -> dict[str, Any]:
    """Return a document of one source, the node, and a filter behind it."""
    return {
        "id": "made",
        "nodes": [
            {"id": "days", "type": "csv_read", "config": {"path": "days.csv"}},
            {"id": "mine", "type": "python_transform", "config": {"code": PASS, "library": "arrow"} | config},
            {"id": "some", "type": "filter", "config": {"where": "n > 1"}},
        ],
        "edges": [{"from": "days", "to": "mine"}, {"from": "mine", "to": "some"}],
    }


def faults(**config: Any) -> list[tuple[str, str]]:
    """Return where a config is wrong below the node's config, and what is said of it."""
    problems = check(document(**config)).problems
    return [(problem.pointer.removeprefix("/nodes/1/config/"), problem.message) for problem in problems]


class TestChecks:
    """A wrong program is a problem before it runs."""

    def test_a_right_one_has_none(self) -> None:
        assert faults() == []
        assert (
            faults(code='"""Mine."""\nimport math\n\nLIMIT = 3\n\ndef transform(df, params=None):\n    return df\n')
            == []
        )

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("def transform(df):\n    return df[\n", "line 2: '[' was never closed: return df["),
            ("def transform(df):\nreturn df", "line 2: expected an indented block"),
            ("def transform(df):\n    return df\n\nbreak", "line 4: 'break' outside loop: break"),
            ("import os\n", "the code defines no def transform(df)"),
            ("transform = len", "the code defines no def transform(df)"),
            ("async def transform(df): ...", "line 1: a plain function at the outermost level is needed"),
            ("class A:\n    def transform(df): ...", "line 2: a plain function at the outermost level is needed"),
            ("def transform(): ...", "line 1: transform takes df, and params if it wants them"),
            ("x = 1\ndef transform(a, b, c): ...", "line 2: transform takes df, and params if it wants them"),
            ("def transform(*tables): ...", "line 1: transform takes df, and params if it wants them"),
            ("-" * 90_000 + "1", "this cannot be read as Python: it is nested too deeply"),
        ],
    )
    def test_a_wrong_program_names_its_line(self, code: str, said: str) -> None:
        [(where, message)] = faults(code=code)
        assert where == "code"
        assert said in message
        assert len(message) < 300

    def test_braces_in_a_program_are_its_own(self) -> None:
        assert faults(code="def transform(df):\n    return df.rename({'a': f'{{ {1} }}'})\n") == []

    @pytest.mark.parametrize(
        ("config", "where", "said"),
        [
            ({"timeout": "0s"}, "timeout", "more than 0s and at most 1d"),
            ({"timeout": "25h"}, "timeout", "more than 0s and at most 1d"),
            ({"memory": "10MB"}, "memory", "from 300.0MB to 4.0GB (AIRLOOM_MEMORY_LIMIT)"),
            ({"memory": "9GB"}, "memory", "from 300.0MB to 4.0GB (AIRLOOM_MEMORY_LIMIT)"),
            ({"memory": "lots"}, "memory", "could not parse"),
            ({"library": "spark"}, "library", "'spark' is not possible here"),
            ({"columns": {}}, "columns", ""),
            ({"code": ""}, "code", ""),
            ({"columns": {"a": "TEXT"}}, "columns/a", "'TEXT' is not a column type"),
            ({"columns": {"a": "INTERVAL"}}, "columns", "no INTERVAL comes out of code"),
            ({"columns": {"a": "DATE", "A": "DATE"}}, "columns", "'A' is there twice"),
        ],
    )
    def test_other_fields(self, config: dict[str, Any], where: str, said: str) -> None:
        [(at, message)] = faults(**config)
        assert at == where
        assert said in message

    def test_a_library_that_is_not_installed_says_how_to_get_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # In this process, which has what is replaced, whatever threads an earlier test left.
        monkeypatch.setattr("airloom.checks.check.safe_start", lambda: "fork")
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert faults(library="polars") == [("library", "polars is not installed: airloom add polars")]

    def test_memory_is_bounded_by_the_installation(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRLOOM_MEMORY_LIMIT", "500MB")
        configuration.cache_clear()
        try:
            assert faults(memory="500MB") == []
            [(_, message)] = faults()
            assert message == "memory is from 300.0MB to 500.0MB (AIRLOOM_MEMORY_LIMIT) here"
        finally:
            monkeypatch.undo()
            configuration.cache_clear()


class TestDeclaration:
    """What the rest of the system asks of the class."""

    def test_who_writes_it_writes_a_program(self) -> None:
        assert PythonTransform.declaration.code
        assert PythonTransform.declaration.effect == "pure"

    def test_columns_are_known_where_they_are_declared(self) -> None:
        columns = {"b": "DATE", "a": "DECIMAL(5,2)"}
        declared = PythonTransform.model_validate({"code": PASS, "library": "arrow", "columns": columns})
        assert declared.describe(NoSurroundings()) == columns
        assert PythonTransform.model_validate({"code": PASS, "library": "arrow"}).describe(NoSurroundings()) is None

    def test_it_is_no_part_of_a_query(self) -> None:
        resolved = check(document()).resolved
        assert resolved is not None
        steps = build_plan(resolved).steps
        assert [(step.nodes, step.kind) for step in steps] == [
            (("days",), "table"), (("mine",), "node"), (("some",), "table"),
        ]  # fmt: skip


class TestRun:
    """Rows go in, rows come out."""

    def test_rows_and_parameters(self) -> None:
        code = "def transform(df, params):\n    return df.rename_columns(params['names'])\n"
        node = PythonTransform.model_validate({"code": code, "library": "arrow"})
        context = NoSurroundings(params={"names": ["a", "b"]})
        assert run_node(node, rows=ROWS, context=context) == {"rows": [{"a": "mon", "b": 1}, {"a": "tue", "b": None}]}

    def test_two_runs_give_the_same(self) -> None:
        code = (
            "import random\nimport pyarrow\n\ndef transform(df):\n"
            "    return pyarrow.table({'x': list({f'{n}' for n in range(100)}), 'y': [hash('a')] * 100})\n"
        )
        node = PythonTransform.model_validate({"code": code, "library": "arrow"})
        assert run_node(node, rows=ROWS) == run_node(node, rows=ROWS)

    def test_a_fault_names_the_field_and_the_line(self) -> None:
        code = "def transform(df):\n    return df['nothing'] + 1\n"
        node = PythonTransform.model_validate({"code": code, "library": "pandas"})
        with pytest.raises(CodeError) as caught:
            run_node(node, rows=ROWS)
        assert caught.value.message == "KeyError: 'nothing', line 2: return df['nothing'] + 1"
        assert (caught.value.field, caught.value.failure) == ("code", "data")

    def test_without_a_box_it_refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walls, "WALLS", (walls.SYSTEM_CALLS,))
        with pytest.raises(NoBoxHere):
            run_node(PythonTransform.model_validate({"code": PASS, "library": "arrow"}), rows=ROWS)
