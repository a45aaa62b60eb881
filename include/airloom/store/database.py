"""The store's database: the engine, what becomes of the driver's errors, and JSON as the store keeps it."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

import psycopg
from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError

from airloom.spec.error import ConfigurationError
from airloom.store.lookup import unavailable

# NaN and Infinity are no JSON; PostgreSQL would refuse them with a message about a token.
to_json = functools.partial(json.dumps, separators=(",", ":"), allow_nan=False)


def fingerprint(value: dict[str, Any]) -> str:
    """Return the SHA-256 of a value's JSON; the order of keys counts, for columns may follow it.

    Raises ConfigurationError for what is not JSON, such as NaN.
    """
    try:
        return hashlib.sha256(to_json(value).encode()).hexdigest()
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"this document can't be written as JSON: {error}") from error


def open_engine(url: str, **options: Any) -> Engine:
    """Return an engine for the PostgreSQL database at `url`, which connects when it is first used.

    Its errors are StoreUnavailable where the database does not answer or lacks our tables, and ConfigurationError for a
    text that PostgreSQL can't hold; no error shows a statement's parameters.
    """
    engine = create_engine(
        _address(url),
        json_serializer=to_json,
        hide_parameters=True,
        connect_args={"connect_timeout": 10, "application_name": "airloom"},
        **options,
    )
    event.listen(engine, "handle_error", _translate)
    return engine


def _address(url: str) -> URL:
    """Return the URL with the driver that is used here; raise ConfigurationError without repeating what is wrong."""
    try:
        address = make_url(url)
    except ArgumentError:
        address = None
    if address is None or address.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError("the address of the store is not a valid URL of a PostgreSQL database") from None
    return address.set(drivername="postgresql+psycopg")


def _translate(context: ExceptionContext) -> None:
    cause = context.original_exception
    if context.is_pre_ping:
        return
    if (found := unavailable(cause)) is not None:
        raise found from cause
    if isinstance(cause, psycopg.DataError):
        raise ConfigurationError("a text holds a character that the store can't keep (NUL)") from cause
