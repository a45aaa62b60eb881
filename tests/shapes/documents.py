"""Documents that several tests of shapes use."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

GREETINGS: Json = {
    "id": "greetings",
    "params": {"word": {"type": "string", "default": "Hello"}},
    "nodes": [
        {"id": "people", "type": "words", "config": {"words": ["Ada", "Bob", "Cleo"]}},
        {"id": "title", "type": "set", "config": {"value": "Dr"}},
        {
            "id": "each",
            "type": "each_item",
            "body": {
                "nodes": [
                    {"id": "greet", "type": "greet", "config": {"word": "{{ params.word }} {{ nodes.title.value }}"}},
                    {"id": "shout", "type": "shout"},
                ],
                "edges": [{"from": "loop.item", "to": "greet"}, {"from": "greet", "to": "shout"}],
                "result": "shout.value",
            },
        },
        {"id": "last", "type": "set", "config": {"value": "{{ nodes.each.value[2] }}"}},
    ],
    "edges": [{"from": "people", "to": "each.items"}, {"from": "each", "to": "last"}],
}
GREETED = ["HELLO DR ADA", "HELLO DR BOB", "HELLO DR CLEO"]


def node(identifier: str, type_name: str, **config: Any) -> Json:
    """Return a node of a document."""
    return {"id": identifier, "type": type_name, **({"config": config} if config else {})}


def edge(source: str, target: str) -> Json:
    """Return an edge of a document."""
    return {"from": source, "to": target}
