"""Its own words."""

from __future__ import annotations

from pydantic import Field

from airloom.nodes.sdk import Action, Context, Fired, port


class NewNode(Action, role="choice", outputs=[port("sent"), port("refused")]):
    """Say in one sentence what it does outside, and which port says how that went; here, send a text to the log."""

    longest: int = Field(160, ge=1, description="How many characters a text may have")

    def run(self, text: str, context: Context) -> Fired:
        """Do it, and fire the port that says how it went; a fault that nobody expects is raised instead."""
        if len(text) > self.longest:
            return Fired("refused", {"characters": len(text)})
        context.log.info("text: %s", text)
        return Fired("sent", {"characters": len(text)})
