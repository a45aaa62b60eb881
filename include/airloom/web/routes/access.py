"""Routes about who may do what: collaborators of pipelines, grants of Connections and code, service tokens."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from airloom.store.records import Grant, GrantKind, NotFound, SubjectKind
from airloom.store.store import Store
from airloom.web import audit
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.error import ApiError
from airloom.web.models.access import Collaborator, GrantedUse, GrantToGive, NewToken, Token, TokenToMake
from airloom.web.person import Person
from airloom.web.rule import ADMINISTRATOR, EDITS, GRANTS_USE, MAKES_TOKENS, SHARES, SIGNED_IN

router = APIRouter(tags=["access"])
Subject = Annotated[str, Path(min_length=1, max_length=250, description="The name of a user, or of a role")]
Name = Annotated[str, Path(min_length=1, max_length=250)]
Everybody = Annotated[bool, Query(description="Those of everybody; for administrators")]


@router.get("/pipelines/{pipeline}/collaborators", dependencies=[EDITS])
def list_collaborators(pipeline: str, store: StoreOf) -> list[Collaborator]:
    """List who may read, edit or publish a pipeline by a grant."""
    return [Collaborator.model_validate(grant) for grant in store.grants.of_object("pipeline", pipeline)]


@router.put("/pipelines/{pipeline}/collaborators/{subject_kind}/{subject}", dependencies=[SHARES])
def share_pipeline(
    pipeline: str, subject_kind: SubjectKind, subject: Subject, wanted: GrantToGive, person: PersonOf, store: StoreOf
) -> Collaborator:
    """Let a user or a role read, edit or publish a pipeline."""
    store.pipeline(pipeline)
    return Collaborator.model_validate(
        _give(store, person, "pipeline", pipeline, subject_kind, subject, level=wanted.level)
    )


@router.delete("/pipelines/{pipeline}/collaborators/{subject_kind}/{subject}", dependencies=[SHARES], status_code=204)
def unshare_pipeline(
    pipeline: str, subject_kind: SubjectKind, subject: Subject, person: PersonOf, store: StoreOf
) -> None:
    """Take a grant at a pipeline away."""
    _take(store, person, "pipeline", pipeline, subject_kind, subject)


@router.get("/grants/connections", dependencies=[ADMINISTRATOR])
def list_granted_connections(store: StoreOf) -> list[GrantedUse]:
    """List which users and roles may use which Connections in what they publish."""
    return [GrantedUse.model_validate(grant) for grant in store.grants.of_kind("connection")]


@router.put("/grants/connections/{name}/{subject_kind}/{subject}", dependencies=[GRANTS_USE])
def grant_connection(
    name: Name, subject_kind: SubjectKind, subject: Subject, person: PersonOf, store: StoreOf
) -> GrantedUse:
    """Let a user or a role use a Connection."""
    return GrantedUse.model_validate(_give(store, person, "connection", name, subject_kind, subject))


@router.delete("/grants/connections/{name}/{subject_kind}/{subject}", dependencies=[GRANTS_USE], status_code=204)
def revoke_connection(
    name: Name, subject_kind: SubjectKind, subject: Subject, person: PersonOf, store: StoreOf
) -> None:
    """Take the use of a Connection away; what is published goes on using it."""
    _take(store, person, "connection", name, subject_kind, subject)


@router.get("/grants/code", dependencies=[ADMINISTRATOR])
def list_code_authors(store: StoreOf) -> list[GrantedUse]:
    """List which users and roles may publish code by a grant; some roles may by themselves."""
    return [GrantedUse.model_validate(grant) for grant in store.grants.of_kind("code")]


@router.put("/grants/code/{subject_kind}/{subject}", dependencies=[GRANTS_USE])
def grant_code(subject_kind: SubjectKind, subject: Subject, person: PersonOf, store: StoreOf) -> GrantedUse:
    """Let a user or a role publish code."""
    return GrantedUse.model_validate(_give(store, person, "code", "", subject_kind, subject))


@router.delete("/grants/code/{subject_kind}/{subject}", dependencies=[GRANTS_USE], status_code=204)
def revoke_code(subject_kind: SubjectKind, subject: Subject, person: PersonOf, store: StoreOf) -> None:
    """Take the right to publish code away."""
    _take(store, person, "code", "", subject_kind, subject)


@router.get("/tokens", dependencies=[SIGNED_IN])
def list_tokens(person: PersonOf, store: StoreOf, everybody: Everybody = False) -> list[Token]:
    """List your service tokens; their secrets are not kept."""
    if everybody and "admin" not in person.rights:
        raise ApiError(403, "only administrators see the tokens of others")
    return [Token.model_validate(token) for token in store.tokens.of_user(None if everybody else person.id)]


@router.post("/tokens", dependencies=[MAKES_TOKENS], status_code=201)
def make_token(wanted: TokenToMake, person: PersonOf, store: StoreOf) -> NewToken:
    """Make a service token that acts for you; its text is shown this once."""
    if wanted.expires_at is not None and wanted.expires_at <= datetime.now(UTC):
        raise ApiError(422, "the token would have expired already", details=[{"field": "body/expires_at"}])
    token, text = store.tokens.make(
        wanted.name,
        user_id=person.id,
        user_name=person.name,
        scopes=wanted.scopes,
        pipelines=wanted.pipelines,
        tags=wanted.tags,
        expires_at=wanted.expires_at,
    )
    audit.record(person, "make_token", made=token.id, scopes=sorted(wanted.scopes))
    return NewToken(**Token.model_validate(token).model_dump(), token=text)


@router.delete("/tokens/{identifier}", dependencies=[SIGNED_IN])
def revoke_token(identifier: Name, person: PersonOf, store: StoreOf) -> Token:
    """End a token of yours; administrators end anybody's."""
    revoked = store.tokens.revoke(identifier, user_id=None if "admin" in person.rights else person.id)
    audit.record(person, "revoke_token", revoked=identifier)
    return Token.model_validate(revoked)


def _give(
    store: Store,
    person: Person,
    kind: GrantKind,
    name: str,
    subject_kind: SubjectKind,
    subject: str,
    level: str = "use",
) -> Grant:
    grant = store.grants.give(kind, name, subject_kind, subject, level, by=person.name)
    audit.record(person, "grant", to=f"{subject_kind} {subject}", level=level, **_object(kind, name))
    return grant


def _take(store: Store, person: Person, kind: GrantKind, name: str, subject_kind: SubjectKind, subject: str) -> None:
    if not store.grants.take(kind, name, subject_kind, subject):
        granted = f"{kind} {name!r}" if name else kind
        raise NotFound(f"the {subject_kind} {subject!r} has no grant of {granted}")
    audit.record(person, "revoke", of=f"{subject_kind} {subject}", **_object(kind, name))


def _object(kind: GrantKind, name: str) -> dict[str, str]:
    """Return what a grant is at, as the audit has it."""
    return {"pipeline": name} if kind == "pipeline" else {"object": f"{kind} {name}".rstrip()}
