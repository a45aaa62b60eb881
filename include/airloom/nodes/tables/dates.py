"""Dates and times: read from text, taken apart, subtracted."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from airloom.engine.relation import family, try_read
from airloom.engine.text_values import digits_together
from airloom.nodes.sdk import (
    Column,
    ConfigurationError,
    Example,
    Query,
    Relation,
    Table,
    cast,
    exp,
    function,
    literal,
    not_null,
)
from airloom.nodes.tables import _columns as columns_of
from airloom.nodes.tables._columns import NewName, failure, refuse_clashes
from airloom.nodes.tables._values import Value, comparable, is_integer

MICROSECONDS = {
    "milliseconds": 1_000, "seconds": 1_000_000, "minutes": 60_000_000, "hours": 3_600_000_000,
    "days": 86_400_000_000, "weeks": 604_800_000_000,
}  # fmt: skip
UNIX = {"unix_seconds": 1_000_000, "unix_milliseconds": 1_000, "unix_microseconds": 1, "unix_nanoseconds": 0}
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999, in seconds since 1970."""

DIRECTIVE = re.compile(r"%(-?.|$)", re.DOTALL)
DIRECTIVES = frozenset("aAwudbBmyYHIpMSfngzZjUWVG")
YEAR = r"\b0\d{3}\b"
CLOCKS = ("", " %H:%M", " %H:%M:%S")
MIDNIGHTS = ("", " 00:00", " 00:00:00")


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def check_format(given: str) -> None:
    """Raise ValueError where a format of strptime is wrong, or has no year."""
    found = [match[1] for match in DIRECTIVE.finditer(given)]
    for directive in found:
        if directive != "%" and directive.removeprefix("-") not in DIRECTIVES:
            other = directive.swapcase()
            near = f"; did you mean %{other}?" if other in DIRECTIVES else ""
            raise ValueError(f"%{directive} in the format {given!r} is not known{near}")
    if not {directive.removeprefix("-") for directive in found} & {"y", "Y", "G"}:
        raise ValueError(f"the format {given!r} has no year; write it as in %d.%m.%Y %H:%M")


