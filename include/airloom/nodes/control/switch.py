"""One of several ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from airloom.nodes.operators import Plain, Rule, each_holds, implies, opposite, plain_rule
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

    @classmethod
    def never_fires(cls, config: Mapping[str, Any]) -> Mapping[str, tuple[str, str]]:
        """Return the rules, and the fallback, that rules before them leave no value."""
        found: dict[str, tuple[str, str]] = {}
        before: list[tuple[str, Plain]] = []
        everything: tuple[str, str] | None = None
        for at, entry in enumerate(config["rules"]):
            rule = plain_rule(entry)
            nearer = next((name for name, earlier in before if rule and implies(rule, earlier)), None)
            if everything:
                found[entry["id"]] = (f"rules/{at}", f"{everything[0]!r} or {everything[1]!r} holds before it")
            elif nearer:
                found[entry["id"]] = (f"rules/{at}", f"wherever it holds, {nearer!r} before it does")
            if rule and not everything:
                other = next((name for name, earlier in before if opposite(rule, earlier)), None)
                everything = (other, entry["id"]) if other else None
                before.append((entry["id"], rule))
        if everything and config.get("fallback") is True:
            found["fallback"] = ("fallback", f"{everything[0]!r} or {everything[1]!r} holds for every value")
        return found

    def run(self, value: Any) -> Fired | None:
        """Return the port of the first rule that holds; None, where no rule does and there is no fallback."""
        for rule, holds in zip(self.rules, each_holds(self.rules, value), strict=True):
            if holds:
                return Fired(rule.id, value)
        return Fired("fallback", value) if self.fallback else None
