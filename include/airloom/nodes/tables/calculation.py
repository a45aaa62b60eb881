"""New columns from one or two operands: numbers, comparisons, truth values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from airloom.engine.relation import family
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
)
from airloom.nodes.tables import _conditions as conditions
from airloom.nodes.tables._columns import NewName, expected, number
from airloom.nodes.tables._values import Value, comparable, is_integer

LOGIC_SIGNS = {"&": "and", "|": "or", "^": "xor", "~": "not"}


class Arithmetic(Table, order="keeps"):
    """Calculate a column from one or two numbers."""

    left: Column = Field(description="The column of the first number")
    operator: Literal["+", "-", "*", "/", "//", "%", "**", "round", "abs"] = Field(
        description="// is rounded down, % has the sign of the right side; ** is a power; round takes the digits "
        "behind the point as `value`"
    )
    right: Column | None = Field(None, description="The column of the second number")
    value: int | float | None = Field(None, description="Instead of `right`: the second number itself")
    name: NewName = Field(description="The column of the result; one of that name is replaced")

    examples = (
        Example(
            "An amount",
            {"left": "price", "operator": "*", "right": "quantity", "name": "amount"},
            {"rows": [{"price": 2.5, "quantity": 2}]},
            {"rows": [{"price": 2.5, "quantity": 2, "amount": 5.0}]},
        ),
        Example(
            "What is divided by zero is null",
            {"left": "total", "operator": "/", "right": "n", "name": "mean"},
            {"rows": [{"total": 7, "n": 2}, {"total": 7, "n": 0}]},
            {"rows": [{"total": 7, "n": 2, "mean": 3.5}, {"total": 7, "n": 0, "mean": None}]},
        ),
    )

    @model_validator(mode="after")
    def _operands_fit(self) -> Arithmetic:
        if self.operator == "abs":
            if self.right is not None or self.value is not None:
                raise ValueError("abs takes one number; leave right and value out")
        elif self.operator == "round":
            if self.right is not None or not isinstance(self.value or 0, int):
                raise ValueError("round takes the digits behind the point as value, a whole number")
        elif (self.right is None) == (self.value is None):
            raise ValueError(f"{self.operator} needs a second number: right (a column) or value")
        return self

    def query(self, rows: Relation) -> Query:
        left = number(rows, self.left, "left")
        kind = _widened(rows.columns[left])
        value = cast(rows[left], kind)
        if self.operator == "abs":
            return rows.replace({self.name: function("abs", value)})
        if self.operator == "round":
            return rows.replace({self.name: function("round", value, int(self.value or 0))})
        other, other_kind = self._right(rows, kind)
        return rows.replace({self.name: _calculated(self.operator, value, kind, other, other_kind)})

    def _right(self, rows: Relation, left_kind: str) -> tuple[exp.Expr, str]:
        if self.right is not None:
            right = number(rows, self.right, "right")
            kind = _widened(rows.columns[right])
            return cast(rows[right], kind), kind
        if isinstance(self.value, int):
            return cast(comparable(self.value, "BIGINT", "value"), "BIGINT"), "BIGINT"
        # Beside exact numbers a number with a point is exact, too.
        exact = left_kind.startswith("DECIMAL")
        return comparable(
            self.value or 0.0, left_kind if exact else "DOUBLE", "value"
        ), "DECIMAL" if exact else "DOUBLE"


def _widened(kind: str) -> str:
    if kind == "UBIGINT":
        return "DECIMAL(20,0)"
    if is_integer(kind):
        return "BIGINT"
    return "DOUBLE" if kind == "FLOAT" else kind


def _calculated(operator: str, left: exp.Expr, left_kind: str, right: exp.Expr, right_kind: str) -> exp.Expr:
    if operator in ("/", "**"):
        left, right = cast(left, "DOUBLE"), cast(right, "DOUBLE")
        return _power(left, right) if operator == "**" else exp.Div(this=left, expression=_not_zero(right))
    if operator == "+":
        return exp.Add(this=left, expression=right)
    if operator == "-":
        return exp.Sub(this=left, expression=right)
    if operator == "*":
        return exp.Mul(this=left, expression=right)
    rest, divisor = _rest(left, right), _not_zero(right.copy())
    if operator == "%":
        return rest
    if left_kind == right_kind == "BIGINT":
        # Engines round toward zero: one less where signs differ and something is left.
        quotient = exp.IntDiv(this=left.copy(), expression=divisor)
        less = exp.Sub(this=exp.paren(quotient.copy()), expression=literal(1))
        return exp.Case().when(_signs_differ(left, right), less).else_(quotient)
    # What is left is a multiple of the divisor: rounding takes away what a double has lost.
    multiple = exp.paren(exp.Sub(this=left.copy(), expression=rest))
    whole = function("round", exp.Div(this=multiple, expression=divisor))
    return whole if "DOUBLE" in (left_kind, right_kind) else cast(whole, "DECIMAL(38,0)")


def _rest(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Return `left % right` with the sign of the right side, as Python has it; engines give it that of the left."""
    rest = exp.Mod(this=left.copy(), expression=_not_zero(right.copy()))
    shifted = exp.Add(this=exp.paren(rest), expression=right.copy())
    return exp.Case().when(_signs_differ(left, right), shifted).else_(rest.copy())


