"""The worker: background work that Airflow does not do, in any number of copies."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy.exc import OperationalError

from airloom.spec.configuration import Configuration
from airloom.store.records import StoreUnavailable
from airloom.store.store import Store
from airloom.worker.clean_up import clean_up
from airloom.worker.folder import AUTHOR, Folder
from airloom.worker.handlers import LANES, Handler, HandlerFunction, handlers
from airloom.worker.run_events import RunEvents
from airloom.worker.runs import EndedRuns

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0
"""Seconds between two attempts of a job that keeps failing."""
UNWOKEN = 30.0
"""Seconds after which a thread of a lane looks for events though nothing woke it."""
STOP_TIMEOUT = 20.0
"""Seconds that jobs have to end what they are at, once the worker is told to stop."""


@dataclass(frozen=True)
class Job:
    """Name work that is done again and again, `every` so many seconds, or as soon as it is woken."""

    name: str
    every: float
    run: Callable[[], object]
    wake: threading.Event = field(default_factory=threading.Event)


def work(jobs: list[Job], stopping: threading.Event) -> None:
    """Do the jobs, each in a thread of its own so that a long one delays no other, until `stopping` or Ctrl-C.

    What a job is at then may end first, for at most STOP_TIMEOUT seconds.
    """
    # Daemons: a job that hangs must not keep the process alive. Whatever it did not commit is done again later.
    threads = [threading.Thread(target=_repeat, args=(job, stopping), name=job.name, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    log.info("The worker runs: %s", ", ".join(dict.fromkeys(job.name for job in jobs)))
    try:
        stopping.wait()
    except KeyboardInterrupt:
        stopping.set()
    for job in jobs:
        job.wake.set()
    end = time.monotonic() + STOP_TIMEOUT
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = [thread.name for thread in threads if thread.is_alive()]
    log.info(
        "The worker stops%s", f"; not finished, and done again later: {', '.join(dict.fromkeys(late))}" if late else ""
    )


def jobs_of(store: Store, configuration: Configuration, stopping: threading.Event) -> list[Job]:
    """Return everything that a worker of this installation does; `airloom.dags.platform.load` comes before."""
    from airloom.dags.actor import administrator
    from airloom.dags.agreement import restore_agreement
    from airloom.dags.parsing import schedules
    from airloom.dags.publishing import finish_archiving, publish
    from airloom.dags.roles import role_actor
    from airloom.dags.upgrade import upgrade

    role = configuration.drop_role
    actor = functools.partial(role_actor, store, role, AUTHOR) if role else functools.partial(administrator, AUTHOR)
    folder = Folder(store, configuration.pipelines_folder, publish=publish, actor=actor)
    ended_runs = EndedRuns(store)
    return [
        Job("drop folder", 1, folder.synchronise),
        *lanes_of(store, handlers(), stopping),
        Job("agreement", 15, lambda: restore_agreement(store)),
        Job("schedules", 5, lambda: store.keep_schedules(schedules())),
        Job("upgrade", 30, lambda: upgrade(store)),
        Job("run events", 1, RunEvents(store).tell),
        Job("ended runs", 300, ended_runs.make_up),
        Job("archive", 5, lambda: finish_archiving(store)),
        Job("clean-up", 3600, lambda: clean_up(store, configuration)),
    ]


def lanes_of(store: Store, table: Mapping[str, Handler], stopping: threading.Event) -> list[Job]:
    """Return the jobs that handle events by a table of handlers: the threads of each lane, and what wakes them."""
    threads: dict[str, list[Job]] = {}
    for name, count in LANES.items():
        functions = {kind: handler.function for kind, handler in table.items() if handler.lane == name}
        if functions:
            drained = functools.partial(drain, store, functions, stopping)
            # One look for all of them wakes them: many threads that ask each second are what an idle worker costs.
            threads[name] = [Job(name, UNWOKEN, drained) for _ in range(count)]

    def wake() -> None:
        for kind in store.outbox.wakeups(stopping):
            for job in threads[table[kind].lane] if kind in table else ():
                job.wake.set()

    return [*(job for lane in threads.values() for job in lane), Job("wake-ups", 1, wake)]


def drain(store: Store, functions: Mapping[str, HandlerFunction], stopping: threading.Event) -> None:
    """Handle the events of these kinds that wait, one after the other, until none does or the worker stops.

    An event whose handler fails waits for its next attempt; the others go on.
    """
    while not stopping.is_set():
        try:
            with store.outbox.claim(functions) as event:
                if event is None:
                    return
                functions[event.kind](store, event.payload)
        except (StoreUnavailable, OperationalError):
            raise
        except Exception:
            log.exception("An event was not handled")


def _repeat(job: Job, stopping: threading.Event) -> None:
    failures = 0
    while not stopping.is_set():
        job.wake.clear()
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
        if failures:
            stopping.wait(_pause(job, failures))
        elif not stopping.is_set():
            job.wake.wait(job.every)


def _pause(job: Job, failures: int) -> float:
    """Return the seconds until a job's next turn: soon after a first failure, and later with each more."""
    return job.every if failures == 0 else min(2.0 ** (failures - 1), LONGEST_PAUSE)
