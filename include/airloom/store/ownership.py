"""Where a pipeline comes from: one file or the API, and never two places at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, update

from airloom.spec.error import ConfigurationError
from airloom.store.records import ConflictError, Source
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


def refuse_other_version(pipeline: str, expected: int, current: int) -> None:
    """Raise ConflictError where another version of a pipeline is current than the one that somebody worked on."""
    if expected != current:
        conflict = ConflictError(
            f"version {current} of {pipeline!r} is current, and this was made from version {expected}",
            hint="look at what changed since, and bring yours up to date",
        )
        conflict.version = current
        raise conflict


def comes_from_file(pipeline: str, path: str) -> ConfigurationError:
    """Return the error for whoever would change a file's pipeline elsewhere."""
    return ConfigurationError(
        f"the pipeline {pipeline!r} comes from the file {path!r}",
        hint=f"edit the file, publish a copy under another id, or part them: airloom detach {pipeline}",
    )


def archive_others_of(connection: Connection, path: str, pipeline: str, revision: int, author: str) -> list[str]:
    """Archive, once its runs have ended, what else comes from a file that holds `pipeline` now; return the ids."""
    others = (
        update(PipelineRow)
        .where(PipelineRow.path == path, PipelineRow.id != pipeline, ~PipelineRow.archived)
        .values(archived=True, closing=True, revision=revision, updated_by=author, updated_at=func.now())
        .returning(PipelineRow.id)
    )
    return list(connection.execute(others).scalars())
