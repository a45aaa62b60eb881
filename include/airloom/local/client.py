"""A small client of Airflow's REST API, for what `up` and the tests ask of a running installation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from airloom.spec.error import SystemFault, TransientError

TIMEOUT = 60.0
LONGEST_ANSWER = 500
"""Characters of Airflow's answer that an error repeats."""


class AirflowError(SystemFault):
    """Raise when Airflow answers with an error."""

    code = "airflow.api"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class AirflowClient:
    """Ask an Airflow at `address` in the name of `user`; signs in at the first request that needs it.

    Requests go straight to Airflow: no proxy of the environment, no `.netrc`, no redirect.
    """

    address: str
    user: str
    password: str = field(repr=False)
    _token: str | None = field(default=None, init=False, repr=False)
    _http: httpx.Client | None = field(default=None, init=False, repr=False)

    def health(self) -> dict[str, Any]:
        """Return the state of Airflow's parts. Raises TransientError while nobody answers."""
        return dict(self._send("GET", "/api/v2/monitor/health", None, None))

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return Airflow's answer to a request; `path` starts with /, and both bodies are JSON.

        Raises AirflowError with the status where Airflow refuses, TransientError where nobody answers.
        """
        if self._token is None:
            self._sign_in()
        try:
            return self._send(method, path, body, self._token)
        except AirflowError as error:
            if error.status != 401:
                raise
        self._sign_in()
        return self._send(method, path, body, self._token)

    def _sign_in(self) -> None:
        answer = self._send("POST", "/auth/token", {"username": self.user, "password": self.password}, None)
        self._token = str(answer["access_token"])

    def _send(self, method: str, path: str, body: Any, token: str | None) -> Any:
        if self._http is None:
            # A connection for each request: one that is kept breaks when Airflow restarts.
            limits = httpx.Limits(max_keepalive_connections=0)
            self._http = httpx.Client(base_url=self.address, timeout=TIMEOUT, trust_env=False, limits=limits)
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            answer = self._http.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise TransientError(f"Airflow does not answer at {self.address}: {reason}") from error
        if not answer.is_success:
            text = self._without_secrets(answer.text)
            raise AirflowError(answer.status_code, f"{method} {path}: {answer.status_code} {text[:LONGEST_ANSWER]}")
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise AirflowError(answer.status_code, f"{method} {path}: the answer is not JSON") from error

    def _without_secrets(self, text: str) -> str:
        """Return Airflow's answer without what was sent to it: a refused body is repeated in the answer."""
        for secret in (self.password, self._token):
            text = text.replace(secret, "***") if secret else text
        return text
