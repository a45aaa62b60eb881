"""Publishing: the one way in which a document becomes a version that Airflow runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.dags import platform
from airloom.engine.storage import Files
from airloom.plan.build import build_plan
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import Problem
from airloom.store.records import Source, StoredVersion

if TYPE_CHECKING:
    from airloom.store.store import Store


@dataclass(frozen=True)
class Published:
    """Hold the version that was published, or none and the problems that kept the document from it."""

    version: StoredVersion | None
    problems: list[Problem]


class ActiveRuns(ConfigurationError):
    """Raise when a pipeline is to be archived while runs of it are active."""

    code = "active_runs"


def publish(
    store: Store,
    document: object,
    *,
    author: str,
    message: str = "",
    source: Source = "api",
    path: str | None = None,
    facts: Facts | None = None,
) -> Published:
    """Check a document as it was read from JSON or YAML, and make it the current version of its pipeline.

    `path` is that of the file that a pipeline of source `file` comes from. Nothing is kept where the check finds an
    error. Raises ConfigurationError where the id belongs to another place: a file, or a DAG that is not ours.
    """
    report = check(document, facts or gather_facts())
    if not report.correct or report.document is None or report.resolved is None:
        return Published(None, report.problems)
    canonical, plan = report.document.to_json(), build_plan(report.resolved).to_json()
    refused = _what_airflow_refuses(canonical, plan)
    if refused is not None:
        return Published(None, [refused, *report.problems])
    foreign = platform.foreign_dag(report.document.id)
    if foreign is not None:
        raise ConfigurationError(
            f"Airflow runs another DAG of the id {report.document.id!r}: {foreign}",
            field="id",
            hint="choose another id",
        )
    version = store.publish(canonical, plan, author=author, message=message, source=source, path=path)
    platform.request_parse(version.pipeline)
    return Published(version, report.problems)


def rollback(store: Store, pipeline: str, number: int, *, author: str) -> Published:
    """Publish the document of an earlier version again, as a new version.

    Raises NotFound where there is no such version, ConfigurationError where the pipeline comes from a file.
    """
    _refuse_file(store, pipeline)
    old = store.version(pipeline, number)
    return publish(store, old.document, author=author, message=f"rollback to version {number}")


def archive(store: Store, pipeline: str, *, author: str, force: bool = False) -> list[str]:
    """Take a pipeline out of Airflow, its versions kept; return the ids of the runs that this leaves unfinished.

    Runs that are active stop where they are, and go on should the pipeline be published again: so ActiveRuns is raised
    where there are some, unless `force` is set. Raises NotFound where there is no such pipeline, ConfigurationError
    where it comes from a file.
    """
    _refuse_file(store, pipeline)
    active = platform.active_runs(pipeline)
    if active and not force:
        raise ActiveRuns(
            f"pipeline {pipeline!r} has {len(active)} active runs, which would stay unfinished: {', '.join(active)}",
            hint="wait for them to end, or archive it all the same with --force",
        )
    store.archive(pipeline, author)
    return active


def gather_facts() -> Facts:
    """Ask this installation what a check needs to know: Connections, pools, files."""
    return Facts(
        connections=platform.connections(),
        pools=frozenset(platform.pools()),
        files=Files.of(configuration()),
        connection=platform.connection,
    )


def _refuse_file(store: Store, pipeline: str) -> None:
    path = store.pipeline(pipeline).path
    if path is not None:
        raise ConfigurationError(f"pipeline {pipeline!r} comes from the file {path}", hint=f"edit or remove {path}")


def _what_airflow_refuses(document: dict[str, Any], plan: dict[str, Any]) -> Problem | None:
    from airflow.sdk.exceptions import AirflowException

    from airloom.dags.factory import pipeline

    try:
        pipeline(document, plan).validate()  # type: ignore[no-untyped-call]
    except (AirflowException, ValueError, TypeError) as error:
        return Problem("airflow.refused", f"Airflow refuses this pipeline: {error}")
    return None
