"""A small client of Airflow's REST API, for what `up` and the tests ask of a running installation."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from airloom.spec.error import SystemFault, TransientError


class ApiError(SystemFault):
    """Raise when Airflow answers with an error."""

    code = "airflow.api"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Client:
    """Ask an Airflow at `address` in the name of `user`; signs in at the first request that needs it."""

    address: str
    user: str
    password: str = field(repr=False)
    _token: str | None = field(default=None, init=False, repr=False)

    def health(self) -> dict[str, Any]:
        """Return the state of Airflow's parts. Raises TransientError while nobody answers."""
        return dict(self._send("GET", "/api/v2/monitor/health", None, None))

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return Airflow's answer to a request; `path` starts with /, and both bodies are JSON.

        Raises ApiError with the status where Airflow refuses, TransientError where nobody answers.
        """
        if self._token is None:
            self._sign_in()
        try:
            return self._send(method, path, body, self._token)
        except ApiError as error:
            if error.status != 401:
                raise
        self._sign_in()
        return self._send(method, path, body, self._token)

    def _sign_in(self) -> None:
        answer = self._send("POST", "/auth/token", {"username": self.user, "password": self.password}, None)
        self._token = str(answer["access_token"])

    def _send(self, method: str, path: str, body: Any, token: str | None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(  # noqa: S310
            self.address + path,
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
            method=method,
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=60) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, f"{method} {path}: {error.code} {error.read().decode()[:500]}") from error
        except OSError as error:
            raise TransientError(f"Airflow does not answer at {self.address}: {error}") from error
        return json.loads(text) if text else None
