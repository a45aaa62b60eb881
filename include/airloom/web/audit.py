"""The audit: who did what stands in Airflow's own event log, beside what people did there."""

from __future__ import annotations

import json
from typing import Any

from airloom.web.correlation import correlation_id
from airloom.web.person import Person


def record(person: Person, event: str, *, pipeline: str | None = None, run_id: str | None = None, **extra: Any) -> None:
    """Keep that a person did something; `event` is a verb such as `publish`, `extra` says with what, never a secret."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    known = {key: value for key, value in extra.items() if value is not None}
    if person.token is not None:
        known["token"] = person.token.id
    text = json.dumps({**known, "correlation_id": correlation_id()}, ensure_ascii=False, default=str)
    with create_session(scoped=False) as session:
        session.add(
            Log(
                event=f"airloom.{event}",
                owner=person.name,
                owner_display_name=person.name,
                extra=text,
                dag_id=pipeline,
                run_id=run_id,
            )
        )
