"""Appending exactly once: what every SQL sink keeps beside its rows, and what a repeat may do.

A sink that appends keeps one row in the table `airloom_writes` of the target database, in the transaction of the rows
themselves and before them: so two tries of the same work wait for each other, and a try that was killed leaves either
both or neither. What a later try does is decided here, once for all databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airloom.nodes.context import RunFacts
from airloom.spec.error import ConfigurationError

WRITES = "airloom_writes"

Decision = Literal["write", "keep", "rewrite"]


@dataclass(frozen=True)
class Earlier:
    """Hold what an earlier try of the same work left: its attempt, and how many rows it wrote."""

    attempt: int
    rows: int


def decide(earlier: Earlier | None, run: RunFacts, run_column: str | None) -> Decision:
    """Return what a try does: `write`; `keep` what a try before it wrote; `rewrite` what the run wrote before.

    A retry keeps. A cleared run means to write anew: it can where `run_column` tells its own rows from all others.
    Raises ConfigurationError for a cleared run that has no such column.
    """
    if earlier is None:
        return "write"
    if earlier.attempt >= run.first_attempt:
        return "keep"
    if run_column is not None:
        return "rewrite"
    raise ConfigurationError(
        f"this run has appended {earlier.rows} rows before it was cleared; appending again would double them",
        field="run_column",
        hint="name a run_column, so that a cleared run can replace its own rows; or, where the rows are gone, delete "
        f"the row of run_id {run.run_id!r} and node {run.node!r} from the table {WRITES}",
    )


def run_value(run: RunFacts) -> str:
    """Return what a run column holds: pipeline, run and node (and index path), for run ids alone are not unique."""
    index = f"/{run.index}" if run.index else ""
    return f"{run.pipeline}/{run.run_id}/{run.node}{index}"
