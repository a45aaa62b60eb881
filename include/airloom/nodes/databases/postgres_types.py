"""PostgreSQL's types and Arrow's: what a column that is read becomes, and how a column is written.

Read: integers, floats, booleans, dates, times, timestamps with and without zone, intervals, UUIDs, bytea, JSON and
one-dimensional arrays keep their type; `numeric(p, s)` up to 38 digits is a DECIMAL. A numeric without precision, or
with more digits, is a DOUBLE; a value of which that would lose digits is an error. Everything else (enums, ranges,
addresses, composites, time with time zone, money) is the text PostgreSQL shows. What Arrow has no value for, such as
infinity, years before 1 or after 9999 or NaN in a DECIMAL, is an error.

Written: lists of plain values become arrays; structs, maps and lists of those become jsonb.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from psycopg.types import TypeInfo
from psycopg.types.array import register_array
from psycopg.types.string import TextLoader

from airloom.nodes.databases.postgres_session import Session
from airloom.spec.error import DataError

NUMERIC = 1700
READ: dict[int, tuple[str, pa.DataType]] = {
    16: ("BOOLEAN", pa.bool_()),
    17: ("BLOB", pa.binary()),
    20: ("BIGINT", pa.int64()),
    21: ("SMALLINT", pa.int16()),
    23: ("INTEGER", pa.int32()),
    26: ("UINTEGER", pa.uint32()),
    114: ("JSON", pa.json_(pa.string())),
    700: ("FLOAT", pa.float32()),
    701: ("DOUBLE", pa.float64()),
    1082: ("DATE", pa.date32()),
    1083: ("TIME", pa.time64("us")),
    1114: ("TIMESTAMP", pa.timestamp("us")),
    1184: ("TIMESTAMPTZ", pa.timestamp("us", "UTC")),
    1186: ("INTERVAL", pa.month_day_nano_interval()),
    2950: ("UUID", pa.uuid()),
    3802: ("JSON", pa.json_(pa.string())),
}
LOADED = frozenset({16, 17, 20, 21, 23, 26, 700, 701})
"""Types that the driver turns into Python values without loss; the others come as text."""

INTERVAL = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+(?:\.\d+)?)S)?)?"
)


@dataclass(frozen=True)
class ReadColumn:
    """Hold a column of a result: its name, the type its values have, and whether they come in arrays of those."""

    name: str
    type_id: int
    duckdb: str
    arrow: pa.DataType
    array_id: int | None = None
    delimiter: str = ","


def read_columns(session: Session, described: Iterable[tuple[str, int, int]]) -> list[ReadColumn]:
    """Return the columns for names, type ids and type modifiers as a result's description has them."""
    described = list(described)
    arrays = {
        array: (element, delimiter)
        for array, element, delimiter in session.execute(
            "SELECT a.oid::bigint, (CASE WHEN e.typtype = 'd' THEN e.typbasetype ELSE e.oid END)::bigint, "
            "e.typdelim::text FROM pg_type e JOIN pg_type a ON a.oid = e.typarray WHERE a.oid = ANY(%s::bigint[])",
            [[type_id for _, type_id, _ in described]],
        )
    }
    found = []
    for name, type_id, modifier in described:
        if type_id in arrays:
            element, delimiter = arrays[type_id]
            duckdb, arrow = _types(element, modifier)
            found.append(ReadColumn(name, element, f"{duckdb}[]", pa.list_(arrow), type_id, delimiter))
        else:
            found.append(ReadColumn(name, type_id, *_types(type_id, modifier)))
    return found


def _types(type_id: int, modifier: int) -> tuple[str, pa.DataType]:
    if type_id != NUMERIC:
        return READ.get(type_id, ("VARCHAR", pa.string()))
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
    if modifier < 4 or precision > 38 or scale > precision:
        return "DOUBLE", pa.float64()
    return f"DECIMAL({precision},{scale})", pa.decimal128(precision, scale)


def register_loaders(cursor: Any, columns: Iterable[ReadColumn]) -> None:
    """Make a cursor give the values that `arrow_array` takes."""
    for column in columns:
        if column.type_id not in LOADED:
            cursor.adapters.register_loader(column.type_id, TextLoader)
        if column.array_id is not None:
            info = TypeInfo(f"airloom_{column.type_id}", column.type_id, column.array_id, delimiter=column.delimiter)
            register_array(info, cursor)


