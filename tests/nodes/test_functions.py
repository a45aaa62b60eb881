"""Functions of the folder of code: what of a file is checked, how tests run, and what a plan keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from airloom.checks.check import Report, check
from airloom.checks.facts import Facts
from airloom.checks.uses import uses_of
from airloom.cli import app
from airloom.nodes.context import RunFacts
from airloom.plan.build import build_plan
from airloom.plan.plan import Plan
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.pipeline import run_pipeline
from airloom.runtime.step import Workplace
from airloom.runtime.trial import no_connections, try_document
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.node_file import NodeFile

Json = dict[str, Any]
DOUBLE = "def double(value, params):\n    return value * params.get('by', 2)\n"
TESTS = """from double import double as other

def test_of_two():
    assert double(2, {}) == 4

def test_by_three():
    assert other(2, {"by": 3}) == 6
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRLOOM_CODE", str(tmp_path / "code"))
    configuration.cache_clear()
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "double.py").write_text(DOUBLE)
    return tmp_path / "code"


def document(**config: Any) -> Json:
    """Return a document whose second node runs code on the number that the first one gives."""
    config = config or {"function": "double"}
    nodes = [{"id": "n", "type": "set", "config": {"value": 21}}, {"id": "d", "type": "python_code", "config": config}]
    return {"id": "doubled", "nodes": nodes, "edges": [{"from": "n", "to": "d"}]}


def problem(report: Report) -> tuple[str, str, str]:
    [found] = report.problems
    assert found.node == "d"
    return found.code, found.pointer, found.message


def test_a_function_runs_as_code_does() -> None:
    trial = try_document(document(), configuration())
    assert trial.problems == []
    assert trial.nodes["d"]["outputs"]["value"]["value"] == 42


def test_a_function_of_a_table(folder: Path) -> None:
    (folder / "more.py").write_text(
        "def more(df):\n    return df.append_column('m', [[r * 2 for r in df['n'].to_pylist()]])\n"
    )
    config = {"function": "more", "library": "arrow"}
    nodes = [
        {"id": "n", "type": "set", "config": {"value": [{"n": 1}, {"n": 2}]}},
        {"id": "rows", "type": "list_to_rows", "config": {"columns": {"n": "BIGINT"}}},
        {"id": "d", "type": "python_transform", "config": config},
    ]
    edges = [{"from": "n", "to": "rows"}, {"from": "rows", "to": "d"}]
    trial = try_document({"id": "more", "nodes": nodes, "edges": edges}, configuration())
    assert trial.problems == []
    assert trial.nodes["d"]["outputs"]["rows"]["sample"] == [{"n": 1, "m": 2}, {"n": 2, "m": 4}]


def test_a_failure_names_the_line_of_the_file() -> None:
    nodes = document()
    nodes["nodes"][0]["config"]["value"] = {}
    error = try_document(nodes, configuration()).nodes["d"]["error"]
    assert error["field"] == "function"
    assert error["message"].endswith("double.py, line 2: return value * params.get('by', 2)")


