"""The pages are current, lead to pages that exist, and show documents and commands that work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.docs.console import BLOCK, blocks, compare

from airloom.checks.check import check
from airloom.cli import reference
from airloom.nodes import sdk
from airloom.nodes.catalog import catalog
from airloom.spec.text import read_text

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *(PROJECT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING"))])
LINK = re.compile(r"\]\(([^)#: ]*)(?:#([^)]*))?\)")


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).with_suffix("").as_posix()


WANTED = reference.pages()


@pytest.mark.parametrize("path", sorted(WANTED), ids=name_of)
def test_a_page_is_current(path: Path) -> None:
    assert path.read_text() == WANTED[path], f"run: {reference.COMMAND}"


def test_every_generated_part_stands_on_a_page() -> None:
    found = {part[1] for path in DOCS.glob("*.md") for part in reference.PART.findall(path.read_text())}
    assert found == reference.PARTS.keys()


def test_the_page_of_the_sdk_has_a_section_for_every_name() -> None:
    headings = re.findall(r"^### `(\w+)`$", (DOCS / "sdk.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(sdk.__all__)


def test_a_name_of_the_sdk_without_a_heading_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "__all__", [*sdk.__all__, "Novelty"])
    with pytest.raises(ValueError, match="Novelty"):
        reference.PARTS["sdk"]()


def test_every_category_has_its_page_and_no_other_is_kept() -> None:
    built_in = {node.declaration.category for node in catalog().all()} - {"own"}
    assert {path.stem for path in (DOCS / "nodes").glob("*.md")} == built_in


def test_the_command_writes_names_and_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "docs"
    shutil.copytree(DOCS, folder)
    monkeypatch.setattr(reference, "FOLDER", folder)
    monkeypatch.setattr(reference, "NODES", folder / "nodes")
    assert reference.main(["--check"]) == 0
    (folder / "nodes" / "files.md").unlink()
    (folder / "nodes" / "ghosts.md").write_text("# Ghosts\n")
    assert reference.main(["--check"]) == 2
    assert capsys.readouterr().out == "nodes/files.md is old\nnodes/ghosts.md tells of no category\n"
    assert reference.main([]) == 0
    assert {path.name: path.read_text() for path in (folder / "nodes").iterdir()} == {
        path.name: path.read_text() for path in (DOCS / "nodes").iterdir()
    }


@pytest.mark.parametrize("path", PAGES, ids=name_of)
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
                    found.append(pytest.param(data, id=f"{name_of(path)}-{data['id']}"))
    return found


@pytest.mark.usefixtures("own_types")
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
