"""Its own words."""

from __future__ import annotations

from pydantic import Field

from airloom.nodes.sdk import Batches, Columns, Context, Source


class NewNode(Source):
    """Say in one sentence what it reads, and from where; here, count."""

    count: int = Field(3, ge=0, description="How many rows")

    def describe(self, context: Context) -> Columns:
        """Return the columns, so that a wrong name in a later node is found before the run."""
        return {"number": "BIGINT"}

    def run(self, context: Context) -> Batches:
        """Return the rows; `context.connection(name)` is an Airflow Connection."""
        # A vendor's library is imported here as well, for listing the node types has to be quick.
        import pyarrow

        schema = pyarrow.schema([("number", pyarrow.int64())])
        return Batches.from_rows(({"number": number} for number in range(self.count)), schema)
