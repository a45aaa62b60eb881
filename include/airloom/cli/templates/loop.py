"""Its own words."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airloom.nodes.sdk import DataError, Loop, LoopBody


class NewNode(Loop):
    """Say in one sentence how it repeats its body; here, for each item of a list, in order."""

    most: int = Field(1000, ge=1, description="How many items there may be")

    def run(self, items: list[Any], body: LoopBody) -> list[Any]:
        """Return the results of the body; what fails in it and is not handled there is raised here."""
        if len(items) > self.most:
            raise DataError(f"there are {len(items)} items, and may be {self.most}", hint="raise `most`")
        return [body.run(item, index) for index, item in enumerate(items)]
