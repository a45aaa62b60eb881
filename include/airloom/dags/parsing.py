"""What Airflow has read of the pipelines: their versions, import errors, schedules and pauses."""

from __future__ import annotations

from airloom.dags.platform import bundle_name, wait_until
from airloom.spec.error import SystemFault
from airloom.store.records import Schedule

UNREAD_HINT = "does the DAG processor run, and does its log name an error?"


def request_parse(pipeline: str) -> None:
    """Ask the DAG processor to look at this pipeline's file before any other."""
    from airflow.models.dagbag import DagPriorityParsingRequest
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    try:
        with create_session(scoped=False) as session:
            session.add(DagPriorityParsingRequest(bundle_name=bundle_name(), relative_fileloc=f"{pipeline}.py"))
    except IntegrityError:
        pass  # the same request is waiting already


def serialized_version(pipeline: str) -> int | None:
    """Return the version of a pipeline that Airflow would run now, or None where it knows none."""
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from airloom.dags.factory import version_in

    with create_session(scoped=False) as session:
        active = select(DagModel.dag_id).where(
            DagModel.dag_id == pipeline, DagModel.bundle_name == bundle_name(), DagModel.is_stale.is_(False)
        )
        if session.scalar(active) is None:
            return None
        serialized = SerializedDagModel.get(pipeline, session=session)
        return version_in(serialized.data["dag"].get("doc_md")) if serialized and serialized.data else None


def wait_for_version(pipeline: str, version: int, timeout: float = 60) -> None:
    """Wait until Airflow would run this version of a pipeline or a later one; raise SystemFault after `timeout` s."""
    if not wait_until(lambda: has_read(pipeline, version), timeout, every=0.3):
        raise SystemFault(unread(pipeline, version, timeout), hint=UNREAD_HINT)


def has_read(pipeline: str, version: int) -> bool:
    """Tell whether Airflow would run this version of a pipeline or a later one."""
    return (serialized_version(pipeline) or 0) >= version


def unread(pipeline: str, version: int, seconds: float) -> str:
    """Return the message for a version that Airflow has not read in this time, with the error that it met."""
    return unread_text(pipeline, version, seconds, import_error(pipeline))


def unread_text(pipeline: str, version: int, seconds: float, error: str | None) -> str:
    """Return that message in words."""
    message = f"Airflow has not read version {version} of pipeline {pipeline!r} within {seconds:g} s"
    return message + (f": {error}" if error else "")


def import_error(pipeline: str) -> str | None:
    """Return the last line of the error that Airflow met when it read a pipeline, None where it met none."""
    return import_errors().get(f"{pipeline}.py", "").strip().rpartition("\n")[2] or None


def read_revisions() -> dict[str, int]:
    """Return the store's revision at which Airflow last read each of our pipelines; none that it holds for stale."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        ours = select(DagModel.dag_id, DagModel.bundle_version).where(
            DagModel.bundle_name == bundle_name(), DagModel.is_stale.is_(False)
        )
        return {str(row[0]): int(row[1] or 0) for row in session.execute(ours)}


def every_pipeline() -> list[str]:
    """Return the ids of all pipelines that Airflow ever read, in order; those that it holds for stale as well."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        ours = select(DagModel.dag_id).where(DagModel.bundle_name == bundle_name()).order_by(DagModel.dag_id)
        return list(session.scalars(ours))


def foreign_dag(pipeline: str) -> str | None:
    """Return where an active DAG of this id comes from if it is not ours, else None."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        foreign = select(DagModel.bundle_name, DagModel.relative_fileloc).where(
            DagModel.dag_id == pipeline, DagModel.bundle_name != bundle_name(), DagModel.is_stale.is_(False)
        )
        row = session.execute(foreign).one_or_none()
        return f"{row[1]} (bundle {row[0]})" if row else None


def import_errors() -> dict[str, str]:
    """Return the import errors of our bundle's files: file → text."""
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        rows = session.execute(
            select(ParseImportError.filename, ParseImportError.stacktrace)
            .where(ParseImportError.bundle_name == bundle_name())
            .order_by(ParseImportError.filename)
        )
        return {str(row[0]): str(row[1]) for row in rows}


def schedules() -> dict[str, Schedule]:
    """Return pause and next run of every pipeline that Airflow has read."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    columns = (DagModel.dag_id, DagModel.is_paused, DagModel.next_dagrun_create_after)
    with create_session(scoped=False) as session:
        ours = select(*columns).where(DagModel.bundle_name == bundle_name(), DagModel.is_stale.is_(False))
        return {str(row[0]): Schedule(bool(row[1]), row[2]) for row in session.execute(ours)}


def is_paused(pipeline: str) -> bool:
    """Tell whether Airflow starts no runs of a pipeline until someone unpauses it."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        return bool(session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == pipeline)))


def set_paused(pipeline: str, paused: bool) -> None:
    """Pause or unpause a pipeline; does nothing where Airflow has not read it yet."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session(scoped=False) as session:
        session.execute(update(DagModel).where(DagModel.dag_id == pipeline).values(is_paused=paused))
