"""Who may do what, as the API takes and gives it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from airloom.store.records import Level, SubjectKind
from airloom.web.models.answer import Answer


class Collaborator(Answer):
    """What a user or a role may do with a pipeline."""

    subject_kind: SubjectKind
    subject: str
    level: str = Field(description="reader, editor or publisher")
    granted_by: str
    granted_at: datetime


class GrantToGive(BaseModel):
    """What to let somebody do with a pipeline."""

    level: Level = Field(description="reader reads; editor also runs and edits; publisher also publishes and shares")


class GrantedUse(Answer):
    """That a user or a role may use a Connection, or publish code."""

    object: str = Field(description="The id of the Connection; empty for code")
    subject_kind: SubjectKind
    subject: str
    granted_by: str
    granted_at: datetime


class TokenToMake(BaseModel):
    """A service token to make."""

    name: str = Field(min_length=1, max_length=200, description="What it is for", examples=["nightly deployment"])
    scopes: list[Literal["read", "run", "edit", "publish", "approve", "admin"]] = Field(
        min_length=1, description="What it is good for, within what you may yourself"
    )
    pipelines: list[str] | None = Field(None, max_length=1000, description="For these pipelines; for all where null")
    tags: list[str] | None = Field(None, max_length=100, description="For pipelines with one of these tags")
    expires_at: AwareDatetime | None = Field(None, description="When it ends; never where null")


class Token(Answer):
    """A service token, without its secret."""

    id: str
    name: str
    user_name: str
    scopes: list[str]
    pipelines: list[str] | None
    tags: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None = Field(description="When it was last used, to the minute")
    revoked_at: datetime | None


class NewToken(Token):
    """A service token that was just made."""

    token: str = Field(description="What to send as Bearer token or X-API-Key; it cannot be had again")


class Me(Answer):
    """Who is signed in, and what they may."""

    id: str
    name: str
    roles: list[str]
    rights: list[str] = Field(description="Of read, create, code and admin")
    scopes: list[str] | None = Field(description="What the service token is good for; null where there is none")
    connections: list[str] | None = Field(description="The Connections that they may use; null for all")
