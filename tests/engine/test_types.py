"""What is said of casts is what DuckDB does."""

from __future__ import annotations

import itertools

import duckdb
import pytest

from airloom.engine import duck
from airloom.engine.types import castable

SAMPLES = {
    "BOOLEAN": "true", "TINYINT": "1", "BIGINT": "1", "DOUBLE": "1.5", "DECIMAL(12,2)": "1.5", "VARCHAR": "'1'",
    "DATE": "'2026-01-31'", "TIME": "'10:00:00'", "TIMESTAMP": "'2026-01-31 10:00:00'",
    "TIMESTAMPTZ": "'2026-01-31 10:00:00+00'", "INTERVAL": "'1 day'", "BLOB": "'a'", "JSON": "'1'",
    "UUID": "'3f2504e0-4f89-11d3-9a0c-0305e82c3301'",
}  # fmt: skip


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    return duck.connect()


@pytest.mark.parametrize(("kind", "wanted"), [*itertools.product(SAMPLES, repeat=2)])
def test_a_cast_is_refused_where_duckdb_has_none(database: duckdb.DuckDBPyConnection, kind: str, wanted: str) -> None:
    there = True
    try:
        database.execute(f"SELECT CAST(x AS {wanted}) FROM (SELECT CAST({SAMPLES[kind]} AS {kind}) AS x)").fetchall()
    except duckdb.ConversionException as error:
        there = "Unimplemented type for cast" not in str(error)
    assert castable(kind, wanted) == there
