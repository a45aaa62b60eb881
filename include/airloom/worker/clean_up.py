"""Clean-up, hourly or on request: old tables between steps, what killed tasks left, old events of the feed."""

from __future__ import annotations

import logging
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airloom.dags.runs import run_state
from airloom.engine import box, child
from airloom.engine.data_folder import remove_older_than
from airloom.engine.storage import ABANDONED_AFTER, remove_abandoned
from airloom.engine.upload_folder import UploadFolder
from airloom.plan.partial import REUSED
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.error import TransientError
from airloom.store.store import Store
from airloom.worker import questions

log = logging.getLogger(__name__)

KIND = "clean_up"
SECONDS = 30.0
"""How long a worker removes tables for somebody who waits; who asks again lets it go on."""
WORKER_SECONDS = 15.0
"""How long it may take beyond that."""


@dataclass(frozen=True)
class CleanedUp:
    """Say what a clean-up removed.

    `days` is the age of what was old; `at_work` how many runs were as old and stay, for they have not ended; `complete`
    is False where the time was over before all was looked at.
    """

    days: float
    runs: int
    files: int
    at_work: int
    folders: int
    events: int
    complete: bool


def clean_up(
    store: Store, settings: Configuration, *, days: float | None = None, seconds: float | None = None
) -> CleanedUp | None:
    """Remove what is old, and return what that was; None where another worker is at it.

    Tables between steps are old after `days`, those of the settings where None; a run that has not ended keeps its own.
    After `seconds` the rest stays.
    """
    # Not shared between machines, as the tables are.
    folders = remove_abandoned(tempfile.gettempdir(), child.SCRATCH, box.SCRATCH)
    if folders:
        log.info("%d temporary folders of killed tasks are removed", folders)
    with store.lock("clean-up") as held:
        if not held:
            return None
        age = settings.keep_data_days if days is None else days
        until = None if seconds is None else time.monotonic() + seconds
        removed = remove_older_than(
            settings.data_url, age, spared=settings.uploads_url, is_at_work=partial(_is_at_work, store), until=until
        )
        log.info("%d files between steps of %d runs were old and are removed", removed.files, removed.runs)
        _remove_unknown_uploads(store, UploadFolder(settings.uploads_url))
        events = store.feed.remove_old()
        log.info("%d events of the feed were old and are removed", events)
    return CleanedUp(age, removed.runs, removed.files, removed.at_work, folders, events, removed.complete)


def _remove_unknown_uploads(store: Store, folder: UploadFolder) -> None:
    """Remove what is left of uploads that broke off, or that were deleted while their files could not be."""
    for identifier in store.uploads.unknown(folder.identifiers(ABANDONED_AFTER)):
        folder.remove(identifier)


def request_clean_up(store: Store, days: float | None) -> CleanedUp:
    """Let a worker clean up, for so long as somebody waits; raise TransientError where none answers, or one is at it.

    At once where no worker runs.
    """
    questions.require_worker(store, "remove what is old")
    return CleanedUp(**questions.ask(store, KIND, {"days": days}, timeout=SECONDS + WORKER_SECONDS))


def answer(store: Store, payload: dict[str, Any]) -> None:
    """Answer what `request_clean_up` asks."""
    questions.answer(store, payload, partial(_cleaned_up, store))


def _cleaned_up(store: Store, question: dict[str, Any]) -> dict[str, Any]:
    cleaned = clean_up(store, configuration(), days=question["days"], seconds=SECONDS)
    if cleaned is None:
        raise TransientError("a worker is cleaning up already", hint="try again in a minute")
    return asdict(cleaned)


def _is_at_work(store: Store, pipeline: str, run_id: str) -> bool:
    """Tell whether a run has not ended, or one that has not ended reads its outputs."""
    state = run_state(pipeline, run_id)
    if state is not None and not state.ended:
        return True
    unfinished = store.runs.unfinished(datetime.now(UTC))
    reuses = [run.reuse for run in unfinished if run.pipeline == pipeline and run.reuse is not None]
    return any(
        result["statistics"][REUSED] == run_id for reuse in reuses for result in reuse.get("results", {}).values()
    )