@pytest.mark.parametrize(
    ("name", "text", "code", "message"),
    [
        ("doubel", "", "code.unknown", "there is no function 'doubel'"),
        ("double", "def double(:\n", "code.wrong", "double.py, line 1: invalid syntax: def double(:"),
        ("double", "x = 1\n", "code.wrong", "double.py, the code defines no def double(value)"),
        ("double", "def double():\n    pass\n", "code.wrong", "double.py, line 1: double takes value, and params"),
        ("double", "import other\n" + DOUBLE, "code.wrong", "double.py, line 1: it imports other, a file beside it"),
        ("double", "from . import x\n" + DOUBLE, "code.wrong", "double.py, line 1: it belongs to no package"),
        ("json", "def json(value):\n    pass\n", "code.wrong", "'json' is the name of a module of Python"),
        ("double", b"# \xff", "code.wrong", "double.py cannot be read: it is not UTF-8"),
        ("{{ params.x }}", "", "code.open", "an expression cannot name a function"),
        ("../double", "", "config.identifier", ""),
    ],
)
def test_a_wrong_file_is_a_problem_at_the_field(
    folder: Path, name: str, text: str | bytes, code: str, message: str
) -> None:
    (folder / "other.py").write_text("def other(value):\n    return value\n")
    if text:
        (folder / f"{name}.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = problem(check({**document(function=name), "params": {"x": {"default": "double"}}}))
    assert found[:2] == (code, "/nodes/1/config/function")
    assert found[2].startswith(message)


@pytest.mark.parametrize("config", [{"timeout": "1m"}, {"function": "double", "code": "def run(value):\n    pass\n"}])
def test_a_node_has_code_or_a_function(config: Json) -> None:
    found = problem(check(document(**config)))
    assert found == (
        "config.invalid", "/nodes/1/config", "give either code (the text) or function (the name of one in a file)"
    )  # fmt: skip


def test_who_names_a_function_writes_code() -> None:
    resolved = check(document()).resolved
    assert resolved is not None
    [use] = [use for use in uses_of(resolved) if use.kind == "code"]
    assert (use.node, use.name, use.at) == ("d", "python", "/function")


# Tests of functions


def test_a_failing_test_forbids_to_publish_and_a_corrected_one_does_not(folder: Path) -> None:
    (folder / "double_test.py").write_text(TESTS + "\ndef test_wrong():\n    assert double(1, {}) == 3\n")
    assert check(document()).problems == []
    report = check(document(), Facts(run_tests=True))
    assert report.resolved is None
    assert problem(report) == (
        "code.test", "/nodes/1/config/function",
        "test_wrong failed: AssertionError, double_test.py, line 10: assert double(1, {}) == 3",
    )  # fmt: skip
    (folder / "double_test.py").write_text(TESTS)
    assert check(document(), Facts(run_tests=True)).correct


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ("def test_a(tmp_path):\n    pass\n", "a test is a plain function without parameters"),
        ("import socket\ndef test_a():\n    socket.socket()\n", "double_test.py, line 3: socket.socket()"),
        ("def test_a():\n    open('/etc/hostname')\n", "double_test.py, line 2: open('/etc/hostname')"),
        ("def test_a():\n    double({}, {})\n", "double.py, line 2: return value * params.get('by', 2)"),
        ("def test_a():\n    raise SystemExit(0)\n", "SystemExit: 0, double_test.py, line 2: raise SystemExit(0)"),
        ("x = 1\n", "the file of tests failed: there is no test: a function whose name begins with test_"),
        ("def test_a(:\n", "double_test.py, line 1: def test_a(:"),
        ("import os\nos._exit(0)\n", "the code ended its process itself (exit code 0)"),
    ],
)
def test_tests_run_in_the_box(folder: Path, tests: str, message: str) -> None:
    (folder / "double_test.py").write_text(tests)
    code, _, found = problem(check(document(), Facts(run_tests=True)))
    assert code == "code.test"
    assert message in found


def test_the_command_runs_the_tests_of_all_functions_or_of_some(folder: Path) -> None:
    (folder / "double_test.py").write_text(TESTS)
    (folder / "bad.py").write_text("def good(value):\n    pass\n")
    ended = CliRunner().invoke(app, ["test-code", "--json"])
    assert ended.exit_code == 1
    bad, double = json.loads(ended.stdout)["functions"]
    assert double == {"function": "double", "file": "double_test.py", "tests": 2, "failures": []}
    assert bad["failures"] == [{"test": None, "message": "bad.py, the code defines no def bad(value)"}]
    assert CliRunner().invoke(app, ["test-code", "double"]).exit_code == 0


# Pinned


def run(plan: Plan, files: dict[str, NodeFile], tmp_path: Path) -> Any:
    surroundings = LocalSurroundings(RunFacts("doubled", "run"), {}, no_connections, node_files=files.get)
    settings = Configuration(root=tmp_path, data=str(tmp_path / "data"))
    result = dict(run_pipeline(plan, Workplace(document(), settings), surroundings))["d"]
    return result.outputs["value"]["value"] if result.error is None else result.error["message"]


def test_a_plan_runs_the_text_that_it_was_made_with(folder: Path, tmp_path: Path) -> None:
    def planned() -> Plan:
        resolved = check(document()).resolved
        assert resolved is not None
        return build_plan(resolved)

    old = planned()
    (folder / "double.py").write_text(DOUBLE.replace("2)", "3)"))
    new = planned()
    assert old.nodes["d"].functions != new.nodes["d"].functions
    assert old.nodes["d"].hash != new.nodes["d"].hash
    assert (run(old, {}, tmp_path), run(new, {}, tmp_path)) == (42, 63)
    # What this process knows not, and the folder has not, the store has by its hash.
    (folder / "double.py").unlink()
    unseen = NodeFile("double.py", DOUBLE.replace("2)", "10)"))
    plan = new.to_json()
    plan["nodes"]["d"]["functions"] = {"double": unseen.hash}
    assert "is not known here" in run(Plan.from_json(plan), {}, tmp_path)
    assert run(Plan.from_json(plan), {unseen.hash: unseen}, tmp_path) == 210


def test_a_function_in_a_body(folder: Path) -> None:
    body = {"nodes": [{"id": "d", "type": "python_code", "config": {"function": "double"}}],
            "edges": [{"from": "loop.item", "to": "d"}], "result": "d.value"}  # fmt: skip
    nodes = [{"id": "n", "type": "set", "config": {"value": [1, 2]}}, {"id": "each", "type": "for_each", "body": body}]
    trial = try_document({"id": "e", "nodes": nodes, "edges": [{"from": "n", "to": "each"}]}, configuration())
    assert trial.problems == []
    assert trial.nodes["each"]["outputs"]["results"]["value"] == [2, 4]
