"""The correlation id: one for each request, in its answer, its log lines, and the runs that it starts."""

from __future__ import annotations

import contextvars
import re
import uuid

HEADER = "X-Correlation-ID"
ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_current: contextvars.ContextVar[str] = contextvars.ContextVar("correlation_id", default="")


def correlation_id() -> str:
    """Return the id of the request that is being answered; empty outside of one."""
    return _current.get()


def begin_request(asked: str | None) -> str:
    """Give the request its id: the one that its caller asked for, or a new one where that is none."""
    identifier = asked if asked and ACCEPTED.fullmatch(asked) else uuid.uuid4().hex
    _current.set(identifier)
    return identifier
