"""Its own words."""

from __future__ import annotations

from pydantic import Field

from airloom.nodes.sdk import Batches, Context, Sink, Written


class NewNode(Sink):
    """Say in one sentence what it writes, and where to; here, into the task's log."""

    title: str = Field("row", description="What the log calls a row")

    def run(self, rows: Batches, context: Context) -> Written:
        """Write the rows; a repeat after a failure must not double them."""
        count = 0
        for row in rows.rows():
            context.log.info("%s: %s", self.title, row)
            count += 1
        return Written(count, "the log")
