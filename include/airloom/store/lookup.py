"""What a task process asks of the store: a published version, a file of node types, what its run reuses.

Raw psycopg, for every task pays for its imports.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airloom.spec.error import ConfigurationError
from airloom.spec.node_file import NodeFile
from airloom.store.records import StoreUnavailable

if TYPE_CHECKING:
    import psycopg

QUERY = """
select document, plan from versions where pipeline = %s and revision <= %s order by revision desc limit 1
"""


def published_at(url: str, pipeline: str, revision: int) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return document and plan that a pipeline had at a revision, or None where it had none yet.

    `url` is a SQLAlchemy URL or a plain one. Raises StoreUnavailable where the database does not answer.
    """
    with connect(url) as connection:
        return connection.execute(QUERY, (pipeline, revision)).fetchone()


def node_file(url: str, hash: str) -> NodeFile | None:
    """Return a user's file of node types by the hash of its text, or None where the store has none such.

    `url` is as in `published_at`. Raises StoreUnavailable where the database does not answer.
    """
    with connect(url) as connection:
        row = connection.execute("select name, text from node_files where hash = %s", (hash,)).fetchone()
    return None if row is None else NodeFile(*row)


def run_reuse(url: str, pipeline: str, run_id: str) -> dict[str, Any] | None:
    """Return what a run is to do of its pipeline and what it reuses, or None for a run of the whole.

    `url` is as in `published_at`. Raises StoreUnavailable where the database does not answer.
    """
    with connect(url) as connection:
        row = connection.execute("select airloom_run_reuse(%s, %s)", (pipeline, run_id)).fetchone()
    return None if row is None else row[0]


@contextlib.contextmanager
def connect(url: str, *, timeout: int = 10) -> Iterator[psycopg.Connection[Any]]:
    """Open a connection for one short transaction, which is committed where the block ends well.

    `timeout` is in seconds, for the connection to come about.
    """
    import psycopg

    try:
        psycopg.conninfo.conninfo_to_dict(plain(url))
    except psycopg.ProgrammingError:
        # The driver's own message quotes what it can't read, a password among it.
        raise ConfigurationError("the address of the store is not a valid URL of a PostgreSQL database") from None
    try:
        with psycopg.connect(plain(url), connect_timeout=timeout, application_name="airloom task") as connection:
            yield connection
    except psycopg.Error as error:
        if (found := unavailable(error)) is not None:
            raise found from error
        raise


def unavailable(error: BaseException) -> StoreUnavailable | None:
    """Return what an error of the driver says of the store as a whole, or None where it is about one statement."""
    from psycopg import InterfaceError, OperationalError
    from psycopg.errors import UndefinedColumn, UndefinedFunction, UndefinedTable

    reason = str(error).strip().partition("\n")[0]
    if isinstance(error, (UndefinedColumn, UndefinedFunction, UndefinedTable)):
        return StoreUnavailable(
            f"the tables of the store are not those of this release: {reason}",
            hint="run airloom prepare, with AIRLOOM_DATABASE_URL of the store's owner",
        )
    if isinstance(error, (OperationalError, InterfaceError)):
        hint = "is PostgreSQL running, and are host, database, user and password of AIRLOOM_DATABASE_URL right?"
        return StoreUnavailable(f"the store's database does not answer: {reason}", hint=hint)
    return None


def plain(url: str) -> str:
    """Return the URL that PostgreSQL's own library reads, from one that SQLAlchemy reads."""
    scheme, separator, rest = url.partition("://")
    return scheme.partition("+")[0] + separator + rest.replace(" ", "%20")
