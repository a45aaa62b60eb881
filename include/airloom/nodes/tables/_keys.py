"""Keys that two tables meet by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airloom.engine.relation import family
from airloom.engine.types import clashing_names
from airloom.nodes.sdk import Column, ConfigurationError, Relation, cast, exp, function, name_as

Key = tuple[Column, Column]
Pair = tuple[str, str]


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
        ours, theirs = left.resolve(first, field), right.resolve(second, field)
        if left.known and right.known and family(left.type_of(ours)) != family(right.type_of(theirs)):
            raise ConfigurationError(
                f"{ours!r} {sides[0]} is {left.type_of(ours)}, {theirs!r} {sides[1]} {right.type_of(theirs)}",
                field=field,
                hint="cast one of them first",
            )
        found.append((ours, theirs))
    return found


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
        name_as(_key_value(left[name], right[shared[name]], how), name)
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


def _key_value(ours: exp.Column, theirs: exp.Column, how: str) -> exp.Expr:
    if how == "outer":
        return function("coalesce", ours, theirs)
    return theirs if how == "right" else ours
