"""Its own words."""

from __future__ import annotations

from pydantic import Field

from airloom.nodes.sdk import Config, Context, Offer


class NewNode(Config):
    """Say in one sentence what it gives to the node that it is wired to; here, a tool that multiplies."""

    factor: float = Field(2, description="What the tool multiplies by")

    def make(self, context: Context) -> list[Offer]:
        """Return what the other node takes: tools here; it is made once, in that node's task."""
        return [
            Offer(
                name="multiply",
                description=f"Multiply a number by {self.factor:g}",
                parameters={
                    "type": "object",
                    "properties": {"number": {"type": "number"}},
                    "required": ["number"],
                },
                effect="pure",
                call=lambda given: given["number"] * self.factor,
            )
        ]
