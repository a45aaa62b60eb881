"""One transaction on a PostgreSQL database, and what its errors mean to a user."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from airloom.nodes.context import Context
from airloom.spec.error import AirloomError, ConfigurationError, DataError, SystemFault, TransientError

Session = psycopg.Connection[tuple[Any, ...]]

# For this transaction alone, since a pooler may give the connection to others after it: values look the same whatever
# the server's and the role's settings are, and a cursor is planned to be read to its end.
SETTINGS = """
SET LOCAL client_encoding = 'UTF8';
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = 'iso_8601';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL cursor_tuple_fraction = 1
"""

TRANSIENT = ("08", "40", "53", "55006", "55P03", "57", "58")
CONFIGURATION = ("0A", "25", "28", "3D", "3F", "42")
UNBOUND = ("08P01", "42P18")

# Nothing that waiting cures; PostgreSQL gives no code for a connection that it refuses.
REFUSED = re.compile(
    r"authentication failed|no password supplied|role \".*\" does not exist|database \".*\" does not exist"
    r"|no pg_hba\.conf entry|not known|not permitted to log in|permission denied for database"
    r"|server does not support SSL|certificate",
    re.DOTALL,
)
COPY_PLACE = re.compile(r"^COPY .+?, line (\d+)(?:, column (.+?): (?:\"|null input))?", re.DOTALL | re.MULTILINE)


@contextlib.contextmanager
def transaction(context: Context, name: str, *, read_only: bool = False) -> Iterator[Session]:
    """Give a connection in one transaction, committed at the end; every fault of it becomes one of ours.

    Raises ConfigurationError for a Connection that leads nowhere or a statement that cannot work, DataError for rows
    that do not fit, TransientError where the same may work later.
    """
    connection = _connect(context.connection(name), name)
    try:
        with connection:
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            connection.read_only = read_only
            connection.prepare_threshold = None
            connection.row_factory = tuple_row
            connection.execute(SETTINGS)
            yield connection
    except psycopg.Error as error:
        # The driver's own text holds values of rows.
        raise fault_of(error) from None


def _connect(connection: Any, name: str) -> Session:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    try:
        session = PostgresHook(connection=connection).get_conn()
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"the Connection {name!r} is not right: {_first_line(str(error))}") from None
    except psycopg.OperationalError as error:
        text = _first_line(str(error))
        if connection.password:
            text = text.replace(connection.password, "***")
        message = f"the database of Connection {name!r} cannot be reached: {text}"
        if REFUSED.search(text):
            raise ConfigurationError(message, field="connection", hint="correct the Connection in Airflow") from None
        raise TransientError(message, field="connection", hint="is the server up; are host and port right?") from None
    return cast("Session", session)


def fault_of(error: psycopg.Error) -> AirloomError:
    """Return what an error of the database means to a user; a value of a row is never part of it."""
    code = error.sqlstate or ""
    message = _first_line(error.diag.message_primary or str(error))
    if code in UNBOUND:
        hint = "a {{ }} cannot stand in quotes or a comment; where its type is unclear, cast it: {{ params.day }}::date"
        return ConfigurationError(f"the query does not take its values: {message}", field="sql", hint=hint)
    if code.startswith(TRANSIENT) or (
        not code and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    ):
        return TransientError(f"the database gave up: {message}", hint="a retry may work")
    if code.startswith("XX"):
        return SystemFault(f"the database failed: {message}")
    if code == "42501":
        return ConfigurationError(message, hint="grant the right to the role of this Connection")
    if code == "25006":
        return ConfigurationError(message, field="sql", hint="postgres_read only reads")
    if code.startswith(CONFIGURATION) or (not code and not isinstance(error, psycopg.DataError)):
        return ConfigurationError(message)
    return DataError(_place(error) + (re.sub(r':? ".*"', "", message) if code.startswith("22") else message))


def _place(error: psycopg.Error) -> str:
    """Return the row, counted from 1, and the column that COPY or a constraint names."""
    found = COPY_PLACE.search(error.diag.context or "")
    column = (found and found[2]) or error.diag.column_name
    parts = [f"row {found[1]}"] if found else []
    return ", ".join([*parts, f"column {column!r}"] if column else parts) + (": " if parts or column else "")


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0]


def lock(session: Session, what: str) -> None:
    """Hold off every other transaction that asks for the same lock, until this one ends."""
    session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"airloom {what}"])


def names(items: Iterable[str]) -> sql.Composed:
    """Return quoted identifiers, with commas between."""
    return sql.SQL(", ").join(sql.Identifier(item) for item in items)


def escaped(part: sql.Composable, session: Session) -> sql.Composed:
    """Return a part for a statement that takes values: there a percent sign in a name is doubled."""
    return sql.Composed([sql.SQL(part.as_string(session).replace("%", "%%"))])
