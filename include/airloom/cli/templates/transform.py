"""Its own words."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airloom.nodes.sdk import DataError, Example, Transform


class NewNode(Transform):
    """Say in one sentence what it does; here, take one field of an object."""

    key: str = Field(min_length=1, description="The name of the field")

    examples = (Example("A name", {"key": "name"}, {"value": {"name": "ann"}}, {"value": "ann"}),)

    def run(self, value: dict[str, Any]) -> Any:
        """Return the field; raise DataError where it is missing."""
        if self.key not in value:
            raise DataError(f"there is no field {self.key!r}", hint=f"fields: {', '.join(value)}")
        return value[self.key]
