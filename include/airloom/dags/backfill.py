"""Backfills: the runs of a pipeline's schedule in a range of the past.

For processes that Airflow lets into its database, as `airloom.dags.platform`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airloom.dags import parsing
from airloom.dags.runs import startable_version
from airloom.spec.error import ConfigurationError

if TYPE_CHECKING:
    from airloom.store.records import StoredVersion
    from airloom.store.store import Store

Repeat = Literal["none", "failed", "completed"]
EARLIEST, LATEST = 1900, 2200
"""The years that a range may reach; beyond them, arithmetic with time zones ends."""
MOST_TIMES = 5000
"""How many times one backfill may hold."""


@dataclass(frozen=True)
class Backfill:
    """Say which times of a schedule to run, both ends included, and how.

    Times that have a run are left out, unless `repeat` asks for those that failed, or for all. No more than `at_once`
    run at a time, by default as many as the pipeline allows.
    """

    since: datetime
    until: datetime
    params: Mapping[str, Any]
    repeat: Repeat = "none"
    at_once: int | None = None


def start_backfill(
    store: Store, pipeline: str, wanted: Backfill, *, user: str | None = None, dry_run: bool = False
) -> list[datetime]:
    """Start the runs of a pipeline's schedule in a range, once Airflow has read its version; return their times.

    With `dry_run` nothing is started. Raises NotFound where there is no such pipeline, ConfigurationError for a range,
    params or a pipeline that Airflow cannot fill.
    """
    check_range(wanted.since, wanted.until)
    version = startable_version(store, pipeline, wanted.params)
    require_schedule(version)
    parsing.wait_for_version(pipeline, version.number)
    return begin_backfill(version, wanted, user=user, dry_run=dry_run)


def check_range(since: datetime, until: datetime) -> None:
    """Raise ConfigurationError for a range that holds no times to fill."""
    if since > until:
        raise ConfigurationError("the range ends before it begins", hint="give the earlier time as --from")
    if since >= datetime.now(UTC):
        raise ConfigurationError("the range lies in the future", hint="its runs start by themselves when they are due")
    if since.year < EARLIEST or until.year > LATEST:
        raise ConfigurationError(f"the range is not within the years {EARLIEST} to {LATEST}")


def require_schedule(version: StoredVersion) -> None:
    """Raise ConfigurationError where a version runs by no clock."""
    if not version.document.get("schedule"):
        raise ConfigurationError(
            f"pipeline {version.pipeline!r} has no schedule, so there are no times to fill",
            hint="start single runs with airloom run --date, or give it a schedule",
        )


def begin_backfill(version: StoredVersion, wanted: Backfill, *, user: str | None, dry_run: bool) -> list[datetime]:
    """Start the runs of a version that Airflow has read; return their times."""
    from airflow.models.backfill import ReprocessBehavior, _create_backfill, _do_dry_run
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.sdk.exceptions import AirflowException
    from airflow.utils.session import create_session

    pipeline, behaviour, params = version.pipeline, ReprocessBehavior(wanted.repeat), dict(wanted.params)
    try:
        with create_session(scoped=False) as session:
            dag = SerializedDagModel.get_dag(pipeline, session=session)
            # Airflow makes a list of all of them first, however many they are.
            if dag is not None and _exceeds(dag.iter_dagrun_infos_between(wanted.since, wanted.until), MOST_TIMES):
                message = f"the range holds more than {MOST_TIMES:,} times of the schedule"
                raise ConfigurationError(message, hint="fill it in several parts")
            times: list[datetime] = [
                moment
                for info in _do_dry_run(
                    dag_id=pipeline,
                    from_date=wanted.since,
                    to_date=wanted.until,
                    reverse=False,
                    reprocess_behavior=behaviour,
                    dag_run_conf=params,
                    session=session,
                )
                if (moment := info.logical_date) is not None
            ]
        if times and not dry_run:
            _create_backfill(
                dag_id=pipeline,
                from_date=wanted.since,
                to_date=wanted.until,
                max_active_runs=wanted.at_once or version.document.get("settings", {}).get("max_active_runs", 1),
                reverse=False,
                dag_run_conf=params,
                triggering_user_name=user,
                reprocess_behavior=behaviour,
                run_on_latest_version=True,
            )
    except (AirflowException, ValueError) as error:
        raise ConfigurationError(f"Airflow refused to fill pipeline {pipeline!r}: {error}") from None
    return times


def _exceeds(entries: Iterable[object], most: int) -> bool:
    return sum(1 for _ in itertools.islice(entries, most + 1)) > most
