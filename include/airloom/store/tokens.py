"""Service tokens: by them a program acts for a person, with a part of that person's rights."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import fields
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from airloom.store.records import NotFound, StoredToken
from airloom.store.tables import TokenRow

PREFIX = "airloom_"
COLUMNS = [getattr(TokenRow, field.name) for field in fields(StoredToken)]
USED_EVERY = timedelta(minutes=1)
"""How exactly it is kept when a token was last used."""


class Tokens:
    """Read and write tokens; of a secret only its digest is kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def make(
        self,
        name: str,
        *,
        user_id: str,
        user_name: str,
        scopes: Collection[str],
        pipelines: Collection[str] | None = None,
        tags: Collection[str] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[StoredToken, str]:
        """Return a new token and its text, which cannot be had again."""
        identifier, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        statement = (
            insert(TokenRow)
            .values(
                id=identifier,
                digest=_digest(secret),
                name=name,
                user_id=user_id,
                user_name=user_name,
                scopes=sorted(scopes),
                pipelines=None if pipelines is None else sorted(pipelines),
                tags=None if tags is None else sorted(tags),
                expires_at=expires_at,
            )
            .returning(*COLUMNS)
        )
        with self._engine.begin() as connection:
            token = StoredToken(**connection.execute(statement).one()._mapping)
        return token, f"{PREFIX}{identifier}_{secret}"

    def find(self, text: str) -> StoredToken | None:
        """Return the token of this text, or None where there is none, it has expired or was revoked."""
        identifier, _, secret = text.removeprefix(PREFIX).partition("_")
        if not text.startswith(PREFIX) or not secret or not text.isascii():
            return None
        valid = TokenRow.revoked_at.is_(None) & (TokenRow.expires_at.is_(None) | (TokenRow.expires_at > func.now()))
        query = select(TokenRow.digest, *COLUMNS).where(TokenRow.id == identifier, valid)
        with self._engine.begin() as connection:
            row = connection.execute(query).one_or_none()
            if row is None or not hmac.compare_digest(row.digest, _digest(secret)):
                return None
            is_old = TokenRow.used_at.is_(None) | (TokenRow.used_at < func.now() - USED_EVERY)
            connection.execute(update(TokenRow).where(TokenRow.id == identifier, is_old).values(used_at=func.now()))
        return StoredToken(*row[1:])

    def of_user(self, user_id: str | None) -> list[StoredToken]:
        """Return the tokens of a user, or of all where none is named, the newest first."""
        query = select(*COLUMNS).order_by(TokenRow.created_at.desc(), TokenRow.id)
        if user_id is not None:
            query = query.where(TokenRow.user_id == user_id)
        with self._engine.connect() as connection:
            return [StoredToken(**row._mapping) for row in connection.execute(query)]

    def revoke(self, identifier: str, *, user_id: str | None) -> StoredToken:
        """End a token of a user, or anybody's where no user is named; raise NotFound where there is none.

        One that was revoked before stays as it was.
        """
        statement = update(TokenRow).where(TokenRow.id == identifier)
        if user_id is not None:
            statement = statement.where(TokenRow.user_id == user_id)
        changed = statement.values(revoked_at=func.coalesce(TokenRow.revoked_at, func.now())).returning(*COLUMNS)
        with self._engine.begin() as connection:
            row = connection.execute(changed).one_or_none()
        if row is None:
            raise NotFound(f"there is no token {identifier!r}")
        return StoredToken(**row._mapping)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
