"""Where a pipeline comes from: one file or the API, and never two places at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, update

from airloom.spec.error import ConfigurationError
from airloom.store.records import Source
from airloom.store.tables import PipelineRow


def refuse_other_place(current: Row[*tuple[Any, ...]] | None, pipeline: str, source: Source, path: str | None) -> None:
    """Raise ConfigurationError where a live pipeline, as it is now, comes from another place than this one."""
    if current is None or current.archived or (current.source, current.path) == (source, path):
        return
    if source == "api":
        raise comes_from_file(pipeline, current.path)
    if current.source == "api":
        raise ConfigurationError(
            f"the pipeline {pipeline!r} was published from the builder or by the API, and the file {path!r} has its id",
            field="id",
            hint="give the file's pipeline another id, or archive the other one",
        )
    raise ConfigurationError(
        f"the files {current.path!r} and {path!r} have the same pipeline id {pipeline!r}",
        field="id",
        hint="give one of them another id",
    )


def comes_from_file(pipeline: str, path: str) -> ConfigurationError:
    """Return the error for whoever would change a file's pipeline elsewhere."""
    return ConfigurationError(
        f"the pipeline {pipeline!r} comes from the file {path!r}",
        hint="edit the file, copy the pipeline under another id, or detach it from its file",
    )


def archive_others_of(connection: Connection, path: str, pipeline: str, revision: int, author: str) -> int:
    """Archive, once its runs have ended, what else comes from a file that holds `pipeline` now; return how many."""
    others = (
        update(PipelineRow)
        .where(PipelineRow.path == path, PipelineRow.id != pipeline, ~PipelineRow.archived)
        .values(archived=True, closing=True, revision=revision, updated_by=author, updated_at=func.now())
    )
    return connection.execute(others).rowcount
