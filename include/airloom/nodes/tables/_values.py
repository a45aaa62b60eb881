"""Values of a config as SQL literals, read as the column that they meet has its type."""

from __future__ import annotations

import math
import re
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import WithJsonSchema

from airloom.engine.relation import family
from airloom.engine.text_values import value_of
from airloom.nodes.sdk import ConfigurationError, cast, exp

Value = Annotated[
    bool | int | float | str | datetime | date | time | Decimal,
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
"""A value in a config; dates and times stand there as ISO text, or come from an expression as they are."""

INTEGER = re.compile(r"^(U?)(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$")
WHOLE = re.compile(r" *[+-]?\d+ *", re.ASCII)
BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
DECIMAL = re.compile(r"^DECIMAL\((\d+),(\d+)\)$")
NAMES = {
    "number": "a number",
    "VARCHAR": "text",
    "BOOLEAN": "true or false",
    "DATE": "a date such as 2026-01-31",
    "TIME": "a time such as 18:30:00",
    "TIMESTAMPTZ": "a time such as 2026-01-31T18:30:00Z",
    "moment": "a time such as 2026-01-31T18:30:00",
    "UUID": "a UUID",
}


def is_integer(kind: str) -> bool:
    """Tell whether a DuckDB type is one of whole numbers."""
    return INTEGER.match(kind) is not None


def comparable(value: Value, kind: str, field: str) -> exp.Expr:
    """Return a value as a literal to compare a column of type `kind` with; raise ConfigurationError at `field`.

    A whole number may meet 2.5, and a DATE a time of day: it is compared, not stored.
    """
    found = _literal(python_value(value, kind, field), field)
    # A FLOAT holds another number than a DOUBLE of the same digits; a UUID is written as text.
    return cast(found, kind) if kind in ("FLOAT", "UUID") else found


def fitted(value: Value | None, kind: str, field: str) -> exp.Expr:
    """Return a value as a literal of exactly the type `kind`; raise ConfigurationError where it would be changed."""
    if value is None:
        return cast(exp.Null(), kind)
    found = python_value(value, kind, field)
    if not _fits(found, kind) or (isinstance(value, str) and is_integer(kind) and not WHOLE.fullmatch(value)):
        raise ConfigurationError(
            f"{value!r} does not fit a column of type {kind}", field=field, hint="cast the column, or change the value"
        )
    return cast(_literal(found, field), kind)


def _literal(value: Any, field: str) -> exp.Expr:
    from airloom.engine.sql_error import SqlFieldError
    from airloom.engine.sql_value import literal

    try:
        return literal(value)
    except SqlFieldError as error:
        raise ConfigurationError(error.message, field=field, hint=error.hint) from None


def python_value(value: Value, kind: str, field: str) -> Any:
    """Return a value as the Python type that stands for the DuckDB type `kind`; raise ConfigurationError."""
    meant = "DATE" if kind == "DATE" else family(kind)
    if meant not in NAMES:
        raise ConfigurationError(
            f"a value of type {kind} cannot stand in a config",
            field=field,
            hint="take a part of the column first (json_select, flatten), or cast it",
        )
    try:
        return READERS[meant](value, kind)
    except (ValueError, InvalidOperation):
        raise ConfigurationError(
            f"the column is {kind}, and {value!r} is not {NAMES[meant]}",
            field=field,
            hint="cast the column before",
        ) from None


def text_of(value: Any) -> str:
    """Return a value as text: true and false as JSON has them, dates and times in ISO form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date | time) else str(value)


def type_of(values: list[Value], field: str) -> str:
    """Return the DuckDB type that holds all values; raise ConfigurationError where they are of different sorts."""
    if all(isinstance(value, bool) for value in values):
        return "BOOLEAN"
    if not any(isinstance(value, bool) for value in values):
        if all(isinstance(value, int) for value in values):
            return "BIGINT"
        if all(isinstance(value, int | float | Decimal) for value in values):
            return "DOUBLE"
        if all(isinstance(value, datetime) for value in values):
            return "TIMESTAMP"
        if all(isinstance(value, date) and not isinstance(value, datetime) for value in values):
            return "DATE"
        if all(isinstance(value, str) for value in values):
            return "VARCHAR"
    raise ConfigurationError(
        "the values are of different sorts", field=field, hint="write all as numbers, or all as text in quotes"
    )


def _text(value: Any, _kind: str) -> str:
    return text_of(value)


def _boolean(value: Any, _kind: str) -> bool:
    found = value_of(value, "BOOLEAN") if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise ValueError
    return found


def _number(value: Any, kind: str) -> int | float | Decimal:
    found = value_of(value, "number") if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float | Decimal):
        raise ValueError
    if kind in ("FLOAT", "DOUBLE"):
        if isinstance(value, str) and math.isinf(float(found)):
            raise ValueError
        return float(found)
    exact = Decimal(repr(found) if isinstance(found, float) else found)
    if not exact.is_finite():
        raise ValueError
    return int(exact) if exact == exact.to_integral_value() else exact


def _day(value: Any, _kind: str) -> date:
    moment = _moment(value, "TIMESTAMP")
    return moment.date() if moment.time() == time() else moment


def _moment(value: Any, kind: str) -> datetime:
    found = value_of(value, "TIMESTAMPTZ") if isinstance(value, str) else value
    if not isinstance(found, date):
        raise ValueError
    moment = found if isinstance(found, datetime) else datetime.combine(found, time())
    # A time without a zone is one in UTC, here as everywhere.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC) if family(kind) == "TIMESTAMPTZ" else aware.astimezone(UTC).replace(tzinfo=None)


def _time(value: Any, _kind: str) -> time:
    found = value_of(value, "TIME") if isinstance(value, str) else value
    if not isinstance(found, time) or found.tzinfo:
        raise ValueError
    return found


def _uuid(value: Any, _kind: str) -> str:
    return str(uuid.UUID(str(value)))


READERS = {
    "number": _number, "VARCHAR": _text, "BOOLEAN": _boolean, "DATE": _day, "TIME": _time, "TIMESTAMPTZ": _moment,
    "moment": _moment, "UUID": _uuid,
}  # fmt: skip


def _fits(value: Any, kind: str) -> bool:
    whole = INTEGER.match(kind)
    if whole:
        bits = BITS[whole[2]]
        low, high = (0, 2**bits) if whole[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        return isinstance(value, int) and low <= value < high
    if kind == "FLOAT":
        return math.isinf(value) or abs(value) < 3.4e38
    decimal = DECIMAL.match(kind)
    if decimal:
        width, scale = int(decimal[1]), int(decimal[2])
        scaled = Decimal(value).scaleb(scale)
        return scaled == scaled.to_integral_value() and abs(scaled) < 10**width
    return not (kind == "DATE" and isinstance(value, datetime))
