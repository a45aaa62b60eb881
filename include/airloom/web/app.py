"""The web application, which Airflow's API server mounts at `/airloom`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.types import Scope

import airloom
from airloom.spec.configuration import configuration
from airloom.store.store import Store
from airloom.web import error
from airloom.web.middleware import LARGEST_BODY, Envelope
from airloom.web.openapi import describe_api
from airloom.web.rate import Rates
from airloom.web.request_log import request_log
from airloom.web.routes import (
    access,
    catalog,
    connections,
    drafts,
    events,
    health,
    insights,
    me,
    operations,
    outputs,
    pages,
    pipelines,
    reference,
    runs,
    templates,
    uploads,
    versions,
)
from airloom.web.tail import Tail, at_signal

API = "/api/v1"
DESCRIPTION = """Pipelines, their versions and runs.

Sign in as to Airflow itself: with its cookie, with a Bearer token of `POST /auth/token`, or with a service token of
Airloom's, as Bearer token or in the header `X-API-Key`. Errors are problem details (RFC 9457)."""
TAGS = [
    {"name": "catalog", "description": "Node types: what each takes and gives"},
    {"name": "pipelines", "description": "Pipelines as they are published"},
    {"name": "insights", "description": "What a pipeline does: columns, SQL, previews, and who depends on it"},
    {"name": "drafts", "description": "What somebody is at work on, and publishing it"},
    {"name": "versions", "description": "What was published, how versions differ, and the way back"},
    {"name": "runs", "description": "Runs of pipelines and how their nodes did"},
    {"name": "outputs", "description": "What runs have left: logs, rows, files"},
    {"name": "events", "description": "What happens, as it happens"},
    {"name": "connections", "description": "Connections to other systems, without their secrets"},
    {"name": "templates", "description": "Documents to begin a pipeline from"},
    {"name": "uploads", "description": "Files that were sent for pipelines to read"},
    {"name": "access", "description": "Collaborators, grants and service tokens"},
    {"name": "operations", "description": "Background work, and figures about runs"},
    {"name": "me", "description": "Who is signed in, and what they may"},
    {"name": "health", "description": "Whether the service works"},
]


def make_app(store: Store) -> FastAPI:
    """Return the application over a store, which it closes at its end."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with at_signal(app.state.tail.stop):
            yield
        await app.state.tail.close()
        app.state.store.close()

    app = FastAPI(
        title="Airloom",
        version=airloom.__version__,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.openapi = functools.partial(describe_api, app)  # type: ignore[method-assign]
    app.state.store = store
    app.state.tail = Tail(app.state.store)
    app.state.rates = Rates(configuration())
    app.add_middleware(
        Envelope, unexpected=error.unexpected, record=request_log(configuration().api_log), largest=_largest_body
    )
    error.add_handlers(app)
    modules = (
        *(catalog, pipelines, insights, drafts, versions, runs, outputs, events),
        *(templates, connections, uploads, access, operations, me, health),
    )
    for module in modules:
        app.include_router(module.router, prefix=API)
    app.include_router(reference.router, prefix="/api")
    app.include_router(pages.router)  # last: it answers at every address that is left
    return app


def _largest_body(scope: Scope) -> int:
    """Return how large the body of a request may be: a file is written as it comes, all else is held in memory."""
    is_file = scope["method"] == "POST" and scope["path"].endswith(f"{API}/uploads")
    return int(configuration().upload_limit) if is_file else LARGEST_BODY
