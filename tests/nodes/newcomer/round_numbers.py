"""Round numbers."""

from pydantic import Field

from airloom.nodes.sdk import Column, Query, Relation, Table, function


class RoundNumbers(Table):
    """Round columns of numbers."""

    columns: list[Column] = Field(min_length=1, description="Columns that hold numbers")
    digits: int = Field(2, ge=0, description="How many digits stay behind the point")

    def query(self, rows: Relation) -> Query:
        return rows.replace({name: function("round", rows[name], self.digits) for name in self.columns})
