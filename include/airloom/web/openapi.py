"""The OpenAPI document: what FastAPI makes of the routes, with how to sign in and how errors look."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from airloom.web.error import MEDIA_TYPE, ProblemDetails

ERROR = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
RESPONSES = {
    "4XX": {"description": "Refused: `code`, `message` and `details` say why", "content": ERROR},
    "5XX": {"description": "Failed: the server's log says more, under the correlation id", "content": ERROR},
}
SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of Airflow's, or a service token"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A service token"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "_token", "description": "Airflow's own session"},
}


def describe_api(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
            servers=app.servers,
        )
        components = schema.setdefault("components", {})
        # Ours take the place of what FastAPI would answer to a wrong request.
        for name in ("HTTPValidationError", "ValidationError"):
            components.get("schemas", {}).pop(name, None)
        components.setdefault("schemas", {})["ProblemDetails"] = ProblemDetails.model_json_schema()
        components["securitySchemes"] = SCHEMES
        schema["security"] = [{name: []} for name in SCHEMES]
        for methods in schema["paths"].values():
            for operation in methods.values():
                operation["responses"].pop("422", None)
                operation["responses"].update(RESPONSES)
        app.openapi_schema = schema
    return app.openapi_schema
