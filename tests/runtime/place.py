"""A class that the package knows nothing of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A place on the map."""

    north: float
    east: float
