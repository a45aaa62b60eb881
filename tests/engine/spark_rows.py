"""The same rows in DuckDB and in Spark, and what both answer to a query."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import sqlglot

from airloom.engine.quoting import quoted
from airloom.engine.relation import Columns
from airloom.engine.shapes import Shapes
from airloom.engine.spark import session
from airloom.engine.spark.query import to_spark
from airloom.engine.storage import parts

ABSENT = None if (found := session.missing()) is None else f"{found.message}: {found.hint}"
"""Why Spark cannot be asked here; None where it can."""


@dataclass
class Twins:
    """Two engines with the same tables."""

    duck: duckdb.DuckDBPyConnection
    spark: Any
    folder: Path
    columns: dict[str, Columns] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def add(self, name: str, columns: Columns, values: str | Sequence[Sequence[Any]]) -> None:
        """Put a table into both engines; the values are rows, or a query of DuckDB's."""
        kinds = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns.items())
        self.duck.execute(f"CREATE OR REPLACE TABLE {quoted(name)} ({kinds})")
        if isinstance(values, str):
            self.duck.execute(f"INSERT INTO {quoted(name)} {values}")
        elif values:
            self.duck.executemany(f"INSERT INTO {quoted(name)} VALUES ({', '.join('?' * len(columns))})", values)
        number = next(self.numbers)
        path = self.folder / f"{number}.parquet"
        self.duck.execute(f"COPY {quoted(name)} TO '{path}' (FORMAT parquet)")
        self.columns[name] = columns
        self.views[name] = f"view_{number}"
        session.read(self.spark, [str(path)]).createOrReplaceTempView(self.views[name])

    def answers(self, query: str, sources: Sequence[str], *, written: bool = False) -> tuple[list[Any], list[Any]]:
        """Return the rows of both engines in one order, numbers to eleven digits; types are those of DuckDB.

        With `written`, Spark's rows come through Parquet files, as they do from one step to the next.
        """
        known = {name: self.columns[name] for name in sources}
        with Shapes() as shapes:
            for name, columns in known.items():
                shapes.add(name, columns)
            text, columns = shapes.describe(sqlglot.parse_one(query, dialect="duckdb"))
        said = to_spark(text, known, {name: self.views[name] for name in sources})
        frame = session.cast(self.spark.sql(said), columns)
        if written:
            folder = self.folder / "written"
            shutil.rmtree(folder, ignore_errors=True)
            session.write(frame, str(folder))
            bound = self.duck.sql(f"SELECT * FROM read_parquet({parts(str(folder))})")
            assert list(map(str, bound.types)) == [str(kind) for kind in self.duck.sql(text).types]
            rows = bound.to_arrow_table().to_pylist()
        else:
            rows = frame.toArrow().to_pylist()
        return in_order(self.duck.sql(text).to_arrow_table().to_pylist()), in_order(rows)


@contextmanager
def twins(folder: Path) -> Iterator[Twins]:
    """Give both engines, empty."""
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    with session.session(None, memory=1 << 30, threads=2, folder=str(folder)) as spark:
        spark.conf.set("spark.sql.shuffle.partitions", "2")
        yield Twins(duck, spark, folder)
    duck.close()


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return rows as text, sorted."""
    return sorted(repr({name: _plain(value) for name, value in row.items()}) for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        # Sums of floats depend on the order of rows, in the last digits.
        # Zero has no sign to anybody who reads it.
        return "NaN" if math.isnan(value) else float(f"{value:.11g}") + 0.0
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
