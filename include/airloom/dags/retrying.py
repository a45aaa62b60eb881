"""Pauses before the retries of a task, each twice the one before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from airloom.spec.duration import retry_pause

if TYPE_CHECKING:
    from airflow.sdk import Context


@dataclass(frozen=True)
class Doubling(RetryPolicy):
    """Wait `delay` seconds before the first retry, twice as long before each further one, and never over `longest`.

    Airflow's own backoff adds up to as much again by chance. It asks the policy in the task: after a kill, the pause
    is the task's `retry_delay`.
    """

    delay: float
    longest: float

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Return the pause before the next try."""
        # Airflow counts tries on when a task is cleared, and then allows its retries anew.
        retries = context["ti"].task.retries or 0 if context is not None else max_tries
        retry = try_number - max(0, max_tries - retries)
        return RetryDecision.retry(
            timedelta(seconds=retry_pause(self.delay, retry, doubles=True, longest=self.longest))
        )
