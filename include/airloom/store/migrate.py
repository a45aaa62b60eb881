"""Bring a database to the store's newest form, and give tasks a role that sees little of it."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import make_url, text
from sqlalchemy.pool import NullPool

from airloom.spec.error import ConfigurationError
from airloom.store.database import open_engine
from airloom.store.lookup import plain
from airloom.store.tables import VERSION_TABLE

TASK_ROLE = "airloom_task"
# Any number will do; it has to differ from those of `Store.lock`, which are hashes of names.
MIGRATION_LOCK = 7261994


def migrate(url: str) -> None:
    """Upgrade the database at `url` to the newest schema; several processes may call this at once."""
    with open_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
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


def ensure_task_role(url: str, password: str) -> str:
    """Create or update the role that task processes use, and return the SQLAlchemy URL for it.

    The role reads what the bundle serves and may call `airloom_event`; it sees no draft, file, run or event.
    `url` names a migrated store, with a user who may create roles; raises ConfigurationError where they may not.
    """
    try:
        _make_task_role(url, password)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"The role of AIRLOOM_DATABASE_URL may not make the role of tasks: {error.diag.message_primary}",
            hint="Let an administrator run: alter role … createrole",
        ) from error
    return make_url(url).set(username=TASK_ROLE, password=password).render_as_string(hide_password=False)


def _make_task_role(url: str, password: str) -> None:
    role, database = sql.Identifier(TASK_ROLE), sql.Identifier(make_url(url).database or "")
    with psycopg.connect(plain(url)) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        # Hashed here, so that the password reaches neither the statement nor the server's log.
        secret = connection.pgconn.encrypt_password(password.encode(), TASK_ROLE.encode(), b"scram-sha-256").decode()
        known = connection.execute("select 1 from pg_roles where rolname = %s", (TASK_ROLE,)).fetchone()
        verb = sql.SQL("alter" if known else "create")
        options = sql.SQL("login nosuperuser nocreatedb nocreaterole noinherit noreplication nobypassrls")
        for statement in (
            sql.SQL("{} role {} with {} password {}").format(verb, role, options, sql.Literal(secret)),
            sql.SQL("revoke all on database {} from public, {}").format(database, role),
            sql.SQL("revoke all on schema public from public, {}").format(role),
            sql.SQL("revoke all on all tables in schema public from public, {}").format(role),
            sql.SQL("revoke all on all functions in schema public from public, {}").format(role),
            sql.SQL("grant connect on database {} to {}").format(database, role),
            sql.SQL("grant usage on schema public to {}").format(role),
            sql.SQL("grant select on versions, pipelines, problems, revision to {}").format(role),
            sql.SQL("grant execute on function airloom_event(text, jsonb) to {}").format(role),
        ):
            connection.execute(statement)
