"""What a process that sees little of the store may say there: that a run has begun, or has ended."""

from __future__ import annotations

from typing import Literal

from airloom.store.lookup import connect

# The scheduler says so too, and schedules nothing while it waits.
CONNECT_SECONDS = 3


def run_started(url: str, dag_id: str, run_id: str) -> None:
    """Say that a run has begun; it is committed on return. Raises StoreUnavailable where the store does not answer."""
    with connect(url, timeout=CONNECT_SECONDS) as connection:
        connection.execute("select airloom_run_started(%s, %s)", (dag_id, run_id))


def run_ended(url: str, dag_id: str, run_id: str, state: Literal["success", "failed"]) -> None:
    """Say that a run has ended; it is committed on return. Raises StoreUnavailable where the store does not answer."""
    with connect(url, timeout=CONNECT_SECONDS) as connection:
        connection.execute("select airloom_run_ended(%s, %s, %s)", (dag_id, run_id, state))
