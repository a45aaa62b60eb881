"""One value of a list."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from fractions import Fraction
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from airloom.engine.reference import kind_of_value
from airloom.nodes.kinds import written
from airloom.nodes.objects._lists import PATH, list_at
from airloom.nodes.operators import field_of
from airloom.nodes.sdk import DataError, Example, Transform

Op = Literal["count", "sum", "avg", "min", "max", "first", "last", "list", "concat", "json", "object"]
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
EXACT = Context(prec=5000, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Adds whatever numbers a JSON document writes without losing a digit."""


class AggregateList(Transform):
    """Make one value of the items of a list, or one for each group of them.

    Numbers are added as they are written: 0.1 and 0.2 are 0.3. Texts of digits, in which exact numbers of tables come,
    count as numbers, and their sum is such a text. Null is left out, except by `list`, `json`, `first` and `last`.
    """

    path: str = Field("", description=PATH)
    op: Op = Field(
        description="count (items, or values of the field that are not null), sum, avg, min, max, first, last, list "
        "(all values), concat (one text), json (the list as JSON text), object (values by their key)"
    )
    field: str = Field("", description="The path of the value in each item; empty: the item itself")
    by: str = Field("", description="The path of what groups items: an object comes out, with a value for each group")
    key: str = Field("", description="Of object: the path of the key in each item")
    separator: str = Field("", description="Of concat: what stands between two texts")

    examples = (
        Example(
            "A sum for each region",
            {"op": "sum", "field": "amount", "by": "region"},
            {
                "items": [
                    {"region": "north", "amount": 0.1},
                    {"region": "south", "amount": 5},
                    {"region": "north", "amount": 0.2},
                ]
            },
            {"value": {"north": 0.3, "south": 5}},
        ),
        Example(
            "One text",
            {"op": "concat", "field": "name", "separator": ", "},
            {"items": [{"name": "Ada"}, {"name": None}, {"name": "Grace"}]},
            {"value": "Ada, Grace"},
        ),
        Example(
            "An object",
            {"op": "object", "key": "id", "field": "name"},
            {"items": [{"id": "a", "name": "Ada"}, {"id": "g", "name": "Grace"}]},
            {"value": {"a": "Ada", "g": "Grace"}},
        ),
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if bool(self.key) != (self.op == "object"):
            raise ValueError("object needs a key" if self.op == "object" else "only object has a key")
        if self.separator and self.op != "concat":
            raise ValueError("only concat has a separator")
        return self

    def run(self, items: Any) -> Any:
        found = list_at(items, self.path)
        if not self.by:
            return self._one(list(enumerate(found, 1)))
        groups: dict[str, list[tuple[int, Any]]] = {}
        for at, item in enumerate(found, 1):
            groups.setdefault(_key(field_of(item, self.by), at, "by"), []).append((at, item))
        return {name: self._one(members) for name, members in groups.items()}

    def _one(self, items: list[tuple[int, Any]]) -> Any:
        if self.op == "object":
            return self._object(items)
        values = [(at, field_of(item, self.field)) for at, item in items]
        if self.op in ("list", "json", "first", "last"):
            return _whole(self.op, [value for _, value in values])
        there = [(at, value) for at, value in values if value is not None]
        if self.op == "count":
            return len(there) if self.field else len(items)
        if self.op == "concat":
            return self.separator.join(_text(value) for _, value in there)
        return REDUCTIONS[self.op](there)

    def _object(self, items: list[tuple[int, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for at, item in items:
            key = _key(field_of(item, self.key), at, "key")
            if key in made:
                raise DataError(
                    f"item {at} has the key {key!r} of an item before it",
                    field="key",
                    hint="group them instead: op list, with by",
                )
            made[key] = field_of(item, self.field)
        return made


def _whole(op: str, values: list[Any]) -> Any:
    if op == "list":
        return values
    if op == "json":
        return json.dumps(values, ensure_ascii=False, default=written)
    return (values[0] if op == "first" else values[-1]) if values else None


def _key(value: Any, at: int, field: str) -> str:
    if isinstance(value, dict | list):
        raise DataError(f"item {at} has {kind_of_value(value)} for a key", field=field, hint="take a text or a number")
    return _text(value)


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False, default=written)
    return str(value)


def _number(value: Any) -> int | float | Decimal | None:
    """Return a number, a text of digits as the exact number that it is; None for what is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float | Decimal):
        return value
    return Decimal(value) if isinstance(value, str) and NUMBER.fullmatch(value) else None


def _numbers(values: list[tuple[int, Any]], op: str) -> list[int | float | Decimal]:
    found = []
    for at, value in values:
        number = _number(value)
        if number is None:
            raise DataError(f"{op} takes numbers, and item {at} has {kind_of_value(value)}", field="field")
        found.append(number)
    return found


def _sum(values: list[tuple[int, Any]]) -> int | float | str:
    numbers = _numbers(values, "sum")
    if all(isinstance(number, int) for number in numbers):
        return sum(number for number in numbers if isinstance(number, int))
    with localcontext(EXACT):
        total = sum(map(_as_written, numbers), Decimal(0))
    return format(total, "f") if any(isinstance(number, Decimal) for number in numbers) else float(total)


def _avg(values: list[tuple[int, Any]]) -> int | float | None:
    numbers = _numbers(values, "avg")
    if not numbers:
        return None
    mean = sum((Fraction(_as_written(number)) for number in numbers), Fraction(0)) / len(numbers)
    return int(mean) if mean.denominator == 1 else float(mean)


def _as_written(number: int | float | Decimal) -> Decimal:
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def _extreme(choose: Callable[..., Any], op: str) -> Callable[[list[tuple[int, Any]]], Any]:
    def reduce(values: list[tuple[int, Any]]) -> Any:
        if not values:
            return None
        numbers = [_number(value) for _, value in values]
        if all(number is not None for number in numbers):
            return values[choose(range(len(values)), key=numbers.__getitem__)][1]
        # Dates and times of tables are compared as they are written, which is in their order.
        other = next(
            (at for at, value in values if isinstance(value, bool | int | float | Decimal | dict | list)), None
        )
        if other is not None:
            raise DataError(
                f"{op} compares numbers, or texts, and item {other} has another sort of value", field="field"
            )
        return values[choose(range(len(values)), key=lambda at: str(values[at][1]))][1]

    return reduce


REDUCTIONS: dict[str, Callable[[list[tuple[int, Any]]], Any]] = {
    "sum": _sum,
    "avg": _avg,
    "min": _extreme(min, "min"),
    "max": _extreme(max, "max"),
}
