"""One of several ways."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from airloom.nodes.operators import Rule, each_holds
from airloom.nodes.sdk import Control, Example, Fired, each, port
from airloom.spec.document import Identifier


class NamedRule(Rule):
    """A rule, and the port that fires where it holds."""

    id: Identifier = Field(description="The port's name")


class Switch(Control, outputs=[each("rules", name="id"), port("fallback", when="fallback")]):
    """Send a value on by the first rule that holds."""

    rules: list[NamedRule] = Field(min_length=1, description="Tried in this order; the value leaves by the rule's port")
    fallback: bool = Field(False, description="Whether there is a port for a value that no rule holds for")

    examples = (
        Example(
            "By department",
            {
                "rules": [
                    {"id": "billing", "field": "topic", "operator": "equals", "value": "invoice"},
                    {"id": "urgent", "field": "priority", "operator": "gte", "value": 8},
                ],
                "fallback": True,
            },
            {"value": {"topic": "login", "priority": 9}},
            {"urgent": {"topic": "login", "priority": 9}},
        ),
        Example(
            "None of the rules",
            {"rules": [{"id": "large", "field": "total", "operator": "gt", "value": 100}], "fallback": True},
            {"value": {"total": 12}},
            {"fallback": {"total": 12}},
        ),
        Example(
            "Whether a table has rows",
            {"rules": [{"id": "some", "field": "rows", "operator": "gt", "value": 0}], "fallback": True},
        ),
    )

    @field_validator("rules")
    @classmethod
    def _ports_differ(cls, rules: list[NamedRule]) -> list[NamedRule]:
        names = [rule.id for rule in rules]
        for at, name in enumerate(names):
            if name in ("fallback", "error"):
                raise ValueError(f"{name!r} is the name of another port of this node")
            if name in names[:at]:
                raise ValueError(f"two rules are called {name!r}")
        return rules

    def run(self, value: Any) -> Fired | None:
        """Return the port of the first rule that holds; None, where no rule does and there is no fallback."""
        for rule, holds in zip(self.rules, each_holds(self.rules, value), strict=True):
            if holds:
                return Fired(rule.id, value)
        return Fired("fallback", value) if self.fallback else None
