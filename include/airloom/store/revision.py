"""The counter of what the bundle serves."""

from __future__ import annotations

from sqlalchemy import Connection, update

from airloom.store.tables import RevisionRow


def raise_revision(connection: Connection) -> int:
    """Raise the counter. Always a transaction's first lock: so publishers queue here, and never in a circle."""
    statement = update(RevisionRow).values(value=RevisionRow.value + 1).returning(RevisionRow.value)
    return connection.execute(statement).scalar_one()
