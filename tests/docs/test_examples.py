"""The pages by task show files, documents and commands: the commands print what the pages show."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pendulum
import pytest
from tests.docs.console import BLOCK, compare
from typer.testing import CliRunner

from airloom.cli import app
from airloom.cli.output import console
from airloom.spec.configuration import configuration

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("dates-and-times",)
FILE = re.compile(r"`(include/data/\S+)`")
COMMAND = re.compile(r"\$ \./airloom ((?:try|validate) .*)")


@dataclass
class Shown:
    """A command that a page shows: what it prints there, and the files that stand on the page before it."""

    command: str
    output: str
    files: dict[str, str] = field(default_factory=dict)


def commands() -> Iterator[tuple[str, Shown]]:
    """Yield the commands of the pages that need no installation, with the page's name."""
    for page in PAGES:
        text = (DOCS / f"{page}.md").read_text()
        files: dict[str, str] = {}
        for block in BLOCK.finditer(text):
            language, body = block.groups()
            if language == "csv":
                files[FILE.findall(text, 0, block.start())[-1]] = body
            elif language == "yaml" and (name := re.match(r"id: (\w+)\n", body)):
                files[f"{name[1]}.yaml"] = body
            elif language == "console" and (command := COMMAND.match(body)):
                yield page, Shown(command[1], body.partition("\n")[2], dict(files))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project folder without an installation, in use."""
    for name in list(os.environ):
        if name.startswith(("AIRLOOM_", "AIRFLOW")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AIRLOOM_ROOT", str(tmp_path))
    monkeypatch.setattr(console, "width", 100)
    monkeypatch.chdir(tmp_path)
    configuration.cache_clear()
    return tmp_path


@pytest.mark.parametrize("shown", [pytest.param(shown, id=f"{page}-{shown.command}") for page, shown in commands()])
def test_a_command_prints_what_the_page_shows(shown: Shown, project: Path) -> None:
    for name, text in shown.files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    result = CliRunner().invoke(app, shown.command.split())
    compare(result.output.splitlines(), shown.output)


def test_schedules_run_at_the_times_that_the_page_names() -> None:
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.trigger import CronTriggerTimetable

    row = re.compile(r"^\| `(.*?)` \| (2026\S+(?: \S+)?) \| (.*) \|$", re.MULTILINE)
    rows = row.findall((DOCS / "schedules.md").read_text())
    assert len(rows) == 5
    zone = "Europe/Berlin"
    for cron, start, runs in rows:
        timetable = CronTriggerTimetable(cron, timezone=zone)
        restriction = TimeRestriction(earliest=pendulum.parse(start, tz=zone), latest=None, catchup=True)
        last = None
        for shown in runs.split(", "):
            run = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
            assert run.run_after.in_timezone(zone).format("YYYY-MM-DD HH:mm Z") == shown, cron
            assert run.logical_date == run.run_after
            last = run.data_interval
