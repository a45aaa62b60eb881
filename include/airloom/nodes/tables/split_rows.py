"""Rows to several ways."""

from __future__ import annotations

from pydantic import Field, field_validator

from airloom.nodes.sdk import Condition, Example, Part, Query, Relation, Table, each, exp, function, port
from airloom.spec.document import Identifier


class NamedCondition(Part):
    """A condition, and the port of the rows that meet it."""

    name: Identifier = Field(description="The port's name")
    where: Condition = Field(description="A condition in SQL over the columns; where it is null it does not hold")


class SplitRows(
    Table,
    outputs=[each("conditions", name="name", kind="table"), port("other", "table")],
    without_spark="functions of SQL that are not in the list",
):
    """Send each row to the port of the first condition that it meets."""

    conditions: list[NamedCondition] = Field(
        min_length=1, description="Tried in this order; a row that meets none leaves by the port other"
    )

    examples = (
        Example(
            "By size",
            {"conditions": [{"name": "large", "where": "n > 100"}, {"name": "medium", "where": "n > 10"}]},
            {"rows": [{"n": 500}, {"n": 50}, {"n": 5}, {"n": None}]},
            {"large": [{"n": 500}], "medium": [{"n": 50}], "other": [{"n": 5}, {"n": None}]},
        ),
    )

    @field_validator("conditions")
    @classmethod
    def _names_differ(cls, conditions: list[NamedCondition]) -> list[NamedCondition]:
        names = [condition.name for condition in conditions]
        for at, name in enumerate(names):
            if name in ("other", "error"):
                raise ValueError(f"{name!r} is the name of a port that every such node has")
            if name in names[:at]:
                raise ValueError(f"two conditions are called {name!r}")
        return conditions

    def query(self, rows: Relation) -> dict[str, Query]:
        holds = {item.name: _holds(rows.condition(item.where)) for item in self.conditions}
        queries: dict[str, Query] = {}
        earlier: list[exp.Expr] = []
        for name, condition in holds.items():
            queries[name] = rows.where(exp.and_(*earlier, condition))
            earlier.append(exp.not_(condition))
        queries["other"] = rows.where(exp.and_(*earlier))
        return queries


def _holds(condition: exp.Expr) -> exp.Expr:
    return function("coalesce", condition, exp.false())
