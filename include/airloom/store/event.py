"""How a process that sees little of the store leaves an event there."""

from __future__ import annotations

import json
from typing import Any

from airloom.store.lookup import connect

# The scheduler leaves events too, and schedules nothing while it waits.
CONNECT_SECONDS = 3


def send_event(url: str, kind: str, payload: dict[str, Any]) -> None:
    """Put an event into the outbox through `airloom_event`, which tasks may call; it is committed on return.

    Raises StoreUnavailable where the database does not answer.
    """
    with connect(url, timeout=CONNECT_SECONDS) as connection:
        connection.execute("select airloom_event(%s, %s::jsonb)", (kind, json.dumps(payload, allow_nan=False)))
