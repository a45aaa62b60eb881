"""A quick look at what a node gives: on a sample, in a process that can be killed, and nothing is written outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from airloom.checks.check import prepare_server
from airloom.engine.child import ask, run_in_child, safe_start
from airloom.runtime.pinned import Pins
from airloom.runtime.trial import Trial, no_connections, try_document
from airloom.spec.configuration import Configuration

ROWS = 10_000
SECONDS = 60.0


def preview(
    data: object,
    node: str,
    settings: Configuration,
    *,
    params: Mapping[str, str] | None = None,
    rows: int = ROWS,
    sample: int = 100,
    pinned: Pins | None = None,
    connections: Callable[[str], Any] = no_connections,
    timeout: float = SECONDS,
) -> Trial:
    """Run a document up to a node on the first `rows` of each source, with statistics of all columns.

    Nodes that write are never run; those in `pinned` have the outputs given, as a report shows them. Raises
    QueryTimeout after `timeout` seconds. What is wrong with the document or a node, its use of memory too, stands in
    the trial.
    """
    return run_in_child(
        _preview,
        data,
        settings,
        {"until": node, "params": params, "rows": rows, "sample": sample, "pinned": pinned},
        timeout=timeout,
        # No limit of memory here: it would hold for each step's process too, which has one of its own.
        start=safe_start(),
        prepare=(prepare_server,),
        answers={"connection": connections},
    )


def _preview(data: object, settings: Configuration, options: Mapping[str, Any]) -> Trial:
    return try_document(data, settings, statistics=True, connections=partial(ask, "connection"), **options)
