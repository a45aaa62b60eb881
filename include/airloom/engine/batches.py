"""Rows on their way between a table file and a connector: a stream of Arrow record batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow


class Batches:
    """Hold rows as a stream of `pyarrow.RecordBatch` and their `schema`; it can be read once.

    Iterating yields the batches. A table of any size passes through in little memory.
    """

    def __init__(self, schema: pyarrow.Schema, batches: Iterable[pyarrow.RecordBatch]) -> None:
        self.schema = schema
        self._batches = batches

    def __iter__(self) -> Iterator[pyarrow.RecordBatch]:
        return iter(self._batches)

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns, in order."""
        return list(self.schema.names)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dictionary."""
        for batch in self:
            yield from batch.to_pylist()

    def first(self, number: int) -> Batches:
        """Return the first rows alone; no batch is read beyond the one that holds the last of them."""

        def batches() -> Iterator[pyarrow.RecordBatch]:
            left = number
            for batch in self:
                yield batch.slice(0, left)
                left -= batch.num_rows
                if left <= 0:
                    return

        return Batches(self.schema, batches() if number else ())

    @classmethod
    def from_rows(cls, rows: Iterable[dict[str, Any]], schema: pyarrow.Schema, size: int = 10_000) -> Batches:
        """Return batches of at most `size` rows each."""

        def batches() -> Iterator[pyarrow.RecordBatch]:
            import itertools

            import pyarrow

            iterator = iter(rows)
            while chunk := list(itertools.islice(iterator, size)):
                yield pyarrow.RecordBatch.from_pylist(chunk, schema=schema)

        return cls(schema, batches())
