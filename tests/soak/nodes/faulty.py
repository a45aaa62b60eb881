"""Nodes that take their time, and one whose library can be away."""

from __future__ import annotations

import time
from typing import Any

from airloom.nodes.sdk import Action, Context


class Nap(Action):
    """Sleep for some seconds."""

    seconds: float = 5

    def run(self, context: Context, value: Any = None) -> dict[str, Any]:
        time.sleep(self.seconds)
        return {"attempt": context.run.attempt}


class Colour(Action, requires="paint:colourful"):
    """Need a library that no one has, but where a folder of that name is on the path."""

    def run(self, value: Any = None) -> str:
        import colourful

        return str(colourful.NAME)
