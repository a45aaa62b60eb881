"""SQL written by the user."""

from __future__ import annotations

from pydantic import Field, field_validator

from airloom.engine.relation import identifier
from airloom.nodes.sdk import ConfigurationError, Example, Query, Relation, SqlQuery, Table, each, exp, nested
from airloom.spec.document import Identifier


class Sql(
    Table,
    inputs=[each("inputs", kind="table")],
    without_spark="functions of SQL that are not in the list, and subqueries that name columns from outside",
):
    """Run one SELECT over the named inputs."""

    sql: SqlQuery = Field(description="One SELECT in DuckDB's SQL; its tables are the inputs, by their names")
    inputs: list[Identifier] = Field(["rows"], min_length=1, description="The names of the inputs; each one is a port")

    examples = (
        Example(
            "The share of each row",
            {"sql": "SELECT name, n / sum(n) OVER () AS share FROM rows ORDER BY name"},
            {"rows": [{"name": "a", "n": 1}, {"name": "b", "n": 3}]},
            {"rows": [{"name": "a", "share": 0.25}, {"name": "b", "share": 0.75}]},
        ),
        Example(
            "Two inputs",
            {
                "inputs": ["orders", "customers"],
                "sql": "SELECT c.name, count(o.id) AS orders FROM customers c LEFT JOIN orders o ON o.customer = c.id "
                "GROUP BY c.name",
            },
            {"orders": [{"id": 1, "customer": 7}], "customers": [{"id": 7, "name": "Ada"}, {"id": 8, "name": "Bob"}]},
            {"rows": [{"name": "Ada", "orders": 1}, {"name": "Bob", "orders": 0}]},
        ),
    )

    @field_validator("inputs")
    @classmethod
    def _names_differ(cls, inputs: list[str]) -> list[str]:
        if len(set(inputs)) < len(inputs):
            raise ValueError("every input has a name of its own")
        return inputs

    def query(self, **tables: Relation) -> Query:
        from airloom.engine.sql_field import parse_query

        columns = {name: table.columns if table.known else None for name, table in tables.items()}
        parsed = parse_query(self.sql, self.sql.values, columns)
        for part in parsed.find_all(exp.CTE):
            if part.alias.lower() in tables:
                raise ConfigurationError(
                    f"{part.alias!r} is an input and cannot be a part of the query, too",
                    field="sql",
                    hint="give the part behind WITH another name",
                )
        for found in list(parsed.find_all(exp.Table)):
            relation = tables.get(found.name.lower())
            if relation is not None:
                # The user's columns may be qualified by the name that stood here: it stays as the alias.
                if not found.alias:
                    found.set("alias", exp.TableAlias(this=identifier(found.name)))
                found.set("this", identifier(relation.name))
        return parsed if isinstance(parsed, exp.Select) else nested(parsed, "united")
