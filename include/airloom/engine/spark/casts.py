"""Casts: what DuckDB makes of a value of one type as another, said so that Spark makes the same of it."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from airloom.engine.spark.types import Family, SparkUnsupported, is_kind, name_of, spark_type_of
from airloom.engine.spark.words import call, number, number_of, refused, text

SPACE = r"[ \t\n\r\x0B\f]"
NUMBER = rf"^{SPACE}*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+\.?)?{SPACE}*\z"
DOUBLE = rf"^(?i){SPACE}*\+?-?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan){SPACE}*\z"
"""What DuckDB reads as an exact number, and as a DOUBLE; a point may end the one, two signs begin the other."""

DAY = r"^\s*\d{4}-\d{1,2}-\d{1,2}\s*\z"
TIME = r"^\s*\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{1,2}(:\d{1,2}(\.\d{1,6})?)?)?\s*\z"
TIME_WITH_ZONE = r"^\s*\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{1,2}(:\d{1,2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?\s*\z"
ZONED = ("TIMESTAMPTZ", "TIMESTAMPLTZ")
WORDS_OF_TRUTH = r"^(?i)(true|t|yes|y|1|false|f|no|n|0)\z"


def said_cast(node: exp.Expr) -> exp.Expr:
    value, to, given = node.this, node.args["to"], node.this.type
    spark_type_of(to)
    if isinstance(value, exp.Null) or value.name == "raise_error" or _same(given, to):
        return node
    for families, rule in _CASTS.items():
        if is_kind(to, *families):
            return rule(node)
    raise _no_cast(node)


def _same(one: exp.DataType | None, other: exp.DataType) -> bool:
    return one is not None and one.sql("duckdb") == other.sql("duckdb")


def _no_cast(node: exp.Expr, hint: str | None = None) -> SparkUnsupported:
    given = node.this.type
    shown = given.sql("duckdb") if given is not None else "a value of unknown type"
    return refused(f"a cast of {shown} to {node.args['to'].sql('duckdb')}", hint)


def _safe(node: exp.Expr, value: exp.Expr) -> exp.Expr:
    return type(node)(this=value, to=node.args["to"].copy(), **({"safe": True} if _tries(node) else {}))


def _tries(node: exp.Expr) -> bool:
    return isinstance(node, exp.TryCast)


def to_text(node: exp.Expr) -> exp.Expr:
    given = node.this.type
    if is_kind(given, "whole", "truth", "decimal", "day", "text"):
        return node
    if is_kind(given, "moment"):
        return call("concat", node, text("+00")) if name_of(given) in ("TIMESTAMPTZ", "TIMESTAMPLTZ") else node
    raise _no_cast(node, "cast it to DECIMAL first" if is_kind(given, "float") else None)


def _to_whole(node: exp.Expr) -> exp.Expr:
    given = node.this.type
    if is_kind(given, "whole", "truth"):
        return node
    if isinstance(node.this, exp.Literal) or is_kind(given, "decimal"):
        return (
            node
            if isinstance(node.this, exp.Literal) and node.this.is_int
            else _safe(node, call("round", node.this, number(0)))
        )
    if is_kind(given, "float"):
        # DuckDB rounds, half to even; Spark would cut.
        return _safe(node, call("rint", node.this))
    if is_kind(given, "text"):
        # 19 digits before the point and as many behind it: what does not fit a BIGINT is found by the outer cast.
        read = exp.TryCast(this=_bare(node.this), to=exp.DataType.build("DECIMAL(38,18)"), safe=True)
        return _read(node, NUMBER, _safe(node, call("round", read, number(0))))
    raise _no_cast(node)


def _bare(value: exp.Expr) -> exp.Expr:
    """Return the text of a number without the space around it and the point at its end."""
    return call("regexp_replace", value.copy(), text(rf"{SPACE}+|\.{SPACE}*\z"), text(""))


def _read(node: exp.Expr, pattern: str, made: exp.Expr) -> exp.Expr:
    """Return what is read from a text of the right form; what has another one is null, or ends the run."""
    value = node.this
    fits = exp.RegexpLike(this=value.copy(), expression=text(pattern))
    there = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    if _tries(node):
        return exp.Case().when(fits, made, copy=False)
    wanted = node.args["to"].sql("duckdb")
    told = call("raise_error", call("concat", text("Could not convert "), value.copy(), text(f" to {wanted}")))
    failed = exp.Case().when(there, told, copy=False)
    if isinstance(made, exp.Cast) and not isinstance(made, exp.TryCast) and is_kind(node.args["to"], "whole"):
        # Too large for the inner number: null there, and no null to the user.
        made = call("coalesce", made, call("raise_error", text(f"a number does not fit {wanted}")))
    return exp.Case().when(fits, made, copy=False).else_(failed, copy=False)


def _to_float(node: exp.Expr) -> exp.Expr:
    given = node.this.type
    if isinstance(node.this, exp.Literal) or is_kind(given, "whole", "decimal", "truth"):
        return node
    if is_kind(given, "float"):
        if name_of(node.args["to"]) == "FLOAT":
            raise _no_cast(node, "leave it DOUBLE")
        return node
    if is_kind(given, "text") and name_of(node.args["to"]) == "DOUBLE":
        bare = call("regexp_replace", node.this.copy(), text(rf"^{SPACE}*\+?(-(?=(?i)nan))?|{SPACE}+\z"), text(""))
        return _read(node, DOUBLE, _safe(node, bare))
    raise _no_cast(node)


def _to_decimal(node: exp.Expr) -> exp.Expr:
    given, to = node.this.type, node.args["to"]
    if isinstance(node.this, exp.Literal) or is_kind(given, "whole", "decimal", "truth"):
        return node
    if is_kind(given, "text"):
        return _read(node, NUMBER, _safe(node, _bare(node.this)))
    width, scale = (int(part.name) for part in to.expressions) if len(to.expressions) == 2 else (18, 3)
    if not is_kind(given, "float") or name_of(given) == "FLOAT" or width + scale > 37:
        raise _no_cast(node, "cast it to DOUBLE, or to fewer digits")
    # As DuckDB does: scaled, rounded, and only then a decimal; Spark would round the shortest form of the number.
    power = exp.Cast(this=number(10**scale), to=exp.DataType.build("DOUBLE"))
    scaled = call("round", exp.Mul(this=exp.paren(node.this), expression=power), number(0))
    whole = type(node)(this=scaled, to=exp.DataType.build(f"DECIMAL({width},0)"), safe=_tries(node))
    if not scale:
        return whole
    return exp.Cast(this=exp.Mul(this=whole, expression=number_of(f"0.{'0' * (scale - 1)}1")), to=to.copy())


def _to_truth(node: exp.Expr) -> exp.Expr:
    if is_kind(node.this.type, "whole", "truth", "float"):
        return node
    if is_kind(node.this.type, "text"):
        return _read(node, WORDS_OF_TRUTH, node)
    raise _no_cast(node)


def _to_moment(node: exp.Expr) -> exp.Expr:
    if is_kind(node.this.type, "day", "moment") or node.this.is_string:
        return node
    if not is_kind(node.this.type, "text"):
        raise _no_cast(node)
    to = node.args["to"]
    form = DAY if is_kind(to, "day") else TIME_WITH_ZONE if name_of(to) in ZONED else TIME
    # Other forms that DuckDB may know end the run: null in their place would be another answer.
    other = exp.RegexpLike(this=node.this.copy(), expression=text(r"\d|^(?i)\s*(epoch|-?inf)"))
    told = call("raise_error", call("concat", node.this.copy(), text(" is not written as 2026-01-31 18:30:00")))
    strict = exp.Case().when(other, told, copy=False)
    read = exp.RegexpLike(this=node.this.copy(), expression=text(form))
    if _tries(node):
        return exp.Case().when(read, node, copy=False).else_(strict, copy=False)
    there = exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.Null()))
    return exp.Case().when(read, node, copy=False).else_(exp.Case().when(there, told, copy=False), copy=False)


_CASTS: dict[tuple[Family, ...], Callable[[exp.Expr], exp.Expr]] = {
    ("text",): to_text,
    ("whole",): _to_whole,
    ("float",): _to_float,
    ("decimal",): _to_decimal,
    ("truth",): _to_truth,
    ("day", "moment"): _to_moment,
}
