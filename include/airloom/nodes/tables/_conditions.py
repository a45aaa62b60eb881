"""Conditions on columns without SQL: column, operator, value; and groups of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from airloom.engine.relation import family
from airloom.nodes.sdk import Column, ConfigurationError, Part, Relation, exp, function, literal, not_null
from airloom.nodes.tables._values import Value, comparable, text_of

Comparison = Literal["==", "!=", "<", "<=", ">", ">="]
Operator = Literal[
    Comparison, "between", "in", "not_in", "is_null", "not_null", "is_empty", "is_not_empty", "is_true", "is_false",
    "contains", "not_contains", "starts_with", "not_starts_with", "ends_with", "not_ends_with", "matches_regex",
    "not_matches_regex", "length_eq", "length_neq", "length_lt", "length_lte", "length_gt", "length_gte",
]  # fmt: skip
Logic = Literal["and", "or"]

SPELLINGS = {
    "=": "==", "equals": "==", "<>": "!=", "not_equals": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=",
    "before": "<", "before_or_equal": "<=", "after": ">", "after_or_equal": ">=", "find": "contains",
    "startswith": "starts_with", "endswith": "ends_with", "exists": "not_null", "is_not_null": "not_null",
    "does_not_exist": "is_null",
}  # fmt: skip
"""What else an operator may be called; the first six are symbols to everybody."""

UNARY = frozenset({"is_null", "not_null", "is_empty", "is_not_empty", "is_true", "is_false"})
TEXTS = frozenset({"contains", "starts_with", "ends_with", "matches_regex"})
COMPARED: dict[str, Callable[[exp.Expr, exp.Expr], exp.Expr]] = {
    "==": lambda left, right: exp.EQ(this=left, expression=right),
    "!=": lambda left, right: exp.NEQ(this=left, expression=right),
    "<": lambda left, right: exp.LT(this=left, expression=right),
    "<=": lambda left, right: exp.LTE(this=left, expression=right),
    ">": lambda left, right: exp.GT(this=left, expression=right),
    ">=": lambda left, right: exp.GTE(this=left, expression=right),
}
LENGTHS = {"eq": "==", "neq": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
ELSEWHERE = re.compile(r"\(\?(<?[=!]|>|P=)|\\[1-9]")
MAX_DEPTH = 20


def spelled(given: Any) -> Any:
    """Return an operator by its own name where another spelling of it was given."""
    return SPELLINGS.get(given, given) if isinstance(given, str) else given


def compare(operator: str, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Return `left operator right` for one of == != < <= > >=."""
    return COMPARED[operator](left, right)


def check_pattern(pattern: object) -> str:
    """Return a regular expression; raise ValueError where it is none, or one that not every engine knows."""
    if not isinstance(pattern, str):
        raise ValueError("a regular expression is text")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"the regular expression {pattern!r} is wrong: {error}") from None
    found = ELSEWHERE.search(pattern)
    if found:
        raise ValueError(f"{found[0]} in a regular expression is not possible; write it without looking around")
    return pattern


class ColumnCondition(Part):
    """A column, an operator, and what to compare with."""

    column: Column = Field(description="The column")
    operator: Annotated[Operator, BeforeValidator(spelled)] = Field("==", description="How to compare")
    value: Value | list[Value] | None = Field(
        None,
        description="What to compare with, read as the column's type; a list for in and not_in, two values for "
        "between (both belong to it); none for is_null, is_true and their like",
    )

    @model_validator(mode="after")
    def _value_fits(self) -> ColumnCondition:
        check_operand(self.operator, self.value)
        return self


def check_operand(operator: str, value: Any) -> None:
    """Raise ValueError where a value is not of the form that an operator takes."""
    if operator in UNARY:
        if value is not None:
            raise ValueError(f"{operator} takes no value")
    elif operator in ("in", "not_in"):
        if not isinstance(value, list):
            raise ValueError(f"{operator} takes a list of values")
    elif operator == "between":
        if not isinstance(value, list) or len(value) != 2:
            raise ValueError("between takes two values: the least and the greatest")
    elif value is None:
        raise ValueError(f"{operator} needs a value; whether a column is null is asked by is_null and not_null")
    elif isinstance(value, list):
        raise ValueError(f"{operator} takes one value; a list is for in, not_in and between")
    elif operator.endswith("matches_regex"):
        check_pattern(value)
    elif operator.startswith("length_") and not (isinstance(value, int) and not isinstance(value, bool)):
        raise ValueError(f"{operator} takes a whole number")


class Group(Part):
    """Conditions of which all, or one, must hold."""

    logic: Logic = Field("and", description="and: all must hold; or: one is enough")
    conditions: list[Criterion] = Field(min_length=1, description="Conditions, and groups of them")


