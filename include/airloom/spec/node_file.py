"""A user's file of node types, or of code: what is hashed is what runs."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class NodeFile:
    """Hold the text of a file; `name` is that of the file, such as `greet.py`."""

    name: str
    text: str

    @functools.cached_property
    def hash(self) -> str:
        """Return the SHA-256 of the text as UTF-8, in hexadecimal: plans and the store know the file by it."""
        return hashlib.sha256(self.text.encode()).hexdigest()
