"""Lists of objects as tables of declared columns: each value is read as its type, or named as one that is not."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airloom.engine.portable import declared_type
from airloom.engine.reference import kind_of_value
from airloom.engine.relation import family
from airloom.engine.text_values import value_of
from airloom.spec.error import DataError
from airloom.spec.words import with_article

if TYPE_CHECKING:
    import pyarrow

_FLOATS = ("DOUBLE", "FLOAT")


def declared_table(items: Sequence[Any], columns: Mapping[str, str], *, others: bool) -> pyarrow.Table:
    """Return a list of objects as a table of the columns, null where an object lacks one.

    With `others`, fields that are not declared are left out. Raises DataError that names item and field of what does
    not fit.
    """
    import pyarrow

    for at, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise DataError(f"item {at} is {kind_of_value(item)}, not an object", hint="each object is a row")
        undeclared = None if others else next((name for name in item if name not in columns), None)
        if undeclared is not None:
            raise DataError(
                f"item {at} has the field {undeclared!r}, which is not declared",
                hint=f"declared: {', '.join(columns)}; or set others: drop",
            )
    made = {name: _column([item.get(name) for item in items], kind, name) for name, kind in columns.items()}
    return pyarrow.table(made)


def _column(values: list[Any], kind: str, name: str) -> pyarrow.Array:
    import pyarrow

    wanted = declared_type(kind)
    storage = wanted.storage_type if isinstance(wanted, pyarrow.BaseExtensionType) else wanted
    read = list(_read_all(values, kind, name))
    try:
        made = pyarrow.array(read, storage)
    except (pyarrow.ArrowException, ValueError, TypeError, OverflowError):
        at = next(at for at, value in enumerate(read) if not _fits(value, storage))
        raise _unfit(at, name, values[at], kind) from None
    return pyarrow.ExtensionArray.from_storage(wanted, made) if storage is not wanted else made


def _fits(value: Any, kind: pyarrow.DataType) -> bool:
    import pyarrow

    try:
        pyarrow.array([value], kind)
    except (pyarrow.ArrowException, ValueError, TypeError, OverflowError):
        return False
    return True


def _read_all(values: list[Any], kind: str, name: str) -> Iterator[Any]:
    for at, value in enumerate(values):
        try:
            yield _read(value, kind)
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            raise _unfit(at, name, value, kind) from None


def _unfit(at: int, name: str, value: Any, kind: str) -> DataError:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    return DataError(
        f"item {at + 1}: {shown} in the field {name!r} is not {with_article(kind)}",
        hint="declare another type, or correct the value before",
    )


def _read(value: Any, kind: str) -> Any:
    """Return a JSON value as Arrow takes one of the type; raise ValueError where it is none."""
    if value is None:
        return None
    if kind.endswith("[]"):
        if not isinstance(value, list):
            raise ValueError
        return [_read(item, kind[:-2]) for item in value]
    if kind == "JSON":
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    if kind == "VARCHAR":
        return _text(value)
    if kind == "UUID":
        return uuid.UUID(str(value)).bytes
    if kind == "BOOLEAN":
        found = value_of(value, "BOOLEAN") if isinstance(value, str) else value
        if not isinstance(found, bool):
            raise ValueError
        return found
    if family(kind) == "number":
        return _number(value, kind)
    return _moment(value, kind)


def _moment(value: Any, kind: str) -> Any:
    if isinstance(value, str):
        return value_of(value, kind)
    # What came straight from a table.
    wanted = {"DATE": date, "TIME": time}.get(kind, datetime)
    if isinstance(value, datetime) and kind == "DATE" and value.time() == time():
        return value.date()
    if type(value) is not wanted:
        raise ValueError
    return value


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise ValueError  # JSON is declared as such
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _number(value: Any, kind: str) -> Any:
    found = value_of(value, "number") if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float | Decimal):
        raise ValueError
    if kind in _FLOATS:
        if isinstance(found, Decimal) and math.isinf(float(found)):
            raise ValueError
        return float(found)
    # A number of JSON is what its digits say: 0.1 is a tenth.
    exact = Decimal(repr(found)) if isinstance(found, float) else Decimal(found)
    if kind.startswith("DECIMAL"):
        return exact
    if exact != exact.to_integral_value():
        raise ValueError
    return int(exact)
