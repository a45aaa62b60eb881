"""What an examination of an installation finds."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

from airloom.runtime.redactor import Redactor

State = Literal["right", "advice", "wrong"]


@dataclass(frozen=True)
class Finding:
    """Say how one thing is: `right`, `wrong`, or right enough with `advice`; the hint tells what to do."""

    area: str
    name: str
    state: State
    message: str
    hint: str | None = None


def without_secrets(text: str, address: str) -> str:
    """Return a text about an address, such as a driver's message, without the secrets that stand in the address."""
    redactor = Redactor()
    # As the field of a Connection, which may hold an address as well.
    redactor.learn(SimpleNamespace(host=address))
    return redactor.text(text)


def right(area: str, name: str, message: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(area, name, "right", message)


def advice(area: str, name: str, message: str, hint: str) -> Finding:
    """Return a finding that lets pipelines run, though not as well as they could."""
    return Finding(area, name, "advice", message, hint)


def wrong(area: str, name: str, message: str, hint: str | None = None) -> Finding:
    """Return a finding that keeps pipelines from running as they should."""
    return Finding(area, name, "wrong", message, hint)
