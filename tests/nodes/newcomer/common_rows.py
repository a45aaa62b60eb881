"""Rows that several tables share."""

from airloom.nodes.sdk import Example, Query, Relation, Table, exp, nested


class CommonRows(Table):
    """Keep the rows that are in every table, each once."""

    examples = (
        Example("Two tables", {}, {"tables": [[{"n": 1}, {"n": 2}], [{"n": 2}, {"n": 3}]]}, {"rows": [{"n": 2}]}),
    )

    def query(self, *tables: Relation) -> Query:
        parts = [table.select(table.all(tables[0].columns)) for table in tables]
        return parts[0].distinct() if len(parts) == 1 else nested(exp.intersect(*parts), "common")