def _signs_differ(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Return whether something is left of a division, with another sign than the divisor."""
    rest = exp.paren(exp.Mod(this=left.copy(), expression=_not_zero(right.copy())))

    def negative(number: exp.Expr) -> exp.Expr:
        return exp.paren(exp.LT(this=number.copy(), expression=literal(0)))

    there = exp.NEQ(this=rest, expression=literal(0))
    return exp.and_(there, exp.NEQ(this=negative(rest), expression=negative(right)))


def _not_zero(number: exp.Expr) -> exp.Expr:
    return function("nullif", number, 0)


def _power(base: exp.Expr, power: exp.Expr) -> exp.Expr:
    below = exp.LT(this=base.copy(), expression=literal(0))
    zero = exp.EQ(this=base.copy(), expression=literal(0))
    negative = exp.LT(this=power.copy(), expression=literal(0))
    broken = exp.NEQ(this=power.copy(), expression=function("floor", power.copy()))
    return (
        exp.Case()
        .when(exp.or_(exp.and_(zero, negative), exp.and_(below, broken)), exp.Null())
        .else_(function("pow", base, power))
    )


class Compare(Table, order="keeps"):
    """Compare a column with another one, or with a value, into a column of true and false."""

    left: Column = Field(description="The column on the left")
    operator: Annotated[conditions.Comparison, BeforeValidator(conditions.spelled)] = Field(
        "==", description="Where one side is null, the result is null"
    )
    right: Column | None = Field(None, description="The column on the right")
    value: Value | None = Field(None, description="Instead of `right`: a value, read as the left column's type")
    name: NewName = Field(description="The column of the result; one of that name is replaced")

    examples = (
        Example(
            "Over budget?",
            {"left": "spent", "operator": ">", "right": "budget", "name": "over"},
            {"rows": [{"spent": 5, "budget": 3}, {"spent": 5, "budget": 5}, {"spent": None, "budget": 5}]},
            {
                "rows": [
                    {"spent": 5, "budget": 3, "over": True},
                    {"spent": 5, "budget": 5, "over": False},
                    {"spent": None, "budget": 5, "over": None},
                ]
            },
        ),
        Example(
            "Is it that day?",
            {"left": "day", "value": "2026-01-31", "name": "last"},
            {"rows": [{"day": "2026-01-31"}]},
            {"rows": [{"day": "2026-01-31", "last": True}]},
        ),
    )

    @model_validator(mode="after")
    def _one_right_side(self) -> Compare:
        if (self.right is None) == (self.value is None):
            raise ValueError("give what stands on the right: right (a column) or value")
        return self

    def query(self, rows: Relation) -> Query:
        left = rows.resolve(self.left, "left")
        kind = rows.columns[left]
        if self.right is None:
            other = comparable(_given(self.value), kind, "value")
        else:
            right = rows.resolve(self.right, "right")
            if family(kind) != family(rows.columns[right]):
                raise ConfigurationError(
                    f"{left!r} is {kind}, {right!r} is {rows.columns[right]}",
                    field="right",
                    hint="cast one of them first",
                )
            other = rows[right]
        return rows.replace({self.name: conditions.compare(self.operator, rows[left], other)})


def _given(value: Value | None) -> Value:
    return "" if value is None else value


def _sign(given: Any) -> Any:
    return LOGIC_SIGNS.get(given, given) if isinstance(given, str) else given


class Logic(Table, order="keeps"):
    """Combine columns of true and false."""

    left: Column = Field(description="The first column")
    operator: Annotated[Literal["and", "or", "xor", "not"], BeforeValidator(_sign)] = Field(
        description="not takes the first column alone; null is neither true nor false: false and null is false, "
        "true or null is true, all else with null is null"
    )
    right: Column | None = Field(None, description="The second column")
    name: NewName = Field(description="The column of the result; one of that name is replaced")

    examples = (
        Example(
            "Both",
            {"left": "paid", "operator": "and", "right": "sent", "name": "done"},
            {"rows": [{"paid": True, "sent": True}, {"paid": True, "sent": False}]},
            {
                "rows": [
                    {"paid": True, "sent": True, "done": True},
                    {"paid": True, "sent": False, "done": False},
                ]
            },
        ),
        Example(
            "The opposite",
            {"left": "paid", "operator": "not", "name": "open"},
            {"rows": [{"paid": True}, {"paid": None}]},
            {"rows": [{"paid": True, "open": False}, {"paid": None, "open": None}]},
        ),
    )

    @model_validator(mode="after")
    def _operands_fit(self) -> Logic:
        if (self.right is None) != (self.operator == "not"):
            raise ValueError(
                f"{self.operator} needs a second column: right" if self.right is None else "not takes one column"
            )
        return self

    def query(self, rows: Relation) -> Query:
        left = rows[self._truth(rows, self.left, "left")]
        if self.right is None:
            return rows.replace({self.name: exp.not_(left)})
        right = rows[self._truth(rows, self.right, "right")]
        if self.operator == "xor":
            return rows.replace({self.name: exp.NEQ(this=left, expression=right)})
        return rows.replace({self.name: (exp.and_ if self.operator == "and" else exp.or_)(left, right)})

    @staticmethod
    def _truth(rows: Relation, name: str, field: str) -> str:
        return expected(rows, name, field, ("BOOLEAN",), "a column of true and false", "make one with compare")
