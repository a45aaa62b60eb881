"""The databases of an installation: Airflow's own, the store, and the warehouse that example pipelines write to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airloom.local.installation import Installation
from airloom.local.postgres import Postgres
from airloom.spec.error import ConfigurationError

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.engine import URL


@dataclass(frozen=True)
class Databases:
    """Hold the SQLAlchemy URLs of an installation's databases."""

    airflow: str = field(repr=False)
    store: str = field(repr=False)
    warehouse: str = field(repr=False)


def embedded_server(installation: Installation) -> Postgres:
    """Return the embedded server of an installation."""
    return Postgres(
        installation.home,
        installation.state.identity,
        installation.postgres_port,
        installation.state.postgres_password,
    )


def databases(installation: Installation) -> Databases:
    """Return where an installation's databases are.

    On the embedded server each has a role of its own, so that who may use one sees no other. On a server of the user's
    own they stand beside the store `<name>`, as `<name>_airflow` and `<name>_warehouse`, and belong to its role.
    """
    if installation.embedded:
        server = embedded_server(installation)
        password = installation.state.database_password
        return Databases(*(server.address(name, name, password) for name in ("airflow", "airloom", "warehouse")))
    store = _parsed(installation.state.database_url or "")
    beside = [
        store.set(database=f"{store.database}_{name}").render_as_string(hide_password=False)
        for name in ("airflow", "warehouse")
    ]
    airflow = installation.given.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") or beside[0]
    return Databases(airflow, store.render_as_string(hide_password=False), beside[1])


def make_databases(installation: Installation) -> None:
    """Make the databases and roles that are not there yet. Raises ConfigurationError where the server refuses."""
    from sqlalchemy.engine import make_url

    where = databases(installation)
    if installation.embedded:
        make_owned_databases(embedded_server(installation).address("postgres"), where)
        return
    with _connect(where.store) as connection:
        for url in (where.airflow, where.warehouse):
            if url != installation.given.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"):
                _make_database(connection, str(make_url(url).database), None)


def make_owned_databases(administrator: str, where: Databases) -> None:
    """Make each database, and the role in its URL as its owner, where they are missing; set the roles' passwords.

    `administrator` is the URL of a database of the same server, for its superuser.
    """
    from sqlalchemy.engine import make_url

    with _connect(administrator) as connection:
        for url in (where.airflow, where.store, where.warehouse):
            parts = make_url(url)
            _make_role(connection, str(parts.username), str(parts.password))
            _make_database(connection, str(parts.database), str(parts.username))
    for url in (where.store, where.warehouse):
        beside = make_url(administrator).set(database=make_url(url).database)
        with _connect(beside.render_as_string(hide_password=False)) as connection:
            connection.execute("create extension if not exists vector")
            connection.execute("revoke create on schema public from public")


def _parsed(url: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = make_url(url)
    except ArgumentError:
        parts = None
    if parts is None or parts.get_backend_name() != "postgresql" or not parts.database:
        raise ConfigurationError(
            "AIRLOOM_DATABASE_URL is not an address of a PostgreSQL database",
            hint="Write it as postgresql://user:password@host:5432/database",
        )
    return parts.set(drivername="postgresql+psycopg")


def _connect(url: str) -> psycopg.Connection[tuple[str]]:
    import psycopg

    parts = _parsed(url)
    plain = parts.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        return psycopg.connect(plain, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise ConfigurationError(
            f"The database {parts.database} on {parts.host}:{parts.port or 5432} can't be reached: {error}",
            hint="Check AIRLOOM_DATABASE_URL, and that the server lets this machine in",
        ) from error


def _make_role(connection: psycopg.Connection[tuple[str]], name: str, password: str) -> None:
    from psycopg import sql

    verb = "alter" if connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone() else "create"
    connection.execute(
        sql.SQL("{} role {} login password {}").format(sql.SQL(verb), sql.Identifier(name), sql.Literal(password))
    )


def _make_database(connection: psycopg.Connection[tuple[str]], name: str, owner: str | None) -> None:
    import psycopg
    from psycopg import sql

    if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
        return
    statement = sql.SQL("create database {}").format(sql.Identifier(name))
    if owner is not None:
        statement += sql.SQL(" owner {}").format(sql.Identifier(owner))
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"The role of AIRLOOM_DATABASE_URL may not create the database {name}",
            hint=f"Let an administrator run: create database {name} owner {connection.info.user}",
        ) from error
    if owner is not None:
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))
