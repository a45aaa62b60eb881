"""The rows of several tables as one."""

from __future__ import annotations

from airloom.engine.relation import family
from airloom.nodes.sdk import (
    ConfigurationError,
    Example,
    Query,
    Relation,
    Table,
    cast,
    exp,
    name_as,
    nested,
)


class Concat(Table):
    """Put the rows of several tables under each other; columns meet by name, one that is missing is null."""

    examples = (
        Example(
            "Two years",
            {},
            {"tables": [[{"id": 1, "a": "x"}], [{"b": True, "id": 2}]]},
            {"rows": [{"id": 1, "a": "x", "b": None}, {"id": 2, "a": None, "b": True}]},
        ),
    )

    def query(self, *tables: Relation) -> Query:
        types = _types(tables)
        parts = [table.select([_value(table, name, kind) for name, kind in types.items()]) for table in tables]
        if len(parts) == 1:
            return parts[0]
        return nested(exp.union(*parts, distinct=False, copy=False), "united")


def _types(tables: tuple[Relation, ...]) -> dict[str, str]:
    types: dict[str, str] = {}
    spellings: dict[str, str] = {}
    for table in tables:
        for name, kind in table.columns.items():
            known = spellings.setdefault(name.lower(), name)
            if family(types.setdefault(known, kind)) != family(kind):
                raise ConfigurationError(
                    f"the column {known!r} is {types[known]} in one table and {kind} in another",
                    hint="cast one of them before they meet",
                )
    return types


def _value(table: Relation, name: str, kind: str) -> exp.Alias:
    there = any(known.lower() == name.lower() for known in table.columns)
    return name_as(table[name] if there else cast(exp.Null(), kind), name)
