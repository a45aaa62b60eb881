"""Routes that a load balancer or a supervisor asks."""

from fastapi import APIRouter, Response

import airloom
from airloom.store.records import StoreUnavailable
from airloom.web.authentication import StoreOf
from airloom.web.models.operations import Health
from airloom.web.rule import PUBLIC

router = APIRouter(tags=["health"])


@router.get("/health/live", dependencies=[PUBLIC])
def is_live() -> Health:
    """Say that the process answers."""
    return Health(status="ok", version=airloom.__version__, parts={})


@router.get("/health/ready", dependencies=[PUBLIC], responses={503: {"model": Health}})
def is_ready(response: Response, store: StoreOf) -> Health:
    """Say whether the parts that every request needs answer; 503 where one does not."""
    parts = {"store": "ok"}
    try:
        store.revision()
    except StoreUnavailable:
        parts["store"] = "does not answer"
        response.status_code = 503
    failing = any(state != "ok" for state in parts.values())
    return Health(status="failing" if failing else "ok", version=airloom.__version__, parts=parts)
