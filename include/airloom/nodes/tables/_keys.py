"""Keys that two tables meet by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airloom.engine.relation import ColumnError, family
from airloom.engine.types import clashing_names
from airloom.nodes.sdk import Column, ConfigurationError, Relation, cast, exp, function, name_as, try_cast
from airloom.nodes.tables._columns import as_common, common_type

Key = tuple[Column, Column]
Pair = tuple[str, str]
FLOATS = ("FLOAT", "DOUBLE")


def pair_of(given: Any) -> Any:
    """Return a key as [left, right] where one name stands for both."""
    if isinstance(given, str):
        return given, given
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise ValueError("a key is a name that both tables have, or [left, right]")
    return given


def pairs(on: Sequence[Pair], left: Relation, right: Relation, sides: Pair) -> list[Pair]:
    """Return the names of the keys as both tables write them; raise ConfigurationError where types cannot be equal.

    `sides` says in messages where a column stands.
    """
    found = []
    for at, (first, second) in enumerate(on):
        field = f"on/{at}"
        ours = left.resolve(first, field)
        try:
            theirs = right.resolve(second, field)
        except ColumnError as error:
            if first == second and left.known:
                error.hint = _names_differ(first, left.type_of(ours), right)
            raise
        if left.known and right.known and family(left.type_of(ours)) != family(right.type_of(theirs)):
            kind = left.type_of(ours)
            alike = _alike(kind, right)
            choice = f"{sides[1]} these are {kind}: {', '.join(alike[:20])}; or " if alike else ""
            raise ConfigurationError(
                f"{ours!r} {sides[0]} is {kind}, {theirs!r} {sides[1]} {right.type_of(theirs)}",
                field=field,
                hint=f"{choice}cast one of them first",
            )
        found.append((ours, theirs))
    return found


def _alike(kind: str, table: Relation) -> list[str]:
    return [name for name, other in table.columns.items() if family(other) == family(kind)]


def _names_differ(name: str, kind: str, right: Relation) -> str:
    """Return how a key is written whose columns have different names."""
    first = next(iter(_alike(kind, right)), "…")
    return f'where the names differ write [["{name}", "{first}"]]; right columns: {", ".join(list(right.columns)[:20])}'


def keys_meet(left: Relation, ours: str, right: Relation, theirs: str) -> exp.Expr:
    """Return the condition that two keys are equal: to the last digit, also where one is exact and one is a float.

    DuckDB compares BIGINT and DECIMAL with DOUBLE, and INTEGER with FLOAT, as the latter, where different numbers are
    one.
    """
    first: exp.Expr = left[ours]
    second: exp.Expr = right[theirs]
    if left.known and right.known:
        kinds = left.type_of(ours), right.type_of(theirs)
        if kinds[0] in FLOATS and kinds[1] not in FLOATS:
            first = _exactly(first, *kinds)
        elif kinds[1] in FLOATS and kinds[0] not in FLOATS:
            second = _exactly(second, kinds[1], kinds[0])
    return exp.EQ(this=first, expression=second)


def _exactly(value: exp.Expr, given: str, kind: str) -> exp.Expr:
    """Return a float as the exact number of another type that it stands for; null where it is none."""
    exact = try_cast(value, kind)
    return exp.Case().when(exp.EQ(this=cast(exact.copy(), given), expression=value.copy()), exact)


def key_text(rows: Relation, keys: Sequence[str]) -> list[str | exp.Expr]:
    """Return the parts of a message that name a row by its keys: id = 7, day = 2026-01-31."""
    parts: list[str | exp.Expr] = []
    for at, name in enumerate(keys):
        parts += [f"{', ' if at else ''}{name} = ", function("coalesce", cast(rows[name], "VARCHAR"), "null")]
    return parts


def columns_of_both(
    left: Relation, right: Relation, keys: Sequence[Pair], suffixes: tuple[str, str], how: str
) -> list[exp.Alias]:
    """Return the columns of two joined tables: those of equal names with their suffixes, a key of both names once.

    Raises ConfigurationError where two columns would be called the same.
    """
    shared = {ours: theirs for ours, theirs in keys if ours.lower() == theirs.lower()}
    others = [name for name in right.columns if name not in shared.values()]
    clashes = {name.lower() for name in clashing_names([*left.columns, *others])}

    def named(side: Relation, name: str, suffix: str) -> exp.Alias:
        return name_as(side[name], name + suffix if name.lower() in clashes else name)

    chosen = [
        name_as(_key_value(left, name, right, shared[name], how), name)
        if name in shared
        else named(left, name, suffixes[0])
        for name in left.columns
    ]
    chosen += [named(right, name, suffixes[1]) for name in others]
    still = clashing_names([item.alias for item in chosen])
    if still:
        raise ConfigurationError(
            f"two columns would be called {still[0]!r}", field="suffixes", hint="choose other suffixes"
        )
    return chosen


def _key_value(left: Relation, ours: str, right: Relation, theirs: str, how: str) -> exp.Expr:
    if how != "outer":
        return right[theirs] if how == "right" else left[ours]
    first, second = left.type_of(ours), right.type_of(theirs)
    kind = common_type(first, second)
    values = as_common(left[ours], first, kind, ours), as_common(right[theirs], second, kind, theirs)
    return function("coalesce", *values)
