"""Values as they stand in SQL: typed literals."""

from __future__ import annotations

import functools
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlglot import exp

from airloom.engine.sql_error import SqlFieldError
from airloom.spec.expression import Declared


def literal(value: Any) -> exp.Expr:
    """Return a value as a typed literal; raise SqlFieldError for what has no place in SQL.

    A whole number is an INTEGER, or the next larger type that holds it; a text is cast to VARCHAR: so that a query
    has the same types before a run, when only the declared types are known.
    """
    if isinstance(value, Declared):
        return _cast(exp.null(), value.type) if value.type else exp.null()
    if value is None:
        return exp.null()
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _cast(exp.Literal.string(repr(value)), "double")
    if isinstance(value, str):
        return _cast(exp.Literal.string(_encodable(value)), "varchar")
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, datetime):
        return _cast(exp.Literal.string(value.isoformat(" ")), "timestamptz" if value.tzinfo else "timestamp")
    if isinstance(value, date):
        return _cast(exp.Literal.string(value.isoformat()), "date")
    if isinstance(value, time) and value.tzinfo is None:
        return _cast(exp.Literal.string(value.isoformat()), "time")
    if isinstance(value, list | tuple):
        return exp.Array(expressions=[literal(item) for item in value])
    hint = "give one of its fields, or {{ value | tojson }} for its text"
    raise SqlFieldError(f"a value of type {type(value).__name__} cannot stand in SQL", hint=hint)


def _cast(value: exp.Expr, type_name: str) -> exp.Expr:
    return exp.Cast(this=value, to=_type(type_name).copy())


@functools.lru_cache(maxsize=100)
def _type(name: str) -> exp.DataType:
    return exp.DataType.build(name, dialect="duckdb")


def _integer(value: int) -> exp.Expr:
    for bits, name in ((31, "int"), (63, "bigint"), (127, "int128")):
        if -(2**bits) <= value < 2**bits:
            return _cast(exp.Literal.string(str(value)), name)
    raise SqlFieldError("a whole number this large cannot stand in SQL")


def _decimal(value: Decimal) -> exp.Expr:
    if not value.is_finite():
        return literal(float(value))
    text = format(value, "f")
    scale = len(text.partition(".")[2])
    width = max(len(text.strip("-").replace(".", "")), scale + 1)
    if width > 38:
        raise SqlFieldError("a decimal number has at most 38 digits in SQL")
    return _cast(exp.Literal.string(text), f"decimal({width}, {scale})")


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SqlFieldError("a text with half a surrogate pair cannot stand in SQL") from None
    if "\0" in text:
        raise SqlFieldError("a text with a zero byte cannot stand in SQL")
    return text
