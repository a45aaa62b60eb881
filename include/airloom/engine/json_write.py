"""A table written as one JSON document."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from typing import IO, Literal

from airloom.engine.batches import Batches
from airloom.engine.quoting import quoted, sql_literal
from airloom.engine.shapes import plain_message
from airloom.engine.text_values import FLOATING
from airloom.spec.error import DataError

Orient = Literal["records", "index", "values"]
_FETCHED = 10_000


def write_document(rows: Batches, path: str, orient: Orient, *, indent: bool) -> int:
    """Write a document of all rows and return how many there are; raise DataError for NaN and infinity."""
    import duckdb
    import pyarrow

    from airloom.engine import duck

    with contextlib.closing(duck.connect()) as connection, _written(path) as file:
        connection.register("batches", pyarrow.RecordBatchReader.from_batches(rows.schema, iter(rows)))
        bound = connection.table("batches")
        query = f"SELECT {_row(dict(zip(bound.columns, map(str, bound.types), strict=True)), orient)} FROM batches"  # noqa: S608
        opened, closed = ("{", "}") if orient == "index" else ("[", "]")
        count = 0
        file.write(opened.encode())
        try:
            result = connection.execute(query)
            while found := result.fetchmany(_FETCHED):
                for (text,) in found:
                    key = f'"{count}": ' if orient == "index" else ""
                    item = key + (_indented(text) if indent else text)
                    file.write(f"{',' if count else ''}\n{'  ' if indent else ''}{item}".encode())
                    count += 1
        except duckdb.Error as error:
            raise DataError(plain_message(error), hint="give null in its place") from None
        file.write(("\n" if count else "").encode() + closed.encode() + b"\n")
    return count


def _row(columns: dict[str, str], orient: Orient) -> str:
    values = []
    for name, kind in columns.items():
        message = f"column {name} holds NaN or infinity, which JSON cannot say"
        value = quoted(name)
        finite = f"CASE WHEN isfinite({value}) IS NOT FALSE THEN {value} ELSE error({sql_literal(message)}) END"
        values.append(finite if kind in FLOATING else value)
    if orient == "values":
        return f"CAST(json_array({', '.join(values)}) AS VARCHAR)"
    pairs = (f"{sql_literal(name)}, {value}" for name, value in zip(columns, values, strict=True))
    return f"CAST(json_object({', '.join(pairs)}) AS VARCHAR)"


def _indented(text: str) -> str:
    return json.dumps(json.loads(text), ensure_ascii=False, indent=2).replace("\n", "\n  ")


@contextlib.contextmanager
def _written(path: str) -> Iterator[IO[bytes]]:
    with contextlib.ExitStack() as stack:
        if path.endswith(".gz"):
            yield stack.enter_context(gzip.open(path, "wb"))  # type: ignore[arg-type]
        elif path.endswith(".zst"):
            import pyarrow

            yield stack.enter_context(pyarrow.output_stream(path, compression="zstd"))
        else:
            yield stack.enter_context(open(path, "wb"))
