"""What people reported of other tools of this field comes out right, or is refused with a clear word."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.sdk import Connection
from tests.conftest import Databases
from tests.field.report import Entry, Outcome, entries_of, faults, run_theme, themes

from airloom.runtime.trial import no_connections
from airloom.store.lookup import plain

ENTRIES = [entry for theme in themes() for entry in entries_of(theme)]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Callable[[Entry], Outcome]:
    """Return what gives the outcome of an entry; a theme is run once, when its first entry is asked for."""
    return Outcomes(lambda: tmp_path_factory.mktemp("field"), databases).of


class Outcomes:
    """Run themes, each once."""

    def __init__(self, folder: Callable[[], Path], databases: Databases) -> None:
        """Take what makes an empty folder, and the server for entries with a database."""
        self._folder = folder
        self._databases = databases
        self._found: dict[str, list[Outcome]] = {}

    def of(self, entry: Entry) -> Outcome:
        """Return the outcome of an entry."""
        if entry.theme not in self._found:
            self._found[entry.theme] = []
            self._found[entry.theme] += self._run(entry.theme)
        assert self._found[entry.theme], f"the theme {entry.theme} could not be run"
        return self._found[entry.theme][entry.number - 1]

    def _run(self, theme: str) -> Iterator[Outcome]:
        urls: dict[int, str] = {}

        def connections(entry: Entry) -> Callable[[str], Any]:
            if "database" not in entry.data:
                return no_connections
            url = urls[entry.number] = plain(self._databases.url(self._databases.create()))
            with psycopg.connect(url, autocommit=True) as connection:
                for statement in entry.data["database"]:
                    connection.execute(statement.encode())
            return lambda name: Connection.from_uri(url, name)

        for entry, outcome in zip(entries_of(theme), run_theme(theme, self._folder(), connections), strict=True):
            if query := entry.data.get("query"):
                with psycopg.connect(urls[entry.number]) as connection:
                    rows = connection.execute(query.encode()).fetchall()
                    outcome["table"] = [[None if value is None else str(value) for value in row] for row in rows]
            yield outcome


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_report(
    entry: Entry, outcomes: Callable[[Entry], Outcome], record_property: Callable[[str, object], None]
) -> None:
    outcome = outcomes(entry)
    shown = {**entry.data, "came": outcome}
    text = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in shown.items())
    record_property("report", text)
    found = faults(entry, outcome)
    if "still" in entry.data:
        assert found, f"{entry.name} is as expected now: take out `still`"
        pytest.xfail(entry.data["still"])
    assert found == []


def test_each_input_stands_for_itself() -> None:
    for theme in themes():
        names = [name for entry in entries_of(theme) for name in entry.data.get("files", {})]
        assert len(names) == len(set(names)), f"two entries of {theme} have a file of one name"
