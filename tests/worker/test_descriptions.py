"""Columns behind Connections for a process that holds none: a worker is asked, and the wait is bounded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.worker.test_worker import wait_until, working

from airloom.checks.check import Report, check
from airloom.checks.facts import Facts
from airloom.dags.connections import read_connection
from airloom.engine.storage import Files
from airloom.spec.error import ConfigurationError
from airloom.store.store import Store
from airloom.worker import descriptions
from airloom.worker.descriptions import KIND, worker_describer
from airloom.worker.handlers import Handler
from airloom.worker.worker import lanes_of

COLUMNS = {"rows.rows": {"id": "BIGINT", "at": "DATE"}}


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    # The first answer waits for the server of child processes to import Airflow.
    monkeypatch.setattr(descriptions, "WORKER_SECONDS", 60.0)
    monkeypatch.setattr(descriptions, "MOST_SECONDS", 90.0)


@contextlib.contextmanager
def worker(store: Store, connection: Callable[[str], Any]) -> Iterator[None]:
    """Answer as a worker does, in threads of this process."""
    stopping = threading.Event()
    handlers = {KIND: Handler("answers", partial(descriptions.answer, connection=connection))}
    with working(*lanes_of(store, handlers, stopping)):
        yield
        stopping.set()


def checked(store: Store, *, may_use: Callable[[str], bool] = lambda name: True) -> Report:
    node = {"id": "rows", "type": "postgres_read", "config": {"connection": "db", "table": "people"}}
    facts = Facts(files=Files(Path(), ()), describe=worker_describer(store, may_use))
    return check({"id": "asked", "nodes": [node], "edges": []}, facts)


@pytest.fixture
def connection(database_url: str) -> Callable[[str], Any]:
    """Return what gives the one Connection, to a database with a table of people."""
    url = database_url.replace("postgresql+psycopg://", "postgres://")
    with psycopg.connect(url) as session:
        session.execute("CREATE TABLE people (id bigint, at date)")
    return lambda name: read_connection(name, url)


def test_a_worker_answers(store: Store, connection: Callable[[str], Any]) -> None:
    with worker(store, connection):
        report = checked(store)
        assert (report.problems, report.columns) == ([], COLUMNS)
        assert checked(store).columns == COLUMNS
        wait_until(lambda: not store.outbox.events())


def test_what_the_worker_is_told_comes_back(store: Store) -> None:
    with worker(store, lambda name: read_connection(name, "postgres://user:word@127.0.0.1:1/x")):
        (problem,) = checked(store).problems
    assert (problem.severity, problem.pointer) == ("warning", "/nodes/0/config/connection")
    assert "the database of Connection 'db' cannot be reached" in problem.message


def test_a_connection_that_may_not_be_used_is_not_asked(store: Store) -> None:
    report = checked(store, may_use=lambda name: name != "db")
    assert (report.problems, report.columns) == ([], {})
    assert store.outbox.events() == []


def test_without_a_worker_the_columns_are_unknown(
    store: Store, connection: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptions, "WORKER_SECONDS", 0.1)
    monkeypatch.setattr(descriptions, "ANSWER_SECONDS", 0.1)
    report = checked(store)
    assert report.correct
    assert [(problem.severity, problem.code, problem.node) for problem in report.problems] == [
        ("warning", "connection.no_answer", "rows")
    ]
    assert "no worker has asked the Connection 'db'" in report.problems[0].message
    # The event that is left is nobody's any more, and does no harm.
    (event,) = store.outbox.events()
    descriptions.answer(store, event.payload, lambda name: pytest.fail("it was asked"))


def test_a_worker_without_the_connection_says_nothing(store: Store) -> None:
    def connection(name: str) -> Any:
        raise ConfigurationError(f"there is no Connection {name!r}")

    with worker(store, connection):
        report = checked(store)
    assert (report.problems, report.columns) == ([], {})
