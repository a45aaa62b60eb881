"""How a client asks the API: requests, pages of lists, and what becomes of errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from airloom.spec.error import AirloomError, Failure

API = "/airloom/api/v1"
FAILURES: Mapping[int, Failure] = {429: "transient", 502: "transient", 503: "transient", 504: "transient"}
LARGEST_PAGE = 200

Answer = TypeVar("Answer", bound=BaseModel)


class ApiRefused(AirloomError):
    """Raise when the API answers with an error; `status`, `kind` and `details` are those of its problem details."""

    code = "api"

    def __init__(self, status: int, kind: str, message: str, details: Any, correlation_id: str) -> None:
        hint = details.get("hint") if isinstance(details, dict) else None
        super().__init__(message, hint=hint)
        self.failure = FAILURES.get(status, "configuration" if status < 500 else "system")
        self.status = status
        self.kind = kind
        self.details = details
        self.correlation_id = correlation_id


class Http:
    """Ask the Airloom at `url`, Airflow's own address, by a service token or a Bearer token of Airflow's.

    Raises ApiRefused where the API answers with an error, and ConnectionError where nobody answers.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 60, transport: httpx.BaseTransport | None = None):
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._http = httpx.Client(
            base_url=url.rstrip("/") + API, headers=headers, timeout=timeout, transport=transport, trust_env=False
        )

    def __enter__(self) -> Self:
        """Return the client, which is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _pages(self, model: type[Answer], path: str, **query: Any) -> Iterator[Answer]:
        cursor: str | None = None
        while True:
            page = self._answer("GET", path, params=_known({**query, "cursor": cursor, "limit": LARGEST_PAGE})).json()
            yield from map(model.model_validate, page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _list(self, model: type[Answer], path: str, **query: Any) -> list[Answer]:
        return [model.model_validate(entry) for entry in self._answer("GET", path, params=_known(query)).json()]

    def _get(self, model: type[Answer], path: str, **query: Any) -> Answer:
        return self._send(model, "GET", path, params=_known(query))

    def _post(self, model: type[Answer], path: str, body: Any) -> Answer:
        return self._send(model, "POST", path, json=body)

    def _send(self, model: type[Answer], method: str, path: str, **more: Any) -> Answer:
        return model.model_validate(self._answer(method, path, **more).json())

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise self._no_answer(error) from None
        if not answer.is_success:
            raise _refusal(answer, f"{method} {path}")
        return answer

    def _lines(self, path: str, accept: str, headers: Mapping[str, str], **query: Any) -> Iterator[str]:
        """Yield the lines of an answer that goes on for as long as it wants; raise ConnectionError where it breaks."""
        # The server says something each few seconds.
        timeout = httpx.Timeout(60, read=60)
        try:
            shown = {"Accept": accept, **headers}
            with self._http.stream("GET", path, params=_known(query), headers=shown, timeout=timeout) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refusal(answer, f"GET {path}")
                yield from answer.iter_lines()
        except httpx.TransportError as error:
            raise self._no_answer(error) from None

    def _no_answer(self, error: httpx.TransportError) -> ConnectionError:
        # Its text may hold the address with what stands in it; the kind says enough.
        return ConnectionError(f"{self._http.base_url.host} does not answer: {type(error).__name__}")


def _refusal(answer: httpx.Response, request: str) -> ApiRefused:
    try:
        problem = answer.json()
        message, kind = str(problem["message"]), str(problem["code"])
    except (ValueError, KeyError, TypeError):
        message, kind, problem = f"{request}: status {answer.status_code}", "UNKNOWN", {}
    return ApiRefused(answer.status_code, kind, message, problem.get("details"), problem.get("correlation_id", ""))


def _known(query: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in query.items() if value is not None}
