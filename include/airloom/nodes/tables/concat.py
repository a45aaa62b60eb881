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
from airloom.nodes.tables._columns import as_common, common_type


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
            first = types.setdefault(known, kind)
            if family(first) != family(kind):
                raise ConfigurationError(
                    f"the column {known!r} is {types[known]} in one table and {kind} in another",
                    hint="cast one of them before they meet",
                )
            types[known] = common_type(types[known], kind)
    return types


def _value(table: Relation, name: str, kind: str) -> exp.Alias:
    known = next((known for known in table.columns if known.lower() == name.lower()), None)
    if known is None:
        return name_as(cast(exp.Null(), kind), name)
    return name_as(as_common(table[known], table.columns[known], kind, name), name)
