"""Times as whole numbers, so that windows and distances are exact whatever the type of the time column.

Integers count themselves, other numbers count millionths, dates and times count microseconds (in UTC).
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from airloom.engine.relation import family
from airloom.nodes.sdk import ConfigurationError, Relation, cast, exp, function, literal
from airloom.spec.duration import PATTERN, meant, parse_duration

MILLION = 1_000_000
DAY = 86_400 * MILLION
LARGEST = 2**62
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MONDAY = datetime(1973, 1, 1, tzinfo=UTC)
_CAST_FIRST = "; cast the column to BIGINT before, or divide it"
MOMENTS = ("DATE", "TIMESTAMP", "TIMESTAMPTZ")


def _span(given: Any) -> int | float | str:
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
        return given
    if isinstance(given, str) and re.fullmatch("-?" + PATTERN.strip("^$"), given):
        parse_duration(given.lstrip("-"))
        return given
    advice = meant(given)
    if "month" in advice:
        raise ValueError(
            "a month has no fixed length; write date_trunc('month', …) in derive, and group by it with aggregate"
        )
    raise ValueError(
        f"a length of time is a duration such as 30s, 5m, 2h or 1d, or a number where times are numbers{advice}"
    )


def _sign(given: int | float | str) -> int:
    if isinstance(given, str):
        size = parse_duration(given.lstrip("-"))
        return (-1 if given.startswith("-") else 1) if size else 0
    return (given > 0) - (given < 0)


def _positive(given: int | float | str) -> int | float | str:
    if _sign(given) <= 0:
        raise ValueError("this has to be longer than nothing")
    return given


def _not_negative(given: int | float | str) -> int | float | str:
    if _sign(given) < 0:
        raise ValueError("this cannot be less than nothing")
    return given


def _origin(given: Any) -> int | float | str:
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
        return given
    if isinstance(given, date):
        return given.isoformat()
    try:
        datetime.fromisoformat(given)
    except (TypeError, ValueError):
        raise ValueError(
            "an origin is a time such as 2026-01-31T06:00:00, or a number where times are numbers"
        ) from None
    return str(given)


def _schema(number: dict[str, Any], pattern: str) -> WithJsonSchema:
    text = {"type": "string", "pattern": pattern, "examples": ["30s", "5m", "2h", "1d"]}
    return WithJsonSchema({"anyOf": [{"type": "number", **number}, text]})


Length = Annotated[
    int | float | str, PlainValidator(_span), AfterValidator(_positive), _schema({"exclusiveMinimum": 0}, PATTERN)
]
"""How long: `5m` for dates and times, a number for numbers."""

Distance = Annotated[
    int | float | str, PlainValidator(_span), AfterValidator(_not_negative), _schema({"minimum": 0}, PATTERN)
]
"""How far, at most: zero is allowed."""

Shift = Annotated[int | float | str, PlainValidator(_span), _schema({}, "^-?" + PATTERN[1:])]
"""How far, and in which direction: `-5m` is earlier."""

Origin = Annotated[
    int | float | str,
    PlainValidator(_origin),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "examples": ["2026-01-31T06:00:00"]}]}),
]
"""A time: ISO text (UTC where it names no zone) for dates and times, a number for numbers."""


@dataclass(frozen=True)
class TimeColumn:
    """Name a column of times: its table, its name there, and the config field that says so."""

    rows: Relation
    name: str
    field: str

    @classmethod
    def of(cls, rows: Relation, name: str, field: str) -> TimeColumn:
        """Return the column under the name that the table has for it; raise ColumnError where it is not there."""
        return cls(rows, rows.resolve(name, field), field)

    @property
    def type(self) -> str:
        """Return the column's DuckDB type; raise ColumnsUnknown where only a run can tell."""
        return self.rows.type_of(self.name)

    @property
    def value(self) -> exp.Column:
        """Return the column as an expression."""
        return self.rows[self.name]

    def kind(self) -> str:
        """Return the type that stands for all of its sort: BIGINT, DOUBLE, DATE, TIMESTAMP or TIMESTAMPTZ.

        Raises ConfigurationError where the column holds no times.
        """
        sort = family(self.type)
        if sort == "number":
            return "BIGINT" if "INT" in self.type else "DOUBLE"
        if sort in ("moment", "TIMESTAMPTZ"):
            return "DATE" if self.type == "DATE" else "TIMESTAMP" if sort == "moment" else sort
        raise ConfigurationError(
            f"times are dates, timestamps or numbers; {self.name!r} is {self.type}",
            field=self.field,
            hint="cast the column first, to TIMESTAMP or to a number",
        )


