"""Signed addresses by which a file that a run left can be fetched for a while, by whoever has one."""

from __future__ import annotations

from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer

from airloom.web.error import ApiError

LASTS = 900
"""Seconds."""


def sign(content: list[str]) -> str:
    """Return the token that stands for a thing, for `LASTS` seconds."""
    return str(_serializer().dumps(content))


def read(token: str) -> list[str]:
    """Return what a token stands for; raise ApiError where it is forged or too old."""
    try:
        content: list[str] = _serializer().loads(token, max_age=LASTS)
    except BadSignature:
        raise ApiError(403, "the address is not valid, or not any more; ask for another") from None
    return content


def _serializer() -> Any:
    from airflow.configuration import conf

    # All API servers of an installation have the same.
    return URLSafeTimedSerializer(conf.get("api", "secret_key"), salt="airloom.download")
