"""Some items of a list."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airloom.nodes.objects._lists import PATH, at_path
from airloom.nodes.operators import Rule, each_holds
from airloom.nodes.sdk import Example, Transform


class FilterList(Transform):
    """Keep the items of a list that meet all rules.

    Without rules all are kept. What is no list is passed on as it is; a table becomes a list of its rows, of at most
    10,000.
    """

    path: str = Field("", description=PATH)
    rules: list[Rule] = Field([], description="All of them have to hold for an item that is kept")

    examples = (
        Example(
            "Open orders of some size",
            {
                "rules": [
                    {"field": "state", "operator": "not_equals", "value": "paid"},
                    {"field": "total", "operator": "gte", "value": 10},
                ]
            },
            {
                "items": [
                    {"id": 1, "state": "open", "total": 12},
                    {"id": 2, "state": "paid", "total": 90},
                    {"id": 3, "state": "open", "total": 2},
                ]
            },
            {"value": [{"id": 1, "state": "open", "total": 12}]},
        ),
        Example(
            "A list within an object",
            {"path": "body.tags", "rules": [{"operator": "is_not_empty"}]},
            {"items": {"body": {"tags": ["a", "", None, "b"]}}},
            {"value": ["a", "b"]},
        ),
    )

    def run(self, items: Any) -> Any:
        found = at_path(items, self.path)
        if not isinstance(found, list):
            return found
        return [item for item in found if all(each_holds(self.rules, item))]
