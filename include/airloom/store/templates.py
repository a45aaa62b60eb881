"""Templates: those of the package, and the published pipelines that carry the tag `template`."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Engine, select

from airloom.spec.template import TAG, Template, templates
from airloom.store.tables import PipelineRow, VersionRow


class Templates:
    """Read the templates of an installation."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self, ids: Collection[str] | None) -> dict[str, Template]:
        """Return the templates by id: those of the package first, then live pipelines among `ids`, None for every one.

        Whose one is says its document, and where that names nobody, who made the pipeline.
        """
        current = (PipelineRow.id == VersionRow.pipeline) & (PipelineRow.version == VersionRow.number)
        query = select(VersionRow.document, PipelineRow.created_by).join(PipelineRow, current)
        query = query.where(~PipelineRow.archived, PipelineRow.has_tag([TAG])).order_by(PipelineRow.id)
        if ids is not None:
            query = query.where(PipelineRow.id.in_(list(ids)))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        of_pipelines = [Template.of_pipeline(row.document, row.document.get("owner") or row.created_by) for row in rows]
        return {**templates(), **{one.id: one for one in of_pipelines}}
