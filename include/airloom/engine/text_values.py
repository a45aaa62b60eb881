"""Texts as values: which texts are of a type, and the SQL that reads one, null where it is of another.

DuckDB's own casts take more, and drop what they do not know: the time of a text for a date, a zone, PM, a fraction.
Files, casts, rules and conditions all read texts by what stands here.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

from airloom.engine.quoting import sql_literal
from airloom.spec.words import with_article

FLOATING = ("DOUBLE", "FLOAT")
_WHOLE = {
    "TINYINT": 1 << 7, "SMALLINT": 1 << 15, "INTEGER": 1 << 31, "BIGINT": 1 << 63,
    "UTINYINT": 1 << 8, "USMALLINT": 1 << 16, "UINTEGER": 1 << 32, "UBIGINT": 1 << 64,
    "HUGEINT": 1 << 127, "UHUGEINT": 1 << 128,
}  # fmt: skip
"""The types of whole numbers with the first number that is too large."""

_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")
_DAY, _GIVEN_DAY = r"\d{4}-\d{2}-\d{2}", r"\d{4}(?:-\d{1,2}-|/\d{1,2}/)\d{1,2}"
_CLOCK, _GIVEN_CLOCK = (rf"{hour}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?" for hour in (r"\d{2}", r"\d{1,2}"))
_ZONE = r" ?(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?|[A-Z][A-Za-z]+(/[A-Z][A-Za-z_]+)+)"
_MIDNIGHT = r"[ T]00:00(:00([.]0+)?)?(Z|[+-]00(:?00)?)?"
_FLOAT = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"


@dataclass(frozen=True)
class TextForm:
    """Say how values are written: what stands in numbers, formats of strptime, and whether the type was found out.

    A type that was found out takes what it was found by alone: no digits behind a leading zero. `portable` asks for SQL
    that every engine knows: DuckDB sees usual texts sooner by functions of its own.
    """

    point: str = "."
    thousands: str | None = None
    date_format: str | None = None
    timestamp_format: str | None = None
    found: bool = False
    portable: bool = False


PLAIN = TextForm()


def form_of(options: Mapping[str, object], name: str) -> TextForm:
    """Return how a column of a text file is written, as the options of its reader say."""
    declared = options.get("columns")
    names = {column.lower() for column in declared} if isinstance(declared, Mapping) else set()
    written: dict[str, Any] = {
        field: str(options[option]) if options.get(option) else None
        for field, option in (
            ("thousands", "thousands"), ("date_format", "dateformat"), ("timestamp_format", "timestampformat"),
        )
    }  # fmt: skip
    return TextForm(point=str(options.get("decimal_separator", ".")), found=name.lower() not in names, **written)


def whole_limit(kind: str) -> int | None:
    """Return the first number that is too large for a type of whole numbers, or None for any other type."""
    decimal = _DECIMAL.fullmatch(kind)
    return 10 ** int(decimal[1]) if decimal and decimal[2] == "0" else _WHOLE.get(kind)


def read_text(text: str, kind: str, form: TextForm = PLAIN) -> str | None:
    """Return the SQL for the value of an SQL text, null where it is none of the type.

    Return None for a type of which any text may be, or that DuckDB's own cast tells: VARCHAR, UUID.
    """
    if kind.endswith("[]") and kind.strip("[]") != "VARCHAR":
        depth = (len(kind) - len(kind.rstrip("[]"))) // 2
        return _items(f"TRY_CAST({text} AS VARCHAR{'[]' * depth})", "VARCHAR" + "[]" * depth, kind, form)
    kind = "TIMESTAMPTZ" if kind == "TIMESTAMP WITH TIME ZONE" else kind
    if whole_limit(kind) or kind in FLOATING or _DECIMAL.fullmatch(kind):
        return _number(text, kind, form)
    if kind == "BOOLEAN":
        plain = f"lower(trim({text}))"
        same = f"WHEN {text} = 'true' THEN true WHEN {text} = 'false' THEN false"
        return f"CASE {same} WHEN {plain} = 'true' THEN true WHEN {plain} = 'false' THEN false END"
    if kind == "DATE" and form.date_format:
        return by_format(text, form.date_format, kind)
    if kind in ("TIMESTAMP", "TIMESTAMPTZ") and form.timestamp_format:
        return by_format(text, form.timestamp_format, kind)
    day, clock = (_DAY, _CLOCK) if form.found else (_GIVEN_DAY, _GIVEN_CLOCK)
    if kind == "DATE":
        usual = f"{text} LIKE '____-__-__' AND {_starts_right(text)}"
        return _moment(text, kind, kind, usual, day if form.found else f"{day}({_MIDNIGHT})?", form)
    if kind == "TIME":
        usual = f"strlen({text}) = 8 AND CAST(TRY_CAST({text} AS TIME) AS VARCHAR) = {text}"
        return _moment(text, kind, kind, usual, clock, form)
    if kind in ("TIMESTAMP", "TIMESTAMPTZ"):
        right = f"{_starts_right(text)} AND NOT contains({text}, ': ')"
        usual = f"{text} LIKE '____-__-__ __:__:__' AND {right}"
        others = "____-__-__T__:__:__Z", "____-__-__T__:__:__.___Z"
        usual += f" OR ({' OR '.join(f'{text} LIKE {sql_literal(other)}' for other in others)}) AND {right}"
        return _moment(text, kind, "TIMESTAMPTZ", usual, f"{day}([ T]{clock}({_ZONE})?)?", form)
    return None


def read_json_text(text: str, kind: str, form: TextForm = PLAIN) -> str | None:
    """Return the SQL of `read_text` for a value of JSON as text: 2.0 is whole, for JSON has one kind of number."""
    whole = f"CASE WHEN ends_with({text}, '.0') THEN left({text}, -2) ELSE {text} END"
    return read_text(f"({whole})" if whole_limit(kind) else text, kind, form)


def read_value(value: str, given: str, kind: str, form: TextForm = PLAIN) -> str | None:
    """Return the SQL of `read_text` for an SQL value of the type `given`: text, JSON, or a list of them.

    Return None for a value of another type, and where `read_text` does.
    """
    if given == "JSON" and kind.endswith("[]"):
        return _items(f"TRY_CAST({value} AS JSON[])", "JSON[]", kind, form)
    if given.endswith("[]"):
        return _items(value, given, kind, form) if kind.endswith("[]") else None
    if given == "JSON":
        return read_json_text(text_of_value(value, given), kind, form)
    return read_text(text_of_value(value, given), kind, form) if _is_text(given) else None


def text_of_value(value: str, given: str) -> str:
    """Return the SQL for the text of an SQL value of the type `given`; null of JSON is null."""
    if given == "JSON":
        # ->> writes numbers anew, with fewer digits.
        return (
            f"(CASE json_type({value}) WHEN 'VARCHAR' THEN {value} ->> '$' WHEN 'NULL' THEN NULL "
            f"ELSE CAST({value} AS VARCHAR) END)"
        )
    return value if given == "VARCHAR" else f"CAST({value} AS VARCHAR)"


def _is_text(kind: str) -> bool:
    return kind == "VARCHAR" or kind.startswith("ENUM(")


def _items(items: str, given: str, kind: str, form: TextForm) -> str | None:
    """Return the SQL for the items of a list, null where one of them is of another type."""
    name = f"item_{kind.count('[]')}"
    inner = read_value(name, given[:-2], kind[:-2], form)
    if inner is None:
        if given[:-2] not in ("VARCHAR", "JSON") or kind[:-2] in ("VARCHAR", "JSON"):
            return None
        inner = f"TRY_CAST({name} AS {kind[:-2]})"
    lost = f"list_filter({items}, lambda {name}: {name} IS NOT NULL AND {inner} IS NULL)"
    return f"CASE WHEN len({lost}) = 0 THEN list_transform({items}, lambda {name}: {inner}) END"


def value_of(text: str, family: str) -> bool | float | Decimal | date | datetime | time:
    """Return the value of a text as `read_text` reads it: a number, BOOLEAN, DATE, TIME, TIMESTAMP, TIMESTAMPTZ.

    A date is one at midnight, a time with a zone one in UTC. Raises ValueError where the text is none of the family.
    """
    plain = text.strip(" ")
    if family == "number" and re.fullmatch(_FLOAT, plain, re.ASCII):
        return Decimal(plain)
    if family == "BOOLEAN" and plain.lower() in ("true", "false"):
        return plain.lower() == "true"
    if family == "TIME" and re.fullmatch(_GIVEN_CLOCK, plain, re.ASCII):
        return _clock_of(plain)
    if family == "DATE" and re.fullmatch(f"{_GIVEN_DAY}({_MIDNIGHT})?", plain, re.ASCII):
        return _day_of(plain)
    parts = re.fullmatch(f"({_GIVEN_DAY})([ T]({_GIVEN_CLOCK})({_ZONE})?)?", plain, re.ASCII)
    if family not in ("TIMESTAMP", "TIMESTAMPTZ") or not parts:
        raise ValueError(f"{text!r} is not {with_article(family)}")
    clock, zone = parts[3] or "00:00", (parts[6] or "Z").strip()
    next_day = re.fullmatch(r"24:00(:00(\.0+)?)?", clock) is not None
    moment = datetime.combine(_day_of(parts[1]), time() if next_day else _clock_of(clock), _zone_of(zone))
    moment = moment.astimezone(UTC) + timedelta(days=next_day)
    return moment if family == "TIMESTAMPTZ" else moment.replace(tzinfo=None)


def _day_of(text: str) -> date:
    return date(*(int(part) for part in re.split("[-/ T]", text)[:3]))


def _clock_of(text: str) -> time:
    hour, minute, second = (f"{text}:0" if text.count(":") == 1 else text).split(":")
    whole, _, fraction = second.partition(".")
    return time(int(hour), int(minute), int(whole), int(fraction[:6].ljust(6, "0")))


def _zone_of(text: str) -> tzinfo:
    if text in ("Z", "UTC", "GMT"):
        return UTC
    if text[0] in "+-":
        digits = text[1:].replace(":", "").ljust(4, "0")
        length = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return timezone(-length if text[0] == "-" else length)
    try:
        return zoneinfo.ZoneInfo(text)
    except zoneinfo.ZoneInfoNotFoundError:
        raise ValueError(f"there is no zone {text!r}") from None


def must_read_text(text: str, kind: str, form: TextForm) -> str | None:
    """Return the SQL of `read_text` that ends the query where the text is none of the type."""
    return must_be(text, read_text(text, kind, form))


def must_be(text: str, value: str | None, message: str = "'the text does not fit'") -> str | None:
    """Return the SQL of a value that ends the query, with an SQL message, where there is a text and no value."""
    return f"coalesce({value}, CASE WHEN {text} IS NOT NULL THEN error({message}) END)" if value else None


def must_read_value(value: str, given: str, kind: str, name: str, form: TextForm = PLAIN) -> str | None:
    """Return the SQL of `read_value` that ends the query where the value is none of the type, and says `name`."""
    text, before, behind = (
        text_of_value(value, given),
        sql_literal(f"{name}: '"),
        sql_literal(f"' is not {with_article(kind)}"),
    )
    return must_be(text, read_value(value, given, kind, form), f"concat({before}, {text}, {behind})")


def by_format(text: str, given: str, kind: str) -> str:
    """Return the SQL for the time of a text in a format of strptime, null where it has another."""
    value = f"try_strptime({text}, {sql_literal(given)})"
    # DuckDB reads 'infinity' and 'epoch' by any format, and 26 for %Y as the year 26.
    fits = f"regexp_matches({text}, '[0-9]')"
    if "%Y" in given:
        fits += f" AND (year({value}) >= 1000 OR regexp_matches({text}, '\\b0[0-9]{{3}}\\b'))"
    for pattern in digits_together(given):
        fits += f" AND regexp_matches({text}, {sql_literal(pattern)})"
    return f"CASE WHEN {fits} THEN CAST({value} AS {kind}) END"


_DIGITS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2, "j": 3}
_TOGETHER = re.compile(r"(\d*(?:%[YymdHIMSj]\d*){2,})(%[fgn])?")


def digits_together(given: str) -> list[str]:
    """Return the patterns of texts in a format of strptime, for parts of it that touch: `%Y%m%d` is eight digits.

    With fewer, 2026111 would be January 11 as well as November 1.
    """
    patterns = []
    for parts, fraction in _TOGETHER.findall(given):
        count = sum(_DIGITS[part] for part in re.findall("%(.)", parts)) + len(re.sub("%.", "", parts))
        patterns.append(f"(^|[^0-9])[0-9]{{{count}{f',{count + 9}' if fraction else ''}}}([^0-9]|$)")
    return patterns


def reason(value: str, kind: str, form: TextForm) -> str:
    """Return why a text is not a value of a type."""
    plain = value.strip()
    if kind in FLOATING and re.fullmatch(r"[+-]?(nan|inf|infinity)", plain, re.IGNORECASE):
        return f"{value!r} is not a number; name it in null_values to read null"
    if form.thousands:
        plain = plain.replace(form.thousands, "")
    plain = plain.replace(".", "_").replace(form.point, ".") if form.point != "." else plain
    digits = re.fullmatch(r"[+-]?([0-9]+)(\.[0-9]*)?([eE][+-]?[0-9]+)?", plain)
    if digits and kind in FLOATING and not (form.thousands or (form.found and digits[1].startswith("0"))):
        return (
            f"{value!r} does not fit {with_article(kind)}"
            if abs(float(plain)) < 1e38
            else f"{value!r} is too large for a {kind}"
        )
    if digits and form.found and re.match("0[0-9]", digits[1]):
        return f"{value!r} is not {with_article(kind)}; with a leading zero it is text: name the type in columns"
    if digits and not digits[3] and (not digits[2] or _DECIMAL.fullmatch(kind)) and kind != "BOOLEAN":
        fits = whole_limit(kind) or _DECIMAL.fullmatch(kind)
        grouped = form.thousands and form.thousands in value
        return (
            f"{value!r} does not fit {with_article(kind)}"
            if fits and not grouped
            else f"{value!r} is not {with_article(kind)}"
        )
    given = {"DATE": form.date_format, "TIMESTAMP": form.timestamp_format, "TIMESTAMPTZ": form.timestamp_format}
    shown = given.get(kind)
    return (
        f"{value!r} is not {with_article(kind)} in the format {shown}"
        if shown
        else f"{value!r} is not {with_article(kind)}"
    )


def _number(text: str, kind: str, form: TextForm) -> str:
    plain, point = text, re.escape(form.point)
    if form.thousands or form.point != ".":
        groups = rf"\d{{1,3}}({re.escape(form.thousands)}\d{{3}})+|" if form.thousands else ""
        pattern = rf" *[+-]?(({groups}\d+)({point}\d*)?|{point}\d+)([eE][+-]?\d+)? *"
        plain = f"replace({text}, {sql_literal(form.thousands)}, '')" if form.thousands else text
        plain = f"replace({plain}, {sql_literal(form.point)}, '.')" if form.point != "." else plain
        plain = f"CASE WHEN regexp_full_match({text}, {sql_literal(pattern)}) THEN {plain} END"
    value = f"TRY_CAST({plain} AS {kind})"
    whole = r"(0|[1-9]\d*)" if form.found else r"\d+"
    if whole_limit(kind):
        # Nearly all come back as they were, which costs less to see than a pattern.
        same = "" if form.portable else f"WHEN CAST({value} AS VARCHAR) = {plain} THEN {value} "
        return f"CASE {same}WHEN {_fits(plain, rf' *[+-]?{whole} *')} THEN {value} END"
    if kind in FLOATING and form.portable:
        largest = "1.7976931348623157e308" if kind == "DOUBLE" else "3.4028235e38"
        return f"CASE WHEN {_fits(plain, f' *{_FLOAT} *')} AND abs({value}) <= {largest} THEN {value} END"
    if kind in FLOATING:
        # DuckDB's own cast is right but for 1_000, and, where a type was found out, for digits behind a zero.
        usual = f"isfinite({value}) AND strlen({plain}) < 16 AND NOT contains({plain}, '_')"
        if form.found:
            usual += "".join(f" AND NOT ({plain} >= '{sign}00' AND {plain} < '{sign}0:')" for sign in ("", "-", "+"))
        fits = _fits(plain, rf" *[+-]?({whole}(\.\d*)?|\.\d+)([eE][+-]?\d+)? *")
        if form.found:
            exact = f"TRY_CAST({plain} AS DECIMAL(38,0)) = TRY_CAST({value} AS DECIMAL(38,0))"
            fits += f" AND (strlen({plain}) < 16 OR NOT regexp_full_match({plain}, ' *[+-]?[0-9]+ *') OR {exact})"
        return f"CASE WHEN {usual} THEN {value} WHEN {fits} AND isfinite({value}) THEN {value} END"
    decimal = _DECIMAL.fullmatch(kind)
    scale = decimal[2] if decimal else "0"
    fits = _fits(plain, rf" *[+-]?({whole}(\.\d{{0,{scale}}}0*)?|\.\d{{1,{scale}}}0*) *")
    power = _fits(plain, r" *[+-]?(\d{1,8}(\.\d{0,7})?|\.\d{1,7})[eE][+-]?\d{1,2} *")
    # DuckDB refuses 12345678e-2 for a DECIMAL(8,2), whose digits it counts before it moves the point.
    wide = f"TRY_CAST({plain} AS DECIMAL(38,{scale}))"
    power = f"{power} AND CAST({wide} AS DOUBLE) = TRY_CAST({plain} AS DOUBLE)"
    same = "" if form.portable else f"WHEN CAST({value} AS VARCHAR) = {plain} THEN {value} "
    return f"CASE {same}WHEN {fits} THEN {value} WHEN {power} THEN TRY_CAST({wide} AS {kind}) END"


def _moment(text: str, kind: str, read: str, usual: str, pattern: str, form: TextForm) -> str:
    # Nearly all are written in the usual way, which costs less to see than a pattern.
    same = "" if form.portable else f"WHEN {usual} THEN TRY_CAST({text} AS {kind}) "
    plain = f"trim({text})"
    if read == "TIMESTAMPTZ":
        # Behind a space, DuckDB looks for the name of a zone.
        plain = f"replace(replace({plain}, ' +', '+'), ' -', '-')"
    value = f"TRY_CAST({plain} AS {read})"
    return f"CASE {same}WHEN {_fits(text, f' *{pattern} *')} THEN CAST({value} AS {kind}) END"


def _starts_right(text: str) -> str:
    """Return the SQL for whether a text starts with a digit but 0: no year before 1000, no sign, no space."""
    return f"{text} >= '1' AND {text} < ':'"


def _fits(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {sql_literal(pattern)})"
