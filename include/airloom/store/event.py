"""How a process that sees little of the store leaves an event there."""

from __future__ import annotations

import json
from typing import Any

from airloom.store.lookup import plain
from airloom.store.records import StoreUnavailable


def send_event(url: str, kind: str, payload: dict[str, Any]) -> None:
    """Put an event into the outbox through `airloom_event`, which tasks may call; it is committed on return.

    Raises StoreUnavailable where the database does not answer.
    """
    import psycopg

    try:
        with psycopg.connect(plain(url), connect_timeout=10, application_name="airloom event") as connection:
            connection.execute("select airloom_event(%s, %s::jsonb)", (kind, json.dumps(payload, allow_nan=False)))
    except psycopg.OperationalError as error:
        reason = str(error).strip().partition("\n")[0]
        raise StoreUnavailable(f"the store's database does not answer: {reason}") from error
