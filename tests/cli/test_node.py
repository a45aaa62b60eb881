"""node new: what it makes passes its own tests, whatever it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airloom.cli.node import Kind


def test_every_template_makes_a_node_and_a_test_that_pass_at_once(airloom: Any, project: Path) -> None:
    for kind in Kind:
        answer = airloom("node", "new", f"my_{kind}", "--kind", kind)
        assert answer.code == 0, answer.complaint
        assert (project / "include" / "nodes" / f"my_{kind}.py").exists()
        assert f"tests/nodes/own/test_my_{kind}.py" in answer.out
    environment = {**os.environ, "AIRLOOM_ROOT": str(project)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert {node["type"] for node in airloom("nodes", "--json").json} >= {f"my_{kind}" for kind in Kind}


def test_the_name_may_be_that_of_the_class(airloom: Any, project: Path) -> None:
    assert airloom("node", "new", "RoundNumbers").code == 0
    text = (project / "include" / "nodes" / "round_numbers.py").read_text()
    assert "class RoundNumbers(Table):" in text
    assert "Node" not in text.replace("airloom.nodes", "")


@pytest.mark.parametrize("name", ["read_2", "2_reads", "a-b", "filter", "../up", ""])
def test_a_name_that_will_not_do_makes_nothing(airloom: Any, project: Path, name: str) -> None:
    assert airloom("node", "new", name).code == 1
    assert not (project / "include" / "nodes").exists()


def test_nothing_is_written_over(airloom: Any, project: Path) -> None:
    test = project / "tests" / "nodes" / "own" / "test_mine.py"
    test.parent.mkdir(parents=True)
    test.write_text("# mine")
    assert airloom("node", "new", "mine").code == 1
    assert test.read_text() == "# mine"
    assert not (project / "include" / "nodes" / "mine.py").exists()
