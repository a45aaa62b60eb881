"""Rate limits: how often a token, a user or an address may ask. Each process counts for itself."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from airloom.spec.configuration import Configuration
from airloom.web.error import ApiError


class Rates:
    """Count requests in moving windows, and refuse those that are too many."""

    def __init__(self, configuration: Configuration) -> None:
        self._requests = _read(configuration.api_rate)
        self._failures = _read(configuration.sign_in_rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count_request(self, *caller: str) -> None:
        """Count a request of a token or user; raise ApiError with 429 where it is one too many."""
        if self._requests is not None and not self._limiter.hit(self._requests, "request", *caller):
            raise self._refusal(self._requests, "request", *caller)

    def count_failure(self, address: str) -> None:
        """Count an attempt to sign in that failed; raise ApiError with 429 where it is one too many.

        Those from the same address whose token is valid are let in: many people may share it.
        """
        if self._failures is not None and not self._limiter.hit(self._failures, "failure", address):
            raise self._refusal(self._failures, "failure", address)

    def _refusal(self, limit: RateLimitItem, *identifiers: str) -> ApiError:
        resets_at, _ = self._limiter.get_window_stats(limit, *identifiers)
        seconds = max(1, math.ceil(resets_at - time.time()))
        message = f"that is more than {limit.amount} in {limit.get_expiry()} s; ask again in {seconds} s"
        return ApiError(429, message, headers={"Retry-After": str(seconds)})


def _read(rate: str) -> RateLimitItem | None:
    return None if rate == "none" else parse(rate)
