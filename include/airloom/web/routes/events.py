"""The route of live events."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from airloom.store.records import FeedEvent
from airloom.web.authentication import PersonOf, identify
from airloom.web.error import ApiError
from airloom.web.person import Person
from airloom.web.rule import READER
from airloom.web.tail import Tail

router = APIRouter(tags=["events"])

RIGHTS_HOLD = 60.0
"""Seconds after which a stream asks again what its reader may."""
RETRY = 500
"""Milliseconds until a browser connects again."""
STREAM = "text/event-stream"
HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache, no-store"}

EXAMPLE = """retry: 500
id: 41

id: 42
data: {"topic": "runs", "kind": "started", "pipeline": "daily_sales", "run_id": "manual__…", "at": "…", "payload": {…}}

"""


@router.get(
    "/events",
    dependencies=[READER],
    response_class=StreamingResponse,
    responses={200: {"content": {STREAM: {"example": EXAMPLE}}, "description": "Server-Sent Events"}},
)
async def watch(
    request: Request,
    person: PersonOf,
    topic: Annotated[Literal["pipelines", "runs"] | None, Query(description="Only of this topic")] = None,
    pipeline: Annotated[str | None, Query(max_length=250, description="Only of this pipeline")] = None,
    run_id: Annotated[str | None, Query(max_length=250, description="Only of this run")] = None,
    after: Annotated[
        int | None, Query(ge=0, lt=2**62, description="As the header Last-Event-ID, which counts first")
    ] = None,
    last_event_id: Annotated[str | None, Header(max_length=30, description="Go on after this event")] = None,
) -> StreamingResponse:
    """Watch what happens to the pipelines that you may read, from now on or after an event.

    Each event comes once and in order, also where the connection broke: a browser goes on by itself, another client
    sends the last `id`. Events are kept for a week; `event: reset` says that some since then are not, so read anew what
    you show. Topic `pipelines` has created, published, archived, restored, paused, resumed, draft_saved and
    draft_discarded; topic `runs` has queued, started, node, ended and deleted.
    """
    tail: Tail = request.app.state.tail
    if last_event_id is not None:
        if not last_event_id.isdecimal():
            raise ApiError(422, "Last-Event-ID is a number", details=[{"field": "header/last-event-id"}])
        after = int(last_event_id)
    last = await tail.newest() if after is None else after
    reader = _Reader(request, await run_in_threadpool(lambda: person.readable))

    def concerns(event: FeedEvent) -> bool:
        return topic in (None, event.topic) and pipeline in (None, event.pipeline) and run_id in (None, event.run_id)

    async def stream() -> AsyncIterator[str]:
        yield f"retry: {RETRY}\nid: {last}\n\n"
        async for events in tail.pieces(last):
            if events is None:
                yield f"id: {await tail.newest()}\nevent: reset\ndata: {{}}\n\n"
                continue
            wanted = [event for event in events if concerns(event)]
            # What is somebody else's moves the place on, too.
            seen = f"id: {events[-1].id}\n\n" if events else ":\n\n"
            try:
                shown = [_text(event) for event in wanted if await reader.may_read(event)]
            except ApiError:
                # No longer signed in: the next request is told so.
                return
            yield "".join(shown) + ("" if wanted and shown and wanted[-1] is events[-1] else seen)

    return StreamingResponse(stream(), media_type=STREAM, headers=HEADERS)


class _Reader:
    """Tell what the reader of a stream may see, by rights that are not older than a minute."""

    def __init__(self, request: Request, readable: frozenset[str] | None) -> None:
        self._request = request
        self._readable = readable
        self._asked = time.monotonic()

    async def may_read(self, event: FeedEvent) -> bool:
        """Tell whether an event is of a pipeline that the reader may read."""
        is_new = event.kind == "created" or (event.kind == "published" and event.payload.get("version") == 1)
        if time.monotonic() - self._asked > RIGHTS_HOLD or (is_new and not self._has(event)):
            person = Person(await identify(self._request), self._request.app.state.store)
            self._readable = await run_in_threadpool(lambda: person.readable)
            self._asked = time.monotonic()
        return self._has(event)

    def _has(self, event: FeedEvent) -> bool:
        return self._readable is None or event.pipeline in self._readable


def _text(event: FeedEvent) -> str:
    data = {
        "topic": event.topic,
        "kind": event.kind,
        "pipeline": event.pipeline,
        "run_id": event.run_id,
        "at": event.at.isoformat(),
        "payload": event.payload,
    }
    return f"id: {event.id}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
