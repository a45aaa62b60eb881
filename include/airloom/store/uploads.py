"""Uploads: files that people have sent, each its owner's; the file itself lies in the folder of uploads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine, delete, insert, select, tuple_

from airloom.store.records import ConflictError, NotFound, StoredUpload
from airloom.store.tables import UploadRow

if TYPE_CHECKING:
    from airloom.engine.upload_folder import UploadFolder
    from airloom.store.store import Store

COLUMNS = [getattr(UploadRow, field.name) for field in fields(StoredUpload)]


class UploadInUse(ConflictError):
    """Raise where an upload is to be deleted that the current version of a pipeline names."""

    def __init__(self, identifier: str, pipelines: Collection[str]) -> None:
        named = ", ".join(sorted(set(pipelines))) or "some that are not yours"
        hint = "publish them without it, or delete it with force"
        super().__init__(f"pipelines use the upload {identifier!r}: {named}", hint=hint)


def delete_upload(
    store: Store, folder: UploadFolder, identifier: str, *, force: bool, readable: Collection[str] | None = None
) -> None:
    """Delete an upload with its file.

    Raises NotFound where there is none, and without `force` UploadInUse where a pipeline uses it, which names those
    that are `readable`, None for all.
    """
    users = [pipeline for pipeline, _ in store.uses.who("upload", identifier)]
    if users and not force:
        raise UploadInUse(identifier, [name for name in users if readable is None or name in readable])
    # Its file last: the worker's clean-up takes what is left of one that is not known any more.
    store.uploads.remove(identifier)
    folder.remove(identifier)


class Uploads:
    """Read and write what is known of uploads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self, identifier: str, *, name: str, media_type: str, size: int, sha256: str, owner_id: str, owner: str
    ) -> StoredUpload:
        """Keep an upload whose file is in its place."""
        values = {"id": identifier, "name": name, "media_type": media_type, "bytes": size, "sha256": sha256}
        statement = insert(UploadRow).values(**values, owner_id=owner_id, owner=owner).returning(*COLUMNS)
        with self._engine.begin() as connection:
            return StoredUpload(**connection.execute(statement).one()._mapping)

    def get(self, identifier: str) -> StoredUpload | None:
        """Return an upload, None where there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(select(*COLUMNS).where(UploadRow.id == identifier)).one_or_none()
        return None if row is None else StoredUpload(**row._mapping)

    def page(
        self, *, owner_id: str | None, before: tuple[datetime, str] | None = None, limit: int
    ) -> list[StoredUpload]:
        """Return uploads of an owner, or of all where none is named, the newest first."""
        query = select(*COLUMNS).order_by(UploadRow.created_at.desc(), UploadRow.id.desc()).limit(limit)
        if owner_id is not None:
            query = query.where(UploadRow.owner_id == owner_id)
        if before is not None:
            query = query.where(tuple_(UploadRow.created_at, UploadRow.id) < before)
        with self._engine.connect() as connection:
            return [StoredUpload(**row._mapping) for row in connection.execute(query)]

    def owned(self, owner_id: str) -> frozenset[str]:
        """Return the ids of the uploads of an owner."""
        with self._engine.connect() as connection:
            return frozenset(connection.scalars(select(UploadRow.id).where(UploadRow.owner_id == owner_id)))

    def unknown(self, identifiers: Collection[str]) -> list[str]:
        """Return those of the ids that no upload has."""
        with self._engine.connect() as connection:
            known = set(connection.scalars(select(UploadRow.id).where(UploadRow.id.in_(identifiers))))
        return [identifier for identifier in identifiers if identifier not in known]

    def remove(self, identifier: str) -> None:
        """Forget an upload; raise NotFound where there is none."""
        with self._engine.begin() as connection:
            removed = connection.execute(delete(UploadRow).where(UploadRow.id == identifier)).rowcount
        if not removed:
            raise NotFound(f"there is no upload {identifier!r}")