class ParseDates(Table, order="keeps", without_spark="formats with other parts than %Y %y %m %b %B %d %H %M %S"):
    """Read dates and times from text or numbers."""

    columns: list[Column] = Field(min_length=1, description="The columns; each is replaced")
    formats: Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str])] = Field(
        [],
        description="How they are written, as strptime has it: %d.%m.%Y %H:%M; or unix_seconds, unix_milliseconds, "
        "unix_microseconds, unix_nanoseconds. Of several, the first that fits counts; where left out, ISO 8601 and "
        "common forms are tried",
    )
    day_first: bool = Field(False, description="Where no format is given: 07/08/2026 is August 7, not July 8")
    type: Literal["TIMESTAMP", "TIMESTAMPTZ", "DATE"] = Field(
        "TIMESTAMP", description="What comes out; a time with a zone is turned to UTC, one without is taken for UTC"
    )
    on_error: Literal["fail", "null"] = Field(
        "fail", description="What becomes of a value that fits no format: an error that stops the step, or null"
    )

    examples = (
        Example(
            "As a form writes them",
            {"columns": ["day"], "formats": "%d.%m.%Y", "type": "DATE"},
            {"rows": [{"day": "31.01.2026"}, {"day": None}]},
            {"rows": [{"day": "2026-01-31"}, {"day": None}]},
        ),
        Example(
            "Common forms; what is none becomes null",
            {"columns": ["at"], "on_error": "null"},
            {"rows": [{"at": "2026-01-31T10:30:00+02:00"}, {"at": "31 Jan 2026"}, {"at": "soon"}]},
            {"rows": [{"at": "2026-01-31T08:30:00"}, {"at": "2026-01-31T00:00:00"}, {"at": None}]},
        ),
        Example(
            "Seconds since 1970",
            {"columns": ["at"], "formats": "unix_seconds"},
            {"rows": [{"at": 1767225600}]},
            {"rows": [{"at": "2026-01-01T00:00:00"}]},
        ),
    )

    @field_validator("formats")
    @classmethod
    def _formats_fit(cls, formats: list[str]) -> list[str]:
        for given in formats:
            if given not in UNIX:
                check_format(given)
            elif len(formats) > 1:
                raise ValueError(f"{given} stands alone: the column holds numbers")
        return formats

    def query(self, rows: Relation) -> Query:
        read = {}
        for at, given in enumerate(self.columns):
            name = rows.resolve(given, f"columns/{at}")
            read[name] = self._read(rows, name, f"columns/{at}")
        return rows.replace(read)

    def _read(self, rows: Relation, name: str, field: str) -> exp.Expr:
        value, kind = rows[name], rows.columns[name]
        if family(kind) in ("moment", "TIMESTAMPTZ"):
            return cast(value, self.type)
        if self.formats and self.formats[0] in UNIX:
            columns_of.number(rows, name, field)
            made = cast(_since_1970(value, kind, UNIX[self.formats[0]]), self.type)
        elif kind == "VARCHAR":
            made = self._tried(value, self.formats) if self.formats else self._common(rows, value)
        else:
            hint = "give unix_seconds or its like as format" if family(kind) == "number" else "cast it to VARCHAR first"
            raise ConfigurationError(f"text is needed here; {name!r} is {kind}", field=field, hint=hint)
        if self.on_error == "null":
            return made
        lost = exp.and_(not_null(value.copy()), exp.Is(this=made.copy(), expression=exp.Null()))
        message = failure(f"{name}: no format fits ", cast(value.copy(), "VARCHAR"))
        return exp.Case().when(lost, cast(message, self.type)).else_(made)

    def _tried(self, value: exp.Expr, formats: list[str]) -> exp.Expr:
        # One call for each: given a list, DuckDB 2.0 takes the zone of one row for that of the next.
        tried = [self._by_format(value, given) for given in formats]
        made = function("coalesce", *tried) if len(tried) > 1 else tried[0]
        # DuckDB reads 'infinity' and 'epoch' by any format.
        return exp.Case().when(function("regexp_matches", value.copy(), r"\d"), made)

    def _by_format(self, value: exp.Expr, given: str) -> exp.Expr:
        made = function("try_strptime", value.copy(), given)
        fits = [function("regexp_matches", value.copy(), pattern) for pattern in digits_together(given)]
        if "%Y" in given:
            # DuckDB takes 26 for %Y as the year 26.
            late = exp.GTE(this=function("year", made.copy()), expression=literal(1000))
            fits.append(exp.or_(late, function("regexp_matches", value.copy(), YEAR)))
        read = cast(made, self.type)
        return exp.Case().when(exp.and_(*fits), read) if fits else read

    def _common(self, rows: Relation, value: exp.Expr) -> exp.Expr:
        days = "%d/%m/%Y" if self.day_first else "%m/%d/%Y"
        forms = {
            r"^\d{1,2}\.\d{1,2}\.\d{4}( |$)": ["%d.%m.%Y"],
            r"^\d{1,2}/\d{1,2}/\d{4}( |$)": [days],
            r"^\d{4}/\d{1,2}/\d{1,2}( \d{1,2}:\d{2}(:\d{2})?)?$": ["%Y/%m/%d"],
            r"^\d{8}$": ["%Y%m%d"],
            r"^\d{1,2} [A-Za-z]+ \d{4}( |$)": ["%d %b %Y", "%d %B %Y"],
            r"^[A-Za-z]+ \d{1,2}, \d{4}( |$)": ["%b %d, %Y", "%B %d, %Y"],
        }
        plain = try_read(value, "VARCHAR", self.type, rows.engine)
        # Nearly all are written in this way, which costs less to see than the patterns.
        made = exp.Case().when(exp.Like(this=value.copy(), expression=literal("____-%")), plain)
        for pattern, given in forms.items():
            formats = [form + clock for form in given for clock in (CLOCKS if self.type != "DATE" else MIDNIGHTS)]
            made = made.when(function("regexp_matches", value.copy(), pattern), self._tried(value, formats), copy=False)
        return made.else_(plain)


