"""Tables and values from strangers: checked, and brought into what every part of a pipeline knows."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.engine.reference import check_depth, too_deep
from airloom.engine.types import clashing_names
from airloom.spec.error import DataError

if TYPE_CHECKING:
    import pyarrow

_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")
_PLAIN = {
    "BOOLEAN": "bool_", "TINYINT": "int8", "SMALLINT": "int16", "INTEGER": "int32", "BIGINT": "int64",
    "UTINYINT": "uint8", "USMALLINT": "uint16", "UINTEGER": "uint32", "UBIGINT": "uint64", "FLOAT": "float32",
    "DOUBLE": "float64", "VARCHAR": "string", "BLOB": "binary", "DATE": "date32", "UUID": "uuid", "JSON": "json_",
}  # fmt: skip
_OUT_OF_TEXT = ("UUID", "JSON")


class ColumnFault(DataError):
    """Raise when a table that code made does not have the columns that a pipeline can carry, or that were declared."""

    code = "data.columns"


def check_declarable(kind: str) -> None:
    """Raise ValueError where the result of code cannot be declared to be of a column type."""
    if "INTERVAL" in kind:
        raise ValueError("no INTERVAL comes out of code: give a number of seconds or days")
    if kind.startswith(_OUT_OF_TEXT) and kind.endswith("[]"):
        raise ValueError(f"no {kind} comes out of code: declare VARCHAR[]")


def declared_type(kind: str) -> pyarrow.DataType:
    """Return the type in Arrow of a column type that can be declared."""
    import pyarrow

    if kind.endswith("[]"):
        return pyarrow.list_(declared_type(kind[:-2]))
    decimal = _DECIMAL.fullmatch(kind)
    if decimal:
        return pyarrow.decimal128(int(decimal[1]), int(decimal[2]))
    if kind == "TIME":
        return pyarrow.time64("us")
    if kind in ("TIMESTAMP", "TIMESTAMPTZ"):
        return pyarrow.timestamp("us", "UTC" if kind == "TIMESTAMPTZ" else None)
    return getattr(pyarrow, _PLAIN[kind])()


def make_portable(source: str, target: str, declared: Mapping[str, str] | None) -> None:
    """Check the Arrow stream in `source`, which may hold anything, and write it to `target` with portable columns.

    `declared` gives every column its type, in order. Raises ColumnFault that names the column. What the file costs to
    read is up to who wrote it: to be run in a process with limits.
    """
    import pyarrow

    _bound_memory()
    with _readable():
        reader = pyarrow.ipc.open_stream(pyarrow.memory_map(source))
    _write_portable(reader.schema, reader, target, declared)


def make_parquet_portable(source: str, target: str, declared: Mapping[str, str] | None) -> None:
    """Do with a Parquet file what `make_portable` does with an Arrow stream."""
    import pyarrow.parquet

    _bound_memory()
    with _readable():
        file = pyarrow.parquet.ParquetFile(source)
        schema = file.schema_arrow
    _write_portable(schema, file.iter_batches(), target, declared)


def _bound_memory() -> None:
    import pyarrow

    # Memory that the default pool has reserved already would not count towards the limit of this process.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())


def _write_portable(
    schema: pyarrow.Schema, batches: Iterable[pyarrow.RecordBatch], target: str, declared: Mapping[str, str] | None
) -> None:
    import pyarrow

    with _readable():
        wanted = _wanted(schema, declared)
        left = iter(batches)
    with pyarrow.ipc.new_stream(target, wanted) as writer:
        while True:
            with _readable():
                batch = next(left, None)
                if batch is None:
                    return
                batch.validate(full=True)
            writer.write_batch(_converted(batch, wanted, declared))


def read_value(source: str) -> Any:
    """Read the JSON in the file `source`, which may hold anything; raise DataError for what is not a JSON value.

    What a large file costs to read is up to who wrote it: to be run in a process with limits.
    """

    def refuse(constant: str) -> Any:
        raise DataError(f"{constant}, which JSON can't hold", hint="give null in its place")

    try:
        value = json.loads(Path(source).read_bytes(), parse_constant=refuse)
    except RecursionError:
        raise too_deep() from None
    except ValueError as error:
        raise DataError(f"what cannot be read as JSON: {error}") from None
    check_depth(value)
    return value


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    import pyarrow

    try:
        yield
    except MemoryError:
        raise
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        raise ColumnFault(f"the result cannot be read as a table: {error}") from None


def _wanted(schema: pyarrow.Schema, declared: Mapping[str, str] | None) -> pyarrow.Schema:
    import pyarrow

    names = list(schema.names)
    if not names or "" in names:
        raise ColumnFault("a column has no name" if names else "the result has no columns")
    repeated = clashing_names(names)
    if repeated:
        raise ColumnFault(
            f"there are two columns {repeated[0]!r}", hint="names that differ in case only are one name in SQL"
        )
    if declared is None:
        return pyarrow.schema([(field.name, _portable(field.type, field.name)) for field in schema])
    missing = [name for name in declared if name not in names]
    more = [name for name in names if name not in declared]
    if missing or more:
        fault = f"the result has no column {missing[0]!r}" if missing else f"the column {more[0]!r} is not declared"
        raise ColumnFault(fault, hint=f"declared: {', '.join(declared)}; there are: {', '.join(names)}")
    return pyarrow.schema([(name, declared_type(kind)) for name, kind in declared.items()])


def _converted(
    batch: pyarrow.RecordBatch, wanted: pyarrow.Schema, declared: Mapping[str, str] | None
) -> pyarrow.RecordBatch:
    import pyarrow

    columns = []
    for field in wanted:
        given = batch.column(field.name)
        try:
            # What is declared has to fit; of what is not, only the parts of a microsecond are cut off.
            columns.append(_cast(given, field.type, safe=declared is not None))
        except MemoryError:
            raise
        except (pyarrow.ArrowException, ValueError) as error:
            wanted_type = declared[field.name] if declared else field.type
            message = f"the column {field.name!r} is {given.type} and does not fit {wanted_type}: {error}"
            raise ColumnFault(message) from None
    return pyarrow.RecordBatch.from_arrays(columns, schema=wanted)


def _cast(values: pyarrow.Array, kind: pyarrow.DataType, *, safe: bool) -> pyarrow.Array:
    import pyarrow
    import pyarrow.types as is_

    if values.type == kind:
        return values
    if kind in (pyarrow.uuid(), pyarrow.json_()):
        texts = values.cast(pyarrow.string()).to_pylist()
        make = _uuid_bytes if kind == pyarrow.uuid() else _json_text
        made = pyarrow.array([None if text is None else make(text) for text in texts], kind.storage_type)
        return pyarrow.ExtensionArray.from_storage(kind, made)
    finer = (is_.is_timestamp(values.type) or is_.is_time(values.type)) and values.type.unit == "ns"
    return values.cast(kind, safe=safe and not finer)


def _uuid_bytes(text: str) -> bytes:
    return uuid.UUID(text).bytes


def _json_text(text: str) -> str:
    json.loads(text)
    return text


def _portable(kind: pyarrow.DataType, column: str) -> pyarrow.DataType:
    import pyarrow
    import pyarrow.types as is_

    if is_.is_null(kind):
        return pyarrow.int32()
    if kind in (pyarrow.uuid(), pyarrow.json_()):
        return kind
    for accepts, made in (
        (is_.is_boolean, kind), (is_.is_integer, kind), (is_.is_float16, pyarrow.float32()), (is_.is_floating, kind),
        (is_.is_string, kind), (is_.is_large_string, pyarrow.string()), (is_.is_string_view, pyarrow.string()),
        (is_.is_binary, kind), (is_.is_large_binary, pyarrow.binary()), (is_.is_binary_view, pyarrow.binary()),
        (is_.is_fixed_size_binary, pyarrow.binary()), (is_.is_date, pyarrow.date32()),
        (is_.is_time, pyarrow.time64("us")),
    ):  # fmt: skip
        if accepts(kind):
            return made
    if is_.is_timestamp(kind):
        return pyarrow.timestamp("us", "UTC" if kind.tz else None)
    if is_.is_decimal(kind) and kind.precision <= 38 and 0 <= kind.scale <= kind.precision:
        return pyarrow.decimal128(kind.precision, kind.scale)
    if is_.is_dictionary(kind):
        return _portable(kind.value_type, column)
    if is_.is_list(kind) or is_.is_large_list(kind) or is_.is_fixed_size_list(kind):
        return pyarrow.list_(_portable(kind.value_type, column))
    if is_.is_map(kind):
        return pyarrow.map_(_portable(kind.key_type, column), _portable(kind.item_type, column))
    if is_.is_struct(kind) and kind.num_fields and not clashing_names([field.name for field in kind]):
        return pyarrow.struct([(field.name, _portable(field.type, column)) for field in kind])
    hint = "give it as a number, such as seconds" if is_.is_duration(kind) or is_.is_interval(kind) else None
    raise ColumnFault(f"the column {column!r} is of type {kind}, which no table here holds", hint=hint)
