"""Rules over JSON values: a field, an operator, a value to compare with.

The operators are those of Pipelit's switch, filter and assertion, with their meaning: texts are compared as Python
writes the value (`None` for null, `True` for true); what is not a number counts as 0; what is not a date is neither
before nor after anything; what has no length has no length that compares. `OPERATORS` is the one table of them, for
every node that takes rules, and for the docs.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from airloom.nodes.sdk import ConfigurationError, Part

Operator = Literal[
    "exists", "does_not_exist", "is_empty", "is_not_empty",
    "equals", "not_equals", "contains", "not_contains",
    "starts_with", "not_starts_with", "ends_with", "not_ends_with", "matches_regex", "not_matches_regex",
    "gt", "lt", "gte", "lte", "after", "before", "after_or_equal", "before_or_equal", "is_true", "is_false",
    "length_eq", "length_neq", "length_gt", "length_lt", "length_gte", "length_lte",
]  # fmt: skip


class Rule(Part):
    """A rule over one field of a value."""

    field: str = Field(
        "", description="The path of the field in the value: order.customer.name; empty: the value itself"
    )
    operator: Operator = Field("equals", description="How to compare")
    value: Any = Field("", description="What to compare with; exists, is_empty, is_true and their opposites need none")

    def holds(self, value: Any) -> bool:
        """Tell whether the rule is true of a value; raise ConfigurationError where it cannot be asked."""
        return compare(self.operator, field_of(value, self.field), self.value)


def each_holds(rules: Sequence[Rule], value: Any) -> Iterator[bool]:
    """Yield of each rule whether it holds; raise ConfigurationError, with its place in `rules`, where one cannot."""
    for at, rule in enumerate(rules):
        try:
            yield rule.holds(value)
        except ConfigurationError as error:
            raise ConfigurationError(error.message, field=f"rules/{at}/{error.field}", hint=error.hint) from None


@dataclass(frozen=True)
class Meaning:
    """Say of an operator what makes it true, what it makes of the values first, and what SQL would answer.

    `test` takes the value of the field and the value of the rule. `unary` operators look at the field alone.
    """

    test: Callable[[Any, Any], bool]
    true_where: str
    compared: str
    in_sql: str
    unary: bool = False


def field_of(value: Any, path: str) -> Any:
    """Return what a dotted path leads to in a value, None where it leads nowhere; a leading `state.` is left out."""
    parts = path.split(".") if path else []
    if parts and parts[0] == "state" and not (isinstance(value, dict) and "state" in value):
        parts = parts[1:]
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list):
            value = value[int(part)] if part.isdecimal() and int(part) < len(value) else None
        elif part in ("rows", "columns") and is_table(value):
            value = getattr(value, part)
        else:
            return None
    return value


def is_table(value: Any) -> bool:
    """Tell whether a value is a table, as the runtime hands it to nodes that do not read its rows."""
    return callable(getattr(value, "first", None)) and hasattr(value, "columns")


def compare(name: str, value: Any, wanted: Any) -> bool:
    """Tell whether `value <operator> wanted` is true; raise ConfigurationError for a bad pattern or length."""
    return OPERATORS[name].test(value, wanted)


# What is compared


def _equal(value: Any, wanted: Any) -> bool:
    return str(value) == str(wanted)


def _contains(value: Any, wanted: Any) -> bool:
    return wanted in value if isinstance(value, list) else str(wanted) in str(value)


def _starts(value: Any, wanted: Any) -> bool:
    return str(value).startswith(str(wanted))


def _ends(value: Any, wanted: Any) -> bool:
    return str(value).endswith(str(wanted))


def _matches(value: Any, wanted: Any) -> bool:
    try:
        return re.search(str(wanted), str(value)) is not None
    except re.error as error:
        raise ConfigurationError(f"the pattern {str(wanted)!r} is wrong: {error}", field="value") from None


def _not(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, wanted: not test(value, wanted)


def _numbers(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, wanted: test(number_of(value), number_of(wanted))


def number_of(value: Any) -> int | float | Decimal:
    """Return a value as a number, whole ones with all their digits; 0 for what is none."""
    if isinstance(value, int | float | Decimal):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except (TypeError, ValueError):
            continue
    return 0


def _moments(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(value: Any, wanted: Any) -> bool:
        ours, theirs = _moment(value), _moment(wanted)
        return ours is not None and theirs is not None and test(ours, theirs)

    return compared


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        return None
    # A time without a zone is taken for UTC, so that any two can be compared.
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _lengths(test: Callable[[Any, Any], bool], name: str) -> Callable[[Any, Any], bool]:
    def compared(value: Any, wanted: Any) -> bool:
        try:
            length = int(wanted)
        except (TypeError, ValueError):
            raise ConfigurationError(f"{name} compares with a whole number, not {wanted!r}", field="value") from None
        return test(len(value), length) if isinstance(value, list | str) else name == "length_neq"

    return compared


def _true(value: Any, wanted: Any) -> bool:
    return value.lower() in ("true", "1", "yes") if isinstance(value, str) else bool(value)


def _empty(value: Any, wanted: Any) -> bool:
    return value is None or value in ("", [], {})


# The table


_AS_TEXT = "both as text: null is `None`, true is `True`, 5.0 is `5.0`"
_AS_NUMBER = "both as numbers, texts of digits too; what is none counts as 0"
_AS_TIME = "both as ISO 8601, a day as its midnight, without a zone as UTC; what is none is never true"
_NO_NULL = "null makes it null, which no `WHERE` keeps"
_FAILS = "a text that is no number fails; null makes it null"


def _texts(name: str, test: Callable[[Any, Any], bool], words: str, opposite: str, in_sql: str) -> dict[str, Meaning]:
    compared = "of a list: one of its items is equal; else " + _AS_TEXT if name == "contains" else _AS_TEXT
    return {
        name: Meaning(test, words, compared, in_sql),
        f"not_{name}": Meaning(_not(test), opposite, compared, in_sql),
    }


def _number(test: Callable[[Any, Any], bool], sign: str) -> Meaning:
    return Meaning(_numbers(test), f"field {sign} value", _AS_NUMBER, _FAILS)


def _time(test: Callable[[Any, Any], bool], sign: str) -> Meaning:
    return Meaning(_moments(test), f"field {sign} value", _AS_TIME, "a text that is no time fails; null makes it null")


def _length(name: str, test: Callable[[Any, Any], bool], sign: str) -> Meaning:
    other = "true" if name == "length_neq" else "false"
    compared = f"of a list its items, of a text its letters; of anything else {other}"
    return Meaning(_lengths(test, name), f"length {sign} value", compared, "`len` of null is null, of a number fails")


OPERATORS: dict[str, Meaning] = {
    "exists": Meaning(
        _not(lambda value, _: value is None), "the field is there and not null", "–", "`IS NOT NULL`", unary=True
    ),
    "does_not_exist": Meaning(
        lambda value, _: value is None, "the field is missing or null", "–", "`IS NULL`", unary=True
    ),
    "is_empty": Meaning(
        _empty, "null, `\"\"`, `[]`, `{}` or missing", "0, false and blanks are not empty", "`''` and null differ",
        unary=True,
    ),
    "is_not_empty": Meaning(
        _not(_empty), "anything else", "0, false and blanks are not empty", "`''` and null differ", unary=True
    ),
    **_texts("equals", _equal, "field = value", "field ≠ value", "1 = 1.0; " + _NO_NULL),
    **_texts("contains", _contains, "value stands in the field", "value does not", _NO_NULL),
    **_texts("starts_with", _starts, "field begins with value", "field does not", _NO_NULL),
    **_texts("ends_with", _ends, "field ends with value", "field does not", _NO_NULL),
    **_texts("matches_regex", _matches, "the pattern is somewhere in the field", "it is not",
             "`regexp_matches`, in RE2's patterns; " + _NO_NULL),
    "gt": _number(operator.gt, ">"),
    "lt": _number(operator.lt, "<"),
    "gte": _number(operator.ge, "≥"),
    "lte": _number(operator.le, "≤"),
    "after": _time(operator.gt, ">"),
    "before": _time(operator.lt, "<"),
    "after_or_equal": _time(operator.ge, "≥"),
    "before_or_equal": _time(operator.le, "≤"),
    "is_true": Meaning(
        _true, "true, 1, `\"true\"`, `\"yes\"`", "a text by these words, in any case; else what Python takes for true",
        "null is neither; `'yes'` is true, `'2'` fails", unary=True,
    ),
    "is_false": Meaning(
        _not(_true), "anything else", "null, 0, empty ones and all other texts are false",
        "null is neither; `'no'` is false, `'never'` fails", unary=True,
    ),
    "length_eq": _length("length_eq", operator.eq, "="),
    "length_neq": _length("length_neq", operator.ne, "≠"),
    "length_gt": _length("length_gt", operator.gt, ">"),
    "length_lt": _length("length_lt", operator.lt, "<"),
    "length_gte": _length("length_gte", operator.ge, "≥"),
    "length_lte": _length("length_lte", operator.le, "≤"),
}  # fmt: skip
"""Every operator by its name."""


# What rules say of each other

OPPOSITES = (
    ("exists", "does_not_exist"), ("is_empty", "is_not_empty"), ("is_true", "is_false"), ("length_eq", "length_neq"),
    *((name, f"not_{name}") for name in ("equals", "contains", "starts_with", "ends_with", "matches_regex")),
)  # fmt: skip
"""Operators of which, of the same field and value, always one holds and never both."""
_READERS: tuple[tuple[tuple[str, str], tuple[str, str], Callable[[Any], Any]], ...] = (
    (("gt", "gte"), ("lt", "lte"), number_of),
    (("length_gt", "length_gte"), ("length_lt", "length_lte"), int),
    (("after", "after_or_equal"), ("before", "before_or_equal"), _moment),
)
"""Operators that compare in one direction, and in the other, and what reads the value that they compare with."""
Plain = tuple[str, str, Any]
"""The field, the operator and the value of a rule."""


def plain_rule(rule: Mapping[str, Any]) -> Plain | None:
    """Return a rule of a document; None where an expression stands in it, so that only a run knows it."""
    found = (rule.get("field", ""), rule.get("operator", "equals"), rule.get("value", ""))
    return None if "{{" in json.dumps(found, default=str) or "{%" in json.dumps(found, default=str) else found


def implies(one: Plain, other: Plain) -> bool:
    """Tell whether a rule holds for no value that another one does not hold for, as far as that can be seen."""
    (field, name, value), (other_field, other_name, other_value) = one, other
    if field != other_field:
        return False
    if name == other_name and (OPERATORS[name].unary or value == other_value):
        return True
    if (name, other_name) == ("does_not_exist", "is_empty") or (name, other_name) == ("is_not_empty", "exists"):
        return True
    for upward, downward, read in _READERS:
        for names, beyond in ((upward, operator.gt), (downward, operator.lt)):
            if name in names and other_name in names:
                return _is_nearer(beyond, read, value, other_value, strict=(name == names[0], other_name == names[0]))
    return False


def _is_nearer(
    beyond: Callable[[Any, Any], Any], read: Callable[[Any], Any], value: Any, other: Any, *, strict: tuple[bool, bool]
) -> bool:
    """Tell whether all that is beyond a value is beyond another one, where that is `strict` of each or not."""
    try:
        ours, theirs = read(value), read(other)
    except (TypeError, ValueError):
        return False
    if ours is None or theirs is None:
        return False
    return bool(beyond(ours, theirs)) or bool(ours == theirs and (strict[0] or not strict[1]))


def opposite(one: Plain, other: Plain) -> bool:
    """Tell whether of two rules always one holds, and never both."""
    (field, name, value), (other_field, other_name, other_value) = one, other
    pair = (name, other_name) in OPPOSITES or (other_name, name) in OPPOSITES
    return field == other_field and pair and (OPERATORS[name].unary or value == other_value)