def _since_1970(value: exp.Expr, kind: str, factor: int) -> exp.Expr:
    """Return the time of a number of units since 1970, null where it is in no year from 1 to 9999."""
    if is_integer(kind):
        whole = cast(value.copy(), "DECIMAL(38,0)" if kind == "UBIGINT" else "BIGINT")
        micros = exp.Mul(this=whole, expression=literal(factor)) if factor else _divided(whole, 1_000)
    else:
        double = cast(value.copy(), "DOUBLE")
        micros = function("round", exp.Mul(this=double, expression=literal(factor or 0.001)))
    units = {0: 1_000_000_000, 1: 1_000_000, 1_000: 1_000, 1_000_000: 1}[factor]
    there = exp.Between(this=value, low=literal(FIRST_SECOND * units), high=literal(LAST_SECOND * units))
    return exp.Case().when(there, function("make_timestamp", cast(micros, "BIGINT")))


def _divided(whole: exp.Expr, by: int) -> exp.Expr:
    return exp.IntDiv(this=whole, expression=literal(by))


Part = Literal[
    "year", "quarter", "month", "week", "day", "weekday", "day_of_year", "hour", "minute", "second", "iso_year", "date"
]


class DateParts(Table, order="keeps"):
    """Take dates and times apart: year, month, weekday and so on, each into a column."""

    column: Column = Field(description="The column of dates or times; one with a zone is taken apart in UTC")
    parts: list[Part] = Field(
        min_length=1,
        description="weekday: 1 is Monday, 7 Sunday; week: of ISO 8601, it belongs to iso_year; date: the day without "
        "the time; a date has the hour 0",
    )
    prefix: str | None = Field(
        None, description="What stands before the names of the new columns; the column's name and _ where left out"
    )

    examples = (
        Example(
            "Year and weekday",
            {"column": "day", "parts": ["year", "weekday"]},
            {"rows": [{"day": date(2026, 1, 31)}, {"day": None}]},
            {
                "rows": [
                    {"day": "2026-01-31", "day_year": 2026, "day_weekday": 6},
                    {"day": None, "day_year": None, "day_weekday": None},
                ]
            },
        ),
    )

    @field_validator("parts")
    @classmethod
    def _parts_differ(cls, parts: list[str]) -> list[str]:
        refuse_clashes(parts)
        return parts

    def query(self, rows: Relation) -> Query:
        name = columns_of.moment(rows, self.column, "column")
        prefix = f"{name}_" if self.prefix is None else self.prefix
        columns_of.refuse_taken(rows, [prefix + part for part in self.parts], "prefix")
        value = cast(rows[name], "TIMESTAMP")
        return rows.replace({prefix + part: _part(part, value.copy()) for part in self.parts})


def _part(part: str, value: exp.Expr) -> exp.Expr:
    if part == "date":
        return cast(value, "DATE")
    if part == "iso_year":
        # The year of the Thursday of the same week.
        thursday = exp.Add(
            this=function("date_trunc", "week", value), expression=exp.Interval(this=literal("3"), unit=exp.var("DAY"))
        )
        return cast(function("year", thursday), "INTEGER")
    if part == "weekday":
        # Counted from the week's Monday: engines number days in different ways.
        since = exp.paren(
            exp.Sub(this=_micros(value), expression=_micros(function("date_trunc", "week", value.copy())))
        )
        days = _divided(since, MICROSECONDS["days"])
        return cast(exp.Add(this=exp.paren(days), expression=literal(1)), "INTEGER")
    names = {"week": "weekofyear", "day_of_year": "dayofyear"}
    return cast(function(names.get(part, part), value), "INTEGER")


