"""Node types of the shapes that no built-in node has yet: a loop, a choosing action, wired nodes."""

from __future__ import annotations

from typing import Any

from airloom.nodes.sdk import (
    Action,
    Config,
    Context,
    Fired,
    Loop,
    LoopBody,
    Offer,
    PipelineId,
    Recall,
    Transform,
    each,
    interface_ports,
)  # fmt: skip


class Words(Transform):
    """Give words."""

    words: list[str]

    def run(self) -> list[Any]:
        return self.words


class Greet(Transform):
    """Put a word before a text."""

    word: str

    def run(self, text: str) -> str:
        return f"{self.word} {text}"


class Shout(Transform):
    """Make a text loud; fail for one that is empty."""

    def run(self, text: str) -> str:
        if not text.strip():
            raise ValueError("there is nothing to shout")
        return text.upper()


class EachItem(Loop):
    """Run the body for each item, in order."""

    def run(self, items: list[Any], body: LoopBody) -> list[Any]:
        return [body.run(item, index) for index, item in enumerate(items)]


class Send(Action, role="choice", outputs=[each("ports")]):
    """Do something outside and say how it went."""

    ports: list[str] = ["sent", "refused"]
    answer: str = "sent"

    def run(self, value: Any) -> Fired:
        return Fired(self.answer, value)


class Dishonest(Action):
    """Choose, though the type does not say so."""

    def run(self, value: Any) -> Any:
        return Fired("value", value)


class Adder(Config):
    """Offer a tool that adds a number."""

    amount: int = 1

    def make(self, context: Context) -> list[Offer]:
        context.log.info("made adder %s", self.amount)
        return [
            Offer(
                name=f"add_{self.amount}",
                description="Add a number",
                parameters={"type": "object", "properties": {"to": {"type": "integer"}}},
                effect="pure",
                call=lambda given: given["to"] + self.amount,
            )
        ]


class Notes(Recall):
    """What tools said."""

    def __init__(self, said: list[Any]) -> None:
        self.said = said


class Notebook(Config):
    """Remember what tools said."""

    to: int

    def make(self, context: Context, *tools: Offer) -> Recall:
        context.log.info("made notebook")
        return Notes([offer.call({"to": self.to}) for offer in tools])


class Assistant(Action, effect="pure"):
    """Answer by what is wired to it."""

    def run(self, value: Any = None, *tools: Offer, memory: Recall | None = None) -> dict[str, Any]:
        said = {offer.name: offer.call({"to": value}) for offer in tools}
        return {"tools": said, "memory": memory.said if isinstance(memory, Notes) else None}


class CallPipeline(Action, inputs=[interface_ports("pipeline")], outputs=[interface_ports("pipeline")]):
    """Have the ports of another pipeline."""

    pipeline: PipelineId

    def run(self, **inputs: Any) -> Any:
        return inputs
