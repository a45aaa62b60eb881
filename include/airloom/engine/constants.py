"""What binds in SQL and fails in every run: texts compared with what they are not, casts that there are none of.

DuckDB reads a constant, and looks for a cast, only once there is a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from airloom.engine.relation import NUMERIC, Query, family, name_as
from airloom.engine.shapes import QueryError, cast_to_compare
from airloom.engine.types import castable, instead_of_cast, loses_digits
from airloom.spec.problem import suggestion
from airloom.spec.words import with_article

if TYPE_CHECKING:
    from airloom.engine.shapes import Shapes

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_SQLGLOT_NAMES = {"REAL": "FLOAT", "INT": "INTEGER", "TEXT": "VARCHAR"}
_DROPPING = ("number", "moment", "TIMESTAMPTZ", "TIME", "BOOLEAN")
_EXAMPLES = {
    "DATE": "a date such as '2026-01-31'",
    "TIMESTAMP": "a time such as '2026-01-31 12:00:00'",
    "TIMESTAMPTZ": "a time such as '2026-01-31 12:00:00+00'",
    "TIME": "a time such as '12:00:00'",
    "BOOLEAN": "true or false, without quotes",
}


def check_constants(query: Query, shapes: Shapes) -> None:
    """Raise QueryError for the first part of a query, one that binds, that would fail in every run."""
    for node in query.walk():
        if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast):
            _check_cast(node, shapes)
        elif isinstance(node, exp.AtTimeZone):
            _check_zone(node.args["zone"], shapes)
        elif isinstance(node, exp.Union):
            _check_union(node, shapes)
        elif isinstance(node, _COMPARISONS):
            pair = [node.this, node.expression]
            _check_compared(*(reversed(pair) if _is_text(node.this) else pair), shapes=shapes)
        elif isinstance(node, exp.Between):
            _check_compared(node.this, node.args["low"], node.args["high"], shapes=shapes)
        elif isinstance(node, exp.In):
            _check_compared(node.this, *node.expressions, shapes=shapes)


def _is_text(node: exp.Expr) -> bool:
    found = node.unnest()
    return isinstance(found, exp.Literal) and bool(found.is_string)


def _check_compared(value: exp.Expr, *others: exp.Expr, shapes: Shapes) -> None:
    kind = _kind(value, shapes) if others and not _is_text(value) else None
    if kind in (None, '"NULL"'):
        return
    if kind == "VARCHAR":
        _check_column_of_text(others, shapes)
        return
    texts = [other.unnest().name for other in others if _is_text(other)]
    if texts:
        _check_texts(value, kind, texts, shapes)
    for other in others:
        right = None if _is_text(other) else _kind(other, shapes)
        if right is not None and not castable(kind, right) and not castable(right, kind):
            raise QueryError(f"{kind} cannot be compared with {right}", hint=cast_to_compare(kind, right))
        if right == "VARCHAR" and family(kind) in _DROPPING:
            raise QueryError(f"{kind} cannot be compared with {right}", hint=cast_to_compare(kind, right))
        plain = isinstance(value.unnest(), exp.Literal) or isinstance(other.unnest(), exp.Literal)
        if right is not None and not plain and loses_digits(kind, right) == "FLOAT":
            message = f"{kind} is compared with {right} as FLOAT, of which seven digits are right"
            raise QueryError(message, hint="cast the FLOAT to the other type, or both to DOUBLE")


def _check_column_of_text(others: Sequence[exp.Expr], shapes: Shapes) -> None:
    """Refuse values beside a text: DuckDB would cast the text, and drop what it does not know of it."""
    for other in others:
        right = None if _is_text(other) else _kind(other, shapes)
        if right is not None and family(right) in _DROPPING:
            raise QueryError(f"VARCHAR cannot be compared with {right}", hint=cast_to_compare("VARCHAR", right))


def _check_texts(value: exp.Expr, kind: str, texts: list[str], shapes: Shapes) -> None:
    found = shapes.misfit(texts, kind)
    if found is not None:
        text, read = found
        shown = value.sql(dialect="duckdb").replace('"', "") if isinstance(value, exp.Column) else ""
        if read is not None:
            raise _with_zone(text, kind, read)
        message = f"{text!r} is not {with_article(kind)}, which {shown or 'the value beside it'} is"
        raise QueryError(message, hint=_instead(kind, shown or "…", text))


def _with_zone(text: str, kind: str, read: str) -> QueryError:
    """Return the error for a text of which SQL would drop the zone."""
    return QueryError(f"{text!r} has a zone, which a {kind} has not", hint=f"write the time in UTC: '{read}'")


def _instead(kind: str, shown: str, text: str) -> str | None:
    if text.strip().upper() in ("", "NA", "N/A", "NULL", "NONE", "NAN"):
        return f"write {shown} is null for what is missing"
    if NUMERIC.match(kind):
        return "write a number, without quotes"
    name = "TIMESTAMPTZ" if family(kind) == "TIMESTAMPTZ" else kind
    return f"write {_EXAMPLES[name]}" if name in _EXAMPLES else None


def _check_cast(node: exp.Cast, shapes: Shapes) -> None:
    wanted = node.to.sql(dialect="duckdb")
    value = node.this.unnest()
    if _is_text(value):
        found = shapes.misfit([value.name], wanted)
        if found is not None and found[1] is not None:
            raise _with_zone(value.name, wanted, found[1])
        if found is not None:
            raise QueryError(f"{value.name!r} is not {with_article(wanted)}", hint=_instead(wanted, "…", value.name))
        return
    if isinstance(value, exp.Null):
        return
    kind = _kind(value, shapes)
    if kind is not None and not castable(kind, wanted):
        raise QueryError(f"{kind} cannot be cast to {wanted}", hint=instead_of_cast(kind, wanted))


def _check_zone(zone: exp.Expr, shapes: Shapes) -> None:
    zones = shapes.zones() if _is_text(zone) else []
    if zones and zone.name.lower() not in {name.lower() for name in zones}:
        hint = suggestion(zone.name, zones) or "write a name such as Europe/Berlin"
        raise QueryError(f"there is no time zone {zone.name!r}", hint=hint)


def _check_union(node: exp.Union, shapes: Shapes) -> None:
    joined, *sides = (shapes.kinds(part) for part in (node, node.this, node.expression))
    for side in sides:
        for (name, kind), (_, wanted) in zip(side or (), joined or (), strict=False):
            if not castable(kind, wanted):
                message = f"{name!r} is {kind} and stands under a column that is {wanted}"
                raise QueryError(message, hint="cast one of them, or select the columns in the same order")
            lost = loses_digits(kind, wanted)
            if lost:
                message = f"{name!r} is {kind} and stands in one column with {wanted}: a {lost} loses digits of it"
                raise QueryError(message, hint=f"cast it to {lost}, or both to a DECIMAL")


def _kind(value: exp.Expr, shapes: Shapes) -> str | None:
    """Return the type of a part of a query, or None where it says nothing away from its place."""
    plain = value.unnest()
    if isinstance(plain, exp.Literal):
        return "INTEGER" if plain.is_int else "DOUBLE"
    if isinstance(plain, exp.Cast):
        written = plain.to.sql(dialect="duckdb")
        return _SQLGLOT_NAMES.get(written, written)
    select = value.find_ancestor(exp.Select)
    if select is None or select.args.get("from_") is None:
        return None
    table = select.args["from_"].this
    if isinstance(plain, exp.Column) and isinstance(table, exp.Table) and not select.args.get("joins"):
        known = {name.lower(): kind for name, kind in shapes.columns.get(table.name, {}).items()}
        if plain.name.lower() in known:
            return known[plain.name.lower()]
    alone = exp.Select(
        expressions=[name_as(value.copy(), "value")],
        from_=select.args["from_"].copy(),
        joins=[join.copy() for join in select.args.get("joins") or ()],
    )
    found = shapes.kinds(alone)
    return found[0][1] if found else None
