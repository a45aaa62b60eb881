"""Columns behind Connections: asked where a hang can be ended, and told of where nobody answers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.runtime.silence import Silence, silence

from airloom.checks.check import MANY, Report, check
from airloom.checks.facts import Description, Facts
from airloom.dags.connections import read_connection
from airloom.engine.storage import Files
from airloom.runtime import descriptions
from airloom.runtime.descriptions import describer
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError

__all__ = ["silence"]
NODES = '''
"""Node types that ask other systems in their own ways."""

from airloom.nodes.sdk import Batches, Columns, ConnectionId, Context, Source


class Told(Source):
    """Tell the columns that the Connection's schema names."""

    connection: ConnectionId["told"]

    def describe(self, context: Context) -> Columns | None:
        connection = context.connection(self.connection)
        if connection.schema == "fault":
            raise RuntimeError(f"the address is x://{connection.login}:{connection.password}@host")
        return {connection.schema: "BIGINT"}

    def run(self, context: Context) -> Batches:
        raise NotImplementedError


class Undeclared(Source):
    """Ask for a Connection that no field names."""

    name: str

    def describe(self, context: Context) -> Columns | None:
        return {context.connection(self.name).schema: "BIGINT"}

    def run(self, context: Context) -> Batches:
        raise NotImplementedError
'''


@pytest.fixture
def people(database_url: str) -> str:
    """Return the URL of a database with a table of people."""
    url = database_url.replace("postgresql+psycopg://", "postgres://")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE people (id bigint, name text)")
    return url


@pytest.fixture(autouse=True)
def _own_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "asking.py").write_text(NODES)
    monkeypatch.setenv("AIRLOOM_NODES", str(tmp_path / "nodes"))
    configuration.cache_clear()


@pytest.fixture(params=["one thread", "threads"])
def threads(request: pytest.FixtureRequest) -> bool:
    """Tell whether the document is checked in a process with threads."""
    return bool(request.param == "threads")


def read(identifier: str, connection: str, **config: Any) -> dict[str, Any]:
    return {"id": identifier, "type": "postgres_read", "config": {"connection": connection, "table": "people"} | config}


def checked(
    nodes: list[dict[str, Any]], connections: Mapping[str, str], threads: bool = False, edges: Any = ()
) -> Report:
    def connection(name: str) -> Any:
        if name not in connections:
            raise ConfigurationError(f"there is no Connection {name!r}")
        return read_connection(name, connections[name])

    data = {"id": "asked", "nodes": nodes, "edges": [{"from": source, "to": target} for source, target in edges]}
    facts = Facts(files=Files(Path(), ()), describe=describer(connection))
    if not threads:
        return check(data, facts)
    found: list[Report] = []
    thread = threading.Thread(target=lambda: found.append(check(data, facts)))
    thread.start()
    thread.join()
    return found[0]


def told(report: Report) -> list[tuple[str, str, str, str | None]]:
    return [(problem.severity, problem.code, problem.pointer, problem.node) for problem in report.problems]


def test_a_database_tells_its_columns(people: str, threads: bool) -> None:
    late = {"id": "late", "type": "filter", "config": {"where": "id > 5"}}
    report = checked([read("rows", "db"), late], {"db": people}, threads, [("rows", "late")])
    assert report.problems == []
    assert report.columns == {name: {"id": "BIGINT", "name": "VARCHAR"} for name in ("rows.rows", "late.rows")}
    assert report.resolved is not None
    assert list(report.resolved.nodes) == ["rows", "late"]


def test_a_missing_table_is_named(people: str, threads: bool) -> None:
    report = checked([read("rows", "db", table="poeple")], {"db": people}, threads)
    assert told(report) == [("warning", "configuration", "/nodes/0/config/table", "rows")]
    assert "did you mean" in str(report.problems[0].hint)


def test_an_unknown_connection_leaves_the_columns_unknown(threads: bool) -> None:
    report = checked([read("rows", "nowhere")], {}, threads)
    assert (report.problems, report.columns) == ([], {})


def test_a_refused_connection_and_a_wrong_password_are_warnings(people: str, threads: bool) -> None:
    wrong = people.replace(psycopg.conninfo.conninfo_to_dict(people)["password"], "wrong-password")  # type: ignore[arg-type]
    connections = {"refused": "postgres://user:word@127.0.0.1:1/x", "wrong": wrong}
    report = checked([read("one", "refused"), read("two", "wrong")], connections, threads)
    assert report.correct
    assert [(problem.severity, problem.pointer) for problem in report.problems] == [
        ("warning", "/nodes/0/config/connection"),
        ("warning", "/nodes/1/config/connection"),
    ]
    refused, password = (problem.message for problem in report.problems)
    assert "the database of Connection 'refused' cannot be reached" in refused
    assert "password authentication failed" in password
    assert "wrong-password" not in password


def test_a_database_that_never_answers_is_asked_once_and_told_of(
    people: str, silence: Silence, threads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptions, "ANSWER_SECONDS", 2.0)
    nodes = [read("one", "silent"), read("two", "silent"), read("three", "db")]
    report = checked(nodes, {"silent": silence.url, "db": people}, threads)
    assert report.correct
    assert told(report) == [
        ("warning", "connection.no_answer", "/nodes/0/config/connection", "one"),
        ("warning", "connection.no_answer", "/nodes/1/config/connection", "two"),
    ]
    assert report.problems[0].message == "the Connection 'silent' does not answer within 2 s"
    assert "firewall" in str(report.problems[0].hint)
    assert list(report.columns) == ["three.rows"]
    assert len(silence.accepted) == 1


def test_documents_behind_silent_databases_hold_up_no_other(
    people: str, silence: Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptions, "ANSWER_SECONDS", 300.0)
    connections = {"silent": silence.url, "db": people}
    with ThreadPoolExecutor(MANY) as threads:
        silent, live = (
            [threads.submit(checked, [read("rows", name)], connections) for _ in range(count)]
            for name, count in (("silent", 4), ("db", 8))
        )
        try:
            assert all(future.result(60).problems == [] for future in live)
            assert not any(future.done() for future in silent)
        finally:
            silence.hang_up()
        assert all(told(future.result(60))[0][0] == "warning" for future in silent)


def test_own_types_tell_their_columns_and_their_faults_keep_secrets_in(threads: bool) -> None:
    nodes = [{"id": name, "type": "told", "config": {"connection": name}} for name in ("good", "bad")]
    connections = {"good": "told://a:b@host/price", "bad": "told://somebody:hush-hush-1@host/fault"}
    report = checked(nodes, connections, threads)
    assert report.columns == {"good.rows": {"price": "BIGINT"}}
    assert told(report) == [("error", "node.fault", "/nodes/1", "bad")]
    assert "the node type 'told' cannot tell its columns: RuntimeError" in report.problems[0].message
    assert "hush-hush-1" not in report.problems[0].message


def test_a_connection_that_no_field_names_is_not_given(threads: bool) -> None:
    report = checked([{"id": "one", "type": "undeclared", "config": {"name": "db"}}], {"db": "told://h/x"}, threads)
    assert [(problem.severity, problem.node) for problem in report.problems] == [("warning", "one")]
    assert "no field of the config names it" in report.problems[0].message


def test_an_answer_survives_as_json() -> None:
    error = ConfigurationError("no table", field="table", hint="make it")
    for description in (Description({"b": "BIGINT", "a": "VARCHAR"}), Description(), Description(error=error)):
        again = Description.from_json(description.to_json())
        assert again.to_json() == description.to_json()
        assert list(again.columns or ()) == list(description.columns or ())
