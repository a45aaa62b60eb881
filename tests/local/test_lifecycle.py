from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airloom.local import airflow, lifecycle
from airloom.local.installation import Installation
from airloom.local.lifecycle import PortBusy


def opened(tmp_path: Path, port: int = 8080, **given: str) -> Installation:
    variables = {"AIRLOOM_ROOT": str(tmp_path), "AIRLOOM_HOME": str(tmp_path / "home"), **given}
    return Installation.open(variables=variables, port=port)


@contextmanager
def busy_port() -> Iterator[int]:
    """Listen on a port below those that the system gives to others, so that its neighbours stay free."""
    for port in range(20_000 + os.getpid() % 1_000 * 5, 32_000, 5):
        with socket.socket() as busy:
            if busy.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", port))
            busy.listen()
            yield port
            return


@pytest.mark.parametrize(("offset", "use"), [(0, "Airflow"), (1, "PostgreSQL"), (2, "the logs of running tasks")])
def test_a_busy_port_is_named_before_anything_starts(tmp_path: Path, offset: int, use: str) -> None:
    begun = []
    with busy_port() as port, pytest.raises(PortBusy, match=f"Port {port} on 127.0.0.1, needed for {use}") as raised:
        lifecycle.start(opened(tmp_path, port - offset), lambda name: begun.append(name))  # type: ignore[arg-type,func-returns-value]
    assert begun == []
    assert raised.value.hint == (
        f"End the program that uses it, or choose other ports: airloom up --port {port - offset + 1000}"
    )


def test_one_at_a_time_works_on_a_home(tmp_path: Path) -> None:
    installation = opened(tmp_path)
    with lifecycle._lock(installation), pytest.raises(lifecycle.AtWork, match="is at work on"):
        lifecycle.stop(installation)


def test_stopping_what_does_not_run_says_so(tmp_path: Path) -> None:
    assert not lifecycle.stop(opened(tmp_path))


def test_every_process_sees_the_settings_that_ship(tmp_path: Path) -> None:
    environment = airflow.environment(opened(tmp_path, 9000))
    assert environment["AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL"] == "0"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:9000/execution/"
    assert environment["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:9000"
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    (bundle,) = json.loads(environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert bundle["classpath"] == "airloom.dags.bundle.PipelineBundle"
    assert environment["AIRLOOM_DATABASE_URL"].endswith("@127.0.0.1:9001/airloom")


def test_what_the_user_sets_wins(tmp_path: Path) -> None:
    installation = opened(tmp_path, AIRFLOW__CORE__PARALLELISM="16", AIRLOOM_THREADS="8", AIRFLOW__API__WORKERS="")
    environment = airflow.environment(installation)
    assert (environment["AIRFLOW__CORE__PARALLELISM"], environment["AIRLOOM_THREADS"]) == ("16", "8")
    assert environment["AIRFLOW__API__WORKERS"] == "1"


def test_connections_and_variables_of_the_users_reach_airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_OF_ANOTHER", "x")
    given = {"AIRFLOW_CONN_LAKE": "postgres://me:secret@lake/db", "AIRFLOW_VAR_REGION": "EU"}
    installation = opened(tmp_path, **given)
    environment = airflow.environment(installation)
    assert {name: value for name, value in environment.items() if name.startswith(("AIRFLOW_C", "AIRFLOW_V"))} == given
    assert "secret" not in repr(installation)


def test_nothing_of_another_installation_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/another")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "another")
    monkeypatch.setenv("AIRLOOM_THREADS", "9")
    environment = airflow.environment(opened(tmp_path))
    assert environment["AIRFLOW_HOME"] == str(tmp_path / "home" / "airflow")
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "airloom.dags.executor.LocalExecutor"
    assert "AIRLOOM_THREADS" not in environment


def test_a_proxy_stays_out_of_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "internal.example, localhost")
    environment = airflow.environment(opened(tmp_path))
    assert environment["NO_PROXY"] == environment["no_proxy"] == "internal.example,localhost,127.0.0.1"
