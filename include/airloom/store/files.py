"""What the store remembers of the drop folder's files, so that any worker can go on where another stopped."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Engine, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from airloom.store.records import StoredFile
from airloom.store.tables import FileRow, PipelineRow, ProblemsRow


class Files:
    """Read and write the records of files; `path` is relative to the drop folder."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> dict[str, StoredFile]:
        """Return every known file by its path: those with a record, and those that a live pipeline comes from."""
        owner = and_(PipelineRow.path == FileRow.path, ~PipelineRow.archived)
        path = func.coalesce(FileRow.path, PipelineRow.path)
        broken = and_(ProblemsRow.path == path, ~ProblemsRow.resolved)
        query = (
            select(
                path.label("path"),
                FileRow.hash,
                FileRow.pipeline.label("declares"),
                PipelineRow.id.label("owns"),
                ProblemsRow.path.is_not(None).label("broken"),
                FileRow.synchronised_at,
                FileRow.missing_since,
            )
            .select_from(FileRow)
            .join(PipelineRow, owner, full=True)
            .outerjoin(ProblemsRow, broken)
            .where((FileRow.path.is_not(None)) | (PipelineRow.path.is_not(None) & ~PipelineRow.archived))
        )
        with self._engine.connect() as connection:
            return {row.path: StoredFile(**row._mapping) for row in connection.execute(query)}

    def save(self, path: str, hash: str, declares: str | None, at: datetime) -> None:
        """Remember that the content with this hash was synchronised; the id it declared last stays where None."""
        values = {"path": path, "hash": hash, "pipeline": declares, "synchronised_at": at, "missing_since": None}
        statement = insert(FileRow).values(values)
        replaced = {**values, "pipeline": func.coalesce(statement.excluded.pipeline, FileRow.pipeline)}
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=[FileRow.path], set_=replaced))

    def mark_missing(self, paths: Collection[str], since: datetime) -> None:
        """Remember since when files are gone; a time that was kept earlier is replaced."""
        if not paths:
            return
        rows = [{"path": path, "hash": "", "synchronised_at": since, "missing_since": since} for path in paths]
        statement = insert(FileRow).on_conflict_do_update(index_elements=[FileRow.path], set_={"missing_since": since})
        with self._engine.begin() as connection:
            connection.execute(statement, rows)

    def mark_present(self, paths: Collection[str]) -> None:
        """Forget that files were gone."""
        if not paths:
            return
        with self._engine.begin() as connection:
            connection.execute(update(FileRow).where(FileRow.path.in_(paths)).values(missing_since=None))

    def move(self, pipeline: str, path: str) -> None:
        """Let a file's pipeline come from another file; nothing that runs changes."""
        with self._engine.begin() as connection:
            connection.execute(
                update(PipelineRow).where(PipelineRow.id == pipeline, PipelineRow.source == "file").values(path=path)
            )

    def remove(self, path: str) -> None:
        """Forget a file."""
        with self._engine.begin() as connection:
            connection.execute(delete(FileRow).where(FileRow.path == path))
