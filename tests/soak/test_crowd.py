"""Thirty-two threads do two thousand things; ten dead databases are among a hundred pipelines."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.dags.crowd import act, furnish
from tests.runtime.silence import Silence, silence

from airloom.checks.check import MANY, check
from airloom.checks.facts import Facts
from airloom.dags.connections import read_connection
from airloom.engine.storage import Files
from airloom.runtime.descriptions import ANSWER_SECONDS, describer
from airloom.spec.configuration import configuration
from airloom.store.store import Store

__all__ = ["silence"]
OPERATIONS = 2000
pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


@pytest.mark.usefixtures("airflow_database")
def test_threads_get_whole_answers(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Callable[[str], None]
) -> None:
    furnish(tmp_path)
    monkeypatch.setenv("AIRLOOM_ROOT", str(tmp_path))
    configuration.cache_clear()
    began = time.monotonic()
    try:
        assert act(store, OPERATIONS) == []
    finally:
        configuration.cache_clear()
    report(f"{OPERATIONS} operations in {time.monotonic() - began:.0f} s")


def test_ten_dead_databases_hold_up_no_other_pipeline(
    database_url: str, silence: Silence, report: Callable[[str], None]
) -> None:
    url = database_url.replace("postgresql+psycopg://", "postgres://")
    with psycopg.connect(url) as session:
        session.execute("CREATE TABLE people (id bigint, name text)")
    wrong = url.replace(str(psycopg.conninfo.conninfo_to_dict(url)["password"]), "wrong")
    refused = "postgres://user:word@127.0.0.1:1/x"
    connections = {"db": url, "silent": silence.url, "wrong": wrong, "refused": refused}
    facts = Facts(files=Files(Path(), ()), describe=describer(lambda name: read_connection(name, connections[name])))
    dead = ["silent"] * 4 + ["wrong"] * 3 + ["refused"] * 3

    def checked(connection: str) -> tuple[str, float, Any]:
        began = time.monotonic()
        nodes = [
            {"id": "rows", "type": "postgres_read", "config": {"connection": connection, "table": "people"}},
            {"id": "late", "type": "filter", "config": {"where": "id > 5"}},
        ]
        found = check({"id": "asked", "nodes": nodes, "edges": [{"from": "rows", "to": "late"}]}, facts)
        return connection, time.monotonic() - began, found

    def all_of(asked: list[str]) -> tuple[float, list[tuple[str, float, Any]]]:
        began = time.monotonic()
        with ThreadPoolExecutor(MANY) as threads:
            found = [threads.submit(checked, connection) for connection in asked]
            good = [future.result() for future, connection in zip(found, asked, strict=True) if connection == "db"]
            took = time.monotonic() - began
            return took, good + [future.result() for future in found if future.result()[0] != "db"]

    all_of(["db"] * 4)
    alone, _ = all_of(["db"] * 90)
    together, found = all_of([*dead, *["db"] * 90])
    for connection, _, result in found:
        assert result.correct
        codes = [(problem.severity, problem.node) for problem in result.problems]
        assert codes == ([] if connection == "db" else [("warning", "rows")])
    slowest = statistics.median(seconds for connection, seconds, _ in found if connection == "silent")
    report(f"90 pipelines: {alone:.1f} s alone, {together:.1f} s beside ten dead ones; a silent one {slowest:.1f} s")
    assert together < alone + ANSWER_SECONDS + 0.5 * alone
