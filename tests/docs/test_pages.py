"""The pages are current, lead to pages that exist, and show documents and commands that work."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.spec.text import read_text

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), PROJECT / "README.md", PROJECT / "ARCHITECTURE.md"])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#: ]*)(?:#([^)]*))?\)")

spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
assert spec
assert spec.loader
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


def blocks(path: Path) -> list[tuple[str, str]]:
    """Return language and text of the blocks of a page."""
    return BLOCK.findall(path.read_text())


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_generated_parts_are_current(path: Path) -> None:
    assert generate.current(path) == path.read_text(), "run: python docs/generate.py"


def test_every_generated_part_stands_on_a_page() -> None:
    found = {part[1] for path in DOCS.glob("*.md") for part in generate.PART.findall(path.read_text())}
    assert found == generate.PARTS.keys()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    for target, anchor in LINK.findall(BLOCK.sub("", path.read_text())):
        page = path.parent / target if target else path
        assert page.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings]
            assert anchor in slugs, f"{target}#{anchor}"


def documents() -> list[Any]:
    """Return every whole document that a page shows, with the page's name."""
    found = []
    for path in PAGES:
        for language, text in blocks(path):
            if language in ("json", "yaml"):
                data, problems = read_text(text, f"block.{language}")
                if not problems and isinstance(data, dict) and {"id", "nodes"} <= data.keys():
                    found.append(pytest.param(data, id=f"{path.stem}-{data['id']}"))
    return found


@pytest.mark.parametrize("document", documents())
def test_documents_have_no_error_of_form(document: dict[str, Any]) -> None:
    # Without facts: whether the files that they name exist is not asked.
    assert check(document).problems == []


class TestFirstPipeline:
    """The tutorial, as far as it needs no installation."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        shutil.copytree(PROJECT / "include" / "data", tmp_path / "include" / "data")
        return tmp_path

    def test_the_commands_print_what_the_page_shows(self, project: Path) -> None:
        file = project / "late_flights.yaml"
        ran = []
        for language, text in blocks(DOCS / "first-pipeline.md"):
            if language == "yaml" and text.startswith("id: late_flights"):
                file.write_text(text)
            elif language == "diff":
                file.write_text(changed(file.read_text(), text))
            elif language == "console" and text.startswith(("$ ./airloom validate", "$ ./airloom try")):
                command, _, shown = text.partition("\n")
                ran.append(command)
                compare(printed(project, command.removeprefix("$ ./airloom ").split()), shown)
        assert len(ran) == 4
        # The last state of the file is that of the page's end.
        assert printed(project, ["validate", file.name]) == ["✓ late_flights.yaml"]
        assert json.loads("\n".join(printed(project, ["try", file.name, "--json"])))["problems"] == []


def changed(text: str, difference: str) -> str:
    """Return a text with a change in the form of a diff made to it."""
    lines = difference.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if not line.startswith("+"))
    new = "".join(line[1:] for line in lines if not line.startswith("-"))
    assert text.count(old) == 1, old
    return text.replace(old, new)


def printed(project: Path, arguments: list[str]) -> list[str]:
    """Return the lines that a command prints, without spaces at their ends."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRLOOM_", "AIRFLOW"))}
    done = subprocess.run(
        [Path(sys.executable).with_name("airloom"), *arguments],
        capture_output=True,
        text=True,
        cwd=project,
        env=environment | {"AIRLOOM_ROOT": str(project), "COLUMNS": "100"},
        check=False,
    )
    assert done.stderr == ""
    return [line.rstrip() for line in done.stdout.splitlines()]


def compare(found: list[str], shown: str) -> None:
    """Compare lines with those of a page, on which … stands for lines left out before it; rows may change places."""
    wanted = [settled(line) for line in shown.splitlines()]
    lines = [settled(line) for line in found]
    if wanted[0] == "…":
        wanted = wanted[1:]
        lines = lines[len(lines) - len(wanted) :]
    assert sorted(lines) == sorted(wanted)


def settled(line: str) -> str:
    return re.sub(r" [0-9.]+s$", " 0s", line.rstrip())
