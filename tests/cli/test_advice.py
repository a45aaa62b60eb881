"""Advice names what exists: every command, option and variable that a message of the package tells to use."""

from __future__ import annotations

import ast
import functools
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import airloom
from airloom.cli import app
from airloom.cli.output import COMMAND, console
from airloom.nodes.modules import extras
from airloom.spec.configuration import Configuration

PACKAGE = Path(airloom.__file__).parent
COMMANDS = re.compile(r"(?<![\w./-])airloom ([a-z][a-z-]*(?: [A-Za-z0-9…./_=-]+)*)")
VARIABLES = re.compile(r"\bAIRLOOM_([A-Z_]+)\b")
OTHER_VARIABLES = {"VALUE",
    "X",  # stands for a name
    "PART", "INSTALLATION", "SUPERVISOR_USER", "SUPERVISOR_GUARD",  # set by an installation for its own processes
    "DATABASE_PASSWORD", "TASK_DATABASE_PASSWORD",  # of docker-compose.yaml
    "COMMAND",  # set by the launcher
    "URL", "TOKEN",  # of an installation elsewhere
}  # fmt: skip
PROSE = {
    "is",
    "keeps",
    "has",
    "runs",
    "cannot",
    "does",
    "needs",
    "and",
    "or",
    "itself",
    "writes",
    "with",
    "of",
    "for",
    "task",
}


@functools.cache
def texts() -> list[tuple[str, str]]:
    """Return every text of the package with its place; what is put into one is X."""
    return list(_texts())


def _texts() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "templates" in path.parts:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        for node in ast.walk(tree):
            place = f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
                yield place, "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
                yield place, node.value


def commands() -> list[tuple[str, str]]:
    """Return what follows the word airloom where it looks like a command, with its place."""
    return [
        (place, match[1])
        for place, text in texts()
        for match in COMMANDS.finditer(text)
        if match[1].split()[0] not in PROSE
    ]


def test_enough_is_looked_at() -> None:
    named = {" ".join(command.split()[:1]) for _, command in commands()}
    assert {"up", "down", "connection", "nodes", "doctor", "unpause", "add", "detach", "backfill"} <= named


@pytest.mark.parametrize(("place", "text"), [pytest.param(*found, id=found[0]) for found in commands()])
def test_a_command_that_is_named_exists(place: str, text: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(text)
    while words and hasattr(command, "commands"):
        word = words.pop(0).rstrip(".,:;")
        assert word in command.commands, f"{place}: there is no command airloom {text}"
        command = command.commands[word]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0].rstrip(".,:;") in options, f"{place}: airloom {text} has no option {word}"
    if text.startswith("add ") and words[0] != "X":
        assert words[0].rstrip(",") in extras(), f"{place}: there is no extra {words[0]}"


def test_variables_that_are_named_are_settings() -> None:
    known = {name.upper() for name in Configuration.model_fields} | OTHER_VARIABLES
    found = {(place, name) for place, text in texts() for name in VARIABLES.findall(text)}
    unknown = sorted(f"{place}: AIRLOOM_{name}" for place, name in found if name.rstrip("_") not in known)
    assert unknown == []


def test_no_advice_needs_a_pip_that_an_environment_may_lack() -> None:
    assert [place for place, text in texts() if re.search(r"pip install ['\"]?airloom\[", text)] == []


def test_commands_are_named_as_the_launcher_was_called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(COMMAND, "./airloom")
    console.print("see airloom runs sales, or /opt/airloom up; Airloom is up; airloom.log")
    monkeypatch.delenv(COMMAND)
    console.print("see airloom runs sales")
    assert capsys.readouterr().out == (
        "see ./airloom runs sales, or /opt/airloom up; Airloom is up; airloom.log\nsee airloom runs sales\n"
    )
    assert COMMAND not in os.environ
