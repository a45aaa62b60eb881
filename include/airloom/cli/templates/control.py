"""Its own words."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airloom.nodes.sdk import Control, Example, Fired, port


class NewNode(Control, outputs=[port("yes"), port("no")]):
    """Say in one sentence what it chooses by; here, whether a field of an object is true."""

    key: str = Field(min_length=1, description="The name of the field")

    examples = (Example("A paid order", {"key": "paid"}, {"value": {"paid": True}}, {"yes": {"paid": True}}),)

    def run(self, value: dict[str, Any]) -> Fired:
        """Fire the port that the value belongs to."""
        return Fired("yes" if value.get(self.key) else "no", value)
