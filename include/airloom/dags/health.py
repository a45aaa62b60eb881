"""Is the part that runs in this container healthy? Asked every half minute, so it imports nothing of Airflow.

Run as a module; the variable AIRLOOM_PART names the part. Ends with 0 where it is healthy, else with 1 and the reason.
"""

from __future__ import annotations

import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
LONGEST_SILENCE = 60
"""Seconds between two heartbeats of a part that is alive, at most."""

HEARTBEAT = """
select 1 from job where job_type = %s and hostname = %s and state = 'running'
and latest_heartbeat > now() - make_interval(secs => %s)
"""


def fault(part: str, variables: Mapping[str, str]) -> str | None:
    """Return what is wrong with the part of this name on this machine, or None; raise KeyError for another name."""
    checks: dict[str, Callable[[], str | None]] = {
        "api-server": lambda: _api_server(variables.get("AIRFLOW__API__PORT", "8080")),
        "celery-worker": lambda: _celery_worker(variables["AIRFLOW__CELERY__BROKER_URL"]),
        "worker": lambda: _database(variables["AIRLOOM_DATABASE_URL"], "select 1"),
    }
    if part in JOBS:
        values = (JOBS[part], socket.gethostname(), LONGEST_SILENCE)
        return _database(variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"], HEARTBEAT, *values)
    return checks[part]()


def _api_server(port: str) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/version", timeout=10):
            return None
    except (urllib.error.URLError, TimeoutError) as error:
        return f"the API server does not answer: {error}"


def _celery_worker(broker: str) -> str | None:
    from celery import Celery
    from kombu.exceptions import OperationalError

    name = f"celery@{socket.gethostname()}"
    try:
        answers = Celery(broker=broker).control.ping(destination=[name], timeout=5)
    except OperationalError as error:
        return f"the broker does not answer: {type(error.__cause__ or error).__name__}"
    return None if answers else f"the worker {name} does not answer"


def _database(url: str, query: str, *values: object) -> str | None:
    from airloom.spec.error import AirloomError
    from airloom.store.lookup import connect

    try:
        with connect(url) as connection:
            return None if connection.execute(query.encode(), values).fetchone() else "there is no recent heartbeat"
    except AirloomError as error:
        return error.message


if __name__ == "__main__":
    if reason := fault(os.environ["AIRLOOM_PART"], os.environ):
        sys.exit(reason)
