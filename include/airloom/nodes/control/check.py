"""Is a value as it has to be?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from airloom.nodes.operators import OPERATORS, Rule, each_holds, field_of, opposite, plain_rule
from airloom.nodes.sdk import Control, Example, Fired, port

TOTAL = {"name": "has a total", "field": "total", "operator": "gt", "value": 0}
LINES = {"field": "lines", "operator": "is_not_empty"}


class NamedCheck(Rule):
    """A rule, and what it is called in the results."""

    name: str = Field("", description="What the results call it; its field and operator where empty")

    @property
    def title(self) -> str:
        """Return what the results call it."""
        return self.name or f"{self.field or 'value'} {self.operator}"


class Check(Control, outputs=[port("pass"), port("fail")]):
    """Send a value on by pass where all rules hold, else by fail, with what was checked.

    The port that fires carries an object: `value` is what came, `passed` says whether all rules hold, and `results` has
    an entry for each rule with `check`, `passed`, `actual` and `expected`. Without rules, every value passes.

    A table is not carried on: `value` then holds its columns and how many rows it has. Lead it on by an edge of its
    own, or let a switch send it.
    """

    rules: list[NamedCheck] = Field([], description="All of them have to hold")

    examples = (
        Example(
            "An order that is in order",
            {"rules": [TOTAL, LINES]},
            {"value": {"total": 12, "lines": ["a"]}},
            {
                "pass": {
                    "value": {"total": 12, "lines": ["a"]},
                    "passed": True,
                    "results": [
                        {"check": "has a total", "passed": True, "actual": 12, "expected": 0},
                        {"check": "lines is_not_empty", "passed": True, "actual": ["a"], "expected": None},
                    ],
                }
            },
        ),
        Example(
            "One that is not",
            {"rules": [TOTAL]},
            {"value": {"lines": []}},
            {
                "fail": {
                    "value": {"lines": []},
                    "passed": False,
                    "results": [{"check": "has a total", "passed": False, "actual": None, "expected": 0}],
                }
            },
        ),
    )

    @classmethod
    def never_fires(cls, config: Mapping[str, Any]) -> Mapping[str, tuple[str, str]]:
        """Return fail where nothing is checked, and pass where two rules exclude each other."""
        rules = [plain_rule(entry) for entry in config.get("rules", [])]
        if not rules:
            return {"fail": ("rules", "without rules every value passes")}
        for at, rule in enumerate(rules):
            for earlier in rules[:at]:
                if rule and earlier and opposite(rule, earlier):
                    return {"pass": (f"rules/{at}", "a rule before it says the opposite, and both have to hold")}
        return {}

    def run(self, value: Any) -> Fired:
        results = [
            {
                "check": rule.title,
                "passed": holds,
                "actual": field_of(value, rule.field),
                "expected": None if OPERATORS[rule.operator].unary else rule.value,
            }
            for rule, holds in zip(self.rules, each_holds(self.rules, value), strict=True)
        ]
        passed = all(result["passed"] for result in results)
        return Fired("pass" if passed else "fail", {"value": value, "passed": passed, "results": results})
