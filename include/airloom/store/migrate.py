"""Bring a database to the store's newest form, and give tasks a role that sees little of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.pool import NullPool

from airloom.spec.error import ConfigurationError
from airloom.store.database import open_engine
from airloom.store.lookup import connect, plain
from airloom.store.tables import VERSION_TABLE

OLD_NAME = "airloom_task"
LONGEST_NAME = 63
"""Bytes of a name in PostgreSQL."""
FEWEST_CONNECTIONS = 20
LIMITS = {"statement_timeout": "2min", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "1min"}
"""Of each statement of a task: what a fault makes of one may not hold the store up for long."""
LOCK = "select name from locks where name = 'migration' for update"


def migrate(url: str) -> None:
    """Upgrade the database at `url` to the newest schema; several processes may call this at once.

    Raises ConfigurationError where the role of the URL may not make tables there.
    """
    engine = open_engine(url, poolclass=NullPool)
    try:
        _migrate(engine)
    except (IntegrityError, ProgrammingError) as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            role, database = engine.url.username, engine.url.database
            raise ConfigurationError(
                f"the role {role} may not make the tables of the store: {error.orig.diag.message_primary}",
                field="AIRLOOM_DATABASE_URL",
                hint=f"let an administrator run: alter database {database} owner to {role}",
            ) from None
        if not isinstance(error.orig, (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable)):
            raise
        # Another process made the table of locks at the same moment, and has migrated by now.
        _migrate(engine)


def _migrate(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("create table if not exists locks (name text primary key)"))
        connection.execute(text("insert into locks values ('migration') on conflict do nothing"))
        connection.execute(text(LOCK))
        configuration = _configuration()
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")


def is_migrated(url: str) -> bool:
    """Tell whether the database at `url` has the newest schema."""
    newest = ScriptDirectory.from_config(_configuration()).get_current_head()
    with open_engine(url, poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return context.get_current_revision() == newest


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return configuration


def task_role(url: str) -> str:
    """Return the name of the role of tasks for the store at `url`: no two stores of a server have the same."""
    database = make_url(url).database or ""
    name = f"{database}_task"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    return f"airloom_task_{hashlib.sha256(database.encode()).hexdigest()[:16]}"


def has_role(url: str, role: str) -> bool:
    """Tell whether the server of the store has a role of this name."""
    with connect(url) as connection:
        return connection.execute("select from pg_roles where rolname = %s", (role,)).fetchone() is not None


def ensure_task_role(url: str, password: str, role: str | None = None) -> str:
    """Create or update the role that task processes use, and return the SQLAlchemy URL for it.

    The role reads what the bundle serves and users' node types, and may say that a run has begun or ended, and ask what
    one reuses; it sees no draft, no file of the drop folder, no other run, no event, and not who uses what. It is
    called `task_role(url)` unless `role` says otherwise.
    `url` names a migrated store, with a user who may create roles; raises ConfigurationError where they may not, and
    where a role of that name is somebody else's.
    """
    name = role or task_role(url)
    try:
        _make_task_role(url, name, password)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"The role of AIRLOOM_DATABASE_URL may not make the role of tasks: {error.diag.message_primary}",
            hint=f"Let an administrator run: alter role {make_url(url).username} createrole",
        ) from error
    return make_url(url).set(username=name, password=password).render_as_string(hide_password=False)


KNOWN = """
select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls
    or rolname in (select tableowner from pg_tables where schemaname = 'public'),
  shobj_description(oid, 'pg_authid'), has_table_privilege(oid, 'versions', 'select')
from pg_roles where rolname = %s
"""


def _make_task_role(url: str, name: str, password: str) -> None:
    role, database = sql.Identifier(name), make_url(url).database or ""
    with psycopg.connect(plain(url)) as connection:
        connection.execute(LOCK)
        mark = f"tasks of the Airloom store {database}"
        known = connection.execute(KNOWN, (name,)).fetchone()
        if known is not None:
            powerful, marked, reads = known
            # One of an earlier release has no mark, and was called the same for every store.
            ours = marked == mark or (marked is None and name == task_role(url)) or (name == OLD_NAME and reads)
            if powerful or not ours:
                raise ConfigurationError(
                    f"the role {name} of this server is not that of this store's tasks",
                    field="AIRLOOM_TASK_DATABASE_URL",
                    hint=f"name another, such as {task_role(url)}",
                )
        # Hashed here, so that the password reaches neither the statement nor the server's log.
        secret = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        verb = sql.SQL("alter" if known else "create")
        # The other half is for Airflow and for the worker.
        (half,) = connection.execute("select current_setting('max_connections')::int / 2").fetchone() or (0,)
        # One that is there has none of these powers, and who has none of them may not take them away either.
        powers = "" if known else " nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
        options = sql.SQL("login noinherit" + powers)
        limit = sql.SQL("connection limit {}").format(sql.Literal(max(half, FEWEST_CONNECTIONS)))
        for statement in (
            sql.SQL("{} role {} with {} {} password {}").format(verb, role, options, limit, sql.Literal(secret)),
            sql.SQL("comment on role {} is {}").format(role, sql.Literal(mark)),
            *(
                sql.SQL("alter role {} set {} = {}").format(role, sql.Identifier(setting), sql.Literal(value))
                for setting, value in LIMITS.items()
            ),
            sql.SQL("revoke all on database {} from {}").format(sql.Identifier(database), role),
            sql.SQL("revoke all on schema public from {}").format(role),
            sql.SQL("revoke all on all tables in schema public from {}").format(role),
            sql.SQL("revoke all on all functions in schema public from {}").format(role),
            sql.SQL("grant connect on database {} to {}").format(sql.Identifier(database), role),
            sql.SQL("grant usage on schema public to {}").format(role),
            sql.SQL("grant select on versions, node_files, pipelines, problems, revision to {}").format(role),
            sql.SQL("grant execute on function airloom_run_started(text, text) to {}").format(role),
            sql.SQL("grant execute on function airloom_run_ended(text, text, text) to {}").format(role),
            sql.SQL("grant execute on function airloom_run_reuse(text, text) to {}").format(role),
        ):
            connection.execute(statement)
