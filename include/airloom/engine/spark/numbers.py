"""Arithmetic: Spark ends a run where DuckDB gives an infinite number, and rounds in other ways."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from airloom.engine.spark.types import is_kind, name_of
from airloom.engine.spark.words import as_type, call, number, refused, text

UNITS = frozenset({"YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"})


def arithmetic(node: exp.Expr) -> exp.Expr:
    kinds = {name_of(part.type) for part in (node.this, node.expression)}
    if "FLOAT" in kinds and kinds != {"FLOAT"}:
        raise refused("a FLOAT beside another number", "cast it to DOUBLE first")
    return node


def plus(node: exp.Expr) -> exp.Expr:
    left, right = node.this, node.expression
    for one, other in ((left, right), (right, left)):
        if isinstance(other, exp.Interval) and is_kind(one.type, "day"):
            one.replace(as_type(one.copy(), "TIMESTAMP"))
            return node
    if is_kind(left.type, "day") and is_kind(right.type, "day"):
        return call("datediff", left, right)
    if is_kind(left.type, "moment") and is_kind(right.type, "moment", "day"):
        raise refused("the interval between two times", "use date_difference")
    return arithmetic(node)


def interval(node: exp.Expr) -> exp.Expr:
    unit = node.args.get("unit")
    if unit is None or unit.name.upper().removesuffix("S") not in UNITS or not node.this.is_string:
        raise refused("this interval", "write a number and one unit, as in INTERVAL 3 DAY")
    return node


def divided(node: exp.Expr) -> exp.Expr:
    above, below = (as_type(part.copy(), "DOUBLE") for part in (node.this, node.expression))
    made = exp.Div(this=above, expression=below, typed=True)
    if _never_zero(node.expression):
        return made
    if any(isinstance(part, exp.Case) and part.meta.get("division") for part in node.walk()):
        raise refused("a division by a quotient", "write a / nullif(b, 0)")
    # DuckDB gives an infinite number, or NaN, where Spark ends the run.
    zero = exp.EQ(this=below.copy(), expression=number(0))
    infinite = exp.Mul(this=above.copy(), expression=as_type(text("Infinity"), "DOUBLE"))
    found = exp.Case().when(zero, infinite, copy=False).else_(made, copy=False)
    found.meta["division"] = True
    return found


def _never_zero(divisor: exp.Expr) -> bool:
    while isinstance(divisor, exp.Paren | exp.Cast):
        divisor = divisor.this
    if isinstance(divisor, exp.Literal):
        return float(divisor.name) != 0
    return isinstance(divisor, exp.Nullif)


def rest(node: exp.Expr) -> exp.Expr:
    if is_kind(node.type, "float") and not _never_zero(node.expression):
        raise refused("the rest of a division of DOUBLE by what may be zero", "write a % nullif(b, 0)")
    return arithmetic(node)


def whole_division(node: exp.Expr) -> exp.Expr:
    if not (is_kind(node.this.type, "whole") and is_kind(node.expression.type, "whole")):
        raise refused("// between numbers that are not whole", "write floor(a / b)")
    return node


def rounded(node: exp.Expr) -> exp.Expr:
    digits = node.args.get("decimals")
    if not is_kind(node.this.type, "float") or digits is None:
        return node if is_kind(node.this.type, "float", "whole", "decimal") else _unknown(node)
    try:
        places = int(digits.sql())
    except ValueError:
        raise refused("round with digits from a column", "write a number") from None
    # By DuckDB's own steps: Spark rounds the shortest decimal form of a number instead.
    power = as_type(number(10 ** abs(places)), "DOUBLE")
    first, then = (exp.Mul, exp.Div) if places >= 0 else (exp.Div, exp.Mul)
    scaled = call("round", first(this=exp.paren(node.this), expression=power, typed=True), number(0))
    return then(this=scaled, expression=power.copy(), typed=True)


def stepped(node: exp.Expr) -> exp.Expr:
    """Return ceil or floor, which is a BIGINT in Spark: what is larger is whole already."""
    if not is_kind(node.this.type, "float"):
        return node if is_kind(node.this.type, "whole", "decimal") else _unknown(node)
    small = exp.LT(this=call("abs", node.this.copy()), expression=as_type(text("9e15"), "DOUBLE"))
    return exp.Case().when(small, as_type(node, "DOUBLE"), copy=False).else_(node.this.copy(), copy=False)


def _unknown(node: exp.Expr) -> exp.Expr:
    raise refused(f"{node.key} of a value whose type is not known", "cast it first")


def above(least: str, strictly: bool) -> Callable[[exp.Expr], exp.Expr]:
    """Return the rule of a function that ends the run outside its numbers, where Spark gives null or NaN."""

    def rule(node: exp.Expr) -> exp.Expr:
        value = node.expression if isinstance(node, exp.Log) and node.expression is not None else node.this
        outside = (exp.LTE if strictly else exp.LT)(this=as_type(value.copy(), "DOUBLE"), expression=number(0))
        told = call("raise_error", text(f"{node.key} of a number that is not {least}"))
        made = _log(node) if isinstance(node, exp.Log) else node
        return exp.Case().when(outside, told, copy=False).else_(made, copy=False)

    return rule


def _log(node: exp.Expr) -> exp.Expr:
    if node.expression is None:
        return call("log10", node.this)
    if node.this.is_int and node.this.name in ("2", "10"):
        return call(f"log{node.this.name}", node.expression)
    raise refused("log to this base", "write ln(x) / ln(base)")
