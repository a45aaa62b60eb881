"""Its own words."""

from __future__ import annotations

from pydantic import Field

from airloom.nodes.sdk import Column, Example, Query, Relation, Table, function


class NewNode(Table):
    """Say in one sentence what it does; here, write texts in capitals."""

    columns: list[Column] = Field(min_length=1, description="Columns of text")

    examples = (Example("Names", {"columns": ["name"]}, {"rows": [{"name": "ann"}]}, {"rows": [{"name": "ANN"}]}),)

    def query(self, rows: Relation) -> Query:
        """Return the rows with the columns in capitals."""
        return rows.replace({name: function("upper", rows[name]) for name in self.columns})
