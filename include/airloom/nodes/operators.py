"""Rules over JSON values: a field, an operator, a value to compare with.

The operators are those of Pipelit's switch, filter and assertion, with their meaning: texts are compared as Python
writes the value (`None` for null, `True` for true); what is not a number counts as 0; what is not a date is neither
before nor after anything; what has no length has no length that compares.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, Literal, get_args

from pydantic import Field

from airloom.nodes.sdk import ConfigurationError, Part

Operator = Literal[
    "exists", "does_not_exist", "is_empty", "is_not_empty",
    "equals", "not_equals", "contains", "not_contains",
    "starts_with", "not_starts_with", "ends_with", "not_ends_with", "matches_regex", "not_matches_regex",
    "gt", "lt", "gte", "lte", "after", "before", "after_or_equal", "before_or_equal", "is_true", "is_false",
    "length_eq", "length_neq", "length_gt", "length_lt", "length_gte", "length_lte",
]  # fmt: skip
OPERATORS: tuple[str, ...] = get_args(Operator)

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt, "lt": operator.lt, "gte": operator.ge, "lte": operator.le,
    "after": operator.gt, "before": operator.lt, "after_or_equal": operator.ge, "before_or_equal": operator.le,
    "length_eq": operator.eq, "length_neq": operator.ne, "length_gt": operator.gt, "length_lt": operator.lt,
    "length_gte": operator.ge, "length_lte": operator.le,
}  # fmt: skip


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
    plain = name.removeprefix("not_") if name.startswith("not_") else name
    if plain in ("equals", "contains", "starts_with", "ends_with", "matches_regex"):
        return _compare_text(plain, value, wanted) != (name != plain)
    if name.startswith("length_"):
        return _compare_length(name, value, wanted)
    if name in ("gt", "lt", "gte", "lte"):
        return COMPARISONS[name](_number(value), _number(wanted))
    if name in ("after", "before", "after_or_equal", "before_or_equal"):
        ours, theirs = _moment(value), _moment(wanted)
        return ours is not None and theirs is not None and COMPARISONS[name](ours, theirs)
    if name in ("is_true", "is_false"):
        return _truth(value) == (name == "is_true")
    if name in ("exists", "does_not_exist"):
        return (value is not None) == (name == "exists")
    return _empty(value) == (name == "is_empty")


def _compare_text(name: str, value: Any, wanted: Any) -> bool:
    if name == "contains" and isinstance(value, list):
        return wanted in value
    ours, theirs = str(value), str(wanted)
    if name == "matches_regex":
        try:
            return re.search(theirs, ours) is not None
        except re.error as error:
            raise ConfigurationError(f"the pattern {theirs!r} is wrong: {error}", field="value") from None
    if name == "contains":
        return theirs in ours
    if name == "starts_with":
        return ours.startswith(theirs)
    return ours.endswith(theirs) if name == "ends_with" else ours == theirs


def _compare_length(name: str, value: Any, wanted: Any) -> bool:
    try:
        length = int(wanted)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name} compares with a whole number, not {wanted!r}", field="value") from None
    if not isinstance(value, list | str):
        return name == "length_neq"
    return COMPARISONS[name](len(value), length)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


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


def _truth(value: Any) -> bool:
    return value.lower() in ("true", "1", "yes") if isinstance(value, str) else bool(value)


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {})
