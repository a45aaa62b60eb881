"""Send a message to the desk that speaks its language."""

from typing import Any

from pydantic import Field

from airloom.nodes.sdk import Control, Example, Fired, Part, each, port
from airloom.spec.document import Identifier


class Desk(Part):
    """A desk and the languages that it speaks."""

    name: Identifier = Field(description="The port's name")
    languages: list[str] = Field(min_length=1, description="Codes such as de")


class RouteByLanguage(Control, outputs=[each("desks", name="name"), port("nobody")]):
    """Send a message to the first desk that speaks its language."""

    desks: list[Desk] = Field(description="Tried in this order")

    examples = (
        Example(
            "Two desks",
            {"desks": [{"name": "berlin", "languages": ["de"]}, {"name": "paris", "languages": ["fr", "de"]}]},
            {"message": {"language": "fr", "text": "bonjour"}},
            {"paris": {"language": "fr", "text": "bonjour"}},
        ),
    )

    def run(self, message: dict[str, Any]) -> Fired:
        for desk in self.desks:
            if message.get("language") in desk.languages:
                return Fired(desk.name, message)
        return Fired("nobody", message)