@dataclass(frozen=True)
class Clock:
    """Turn times of one kind into whole numbers, whole numbers into times, and what the config says into both."""

    kind: str

    @classmethod
    def of(cls, *columns: TimeColumn) -> Clock:
        """Return the clock that all the columns share; raise ConfigurationError where they share none."""
        kinds = [column.kind() for column in columns]
        if set(kinds) == {"DATE", "TIMESTAMP"}:
            return cls("TIMESTAMP")
        if len(set(kinds)) > 1:
            left, right = columns
            raise ConfigurationError(
                f"{left.name!r} on the left is {left.type}, {right.name!r} on the right {right.type}",
                field=right.field,
                hint="cast one of them before the join",
            )
        return cls(kinds[0])

    @property
    def origin(self) -> int:
        """Return the number of the time that windows start from where the config names none."""
        return (FIRST_MONDAY - EPOCH) // timedelta(microseconds=1) if self.kind in MOMENTS else 0

    def number(self, column: TimeColumn) -> exp.Expr:
        """Return a time of a column as a whole number; null where there is none, and for an infinite date."""
        if self.kind in MOMENTS:
            plain = column.type in ("TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")
            return exp.UnixMicros(this=column.value if plain else cast(column.value, "TIMESTAMP"))
        if self.kind == "BIGINT":
            return column.value if column.type == "BIGINT" else cast(column.value, "BIGINT")
        scale = re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", column.type)
        value = cast(column.value, f"DECIMAL(38,{scale[1]})" if scale else "DOUBLE")
        whole, rest = function("floor", value), exp.Sub(this=value.copy(), expression=function("floor", value.copy()))
        # One by one: a product of both would be rounded above 2^53 millionths.
        millions = exp.Mul(this=cast(whole, "BIGINT"), expression=literal(MILLION))
        parts = cast(function("round", exp.Mul(this=exp.Paren(this=rest), expression=literal(MILLION))), "BIGINT")
        size, most = function("abs", value.copy()), literal(LARGEST // MILLION)
        too_large: exp.Expr = exp.GT(this=size, expression=most)
        if scale is None:
            # What is infinite, or not a number, is told by the cast of it.
            too_large = exp.Between(this=size, low=most, high=literal(sys.float_info.max))
        # A cast that fails says so: error() may not stand in a window's keys.
        told = cast(literal(f"{column.name!r} holds a time that is too large{_CAST_FIRST}"), "BIGINT")
        return exp.Case().when(too_large, told).else_(exp.Add(this=millions, expression=parts))

    def is_exact(self, column: TimeColumn) -> bool:
        """Tell whether times of a column that differ have numbers that differ."""
        return self.kind != "DOUBLE" and column.type != "TIMESTAMP_NS"

    def time(self, number: exp.Expr) -> exp.Expr:
        """Return the time of a whole number."""
        if self.kind == "BIGINT":
            return number
        if self.kind == "DOUBLE":
            million = literal(MILLION)
            parts = exp.Mod(this=exp.Paren(this=number), expression=million)
            whole = exp.IntDiv(this=exp.Paren(this=number.copy()), expression=million.copy())
            exact = exp.Add(
                this=cast(whole, "DOUBLE"), expression=exp.Div(this=cast(parts, "DOUBLE"), expression=million.copy())
            )
            small = exp.LT(this=function("abs", number.copy()), expression=literal(2**53))
            divided = exp.Div(this=cast(number.copy(), "DOUBLE"), expression=million.copy())
            return exp.Case().when(small, divided).else_(exact)
        moment = exp.UnixToTime(this=number, scale=literal(6))
        if self.kind == "TIMESTAMPTZ":
            return exp.AtTimeZone(this=moment, zone=literal("UTC"))
        return cast(moment, "DATE") if self.kind == "DATE" else moment

    def length(self, given: int | float | str, field: str) -> int:
        """Return a length of time as a whole number; raise ConfigurationError where it does not fit the times."""
        if self.kind not in MOMENTS:
            return self._count(given, field, "write 300 rather than 5m")
        if not isinstance(given, str):
            raise ConfigurationError(
                f"the times are {self.kind}, and {given!r} is not a duration",
                field=field,
                hint="write it with its unit: 30s, 5m, 2h or 1d",
            )
        size = parse_duration(given.lstrip("-")) // timedelta(microseconds=1)
        if self.kind == "DATE" and size % DAY:
            raise ConfigurationError(
                f"the times are days, and {given!r} is not a whole number of them",
                field=field,
                hint="write 1d or 7d, or cast the column to TIMESTAMP first",
            )
        return -size if given.startswith("-") else size

    def instant(self, given: int | float | str, field: str) -> int:
        """Return a time of the config as a whole number; raise ConfigurationError where it does not fit the times."""
        if self.kind not in MOMENTS:
            return self._count(given, field, "write a number")
        if not isinstance(given, str):
            raise ConfigurationError(
                f"the times are {self.kind}, and {given!r} is none",
                field=field,
                hint="write a time such as 2026-01-31T06:00:00",
            )
        moment = datetime.fromisoformat(given)
        utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if self.kind == "DATE" and utc.time() != time():
            raise ConfigurationError(
                f"the times are days, and {given!r} is within one", field=field, hint="write a day such as 2026-01-31"
            )
        return (utc - EPOCH) // timedelta(microseconds=1)

    def _count(self, given: int | float | str, field: str, hint: str) -> int:
        if isinstance(given, str):
            raise ConfigurationError(f"the times are numbers, and {given!r} is none", field=field, hint=hint)
        exact = Decimal(repr(given)) * (1 if self.kind == "BIGINT" else MILLION)
        if exact != exact.to_integral_value():
            wanted = "whole numbers" if self.kind == "BIGINT" else "numbers with at most 6 decimals"
            raise ConfigurationError(
                f"the times are {wanted}, and {given!r} is none",
                field=field,
                hint="round it, or cast the column to DOUBLE first" if self.kind == "BIGINT" else "round it",
            )
        if abs(exact) > LARGEST:
            raise ConfigurationError(f"{given!r} is too large", field=field)
        return int(exact)
