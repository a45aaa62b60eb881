"""Do Airflow and the store agree on which pipelines there are? A DAG may be deleted in Airflow, or never be read."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airloom.dags import parsing

if TYPE_CHECKING:
    from airloom.store.store import Store

log = logging.getLogger(__name__)

GRACE = timedelta(seconds=30)
"""What is published is read within seconds; a DAG processor with much to do takes longer."""
PAGE = 1000
MOST_NAMED = 10
"""The pipelines that one look names in the log."""


def unread_pipelines(store: Store, now: datetime | None = None) -> dict[str, str]:
    """Return the live pipelines that Airflow does not have as the store has them, each with what is wrong."""
    before = (now or datetime.now(UTC)) - GRACE
    known = parsing.read_revisions()
    unread: dict[str, str] = {}
    offset = 0
    while pipelines := store.pipelines(limit=PAGE, offset=offset):
        offset += PAGE
        for pipeline in pipelines:
            if pipeline.updated_at > before:
                continue
            if pipeline.id not in known:
                unread[pipeline.id] = "Airflow does not know it"
            elif known[pipeline.id] < pipeline.revision:
                unread[pipeline.id] = f"Airflow has an earlier version than {pipeline.version}"
    return unread


def restore_agreement(store: Store) -> list[str]:
    """Have Airflow read again what it does not have as the store has it; return the pipelines that are concerned.

    So a DAG that somebody deleted in Airflow comes back while its pipeline is live; its runs do not.
    """
    unread = unread_pipelines(store)
    named = list(unread.items())[:MOST_NAMED]
    for pipeline, fault in named:
        log.warning("Pipeline %s is live, and %s: its file is read again", pipeline, fault)
    if len(unread) > len(named):
        # As after many were published at once, which takes Airflow minutes.
        log.warning("So it is with %d more", len(unread) - len(named))
    for pipeline in unread:
        parsing.request_parse(pipeline)
    return list(unread)
