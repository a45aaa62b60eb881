"""Rows in the place of others."""

from __future__ import annotations

from pydantic import Field

from airloom.engine.relation import NUMBER, family
from airloom.nodes.sdk import (
    Column,
    Columns,
    ConfigurationError,
    Example,
    Query,
    Relation,
    Table,
    column,
    exp,
    function,
    literal,
    name_as,
    nested,
    not_null,
    ordered,
    over,
)
from airloom.nodes.tables._columns import as_common, common_type, fails_where, is_column, resolved
from airloom.nodes.tables._keys import key_text, keys_meet


class UpdateRows(Table, without_spark="keys of DOUBLE without an order"):
    """Put updates in the place of rows with the same key; those with a new key are added."""

    keys: list[Column] = Field(min_length=1, description="The columns that name a row, in both tables; null names none")
    order: list[Column] = Field(
        [], description="Where several updates have one key: the last by these columns counts; left out, this fails"
    )

    examples = (
        Example(
            "One row changes, one is new",
            {"keys": ["id"]},
            {
                "rows": [{"id": 1, "status": "open"}, {"id": 2, "status": "open"}],
                "updates": [{"id": 2, "status": "paid"}, {"id": 3, "status": "open"}],
            },
            {"rows": [{"id": 1, "status": "open"}, {"id": 2, "status": "paid"}, {"id": 3, "status": "open"}]},
        ),
    )

    def query(self, rows: Relation, updates: Relation) -> Query:
        names = resolved(rows, self.keys, "keys")
        self._check_columns(rows, updates)
        left, right = rows.aliased("rows"), updates.aliased("updates")
        equal = exp.and_(*(keys_meet(left, name, right, name) for name in names))
        types = {name: common_type(kind, updates.type_of(name)) for name, kind in rows.columns.items()}
        kept = left.select([_placed(left, name, kind) for name, kind in types.items()])
        kept = kept.join(right.table(), on=equal, join_type="anti", copy=False)
        return nested(exp.union(kept, self._last(updates, names, types), distinct=False, copy=False), "united")

    def _check_columns(self, rows: Relation, updates: Relation) -> None:
        for name in rows.columns:
            if not is_column(updates, name):
                raise ConfigurationError(
                    f"the updates have no column {name!r}",
                    hint="an update is a whole row: add the column with derive, or leave it out with select",
                )
        for name, kind in updates.columns.items():
            if not is_column(rows, name):
                raise ConfigurationError(
                    f"the updates have a column {name!r}, the rows have none", hint="leave it out with select"
                )
            if family(rows.type_of(name)) != family(kind):
                raise ConfigurationError(
                    f"{name!r} is {rows.type_of(name)} in the rows, {kind} in the updates",
                    hint="cast one of them first",
                )

    def _last(self, updates: Relation, keys: list[str], types: Columns) -> Query:
        by = updates.all(keys)
        kept = [_placed(updates, name, kind) for name, kind in types.items()]
        all_columns = updates.all(updates.columns)
        number, one = column(NUMBER), literal(1)
        whole = exp.and_(*(not_null(key.copy()) for key in by))
        if self.order:
            order = updates.all(resolved(updates, self.order, "order"))
            places = [*(ordered(value, descending=True) for value in order), *map(ordered, all_columns)]
            numbered = updates.select(all_columns, **{NUMBER: over(function("row_number"), by, places)})
            chosen: exp.Expr = exp.or_(exp.EQ(this=number, expression=one), exp.not_(whole))
        else:
            numbered = updates.select(all_columns, **{NUMBER: over(function("count", exp.Star()), by)})
            twice = exp.and_(exp.GT(this=number, expression=one), whole)
            chosen = fails_where(twice, "several updates have ", *key_text(updates, keys), "; give an order")
        return nested(numbered, "numbered", kept).where(chosen, copy=False)


def _placed(table: Relation, name: str, kind: str) -> exp.Alias:
    return name_as(as_common(table[name], table.type_of(name), kind, name), name)
