"""Are the databases as pipelines need them, may each role do what it has to and no more, and can all pipelines run?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airloom.doctor.finding import Finding, advice, right, without_secrets, wrong
from airloom.spec.configuration import configuration
from airloom.spec.error import AirloomError
from airloom.store.lookup import connect
from airloom.store.migrate import is_migrated
from airloom.store.records import StoredVersion
from airloom.store.store import Store

if TYPE_CHECKING:
    import psycopg

STORE, PIPELINES = "store", "pipelines"
OLDEST_POSTGRES = 14
FEWEST_CONNECTIONS = 60
CLOCK = timedelta(seconds=5)
WAITS = timedelta(minutes=5)

# What the role of tasks may do, and what it must not be able to do.
TASK_RIGHTS = """
select current_user,
  has_table_privilege('versions', 'select') and has_table_privilege('pipelines', 'select')
    and has_function_privilege('airloom_run_started(text, text)', 'execute')
    and has_function_privilege('airloom_run_ended(text, text, text)', 'execute'),
  has_table_privilege('drafts', 'select') or has_table_privilege('outbox', 'select')
    or has_table_privilege('versions', 'insert, update, delete')
"""


def examine_server(area: str, url: str) -> Iterator[Finding]:
    """Examine the PostgreSQL server that a database is on; the first finding says whether it answers."""
    try:
        with connect(url) as connection:
            version, connections, now = _one(
                connection,
                "select current_setting('server_version_num')::int, current_setting('max_connections')::int, now()",
            )
    except AirloomError as error:
        # The same server may hold Airflow's database, or the store.
        text = without_secrets(error.message, url).removeprefix("the store's database ")
        hint = "is PostgreSQL running, and are host, database, user and password of its address right?"
        yield wrong(area, "database", text, hint)
        return
    if version // 10_000 < OLDEST_POSTGRES:
        yield wrong(area, "database", f"PostgreSQL {version // 10_000} is too old", f"use {OLDEST_POSTGRES} or later")
    else:
        yield right(area, "database", f"PostgreSQL {version // 10_000}")
    if connections < FEWEST_CONNECTIONS:
        yield advice(
            area, "max_connections", f"{connections} may be too few", f"set it to {FEWEST_CONNECTIONS} or more"
        )
    else:
        yield right(area, "max_connections", str(connections))
    apart = abs(datetime.now(UTC) - now)
    if apart > CLOCK:
        text = f"the clocks of this machine and the server are {apart.total_seconds():.0f} s apart"
        yield wrong(area, "clock", text, "let both follow a time server")
    else:
        yield right(area, "clock", "agrees with this machine's")


def examine_store(*, airflow_answers: bool) -> Iterator[Finding]:
    """Examine the store: its server, its tables, the roles, what waits in it, and the pipelines that it holds.

    Where Airflow's database answers, it is asked whether it has them as the store has.
    """
    url = configuration().database_url
    if url is None:
        hint = "start an installation with airloom up, or set AIRLOOM_DATABASE_URL to a PostgreSQL database"
        yield wrong(STORE, "database", "no store is configured", hint)
        return
    address = url.get_secret_value()
    server = list(examine_server(STORE, address))
    yield from server
    if server[0].state == "wrong":
        return
    if not is_migrated(address):
        yield wrong(STORE, "tables", "are not those of this release", "run airloom prepare")
        return
    yield right(STORE, "tables", "are those of this release")
    yield _extension(address)
    yield _task_role()
    store = Store(address)
    try:
        yield _worker(store)
        yield from _events(store)
        yield from _upgrade(store)
        yield from _pipelines(store)
        if airflow_answers:
            yield from _agreement(store)
    finally:
        store.close()


def _extension(url: str) -> Finding:
    with connect(url) as connection:
        (installed,) = _one(connection, "select exists (select from pg_extension where extname = 'vector')")
    if installed:
        return right(STORE, "pgvector", "is installed")
    hint = "let an administrator run in the store: create extension vector"
    return advice(STORE, "pgvector", "is not installed: texts can't be searched by meaning", hint)


def _task_role() -> Finding:
    url = configuration().task_database_url
    hint = "run airloom prepare with AIRLOOM_TASK_DATABASE_URL set, and set it for every part that runs tasks"
    if url is None:
        return wrong(STORE, "role of tasks", "tasks may change the whole store", hint)
    address = url.get_secret_value()
    try:
        with connect(address) as connection:
            role, enough, more = _one(connection, TASK_RIGHTS)
    except AirloomError as error:
        return wrong(STORE, "role of tasks", without_secrets(error.message, address), hint)
    if not enough:
        return wrong(STORE, "role of tasks", f"{role} may not read what tasks need", hint)
    if more:
        return wrong(STORE, "role of tasks", f"{role} may do more than tasks need", hint)
    return right(STORE, "role of tasks", f"{role} may do what tasks need, and no more")


def _one(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None, "these queries have one row"  # noqa: S101
    return tuple(row)


def _worker(store: Store) -> Finding:
    workers = store.outbox.workers()
    if workers:
        return right(STORE, "worker", "runs" if workers == 1 else f"{workers} of them run")
    text = "none runs: dropped files are not seen, and what runs did is not kept"
    return wrong(STORE, "worker", text, "start one beside Airflow: airloom worker")


def _events(store: Store) -> Iterator[Finding]:
    dead = store.outbox.events(dead=True)
    if dead:
        kinds = ", ".join(sorted({event.kind for event in dead}))
        yield advice(STORE, "outbox", f"{len(dead)} events failed too often: {kinds}", "the worker's log says why")
    waiting = store.outbox.overdue(WAITS, limit=1)
    if waiting:
        text = f"an event of {waiting[0].created_at.isoformat(timespec='seconds')} waits to be handled"
        yield wrong(STORE, "outbox", text, "does a worker run, and what does its log say?")
    elif not dead:
        yield right(STORE, "outbox", "nothing waits for long")


def _upgrade(store: Store) -> Iterator[Finding]:
    release = store.releases.latest()
    if release is None:
        return
    for entry in release.report:
        if entry["problems"]:
            text = f"goes on by the plan of an earlier release: {'; '.join(entry['problems'])}"
            yield advice(PIPELINES, entry["pipeline"], text, "correct it and publish it again; see airloom migrate")
        else:
            text = f"was planned anew by release {release.release}: {'; '.join(entry['changes'])}"
            yield right(PIPELINES, entry["pipeline"], text)


def _pipelines(store: Store) -> Iterator[Finding]:
    from airloom.nodes.catalog import catalog

    live = store.changes(0, store.revision()).live
    faults = [(version.pipeline, fault) for version in live for fault in _node_faults(version)]
    for pipeline, (message, hint) in faults:
        yield wrong(PIPELINES, pipeline, message, hint)
    for shown in store.problems.all():
        yield advice(PIPELINES, shown.path, f"cannot be published: {shown.problems[0].message}", "correct the file")
    for problem in catalog().problems:
        yield advice(PIPELINES, "node types", problem.message, problem.hint or "")
    if not faults:
        yield right(PIPELINES, "node types", f"{len(live)} published pipelines have all they need")


def _agreement(store: Store) -> Iterator[Finding]:
    from airloom.dags.agreement import unread_pipelines

    for pipeline, fault in unread_pipelines(store).items():
        hint = "the worker has its file read again; if that does not help, does the DAG processor run?"
        yield wrong(PIPELINES, pipeline, f"is live, and {fault}", hint)


def _node_faults(version: StoredVersion) -> Iterator[tuple[str, str]]:
    from airloom.nodes.catalog import NodeFileUnknown, UnknownNodeType, catalog
    from airloom.plan.plan import nodes_of

    for node, planned in nodes_of(version.plan).items():
        try:
            missing = catalog().get(planned["type"], planned["version"], planned.get("file", "")).missing_module()
        except NodeFileUnknown:
            continue  # the store keeps its text, and tasks get it there
        except UnknownNodeType as error:
            yield f"node {node!r}: {error.message}", error.hint or ""
            continue
        if missing:
            yield f"node {node!r} needs {missing.name}, which is not installed", missing.hint
