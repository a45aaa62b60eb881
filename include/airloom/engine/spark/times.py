"""Dates and times."""

from __future__ import annotations

import re

from sqlglot import exp

from airloom.engine.spark.types import is_kind, name_of
from airloom.engine.spark.words import as_type, call, number, refused, text

UNITS = frozenset({"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"})
DIGITS = {"Y": r"(\d{1,4}+)", "y": r"(\d{1,2}+)", **dict.fromkeys("mdHMS", r"(\d{1,2}+)")}
LONG_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
MONTHS = tuple(name[:3] for name in LONG_MONTHS)


def _instant(value: exp.Expr) -> exp.Expr:
    return as_type(value.copy(), "TIMESTAMPTZ")


def truncated(node: exp.Expr) -> exp.Expr:
    unit = node.args["unit"].name.upper()
    if unit not in UNITS:
        raise refused(f"date_trunc to {unit.lower()}")
    # Spark's date_trunc gives a time with a zone, which is UTC.
    kind = "TIMESTAMPTZ" if name_of(node.this.type) in ("TIMESTAMPTZ", "TIMESTAMPLTZ") else "TIMESTAMP"
    return as_type(call("date_trunc", text(unit), node.this), kind)


def made_time(node: exp.Expr) -> exp.Expr:
    scale = node.args.get("scale")
    name = {"3": "timestamp_millis", "6": "timestamp_micros"}.get(scale.name if scale is not None else "")
    if name is None:
        raise refused("to_timestamp", "write make_timestamp(microseconds)")
    if name == "timestamp_millis" and is_kind(node.this.type, "day", "moment"):
        # Cut toward zero, as DuckDB does; Spark's own unix_millis goes down.
        return exp.IntDiv(this=call("unix_micros", _instant(node.this)), expression=number(1_000))
    return as_type(call(name, node.this), "TIMESTAMP")


def zoned(node: exp.Expr) -> exp.Expr:
    if node.args["zone"].name.upper() != "UTC":
        raise refused("another time zone than UTC")
    kind = "TIMESTAMP" if name_of(node.this.type) in ("TIMESTAMPTZ", "TIMESTAMPLTZ") else "TIMESTAMPTZ"
    return as_type(node.this, kind)


def micros(node: exp.Expr) -> exp.Expr:
    value = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
    if not is_kind(value.type, "day", "moment"):
        raise refused("epoch_us of what is not a time")
    return call("unix_micros", _instant(value))


def epoch(node: exp.Expr) -> exp.Expr:
    million = as_type(number(1_000_000), "DOUBLE")
    return exp.Div(this=as_type(micros(node), "DOUBLE"), expression=million, typed=True)


def weekday(node: exp.Expr) -> exp.Expr:
    # DuckDB counts from Sunday 0, Spark from Sunday 1.
    return exp.paren(exp.Sub(this=call("dayofweek", node.this), expression=number(1)))


def iso_weekday(node: exp.Expr) -> exp.Expr:
    return exp.paren(exp.Add(this=call("weekday", node.this), expression=number(1)))


def week(node: exp.Expr) -> exp.Expr:
    return call("weekofyear", node.this)


def named_part(node: exp.Expr) -> exp.Expr:
    unit, value = node.expressions
    return part(exp.Extract(this=exp.var(unit.name if unit.is_string else ""), expression=value))


def part(node: exp.Expr) -> exp.Expr:
    name = node.this.name.lower()
    plain = {"year", "quarter", "month", "week", "day", "hour", "minute", "second", "doy", "dow", "isodow"}
    if name not in plain:
        raise refused(f"the part {name!r} of a time", "use the function of that name, or date_parts")
    value = node.expression
    if name in ("dow", "isodow"):
        return (weekday if name == "dow" else iso_weekday)(exp.DayOfWeek(this=value))
    return call({"week": "weekofyear", "doy": "dayofyear"}.get(name, name), value)


def day_difference(node: exp.Expr) -> exp.Expr:
    unit = node.args.get("unit")
    if unit is None or unit.name.upper() != "DAY":
        raise refused("date_diff in other units than days", "use date_difference")
    return call("datediff", *(as_type(part, "DATE") for part in (node.this, node.expression)))


def strptime(node: exp.Expr) -> exp.Expr:
    """Return what try_strptime reads, taken apart by a regular expression: Spark's own formats read other texts."""
    value, form = node.expressions
    if not form.is_string:
        raise refused("try_strptime with such a format", "write it in quotes")
    pattern, places = _form(form.name)
    parts = {
        letter: call("regexp_extract", call("lower", value.copy()), text(pattern), number(at))
        for at, letter in enumerate(places, 1)
    }
    asked = {"year": _year(parts), "month": _month(parts)}
    asked |= {name: _count(parts.get(letter), least) for name, letter, least in _SMALLER}
    seconds = exp.Cast(this=asked.pop("second"), to=exp.DataType.build("DECIMAL(16,6)"))
    made = call("try_make_timestamp_ntz", *asked.values(), seconds)
    # Of a second 60 Spark makes the next minute.
    fits = exp.RegexpLike(this=call("lower", value.copy()), expression=text(pattern))
    whole = exp.LT(this=seconds.copy(), expression=number(60))
    return exp.Case().when(fits, exp.Case().when(whole, made, copy=False), copy=False)


_SMALLER = (("day", "d", 1), ("hour", "H", 0), ("minute", "M", 0), ("second", "S", 0))


def _form(form: str) -> tuple[str, list[str]]:
    """Return the regular expression of a format of strptime, over small letters, and the letters of its groups."""
    made, places = [], []
    for directive, plain in re.findall(r"%-?(.)|([^%]+)", form):
        if plain:
            if re.search(r"\s{2}|[^\x20-\x7e]", plain):
                raise refused(f"the format {form!r}")
            made.append("".join(r"\s+" if sign == " " else re.escape(sign.lower()) for sign in plain))
            continue
        names = {"b": MONTHS, "B": LONG_MONTHS}.get(directive)
        if directive in places or (directive not in DIGITS and names is None):
            raise refused(f"%{directive} in the format {form!r}", "use %Y %y %m %b %B %d %H %M %S, each once")
        places.append(directive)
        made.append(f"({'|'.join(names)})" if names else DIGITS[directive])
    return rf"^\s*{''.join(made)}\s*\z", places


def _count(found: exp.Expr | None, otherwise: int) -> exp.Expr:
    return number(otherwise) if found is None else exp.Cast(this=found, to=exp.DataType.build("INT"))


def _year(parts: dict[str, exp.Expr]) -> exp.Expr:
    if "Y" in parts:
        return _count(parts["Y"], 0)
    if "y" not in parts:
        raise refused("a format without a year", "write one with %Y")
    short = _count(parts["y"], 0)
    late = exp.LT(this=short, expression=number(69))
    century = exp.Case().when(late, number(2000), copy=False).else_(number(1900), copy=False)
    return exp.Add(this=exp.paren(century), expression=short.copy())


def _month(parts: dict[str, exp.Expr]) -> exp.Expr:
    for letter, names in (("b", MONTHS), ("B", LONG_MONTHS)):
        if letter in parts:
            return call("array_position", call("array", *map(text, names)), parts[letter])
    return _count(parts.get("m"), 1)
