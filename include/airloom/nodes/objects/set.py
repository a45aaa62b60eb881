"""Values made of expressions."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airloom.nodes.sdk import Example, Transform


class Set(Transform):
    """Build a value from expressions."""

    value: Any = Field(description="Any JSON value; each {{ expression }} in it is replaced, also deep inside")

    examples = (
        Example(
            "An object of a parameter and an earlier result",
            {"value": {"region": "{{ params.region }}", "orders": "{{ nodes.orders.rows.rows }}"}},
        ),
        Example("A constant", {"value": [1, 2, 3]}, {}, {"value": [1, 2, 3]}),
    )

    def run(self, value: Any = None) -> Any:
        """Return the configured value; an input only says what has to come before, expressions read it."""
        return self.value
