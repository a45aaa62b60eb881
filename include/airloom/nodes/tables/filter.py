"""Keep some rows."""

from __future__ import annotations

from pydantic import Field

from airloom.nodes.sdk import Condition, Example, Query, Relation, Table


class Filter(Table, order="keeps"):
    """Keep the rows that meet a condition."""

    where: Condition = Field(description="A condition in SQL over the columns; a row for which it is null is left out")

    examples = (
        Example(
            "Paid orders",
            {"where": "status = 'paid'"},
            {"rows": [{"id": 1, "status": "paid"}, {"id": 2, "status": "open"}]},
            {"rows": [{"id": 1, "status": "paid"}]},
        ),
    )

    def query(self, rows: Relation) -> Query:
        return rows.where(rows.condition(self.where))
