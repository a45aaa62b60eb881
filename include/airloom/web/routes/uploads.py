"""Routes of uploads: files that people send for their pipelines to read."""

import mimetypes
import secrets
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from airloom.engine.upload_folder import UploadFolder
from airloom.engine.uploads import Incoming
from airloom.nodes.readers import reader_of
from airloom.spec.configuration import configuration
from airloom.spec.upload import PREFIX
from airloom.store import uploads
from airloom.store.records import NotFound, StoredUpload
from airloom.store.store import Store
from airloom.web import audit, download
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.error import ApiError
from airloom.web.models.pipelines import Use
from airloom.web.models.uploads import Upload, UploadDetail, UploadPreview
from airloom.web.paging import Cursor, Limit, Page, page_of, read_cursor
from airloom.web.person import Person
from airloom.web.rule import CHANGES_UPLOAD, CREATOR, READER, READS_UPLOAD
from airloom.worker.previews import run_preview

router = APIRouter(tags=["uploads"])
PIECE = 1 << 20
"""Bytes that are written at once."""
ANY_TYPE = "application/octet-stream"
FILE_AS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            ANY_TYPE: {"schema": {"type": "string", "format": "binary"}, "example": "day,amount\n2026-11-30,3\n"}
        },
    }
}
"""A body that is passed on as it comes."""

Identifier = Annotated[str, Path(min_length=1, max_length=100, description="The id of an upload")]


@router.post("/uploads", dependencies=[CREATOR], status_code=201, openapi_extra=FILE_AS_BODY)
async def upload_file(
    request: Request,
    person: PersonOf,
    store: StoreOf,
    response: Response,
    name: Annotated[
        str, Query(min_length=1, max_length=250, description="What the file is called", examples=["orders.csv"])
    ],
) -> Upload:
    """Keep the file of the body; its ending says which node type reads it. You alone may name it in a pipeline."""
    settings, identifier = configuration(), secrets.token_hex(16)
    sent = request.headers.get("content-type", "").partition(";")[0].strip()
    media_type = sent if sent and sent != ANY_TYPE else mimetypes.guess_type(name)[0] or ANY_TYPE
    folder = UploadFolder(settings.uploads_url)

    def kept(incoming: Incoming) -> StoredUpload:
        incoming.keep()
        upload = store.uploads.add(
            identifier,
            name=name,
            media_type=media_type,
            size=incoming.bytes,
            sha256=incoming.sha256,
            owner_id=person.id,
            owner=person.name,
        )
        audit.record(person, "upload", upload=identifier, name=name, bytes=upload.bytes)
        return upload

    incoming = await run_in_threadpool(Incoming, folder, identifier, name, settings.upload_limit)
    with incoming:
        waiting = bytearray()
        try:
            async for piece in request.stream():
                waiting += piece
                if len(waiting) >= PIECE:
                    await run_in_threadpool(incoming.write, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(incoming.write, bytes(waiting))
        except ClientDisconnect:
            raise ApiError(400, "the upload broke off; nothing is kept of it") from None
        upload = await run_in_threadpool(kept, incoming)
    response.headers["Location"] = f"uploads/{identifier}"
    return Upload.model_validate(upload)


@router.get("/uploads", dependencies=[READER])
def list_uploads(person: PersonOf, store: StoreOf, limit: Limit = 50, cursor: Cursor = None) -> Page[Upload]:
    """List your uploads, the newest first; administrators see everybody's."""
    before = read_cursor(cursor, datetime.fromisoformat, str)
    owner = None if person.uploads is None else person.id
    rows = store.uploads.page(owner_id=owner, before=(before[0], before[1]) if before else None, limit=limit + 1)
    shown, following = page_of(rows, limit, lambda row: [row.created_at.isoformat(), row.id])
    return Page(items=[Upload.model_validate(row) for row in shown], next_cursor=following)


@router.get("/uploads/{upload}", dependencies=[READS_UPLOAD])
def get_upload(upload: Identifier, person: PersonOf, store: StoreOf, request: Request) -> UploadDetail:
    """Return what is known of an upload, with an address that downloads it for a while."""
    stored = _stored(store, upload)
    address = request.url_for("fetch", token=download.sign([upload])).path
    return UploadDetail(
        **Upload.model_validate(stored).model_dump(),
        node_type=reader_of(stored.name),
        download=quote(address),
        used_by=_used_by(store, person, upload),
    )


@router.get("/uploads/{upload}/preview", dependencies=[READS_UPLOAD])
def preview_upload(
    upload: Identifier,
    store: StoreOf,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many rows to return at most")] = 20,
) -> UploadPreview:
    """Let a worker read the first rows of an upload, as a node would without further settings."""
    stored = _stored(store, upload)
    node_type = reader_of(stored.name)
    if node_type is None:
        raise ApiError(415, f"no node type reads a file such as {stored.name!r}", details={"hint": "download it"})
    node = {"id": "file", "type": node_type, "config": {"path": f"{PREFIX}{upload}"}}
    read = run_preview(store, {"id": "upload", "nodes": [node]}, "file", params={}, rows=limit, sample=limit, pins={})
    if read["problems"]:
        raise ApiError(422, read["problems"][0]["message"], details=read["problems"])
    result = read["nodes"]["file"]
    if result["error"]:
        raise ApiError(422, result["error"]["message"], details={"hint": result["error"].get("hint")})
    table = result["outputs"]["rows"]
    columns = [[column["name"], column["type"]] for column in table["columns"]]
    return UploadPreview(node_type=node_type, columns=columns, rows=table["sample"])


@router.delete("/uploads/{upload}", dependencies=[CHANGES_UPLOAD], status_code=204)
def delete_upload(
    upload: Identifier,
    person: PersonOf,
    store: StoreOf,
    force: Annotated[
        bool, Query(description="Delete it though pipelines use it: their runs fail from then on")
    ] = False,
) -> None:
    """Delete an upload. 409 where the current version of a pipeline names it, and `force` is not set."""
    folder = UploadFolder(configuration().uploads_url)
    uploads.delete_upload(store, folder, upload, force=force, readable=person.readable)
    audit.record(person, "delete_upload", upload=upload)


def _stored(store: Store, upload: str) -> StoredUpload:
    stored = store.uploads.get(upload)
    if stored is None:
        raise NotFound(f"there is no upload {upload!r}")
    return stored


def _used_by(store: Store, person: Person, upload: str) -> list[Use]:
    return [
        Use(pipeline=pipeline, node=node, kind="upload", name=upload)
        for pipeline, node in store.uses.who("upload", upload)
        if person.readable is None or pipeline in person.readable
    ]