def _sort_of(given: Any) -> str:
    return "group" if isinstance(given, Group) or (isinstance(given, dict) and "conditions" in given) else "condition"


Criterion = Annotated[
    Annotated[ColumnCondition, Tag("condition")] | Annotated[Group, Tag("group")], Discriminator(_sort_of)
]
Group.model_rebuild()


def all_hold(rows: Relation, logic: Logic, parts: Sequence[ColumnCondition | Group], field: str) -> exp.Expr:
    """Return the condition that a list makes; raise ConfigurationError at the entry that does not fit."""
    if field.count("conditions") > MAX_DEPTH:
        raise ConfigurationError(f"groups stand in each other at most {MAX_DEPTH} deep", field=field)
    made = [
        exp.paren(all_hold(rows, part.logic, part.conditions, f"{field}/{at}/conditions"), copy=False)
        if isinstance(part, Group)
        else holds(rows, part.column, part.operator, part.value, f"{field}/{at}")
        for at, part in enumerate(parts)
    ]
    return (exp.and_ if logic == "and" else exp.or_)(*made, copy=False)


def holds(rows: Relation, name: str, operator: str, value: Any, field: str) -> exp.Expr:
    """Return one condition, which is null where the column is, but for is_null, is_empty and their opposites."""
    name = rows.resolve(name, f"{field}/column")
    column, kind = rows[name], rows.columns[name]
    at = f"{field}/value"
    if operator in UNARY:
        return _unary(operator, column, kind)
    if operator in ("in", "not_in"):
        found = _among(column, [comparable(item, kind, f"{at}/{index}") for index, item in enumerate(value)])
        return exp.not_(found, copy=False) if operator == "not_in" else found
    if operator == "between":
        low, high = (comparable(item, kind, f"{at}/{index}") for index, item in enumerate(value))
        return exp.Between(this=column, low=low, high=high)
    if operator.startswith("length_"):
        if kind != "VARCHAR" and not kind.endswith("]"):
            raise ConfigurationError(
                f"text or a list has a length; {name!r} is {kind}", field=f"{field}/operator", hint="cast it to VARCHAR"
            )
        return compare(LENGTHS[operator.removeprefix("length_")], _length(column, kind), literal(value))
    positive = operator.removeprefix("not_")
    if positive in TEXTS:
        found = _text_condition(positive, column, name, kind, value, field)
        return found if positive == operator else exp.not_(found, copy=False)
    return compare(operator, column, comparable(value, kind, at))


def _unary(operator: str, column: exp.Expr, kind: str) -> exp.Expr:
    if operator == "is_null":
        return exp.Is(this=column, expression=exp.Null())
    if operator == "not_null":
        return not_null(column)
    if operator in ("is_empty", "is_not_empty"):
        empty: exp.Expr = exp.Is(this=column, expression=exp.Null())
        if kind == "VARCHAR" or kind.endswith("]"):
            bare = exp.EQ(this=_length(column.copy(), kind), expression=literal(0))
            empty = exp.paren(exp.or_(empty, bare, copy=False), copy=False)
        return empty if operator == "is_empty" else exp.not_(empty, copy=False)
    return _truth(column, kind) if operator == "is_true" else exp.not_(_truth(column, kind), copy=False)


def _truth(column: exp.Expr, kind: str) -> exp.Expr:
    if kind == "VARCHAR":
        return _among(function("lower", column), [literal(word) for word in ("true", "1", "yes")])
    return exp.NEQ(this=column, expression=literal(0)) if family(kind) == "number" else column


def _among(column: exp.Expr, values: list[exp.Expr]) -> exp.Expr:
    if not values:
        # Nothing is in an empty list; but of null nothing is known.
        return exp.Case().when(not_null(column), exp.false())
    return exp.In(this=column, expressions=values)


def _length(column: exp.Expr, kind: str) -> exp.Expr:
    return function("array_length" if kind.endswith("]") else "length", column)


def _text_condition(operator: str, column: exp.Expr, name: str, kind: str, value: Any, field: str) -> exp.Expr:
    if operator == "contains" and kind.endswith("]"):
        return function("list_contains", column, comparable(value, kind[: kind.rindex("[")], f"{field}/value"))
    if kind != "VARCHAR":
        raise ConfigurationError(
            f"{operator} is asked of text; {name!r} is {kind}", field=f"{field}/operator", hint="cast it to VARCHAR"
        )
    called = "regexp_matches" if operator == "matches_regex" else operator
    return function(called, column, text_of(value))


OPERATORS: tuple[str, ...] = get_args(Operator)
