"""Live events, as the API gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from airloom.web.models.answer import Answer


class Event(Answer):
    """What happened to a pipeline or a run."""

    id: int = Field(description="Whoever goes on after this event shows it")
    topic: str = Field(description="pipelines or runs; empty for `reset`")
    kind: str = Field(description="Such as published or ended; `reset` where events since the last one are not kept")
    pipeline: str
    run_id: str | None
    at: datetime | None
    payload: dict[str, Any]
