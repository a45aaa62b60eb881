"""Which releases planned the published documents, and what became of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, insert, select

from airloom.store.records import StoredRelease
from airloom.store.tables import ReleaseRow


class Releases:
    """Read and write the records of releases."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def latest(self) -> StoredRelease | None:
        """Return the release that planned the documents last, or None."""
        columns = (ReleaseRow.fingerprint, ReleaseRow.release, ReleaseRow.report, ReleaseRow.created_at)
        with self._engine.connect() as connection:
            row = connection.execute(select(*columns).order_by(ReleaseRow.id.desc()).limit(1)).one_or_none()
        return None if row is None else StoredRelease(*row)

    def record(self, fingerprint: str, release: str, report: list[dict[str, Any]]) -> None:
        """Remember a release with what became of the pipelines that are concerned."""
        with self._engine.begin() as connection:
            values = {"fingerprint": fingerprint, "release": release, "report": report}
            connection.execute(insert(ReleaseRow).values(values))
