"""A body again and again."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from airloom.nodes.operators import Rule
from airloom.nodes.sdk import ConfigurationError, DataError, Example, Loop, LoopBody
from airloom.spec.duration import Duration


class RepeatUntil(Loop):
    """Run the body again and again, each time with what it gave last, until rules hold for its result.

    In the body, `loop.item` is the value that came first and the last result after that, `loop.index` the round, from
    0. After a retry the node goes on with the round that failed.
    """

    until: list[Rule] = Field(min_length=1, description="The result is handed on when all of them hold for it")
    max_rounds: int = Field(100, ge=1, le=1_000_000, description="How often the body runs at most")
    timeout: Duration | None = Field(
        None, description="No round begins later than this after the first one; the attempts before a retry count"
    )
    pause: Duration = Field(
        timedelta(), json_schema_extra={"default": "0s"}, description="How long to wait between two rounds"
    )
    on_limit: Literal["fail", "continue"] = Field(
        "fail",
        description="Where rounds or time are over before the rules hold: fail, or continue with the last result",
    )

    examples = (
        Example(
            "Double a number until it is large",
            {"until": [{"operator": "gt", "value": 100}]},
            {"value": 7},
            {"value": 112},
            body={
                "nodes": [{"id": "doubled", "type": "set", "config": {"value": "{{ loop.item * 2 }}"}}],
                "result": "doubled",
            },
        ),
        Example(
            "Stop after three rounds, whatever came",
            {"until": [{"field": "state", "value": "ready"}], "max_rounds": 3, "on_limit": "continue"},
            {"value": {"tries": 0}},
            {"value": {"tries": 3, "state": "busy"}},
            body={
                "nodes": [
                    {
                        "id": "asked",
                        "type": "set",
                        "config": {"value": {"tries": "{{ loop.item.tries + 1 }}", "state": "busy"}},
                    }
                ],
                "result": "asked",
            },
        ),
    )

    def run(self, body: LoopBody, value: Any = None) -> Any:
        """Return the first result that the rules hold for."""
        for index in range(self.max_rounds):
            if index > 0 and (limit := self._wait(body, index)):
                return self._ended(value, limit)
            value = body.run(value, index)
            if all(self._holds(at, rule, value) for at, rule in enumerate(self.until)):
                return value
        return self._ended(value, f"after {self.max_rounds} rounds")

    def _wait(self, body: LoopBody, index: int) -> str:
        """Wait between two rounds; return how the time is over, if it is."""
        pause = 0.0 if body.was_done(index) else self.pause.total_seconds()
        if self.timeout is None:
            time.sleep(pause)
            return ""
        left = self.timeout.total_seconds() - body.seconds
        if left > pause:
            time.sleep(pause)
            return ""
        return f"after {self.timeout} and {index} {'round' if index == 1 else 'rounds'}"

    def _holds(self, at: int, rule: Rule, value: Any) -> bool:
        try:
            return rule.holds(value)
        except ConfigurationError as error:
            raise ConfigurationError(error.message, field=f"until/{at}/{error.field}", hint=error.hint) from None

    def _ended(self, value: Any, limit: str) -> Any:
        if self.on_limit == "continue":
            return value
        raise DataError(
            f"{limit}, the rules do not hold for the result",
            field="until",
            hint="raise max_rounds or timeout, or set on_limit: continue",
        )
