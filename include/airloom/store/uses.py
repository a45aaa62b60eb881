"""What the published versions use, and who uses a thing."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, select

from airloom.checks.uses import Use
from airloom.store.tables import PipelineRow, UseRow


class Uses:
    """Read what versions use; publishing writes it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, pipeline: str, version: int | None = None) -> list[Use]:
        """Return what a version uses, the current one where no number is given."""
        query = select(UseRow.node, UseRow.kind, UseRow.name).where(UseRow.pipeline == pipeline)
        query = query.join(PipelineRow, _is_current()) if version is None else query.where(UseRow.version == version)
        with self._engine.connect() as connection:
            return [Use(*row) for row in connection.execute(query.order_by(UseRow.id))]

    def who(self, kind: str, name: str | None) -> list[tuple[str, str]]:
        """Return pipeline and node of each use of a thing by a live pipeline's current version, in order.

        With None for the name these are the nodes that use something of the kind which only their run knows.
        """
        query = (
            select(UseRow.pipeline, UseRow.node)
            .join(PipelineRow, _is_current() & ~PipelineRow.archived)
            .where(UseRow.kind == kind, UseRow.name.is_(None) if name is None else UseRow.name == name)
            .order_by(UseRow.pipeline, UseRow.id)
        )
        with self._engine.connect() as connection:
            return [(row.pipeline, row.node) for row in connection.execute(query)]

    def names(self, kind: str, pipelines: Collection[str] | None) -> frozenset[str]:
        """Return the names of a kind that the current versions of pipelines use, of all where None."""
        query = select(UseRow.name).distinct().join(PipelineRow, _is_current())
        query = query.where(UseRow.kind == kind, UseRow.name.is_not(None))
        if pipelines is not None:
            query = query.where(UseRow.pipeline.in_(pipelines))
        with self._engine.connect() as connection:
            return frozenset(name for name in connection.scalars(query) if name is not None)

    def record(self, pipeline: str, version: int, uses: Iterable[Use]) -> None:
        """Keep what a version uses in place of what was kept of it: a release may know more of a node type."""
        with self._engine.begin() as connection:
            connection.execute(delete(UseRow).where(UseRow.pipeline == pipeline, UseRow.version == version))
            add_uses(connection, pipeline, version, uses)


def add_uses(connection: Connection, pipeline: str, version: int, uses: Iterable[Use]) -> None:
    """Keep what a version uses, in a transaction of the caller's."""
    rows = [
        {"pipeline": pipeline, "version": version, "node": use.node, "kind": use.kind, "name": use.name} for use in uses
    ]
    if rows:
        connection.execute(insert(UseRow), rows)


def _is_current() -> ColumnElement[bool]:
    return (UseRow.pipeline == PipelineRow.id) & (UseRow.version == PipelineRow.version)