def arrow_array(column: ReadColumn, values: Sequence[Any]) -> pa.Array:
    """Return the values of a column as Arrow has them; raise DataError, naming the column, for one that it has not."""
    try:
        return _array(column, values)
    except _DigitsLostError as error:
        raise DataError(
            f"column {column.name!r} is a numeric without precision and holds {error}, of which a DOUBLE loses digits",
            hint=f"read it with sql that casts it: {column.name}::numeric(38, 10), or ::float8 where digits may go",
        ) from None
    except _NO_VALUE:
        odd = next((value for value in values if not _has_array(column, value)), None)
        shown = "a value" if odd is None else repr(odd if len(str(odd)) <= 100 else f"{str(odd)[:100]}…")
        raise DataError(
            f"column {column.name!r} holds {shown}, which does not fit {column.duckdb}",
            hint="read it with a query that leaves such values out or casts them, for instance to text",
        ) from None


_NO_VALUE = (pa.ArrowException, ValueError, TypeError, OverflowError)


def _array(column: ReadColumn, values: Sequence[Any]) -> pa.Array:
    if column.array_id is None:
        return _flat_array(column.type_id, column.arrow, values)
    lengths = [0 if value is None else len(value) for value in values]
    flat = _flat_array(column.type_id, column.arrow.value_type, list(chain.from_iterable(filter(None, values))))
    offsets = pa.array(accumulate(lengths, initial=0), pa.int32())
    return pa.ListArray.from_arrays(offsets, flat, mask=pa.array([value is None for value in values], pa.bool_()))


def _has_array(column: ReadColumn, value: Any) -> bool:
    try:
        _array(column, [value])
    except _NO_VALUE:
        return False
    return True


def _flat_array(type_id: int, kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    if type_id in LOADED:
        return pa.array(values, kind)
    if pa.types.is_interval(kind):
        return pa.array([None if value is None else _interval(value) for value in values], kind)
    if kind == pa.uuid():
        raw = [None if value is None else uuid.UUID(value).bytes for value in values]
        return pa.ExtensionArray.from_storage(kind, pa.array(raw, kind.storage_type))
    texts = pa.array(values, pa.string())
    if isinstance(kind, pa.JsonType):
        return pa.ExtensionArray.from_storage(kind, texts)
    if pa.types.is_floating(kind):
        _check_digits(texts)
    if pa.types.is_time(kind):
        # Arrow reads no times of day, but timestamps.
        return pc.binary_join_element_wise("1970-01-01", texts, " ").cast(pa.timestamp("us")).cast(kind)
    return texts.cast(kind)


class _DigitsLostError(ValueError):
    """Raise for a numeric that no double holds."""


def _check_digits(texts: pa.Array) -> None:
    # Up to 15 digits come back the same, which nearly all have.
    for text in texts.filter(pc.match_substring_regex(texts, r"(\d\.?){16}")).to_pylist():
        if Decimal(repr(float(text))) != Decimal(text):
            raise _DigitsLostError(text)


def _interval(text: str) -> pa.MonthDayNano:
    match = INTERVAL.fullmatch(text)
    if match is None:
        raise ValueError
    years, months, days, hours, minutes = (int(part or 0) for part in match.groups()[:5])
    nanoseconds = int(Decimal(match[6] or 0) * 1_000_000_000) + (hours * 60 + minutes) * 60_000_000_000
    return pa.MonthDayNano([years * 12 + months, days, nanoseconds])


WRITTEN: list[tuple[Callable[[pa.DataType], bool], str]] = [
    (pa.types.is_boolean, "boolean"),
    (lambda kind: kind in (pa.int8(), pa.int16(), pa.uint8()), "smallint"),
    (lambda kind: kind in (pa.int32(), pa.uint16()), "integer"),
    (lambda kind: kind in (pa.int64(), pa.uint32()), "bigint"),
    (pa.types.is_uint64, "numeric(20,0)"),
    (lambda kind: kind in (pa.float16(), pa.float32()), "real"),
    (pa.types.is_float64, "double precision"),
    (lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind), "bytea"),
    (lambda kind: pa.types.is_fixed_size_binary(kind) or pa.types.is_binary_view(kind), "bytea"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (lambda kind: pa.types.is_interval(kind) or pa.types.is_duration(kind), "interval"),
]


def postgres_type(kind: pa.DataType) -> str:
    """Return the PostgreSQL type of a column that is made for an Arrow type."""
    if isinstance(kind, pa.UuidType):
        return "uuid"
    if isinstance(kind, pa.JsonType):
        return "jsonb"
    if isinstance(kind, pa.BaseExtensionType):
        return "boolean" if isinstance(kind, pa.Bool8Type) else postgres_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return postgres_type(kind.value_type)
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    if _is_list(kind) and not pa.types.is_nested(kind.value_type):
        return f"{postgres_type(kind.value_type)}[]"
    if pa.types.is_nested(kind):
        return "jsonb"
    return next((name for fits, name in WRITTEN if fits(kind)), "text")


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def copy_lines(batch: pa.RecordBatch, arrays: Sequence[bool], constants: Sequence[str], first_row: int) -> memoryview:
    """Return a batch as lines of COPY's text format, one line a row, constants behind the columns.

    `arrays` tells of each column whether its target is an array. `first_row` is the number of the batch's first row.
    Raises DataError, naming column and row, for what PostgreSQL cannot hold.
    """
    columns = []
    for name, array, as_array in zip(batch.schema.names, batch.columns, arrays, strict=True):
        try:
            texts = _texts(array, as_array=as_array)
        except (pa.ArrowException, ValueError, OverflowError):
            raise DataError(
                f"column {name!r}, between rows {first_row} and {first_row + len(batch) - 1}: a value that PostgreSQL "
                "cannot hold",
                hint="JSON has no NaN and no infinity" if pa.types.is_nested(array.type) else None,
            ) from None
        if _may_need_escapes(array.type):
            found = pc.index(pc.match_substring(texts, "\0"), True).as_py()
            if found >= 0:
                raise DataError(
                    f"row {first_row + found}, column {name!r}: the text holds a NUL, which PostgreSQL cannot",
                    hint="take it out before, for instance with replace(…, chr(0), '')",
                )
            texts = _escaped(texts)
        columns.append(texts)
    columns += [_escaped(pa.scalar(text, pa.large_string())) for text in constants]
    null = {"null_handling": "replace", "null_replacement": "\\N"}
    lines = pc.binary_join_element_wise(*columns, pa.scalar("\t", pa.large_string()), **null)
    # The joined values lie one behind the other in memory: with a line's end to each they are the text to send.
    ended = pc.binary_join_element_wise(lines, pa.scalar("", pa.large_string()), pa.scalar("\n", pa.large_string()))
    return memoryview(ended.buffers()[2] or b"")


def _may_need_escapes(kind: pa.DataType) -> bool:
    plain = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal)
    return not any(fits(kind) for fits in plain)


