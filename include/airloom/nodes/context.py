"""What a node may ask of its surroundings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from airloom.engine.storage import Files
from airloom.spec.error import AirloomError, ConfigurationError, Failure
from airloom.spec.node_file import NodeFile
from airloom.spec.schedule import interval, local_time

RUN_NAMES = (
    "id", "logical_date", "local_date", "local_time", "interval_start", "interval_end", "started_at", "attempt",
)  # fmt: skip
"""What `run` holds in expressions."""
ENDING_NAMES = ("state", "error")
"""What it holds beside them in `finally`: how the run ended, and the first failure that nothing handled."""


@dataclass(frozen=True)
class RunFacts:
    """Name the run, the node and the attempt that this work belongs to.

    Attempts count on when a run is cleared; `first_attempt` is the one with which the work began since then, so that
    what an attempt before it did is an earlier life's, and what one from it on did is a retry's.

    `index` is an index path: a part for each mapped task and each item of a loop that the work lies in, from without to
    within, such as `3/0`; empty where there is none. `schedule` is that of the document.
    """

    pipeline: str
    run_id: str
    node: str = ""
    index: str = ""
    attempt: int = 1
    first_attempt: int = 1
    last_attempt: bool = True
    logical_date: datetime | None = None
    started_at: datetime | None = None
    schedule: Mapping[str, Any] | None = None

    @property
    def local_time(self) -> datetime | None:
        """Return the logical date as a clock in the schedule's time zone shows it, without a zone."""
        return None if self.logical_date is None else local_time(self.schedule, self.logical_date)

    @property
    def local_date(self) -> date | None:
        """Return the day of the local time."""
        moment = self.local_time
        return None if moment is None else moment.date()

    @property
    def interval_start(self) -> datetime | None:
        """Return the time of the schedule before `interval_end`; None without a schedule."""
        found = self._interval
        return None if found is None else found[0]

    @property
    def interval_end(self) -> datetime | None:
        """Return the last time of the schedule that is not after the logical date; None without a schedule."""
        found = self._interval
        return None if found is None else found[1]

    @property
    def _interval(self) -> tuple[datetime, datetime] | None:
        return None if self.logical_date is None else interval(self.schedule, self.logical_date)


class Context(Protocol):
    """Give a node its run, its params, Connections, files, and a log.

    A method of a node gets it through a parameter annotated with this type, whatever the parameter's name.
    """

    @property
    def run(self) -> RunFacts:
        """Return the run, the node and the attempt: `pipeline`, `run_id`, `attempt`, `logical_date` and others."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Return the params of the run, by name."""

    @property
    def files(self) -> Files:
        """Return what finds files in the folders that pipelines may read and write."""

    @property
    def log(self) -> logging.Logger:
        """Return the logger of the task; Airflow shows what it logs."""

    def connection(self, name: str) -> Any:
        """Return the Airflow Connection of this id; raise ConfigurationError where there is none.

        Its secrets are then replaced by `***` in logs, errors and results.
        """

    def function(self, name: str) -> NodeFile:
        """Return the file of a user's function that the node names, in the text that was published."""

    def emit(self, event: Mapping[str, Any]) -> None:
        """Show progress while the node runs, such as `{"rows": 1000}`."""


class LoopBody(Protocol):
    """Run the nodes in a node's body.

    The `run` method of a `Loop` gets it through a parameter annotated with this type.
    """

    def run(self, item: Any, index: int, total: int | None = None) -> Any:
        """Run the body for an item and return what its result carries.

        The body knows the item as `loop.item`, its place as `loop.index`, and how many there are as `loop.total`. Each
        item has an index of its own. Where an earlier attempt of the task was through with an item, its result is
        returned from then.

        Raises ItemFailed for the first node that failed with nothing to handle it.
        """

    def was_done(self, index: int) -> bool:
        """Tell whether an earlier attempt of the task was through with the item at this place."""

    @property
    def seconds(self) -> float:
        """Return how long ago the first attempt of the task began with the body."""


class ItemFailed(AirloomError):
    """Raise when a node of a body failed for an item; it has the type, node and hint of that failure.

    `index` is the item's, `reason` the message of the failure itself.
    """

    code = "item"

    def __init__(self, index: int, error: Mapping[str, Any]) -> None:
        super().__init__(
            f"item {index}, node {error['node']!r}: {error['message']}",
            node=error["node"],
            field=error["field"],
            hint=error["hint"],
        )
        self.failure: Failure = error["failure"]
        self.code = error["code"]
        self.index = index
        self.reason: str = error["message"]


def no_functions(name: str) -> NodeFile:
    """Raise ConfigurationError: before a run, no function is needed."""
    raise ConfigurationError(f"only a run has the function {name!r}")


@dataclass(frozen=True)
class PlainContext:
    """A context of given parts: what a run, a check and a test hand to a node."""

    run: RunFacts
    params: Mapping[str, Any]
    files: Files
    connections: Callable[[str], Any]
    log: logging.Logger
    functions: Callable[[str], NodeFile] = no_functions

    def function(self, name: str) -> NodeFile:
        """Return the file of a user's function that the node names."""
        return self.functions(name)

    def connection(self, name: str) -> Any:
        """Return an Airflow Connection; raise ConfigurationError where there is none."""
        return self.connections(name)

    def emit(self, event: Mapping[str, Any]) -> None:
        """Write progress to the log."""
        self.log.info("progress: %s", dict(event))
