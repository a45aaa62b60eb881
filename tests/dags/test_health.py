"""A part is healthy while it shows heartbeats, answers, or reaches its database; else the reason is named."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import psycopg
import pytest
from tests.conftest import Databases

from airloom.dags.health import JOBS, LONGEST_SILENCE, fault
from airloom.store.lookup import plain


@pytest.fixture
def airflow_url(databases: Databases) -> Iterator[str]:
    """Give a database with the columns of Airflow's table of jobs that health is read from."""
    name = databases.create()
    with psycopg.connect(plain(databases.url(name))) as connection:
        connection.execute("create table job (job_type text, hostname text, state text, latest_heartbeat timestamptz)")
    yield databases.url(name)
    databases.drop(name)


def beat(url: str, job: str, *, host: str = "", state: str = "running", seconds_ago: float = 0) -> None:
    """Let a part show a heartbeat."""
    with psycopg.connect(plain(url)) as connection:
        connection.execute(
            "insert into job values (%s, %s, %s, now() - make_interval(secs => %s))",
            [job, host or socket.gethostname(), state, seconds_ago],
        )


@pytest.mark.parametrize("part", JOBS)
def test_a_part_of_airflow_is_healthy_by_its_own_heartbeat(airflow_url: str, part: str) -> None:
    variables = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_url}
    for other in JOBS.keys() - {part}:
        beat(airflow_url, JOBS[other])
    beat(airflow_url, JOBS[part], host="another-machine")
    beat(airflow_url, JOBS[part], state="failed")
    beat(airflow_url, JOBS[part], seconds_ago=LONGEST_SILENCE + 60)
    assert fault(part, variables) == "there is no recent heartbeat"
    beat(airflow_url, JOBS[part], seconds_ago=LONGEST_SILENCE / 2)
    assert fault(part, variables) is None


def test_the_worker_is_healthy_while_its_store_answers(databases: Databases) -> None:
    assert fault("worker", {"AIRLOOM_DATABASE_URL": databases.url("postgres")}) is None
    reason = fault("worker", {"AIRLOOM_DATABASE_URL": databases.server.address("nowhere", "nobody", "hidden-word")})
    assert reason is not None
    assert "does not answer" in reason
    assert "hidden-word" not in reason


def test_the_api_server_is_healthy_while_it_answers() -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/v2/version" else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        variables = {"AIRFLOW__API__PORT": str(server.server_port)}
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert fault("api-server", variables) is None
    assert "does not answer" in str(fault("api-server", variables))


def test_a_part_that_does_not_exist_is_no_healthy_one() -> None:
    with pytest.raises(KeyError):
        fault("chimney", {})
