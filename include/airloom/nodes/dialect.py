"""Other dialects: documents of other systems, recognised and read into our form before anything else is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from airloom.spec.problem import Problem


@dataclass(frozen=True)
class Translation:
    """Hold a document in our form, what is wrong with what it was made from, and where its parts stand there.

    `places` maps JSON Pointers of the document to those of the foreign data. A document of None cannot be read.
    """

    document: object
    places: Mapping[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class Dialect(Protocol):
    """Read documents of another system."""

    def recognises(self, data: object) -> bool:
        """Tell, at a glance, whether data is a document of this dialect."""

    def read(self, data: Any) -> Translation:
        """Return the document in our form; never raises for a user's mistake."""


DIALECTS: dict[str, Dialect] = {}
"""Every dialect but ours, by name."""


def translate(data: object) -> Translation:
    """Return a document in our form: as it is, unless another dialect is recognised."""
    for dialect in DIALECTS.values():
        if dialect.recognises(data):
            return dialect.read(data)
    return Translation(data)


def point_back(problem: Problem, translation: Translation, data: object) -> Problem:
    """Return a problem of the document at its place in the foreign data: the nearest one that is there."""
    if not translation.places:
        return problem
    place = problem.pointer
    rest: list[str] = []
    while place not in translation.places and place:
        place, _, last = place.rpartition("/")
        rest.insert(0, last)
    found = translation.places.get(place, "")
    for part in rest:
        if not _is_there(data, f"{found}/{part}"):
            break
        found += f"/{part}"
    return replace(problem, pointer=found)


def _is_there(data: Any, at: str) -> bool:
    for part in (part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[1:]):
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return False
    return True
