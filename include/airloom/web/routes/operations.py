"""Routes for those who keep the service going: queues, and figures about runs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from airloom.web import audit
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.models.operations import (
    CleanedUp,
    CleanUp,
    DayOfRuns,
    DeadEvent,
    Examination,
    Figures,
    Finding,
    Queue,
    Queues,
)
from airloom.web.rule import ADMINISTRATOR, READER
from airloom.worker.clean_up import request_clean_up
from airloom.worker.examination import request_examination

router = APIRouter(tags=["operations"])
MOST_DEAD = 100


@router.get("/operations/queues", dependencies=[ADMINISTRATOR])
def get_queues(store: StoreOf) -> Queues:
    """Say how much background work waits, by kind, and what was given up."""
    dead = [DeadEvent.model_validate(event) for event in store.outbox.events(dead=True, limit=MOST_DEAD)]
    return Queues(queues=[Queue.model_validate(queue) for queue in store.outbox.queues()], dead=dead)


@router.post("/operations/events/{identifier}/retry", dependencies=[ADMINISTRATOR], status_code=204)
def retry_event(identifier: Annotated[int, Path(ge=1, le=2**62)], person: PersonOf, store: StoreOf) -> None:
    """Let work that was given up be tried again."""
    store.outbox.retry([identifier])
    audit.record(person, "retry_event", event_id=identifier)


@router.get("/operations/doctor", dependencies=[ADMINISTRATOR])
def get_examination(store: StoreOf) -> Examination:
    """Let a worker examine Airflow, the databases, its machine and the pipelines; 503 where no worker answers."""
    findings = [Finding.model_validate(finding) for finding in request_examination(store)]
    return Examination(right=all(finding.state != "wrong" for finding in findings), findings=findings)


@router.post("/operations/clean-up", dependencies=[ADMINISTRATOR])
def clean_up(wanted: CleanUp, person: PersonOf, store: StoreOf) -> CleanedUp:
    """Let a worker remove the tables between steps that are old, and what else the hourly clean-up does.

    Runs that have not ended keep theirs. A worker removes for half a minute at most: `complete` says whether all is
    done. 503 where no worker answers, or one is cleaning up already.
    """
    removed = CleanedUp.model_validate(request_clean_up(store, wanted.days))
    audit.record(person, "clean_up", days=removed.days, runs=removed.runs, files=removed.files)
    return removed


@router.get("/figures", dependencies=[READER])
def get_figures(
    person: PersonOf,
    store: StoreOf,
    days: Annotated[int, Query(ge=1, le=90, description="How many days back, in UTC")] = 14,
    pipeline: Annotated[str | None, Query(max_length=250, description="Of this pipeline")] = None,
) -> Figures:
    """Say how the runs of the pipelines that you may read did, day by day."""
    since = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
    rows = store.runs.by_day(since, ids=person.readable, pipeline=pipeline)
    return Figures(since=since, days=[DayOfRuns.model_validate(row) for row in rows])
