"""The worker: background work that Airflow does not do, in any number of copies."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import OperationalError

from airloom.spec.configuration import Configuration
from airloom.store.records import StoreUnavailable
from airloom.store.store import Store
from airloom.worker.folder import Folder
from airloom.worker.runs import EndedRuns, keep_node_runs

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0
"""Seconds between two attempts of a job that keeps failing."""
STOP_TIMEOUT = 20.0
"""Seconds that jobs have to end what they are at, once the worker is told to stop."""

Handler = Callable[[Store, dict[str, Any]], None]


@dataclass(frozen=True)
class Job:
    """Name work that is done again and again, `every` so many seconds."""

    name: str
    every: float
    run: Callable[[], object]


def work(jobs: list[Job], stopping: threading.Event) -> None:
    """Do the jobs, each in a thread of its own so that a long one delays no other, until `stopping` or Ctrl-C.

    What a job is at then may end first, for at most STOP_TIMEOUT seconds.
    """
    # Daemons: a job that hangs must not keep the process alive. Whatever it did not commit is done again later.
    threads = [threading.Thread(target=_repeat, args=(job, stopping), name=job.name, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    log.info("The worker runs: %s", ", ".join(job.name for job in jobs))
    try:
        stopping.wait()
    except KeyboardInterrupt:
        stopping.set()
    end = time.monotonic() + STOP_TIMEOUT
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = [thread.name for thread in threads if thread.is_alive()]
    log.info("The worker stops%s", f"; not finished, and done again later: {', '.join(late)}" if late else "")


def jobs_of(store: Store, configuration: Configuration, stopping: threading.Event) -> list[Job]:
    """Return everything that a worker of this installation does; `airloom.dags.platform.load` comes before."""
    from airloom.dags.publishing import finish_archiving, publish, unpause
    from airloom.dags.upgrade import upgrade

    folder = Folder(store, configuration.pipelines_folder, publish=publish)
    ended_runs = EndedRuns(store)
    return [
        Job("drop folder", 1, folder.synchronise),
        Job("events", 1, lambda: drain(store, {"run_ended": keep_node_runs, "unpause": unpause}, stopping)),
        Job("upgrade", 300, lambda: upgrade(store)),
        Job("ended runs", 300, ended_runs.make_up),
        Job("archive", 5, lambda: finish_archiving(store)),
        Job("clean-up", 3600, lambda: clean_up(store, configuration)),
    ]


def drain(store: Store, handlers: Mapping[str, Handler], stopping: threading.Event) -> None:
    """Handle the events that wait, one after the other, until none does or the worker stops.

    An event whose handler fails waits for its next attempt; the others go on.
    """
    while not stopping.is_set():
        try:
            with store.outbox.claim(handlers) as event:
                if event is None:
                    return
                handlers[event.kind](store, event.payload)
        except (StoreUnavailable, OperationalError):
            raise
        except Exception:
            log.exception("An event was not handled")


def clean_up(store: Store, configuration: Configuration) -> None:
    """Remove the tables between steps that are older than the configuration allows, and what killed tasks left."""
    from airloom.engine import box, child
    from airloom.engine.storage import remove_abandoned, remove_older_than

    # Not shared between machines, as the tables are.
    if left := remove_abandoned(tempfile.gettempdir(), child.SCRATCH, box.SCRATCH):
        log.info("%d temporary folders of killed tasks are removed", left)
    with store.lock("clean-up") as held:
        if held:
            removed = remove_older_than(configuration.data_url, configuration.keep_data_days)
            log.info("%d files between steps were old and are removed", removed)


def _repeat(job: Job, stopping: threading.Event) -> None:
    failures = 0
    while not stopping.is_set():
        try:
            job.run()
        except StoreUnavailable as error:
            if failures == 0:
                log.error("%s waits for the store, and goes on when it answers: %s", job.name, error)
            failures += 1
        except OperationalError as error:
            # The store's own are StoreUnavailable.
            if failures == 0:
                reason = str(error.orig).partition("\n")[0]
                log.error("%s waits for Airflow's database, and goes on when it answers: %s", job.name, reason)
            failures += 1
        except Exception:
            failures += 1
            log.exception("%s failed, and is tried again", job.name)
        else:
            if failures:
                log.info("%s works again", job.name)
            failures = 0
        stopping.wait(_pause(job, failures))


def _pause(job: Job, failures: int) -> float:
    """Return the seconds until a job's next turn: soon after a first failure, and later with each more."""
    return job.every if failures == 0 else min(2.0 ** (failures - 1), LONGEST_PAUSE)
