"""Routes of drafts: what somebody is at work on, and its way to a version."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Response

from airloom.dags.publishing import publish
from airloom.spec.error import ConfigurationError
from airloom.store.records import ConflictError, NotFound, StoredDraft
from airloom.store.store import Store
from airloom.web import audit
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.checking import facts_for, problems_of, refuse_unheld
from airloom.web.error import ApiError, refused
from airloom.web.models.pipelines import Draft, DraftToPublish, Problems, VersionSummary
from airloom.web.patch import patched
from airloom.web.rule import EDITS, PUBLISHES

router = APIRouter(tags=["drafts"])

IfMatch = Annotated[
    str | None, Header(description="The ETag of the draft that yours is made from", examples=['"5f2c…"'])
]
IfNoneMatch = Annotated[str | None, Header(description="`*` for a first draft", examples=["*"])]
Document = Annotated[dict[str, Any], Body(description="The document, finished or not", examples=[{"nodes": []}])]
PATCH_TYPE = "application/json-patch+json"


@router.get("/pipelines/{pipeline}/draft", dependencies=[EDITS])
def get_draft(pipeline: str, store: StoreOf, response: Response) -> Draft:
    """Return the draft of a pipeline."""
    return _answer(stored_draft(store, pipeline), response)


@router.put("/pipelines/{pipeline}/draft", dependencies=[EDITS])
def save_draft(
    pipeline: str,
    document: Document,
    person: PersonOf,
    store: StoreOf,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Draft:
    """Save the draft of a pipeline; 412 with the one that is kept where somebody else saved in between."""
    etag = _expected(if_match, if_none_match)
    return _save(store, pipeline, document, etag, person, response)


@router.patch("/pipelines/{pipeline}/draft", dependencies=[EDITS])
def patch_draft(
    pipeline: str,
    operations: Annotated[
        list[dict[str, Any]],
        Body(description="A JSON Patch (RFC 6902)", examples=[[{"op": "replace", "path": "/name", "value": "Sales"}]]),
    ],
    person: PersonOf,
    store: StoreOf,
    response: Response,
    if_match: IfMatch = None,
) -> Draft:
    """Change the draft of a pipeline by a JSON Patch."""
    draft = stored_draft(store, pipeline)
    etag = _expected(if_match, None)
    return _save(store, pipeline, patched(draft.document, operations), etag, person, response)


@router.delete("/pipelines/{pipeline}/draft", dependencies=[EDITS], status_code=204)
def discard_draft(pipeline: str, person: PersonOf, store: StoreOf, if_match: IfMatch = None) -> None:
    """Discard the draft of a pipeline."""
    etag = _expected(if_match, None)
    try:
        store.drafts.discard(pipeline, etag=etag or "")
    except ConflictError as error:
        raise _stale(error) from None
    audit.record(person, "discard_draft", pipeline=pipeline)


@router.post("/pipelines/{pipeline}/draft/check", dependencies=[EDITS])
def check_draft(pipeline: str, person: PersonOf, store: StoreOf) -> Problems:
    """Return what is wrong with the draft of a pipeline."""
    return problems_of(store, person, {"id": pipeline, **stored_draft(store, pipeline).document})


@router.post("/pipelines/{pipeline}/publish", dependencies=[PUBLISHES], status_code=201)
def publish_draft(pipeline: str, wanted: DraftToPublish, person: PersonOf, store: StoreOf) -> VersionSummary:
    """Make the draft of a pipeline, or the document that is handed over, its next version.

    409 where somebody published another version, or saved another draft, in between.
    """
    document, etag, base = wanted.document, None, wanted.base_version
    if document is None:
        draft = stored_draft(store, pipeline)
        if wanted.etag is not None and wanted.etag.strip('"') != draft.etag:
            conflict = ConflictError(f"{draft.author} saved a draft of {pipeline!r} in between")
            conflict.current = draft
            raise conflict
        document, etag = draft.document, draft.etag
        base = draft.base_version if base is None else base
    if document.get("id", pipeline) != pipeline:
        raise ConfigurationError(
            f"the document is of the pipeline {document['id']!r}",
            field="id",
            hint=f"write {pipeline!r}, or leave it out",
        )
    published = publish(
        store,
        {"id": pipeline, **document},
        actor=person.actor,
        message=wanted.message,
        base_version=base,
        draft=etag,
        facts=facts_for(store, person),
    )
    if published.version is None:
        raise refused(published.problems)
    audit.record(person, "publish", pipeline=pipeline, version=published.version.number)
    return VersionSummary.model_validate(published.version)


def stored_draft(store: Store, pipeline: str) -> StoredDraft:
    """Return the draft of a pipeline; raise NotFound where it has none."""
    draft = store.drafts.get(pipeline)
    if draft is None:
        raise NotFound(f"pipeline {pipeline!r} has no draft")
    return draft


def _expected(if_match: str | None, if_none_match: str | None) -> str | None:
    """Return the etag that a draft has to have, None for a first one; raise ApiError where neither header is there."""
    if if_none_match == "*" and if_match is None:
        return None
    if if_match is None:
        raise ApiError(428, "say which draft yours is made from: If-Match with its ETag, or If-None-Match: *")
    return if_match.removeprefix("W/").strip('"')


def _save(
    store: Store, pipeline: str, document: dict[str, Any], etag: str | None, person: PersonOf, response: Response
) -> Draft:
    refuse_unheld(document)
    try:
        draft = store.drafts.save(pipeline, document, etag=etag, author=person.name)
    except ConflictError as error:
        raise _stale(error) from None
    audit.record(person, "save_draft", pipeline=pipeline)
    return _answer(draft, response)


def _stale(error: ConflictError) -> ApiError:
    current = None if error.current is None else Draft.model_validate(error.current).model_dump(mode="json")
    return ApiError(412, error.message, details={"current": current, "hint": error.hint})


def _answer(draft: StoredDraft, response: Response) -> Draft:
    response.headers["ETag"] = f'"{draft.etag}"'
    return Draft.model_validate(draft)
