"""Node types that the documents need beside the built-in ones: faults, optional inputs, lists, several outputs."""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow

from airloom.nodes.sdk import Batches, DataError, Query, Relation, Source, Table, Transform, TransientError, literal


class Unreachable(Transform):
    """Fail as a service does that does not answer."""

    def run(self, value: Any = None) -> Any:
        raise TransientError("the service does not answer", hint="try again later")


class Broken(Transform):
    """Fail as code with a fault in it does."""

    def run(self, value: Any = None) -> Any:
        return [][1]


class Pair(Transform):
    """Put two values side by side; the second may be missing."""

    def run(self, left: Any, right: Any = None) -> dict[str, Any]:
        return {"left": left, "right": right}


class Numbers(Transform):
    """Give the numbers below `count` as a list of objects."""

    count: int

    def run(self, value: Any = None) -> list[dict[str, Any]]:
        return [{"n": number, "even": number % 2 == 0} for number in range(self.count)]


class Tally(Transform):
    """Count the items of a list."""

    def run(self, items: list[Any]) -> dict[str, Any]:
        return {"items": len(items)}


class Enrich(Table):
    """Say of each row whether there was a second table."""

    def query(self, rows: Relation, extra: Relation | None = None) -> Query:
        return rows.select(rows.all(rows.columns), enriched=literal(extra is not None))


class Measured(NamedTuple):
    """A table, and how long it is."""

    rows: Batches
    length: int


class Measure(Source):
    """Give a table and its length, or fail."""

    count: int

    def run(self) -> Measured:
        if self.count < 0:
            raise DataError(f"a table cannot have {self.count} rows")
        schema = pyarrow.schema([("n", pyarrow.int64())])
        return Measured(Batches.from_rows(({"n": number} for number in range(self.count)), schema), self.count)
