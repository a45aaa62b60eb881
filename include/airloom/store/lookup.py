"""What a task process asks of the store: a published version. Raw psycopg, for every task pays for its imports."""

from __future__ import annotations

from typing import Any

from airloom.store.records import StoreUnavailable

QUERY = """
select document, plan from versions where pipeline = %s and revision <= %s order by revision desc limit 1
"""


def published_at(url: str, pipeline: str, revision: int) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return document and plan that a pipeline had at a revision, or None where it had none yet.

    `url` is a SQLAlchemy URL or a plain one. Raises StoreUnavailable where the database does not answer.
    """
    import psycopg

    try:
        with psycopg.connect(plain(url), connect_timeout=10, application_name="airloom task") as connection:
            return connection.execute(QUERY, (pipeline, revision)).fetchone()
    except psycopg.OperationalError as error:
        reason = str(error).strip().partition("\n")[0]
        raise StoreUnavailable(f"the store's database does not answer: {reason}") from error


def plain(url: str) -> str:
    """Return the URL that PostgreSQL's own library reads, from one that names a driver for SQLAlchemy."""
    scheme, separator, rest = url.partition("://")
    return scheme.partition("+")[0] + separator + rest
