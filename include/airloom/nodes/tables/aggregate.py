"""Groups of rows, reduced to one row each."""

from __future__ import annotations

from pydantic import Field, model_validator

from airloom.engine.types import clashing_names
from airloom.nodes.sdk import Column, Example, Query, Relation, Table, name_as, nested
from airloom.nodes.tables._reducers import Measure, counted, reduced


class Aggregate(Table, without_spark="count_distinct_approximate"):
    """Group rows and reduce each group to one row."""

    by: list[Column] = Field([], description="The columns that make a group; without any, all rows are one group")
    measures: dict[str, Measure] = Field({}, description="Name of the new column → the figure in it")

    examples = (
        Example(
            "Revenue by day",
            {
                "by": ["day"],
                "measures": {"revenue": {"op": "sum", "column": "amount"}, "orders": {"op": "count"}},
            },
            {
                "rows": [
                    {"day": "mon", "amount": 10},
                    {"day": "mon", "amount": 5},
                    {"day": "tue", "amount": None},
                ]
            },
            {
                "rows": [
                    {"day": "mon", "revenue": 15, "orders": 2},
                    {"day": "tue", "revenue": None, "orders": 1},
                ]
            },
        ),
        Example(
            "The last price of each product",
            {"by": ["product"], "measures": {"price": {"op": "latest", "column": "price", "by": "day"}}},
            {
                "rows": [
                    {"product": "tea", "day": 1, "price": 3.5},
                    {"product": "tea", "day": 2, "price": 3.75},
                ]
            },
            {"rows": [{"product": "tea", "price": 3.75}]},
        ),
        Example(
            "One row over all",
            {"measures": {"n": {"op": "count"}, "colours": {"op": "sorted_tuple", "column": "colour"}}},
            {"rows": [{"colour": "red"}, {"colour": "blue"}]},
            {"rows": [{"n": 2, "colours": ["blue", "red"]}]},
        ),
    )

    @model_validator(mode="after")
    def _columns_differ(self) -> Aggregate:
        if not self.by and not self.measures:
            raise ValueError("give columns to group by, measures, or both")
        clashes = clashing_names([*self.by, *self.measures])
        if clashes:
            raise ValueError(f"two columns would be called {clashes[0]!r}; give a measure another name")
        return self

    def query(self, rows: Relation) -> Query:
        keys = [name_as(rows[name], rows.resolve(name)) for name in self.by]
        figures = [name_as(reduced(rows, name, measure), name) for name, measure in self.measures.items()]
        source = counted(rows, self.by, self.measures)
        query = nested(source, "counted", [*keys, *figures]) if source else rows.select(keys, figures)
        return query.group_by(*rows.all(self.by), copy=False) if self.by else query
