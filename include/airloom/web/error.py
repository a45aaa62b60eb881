"""Errors as the API answers them: problem details (RFC 9457) with a code, and a correlation id."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException

from airloom.spec.error import AirloomError
from airloom.spec.problem import Problem
from airloom.store.records import ConflictError, NotFound, StoreUnavailable
from airloom.web.correlation import correlation_id

log = logging.getLogger(__name__)

SCHEMA = "#/components/schemas/ProblemDetails"
MEDIA_TYPE = "application/problem+json"
CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    410: "GONE",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "VALIDATION_ERROR",
    428: "PRECONDITION_REQUIRED",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}
"""The code of each status, where an error has no other."""


class ProblemDetails(BaseModel):
    """What the API answers where it refuses or fails."""

    type: str = Field("about:blank", description="Always `about:blank`: the code says what kind of error it is")
    title: str = Field(description="The words of the HTTP status")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="The same as `message`")
    instance: str = Field(description="The path that was asked for")
    code: str = Field(description="The kind of error, such as VALIDATION_ERROR")
    message: str = Field(description="What is wrong")
    details: Any = Field(None, description="The problems of a document or request, or what else helps")
    correlation_id: str = Field(description="The id of the request, as in the server's log")


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {MEDIA_TYPE: {"schema": {"$ref": SCHEMA}}}}
    for status, description in (("4XX", "Refused: `code` and `details` say why"), ("5XX", "Failed"))
}
"""What every route may answer beside what it is for."""


class ApiError(Exception):
    """Raise to answer with a status and a message."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        details: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or CODES[status]
        self.details = details
        self.headers = headers


def refused(problems: list[Problem]) -> ApiError:
    """Return the error for a document that has problems: all of them are its details."""
    first = next((problem for problem in problems if problem.severity == "error"), problems[0])
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return ApiError(422, f"{first.message}{more}", details=[problem.to_json() for problem in problems])


def add_handlers(app: FastAPI) -> None:
    """Let every exception of a route become problem details."""

    @app.exception_handler(ApiError)
    async def answer_api_error(request: Request, error: ApiError) -> JSONResponse:
        return _answer(request, error.status, error.code, error.message, error.details, error.headers)

    @app.exception_handler(AirloomError)
    async def answer_airloom_error(request: Request, error: AirloomError) -> JSONResponse:
        status, code = _status_of(error)
        details: dict[str, Any] = {
            "code": error.code,
            "node": error.node,
            "field": error.field,
            "hint": error.hint,
        }
        if isinstance(error, ConflictError) and error.current is not None:
            details["current"] = {"etag": error.current.etag, "author": error.current.author}
        known = {key: value for key, value in details.items() if value is not None}
        return _answer(request, status, code, error.message, known)

    @app.exception_handler(RequestValidationError)
    async def answer_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        details = [
            {"field": "/".join(str(part) for part in fault["loc"]), "message": fault["msg"], "code": fault["type"]}
            for fault in error.errors()
        ]
        first = details[0]
        return _answer(request, 422, "VALIDATION_ERROR", f"{first['field']}: {first['message']}", details)

    @app.exception_handler(HTTPException)
    async def answer_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        status = error.status_code
        return _answer(request, status, CODES.get(status, "INTERNAL_ERROR"), str(error.detail), None, error.headers)

    @app.exception_handler(OperationalError)
    async def answer_database_away(request: Request, error: OperationalError) -> JSONResponse:
        log.warning("A database does not answer: %s", type(error.orig).__name__)
        return _answer(request, 503, "SERVICE_UNAVAILABLE", "a database does not answer; try again in a moment")

    @app.exception_handler(DataError)
    async def answer_unkept_value(request: Request, error: DataError) -> JSONResponse:
        # Airflow's database; the store's own are AirloomErrors.
        log.warning("A database refuses a value: %s", type(error.orig).__name__)
        message = "a value of the request is one that no database keeps, such as a text with a NUL character"
        return _answer(request, 422, "VALIDATION_ERROR", message)


def unexpected(request: Request, error: Exception) -> JSONResponse:
    """Log an exception that nobody expected, and return the answer, which tells nothing of it but where to look."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = "this should not have happened; the server's log says more, under the correlation id"
    return _answer(request, 500, "INTERNAL_ERROR", message)


def _status_of(error: AirloomError) -> tuple[int, str]:
    if isinstance(error, NotFound):
        return 404, "NOT_FOUND"
    if isinstance(error, ConflictError):
        return 409, "CONFLICT"
    if isinstance(error, StoreUnavailable) or error.failure == "transient":
        return 503, "SERVICE_UNAVAILABLE"
    if error.failure in ("configuration", "data"):
        return 422, "VALIDATION_ERROR"
    return 500, "INTERNAL_ERROR"


def _answer(
    request: Request,
    status: int,
    code: str,
    message: str,
    details: Any = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    body = ProblemDetails(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=message,
        instance=request.url.path,
        code=code,
        message=message,
        details=details,
        correlation_id=correlation_id(),
    )
    return JSONResponse(body.model_dump(mode="json"), status, dict(headers or {}), MEDIA_TYPE)
