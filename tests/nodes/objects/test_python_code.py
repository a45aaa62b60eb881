"""python_code: values in and out; the box has tests of its own."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.engine.box import CodeError
from airloom.nodes.objects.python_code import PythonCode
from airloom.nodes.testing import NoSurroundings, run_node
from airloom.spec.error import DataError
from airloom.spec.expression import Exposed


def ran(code: str, value: Any = None, **params: Any) -> Any:
    """Return what `run` returns."""
    return run_node(PythonCode(code=code), value=value, context=NoSurroundings(params=params))["value"]


def test_a_value_goes_in_and_one_comes_out() -> None:
    assert ran("def run(value):\n    return {'n': len(value), 'first': value[0]}", [3, 2]) == {"n": 2, "first": 3}


def test_no_edge_is_none() -> None:
    assert ran("def run(value):\n    return value is None") is True


def test_parameters_are_plain_json() -> None:
    assert ran("def run(value, params):\n    return params", day=date(2026, 1, 31), n=3) == {
        "day": "2026-01-31",
        "n": 3,
    }


def test_what_is_printed_is_no_result() -> None:
    assert ran("def run(value):\n    print('hello')") is None


def test_a_table_is_no_value() -> None:
    with pytest.raises(DataError, match="a table is not a value") as caught:
        ran("def run(value):\n    return value", Exposed())
    assert "python_transform" in str(caught.value.hint)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(CodeError, match="run returned what is not JSON: Object of type date"):
        ran("import datetime\ndef run(value):\n    return {'day': datetime.date(2026, 1, 1)}")


def test_a_wrong_program_is_a_problem_at_its_line() -> None:
    node = {"id": "mine", "type": "python_code", "config": {"code": "x = 1\ndef run():\n    return x"}}
    [problem] = check({"id": "made", "nodes": [node]}).problems
    assert problem.pointer == "/nodes/0/config/code"
    assert problem.message.startswith("line 2: run takes value, and params if it wants them")


def test_who_writes_it_writes_a_program() -> None:
    assert PythonCode.declaration.code