class DateDifference(Table, order="keeps"):
    """Calculate how much time lies between two dates or times."""

    start: Column = Field(description="The column of the earlier time; the difference is negative where it is later")
    end: Column | None = Field(None, description="The column of the later time")
    value: Value | None = Field(None, description="Instead of `end`: one date or time for all rows")
    unit: Literal["milliseconds", "seconds", "minutes", "hours", "days", "weeks", "months", "years"] = Field(
        "days", description="Whole units that have passed; a month has passed on the same day of the next at that hour"
    )
    decimals: bool = Field(
        False, description="With what is left behind the point: 36 hours are 1.5 days; not for months and years"
    )
    name: NewName = Field(description="The column of the result; one of that name is replaced")

    examples = (
        Example(
            "Days to deliver",
            {"start": "ordered", "end": "delivered", "name": "days"},
            {
                "rows": [
                    {"ordered": date(2026, 1, 30), "delivered": date(2026, 2, 2)},
                    {"ordered": date(2026, 1, 30), "delivered": None},
                ]
            },
            {
                "rows": [
                    {"ordered": "2026-01-30", "delivered": "2026-02-02", "days": 3},
                    {"ordered": "2026-01-30", "delivered": None, "days": None},
                ]
            },
        ),
        Example(
            "Age on a day",
            {"start": "born", "value": "2026-02-28", "unit": "years", "name": "age"},
            {"rows": [{"born": date(2000, 2, 28)}, {"born": date(2000, 2, 29)}]},
            {"rows": [{"born": "2000-02-28", "age": 26}, {"born": "2000-02-29", "age": 25}]},
        ),
    )

    @model_validator(mode="after")
    def _one_end(self) -> DateDifference:
        if (self.end is None) == (self.value is None):
            raise ValueError("give what the time runs to: end (a column) or value")
        if self.decimals and self.unit in ("months", "years"):
            raise ValueError("months and years are of different lengths: decimals are for weeks and smaller units")
        return self

    def query(self, rows: Relation) -> Query:
        start = cast(rows[columns_of.moment(rows, self.start, "start")], "TIMESTAMP")
        if self.end is not None:
            end = cast(rows[columns_of.moment(rows, self.end, "end")], "TIMESTAMP")
        else:
            end = cast(comparable(self.value or "", "TIMESTAMP", "value"), "TIMESTAMP")
        if self.unit in ("months", "years"):
            months = _months(start, end)
            return rows.replace({self.name: _divided(exp.paren(months), 12) if self.unit == "years" else months})
        micros = exp.paren(exp.Sub(this=_micros(end), expression=_micros(start)))
        length = MICROSECONDS[self.unit]
        if self.decimals:
            exact = exp.Div(this=cast(micros, "DOUBLE"), expression=cast(literal(length), "DOUBLE"))
            return rows.replace({self.name: exact})
        return rows.replace({self.name: _divided(micros, length)})


def _micros(value: exp.Expr) -> exp.Expr:
    return exp.UnixMicros(this=value.copy())


def _months(start: exp.Expr, end: exp.Expr) -> exp.Expr:
    """Return the whole months from start to end: those of the calendar, less one that is not over."""

    def months(value: exp.Expr) -> exp.Expr:
        years = exp.Mul(this=function("year", value.copy()), expression=literal(12))
        return exp.Add(this=years, expression=function("month", value.copy()))

    def inside(value: exp.Expr) -> exp.Expr:
        return exp.Sub(this=_micros(value), expression=_micros(function("date_trunc", "month", value.copy())))

    between = exp.paren(exp.Sub(this=exp.paren(months(end)), expression=exp.paren(months(start))))
    forward = exp.and_(
        exp.GT(this=between.copy(), expression=literal(0)), exp.LT(this=inside(end), expression=inside(start))
    )
    back = exp.and_(
        exp.LT(this=between.copy(), expression=literal(0)), exp.GT(this=inside(end), expression=inside(start))
    )
    unfinished = exp.Case().when(forward, literal(1)).when(back, literal(-1)).else_(literal(0))
    return exp.Sub(this=between, expression=unfinished)
