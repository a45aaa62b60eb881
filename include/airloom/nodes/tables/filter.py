"""Keep some rows."""

from __future__ import annotations

from pydantic import Field, model_validator

from airloom.nodes.sdk import Condition, Example, Query, Relation, Table
from airloom.nodes.tables._conditions import Criterion, Logic, all_hold


class Filter(Table, order="keeps", without_spark="functions of SQL that are not in the list"):
    """Keep the rows that meet a condition."""

    where: Condition | None = Field(
        None, description="A condition in SQL over the columns; a row for which it is null is left out"
    )
    conditions: list[Criterion] = Field(
        [], description="Instead of `where`: column, operator and value, and groups of such conditions"
    )
    logic: Logic = Field("and", description="Of `conditions`: and, all must hold; or, one is enough")

    examples = (
        Example(
            "Paid orders",
            {"where": "status = 'paid'"},
            {"rows": [{"id": 1, "status": "paid"}, {"id": 2, "status": "open"}]},
            {"rows": [{"id": 1, "status": "paid"}]},
        ),
        Example(
            "Without SQL",
            {
                "conditions": [
                    {"column": "day", "operator": ">=", "value": "2026-01-02"},
                    {
                        "logic": "or",
                        "conditions": [
                            {"column": "status", "operator": "in", "value": ["paid", "sent"]},
                            {"column": "note", "operator": "starts_with", "value": "free"},
                        ],
                    },
                ]
            },
            {
                "rows": [
                    {"id": 1, "day": "2026-01-01", "status": "paid", "note": None},
                    {"id": 2, "day": "2026-01-02", "status": "paid", "note": None},
                    {"id": 3, "day": "2026-01-03", "status": "open", "note": "free of charge"},
                    {"id": 4, "day": "2026-01-03", "status": "open", "note": None},
                ]
            },
            {
                "rows": [
                    {"id": 2, "day": "2026-01-02", "status": "paid", "note": None},
                    {"id": 3, "day": "2026-01-03", "status": "open", "note": "free of charge"},
                ]
            },
        ),
    )

    @model_validator(mode="after")
    def _one_way(self) -> Filter:
        if (self.where is None) == (not self.conditions):
            raise ValueError("give either where (in SQL) or conditions (column, operator, value)")
        return self

    def query(self, rows: Relation) -> Query:
        if self.where is not None:
            return rows.where(rows.condition(self.where))
        return rows.where(all_hold(rows, self.logic, self.conditions, "conditions"))