def _escaped(texts: Any) -> Any:
    for character, written in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        texts = pc.replace_substring(texts, character, written)
    return texts


def _texts(array: pa.Array, *, as_array: bool = False) -> pa.Array:
    """Return the values as the texts that PostgreSQL reads; nulls stay nulls."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _texts(array.dictionary_decode(), as_array=as_array)
    if isinstance(kind, pa.Bool8Type):
        return _texts(array.storage.cast(pa.bool_()))
    if isinstance(kind, pa.UuidType):
        return _each(str, array)
    if isinstance(kind, pa.BaseExtensionType):
        return _texts(array.storage, as_array=as_array)
    if as_array and _is_list(kind):
        return _array_literals(array)
    if pa.types.is_nested(kind):
        values = array.to_pylist(maps_as_pydicts="strict")
        return pa.array([None if value is None else _json(value) for value in values], pa.large_string())
    if postgres_type(kind) == "bytea":
        return _each(lambda value: "\\x" + value.hex(), array)
    if pa.types.is_interval(kind):
        return _each(_interval_text, array)
    if pa.types.is_duration(kind):
        return _each(lambda value: f"{value} microseconds", array.cast(pa.duration("us")).cast(pa.int64()))
    if pa.types.is_timestamp(kind) and kind.tz:
        array = array.cast(pa.timestamp(kind.unit, "UTC"))
    return array.cast(pa.large_string())


def _each(write: Callable[[Any], str], array: pa.Array) -> pa.Array:
    return pa.array([None if value is None else write(value) for value in array.to_pylist()], pa.large_string())


def _interval_text(value: pa.MonthDayNano) -> str:
    return f"{value.months} mons {value.days} days {Decimal(value.nanoseconds) / 1000} microseconds"


def _array_literals(array: pa.Array) -> pa.Array:
    if pa.types.is_fixed_size_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    inner = _texts(array.flatten(), as_array=True).to_pylist()
    if not _is_list(array.type.value_type):
        inner = [None if text is None else _quoted(text) for text in inner]
    written: list[str | None] = []
    start = 0
    for length in pc.list_value_length(array).to_pylist():
        if length is None:
            written.append(None)
            continue
        items = inner[start : start + length]
        written.append("{" + ",".join("NULL" if text is None else text for text in items) + "}")
        start += length
    return pa.array(written, pa.large_string())


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _json(value: Any) -> str:
    """Return a value as JSON that loses no digit of a number."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime.date | datetime.time):
        return json.dumps(value.isoformat())
    if isinstance(value, bytes):
        return json.dumps("\\x" + value.hex())
    if isinstance(value, pa.MonthDayNano):
        return json.dumps(_interval_text(value))
    return json.dumps(
        value if value is None or isinstance(value, bool | int | float) else str(value), ensure_ascii=False
    )
