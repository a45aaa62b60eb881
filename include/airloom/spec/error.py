"""The tree of errors: user text, place, hint, and whether a retry can help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

Failure = Literal["configuration", "data", "system", "transient"]


class AirloomError(Exception):
    """Raise when something a user can understand went wrong.

    `failure` decides about retries: `transient` and `system` faults are retried, `configuration` and `data` faults
    fail at once, for the same input fails again.
    """

    failure: Failure = "system"
    code = "error"

    def __init__(
        self, message: str, *, node: str | None = None, field: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.field = field
        self.hint = hint

    def __str__(self) -> str:
        place = ", ".join(
            part
            for part in (f"node {self.node!r}" if self.node else "", self.field and f"field {self.field!r}")
            if part
        )
        return (f"{place}: " if place else "") + self.message + (f" Hint: {self.hint}" if self.hint else "")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that a run keeps of a failed node."""
        return {
            "code": self.code,
            "message": self.message,
            "failure": self.failure,
            "node": self.node,
            "field": self.field,
            "hint": self.hint,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AirloomError:
        """Return the error that `to_json` wrote, as another process hands it over."""
        error = cls(data["message"], node=data["node"], field=data["field"], hint=data["hint"])
        error.code, error.failure = data["code"], data["failure"]
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.node, self.field, self.hint)


def _rebuild(
    kind: type[AirloomError], message: str, node: str | None, field: str | None, hint: str | None
) -> AirloomError:
    return kind(message, node=node, field=field, hint=hint)


class ConfigurationError(AirloomError):
    """Raise when a document, a setting or a Connection is wrong; the task is not retried.

    `field` is the path of the config field, such as `columns/0`; `hint` says what to do.
    """

    failure: Failure = "configuration"
    code = "configuration"


class TextFault(ConfigurationError):
    """Be a base of what is wrong in a field that holds a text of its own, such as SQL."""

    word: str | None = None
    """The word of the text that is at fault."""
    line: int | None = None
    """The line of the text, from 0, where that is known better than the word."""
    find_others: Callable[[], Sequence[TextFault]] | None = None
    """Finds what else is wrong in the same text: only who tells all of it asks."""

    @property
    def others(self) -> Sequence[TextFault]:
        """Return what else is wrong in the same text."""
        return self.find_others() if self.find_others else ()


class DataError(AirloomError):
    """Raise when the data does not fit what the pipeline says about it; the task is not retried."""

    failure: Failure = "data"
    code = "data"


class SystemFault(AirloomError):
    """Raise when the machine or a service failed in a way that a person has to look at."""

    failure: Failure = "system"
    code = "system"


class TransientError(AirloomError):
    """Raise when the same work may succeed a little later, such as after a lost connection; the task is retried."""

    failure: Failure = "transient"
    code = "transient"
