"""Tables in and out of the box: every column type, with and without rows, declared columns, and wrong results."""

from __future__ import annotations

import logging
from typing import Any

import duckdb
import pyarrow
import pytest

from airloom.engine import box
from airloom.engine.batches import Batches
from airloom.engine.child import MemoryExceeded
from airloom.engine.portable import ColumnFault
from airloom.spec.error import DataError

LOG = logging.getLogger("airloom.tests.box")
LIBRARIES: list[box.Library] = ["arrow", "pandas", "polars"]
EVERY_TYPE = {
    "truth": "true", "tiny": "1::TINYINT", "small": "2::SMALLINT", "whole": "3::INTEGER",
    "big": "9007199254740993::BIGINT", "u_tiny": "1::UTINYINT", "u_small": "1::USMALLINT", "u_whole": "1::UINTEGER",
    "u_big": "18446744073709551615::UBIGINT", "short": "1.5::FLOAT", "double": "0.1::DOUBLE",
    "price": "1.20::DECIMAL(12,2)", "wide": "12345678901234567890123456789012345678::DECIMAL(38,0)",
    "text": "'ä' || chr(10)", "day": "DATE '0001-01-02'", "time": "TIME '12:00:01.000001'",
    "stamp": "TIMESTAMP '2026-01-02 03:04:05.123456'", "moment": "TIMESTAMPTZ '1969-01-02 03:04:05+00'",
    "bytes": "'\\x00\\xFF'::BLOB", "list": "[1, NULL]", "struct": "{'a': 1, 'b': 'x'}", "map": "MAP {'k': 1}",
    "nested": "[{'days': [DATE '2020-01-01']}]",
}  # fmt: skip


def table_of(sql: str) -> pyarrow.Table:
    """Return what a query gives, as a step hands it on."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection.sql(sql).to_arrow_table()


def transformed(
    library: box.Library, body: str, table: pyarrow.Table, columns: dict[str, str] | None = None, **limits: Any
) -> pyarrow.Table:
    """Return what the body of `transform` makes of a table."""
    source = "def transform(df):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    code = box.Code(source, "transform", {}, **{"seconds": 60, "memory": 1_000_000_000, **limits})
    result = box.run_table(code, library, Batches(table.schema, table.to_batches()), columns, LOG)
    return pyarrow.Table.from_batches(list(result), result.schema)


PEOPLE = pyarrow.table({"name": ["Ada", "Bob", None], "age": [36, None, 41]})


class TestTypes:
    """What goes through unchanged comes back unchanged."""

    @pytest.mark.parametrize("library", LIBRARIES)
    def test_every_type_and_null_comes_back(self, library: box.Library) -> None:
        values = ", ".join(f"{value} AS {name}" for name, value in EVERY_TYPE.items())
        nulls = ", ".join(f"NULL AS {name}" for name in EVERY_TYPE)
        given = table_of(f"SELECT {values} UNION ALL SELECT {nulls}")
        result = transformed(library, "return df", given)
        assert result.schema == given.schema
        assert result.to_pylist() == given.to_pylist()

    @pytest.mark.parametrize("library", LIBRARIES)
    def test_a_table_without_rows_keeps_its_types(self, library: box.Library) -> None:
        given = table_of("SELECT " + ", ".join(f"{value} AS {name}" for name, value in EVERY_TYPE.items()) + " LIMIT 0")
        result = transformed(library, "return df", given)
        assert (result.schema, result.num_rows) == (given.schema, 0)

    def test_a_batch_without_rows_and_no_batch_are_the_same(self) -> None:
        schema = pyarrow.schema([("a", pyarrow.int64())])
        assert transformed("arrow", "return df", schema.empty_table()).schema == schema

    def test_whole_numbers_stay_whole_beside_nulls_in_pandas(self) -> None:
        result = transformed("pandas", "df['next'] = df['age'] + 1\nreturn df", PEOPLE)
        assert result["next"].to_pylist() == [37, None, 42]
        assert result.schema.field("next").type == pyarrow.int64()

    @pytest.mark.parametrize(
        ("library", "body", "kinds"),
        [
            (
                "pandas",
                """
import numpy, pandas
return df.assign(
    a=numpy.array([1.5, numpy.nan, 2]),
    b=df["name"].astype("category"),
    c=pandas.Timestamp("2026-01-01 00:00:00.000000001"),
    d=pandas.Timestamp("2026-01-01", tz="Asia/Tokyo"),
    e=None,
)""",
                ["double", "string", "timestamp[us]", "timestamp[us, tz=UTC]", "int32"],
            ),
            (
                "polars",
                """
import polars as pl
return df.lazy().with_columns(a=pl.col("name").cast(pl.Categorical), b=pl.lit(None), c=pl.datetime(2026, 1, 1))
""",
                ["string", "int32", "timestamp[us]"],
            ),
        ],
    )
    def test_types_of_libraries_become_those_of_pipelines(
        self, library: box.Library, body: str, kinds: list[str]
    ) -> None:
        result = transformed(library, body, PEOPLE)
        assert [str(kind) for kind in result.schema.types[2:]] == kinds
        assert result.num_rows == 3

    def test_an_interval_is_refused_before_anything_runs(self) -> None:
        with pytest.raises(DataError, match="'gap' is an INTERVAL") as caught:
            transformed("polars", "return df", table_of("SELECT INTERVAL 1 MONTH AS gap"))
        assert "VARCHAR" in str(caught.value.hint)


class TestSize:
    """Large tables go through; what asks for too much is stopped."""

    @pytest.mark.parametrize(
        ("library", "body"),
        [
            ("pandas", "df['v'] = df['n'] * 2\nreturn df.groupby('k', as_index=False)['v'].sum().sort_values('k')"),
            ("polars", "import polars as pl\nreturn df.group_by('k').agg(v=pl.col('n').sum() * 2).sort('k')"),
        ],
    )
    def test_a_million_rows(self, library: box.Library, body: str) -> None:
        given = table_of("SELECT range AS n, range % 10 AS k, 'text ' || range AS t FROM range(1_000_000)")
        result = transformed(library, body, given)
        expected = table_of(
            "SELECT range % 10 AS k, 2 * sum(range)::BIGINT AS v FROM range(1_000_000) GROUP BY 1 ORDER BY 1"
        )
        assert result.to_pylist() == expected.to_pylist()

    def test_a_million_rows_come_back_in_batches_and_in_order(self) -> None:
        result = transformed("arrow", "return df", table_of("SELECT range AS n FROM range(1_000_000)"))
        assert result["n"].num_chunks > 1
        assert result["n"].combine_chunks().to_pylist() == list(range(1_000_000))

    @pytest.mark.parametrize(
        ("library", "body"),
        [
            ("pandas", "import numpy\nreturn df.assign(x=[numpy.ones(10**9)] * 3)"),
            ("polars", "import polars as pl\nreturn df.select(x=pl.int_range(10**9))"),
            ("arrow", "import pyarrow\nreturn pyarrow.table({'x': pyarrow.repeat(1, 10**9)})"),
        ],
    )
    def test_a_table_that_is_too_large(self, library: box.Library, body: str) -> None:
        with pytest.raises(MemoryExceeded) as caught:
            transformed(library, body, PEOPLE, memory=400_000_000)
        assert "node's memory" in str(caught.value.hint)


class TestDeclaredColumns:
    """What is declared is what comes out, or the column at fault is named."""

    def test_columns_come_in_the_declared_order_and_types(self) -> None:
        columns = {"age": "SMALLINT", "name": "VARCHAR"}
        result = transformed("arrow", "return df", PEOPLE, columns)
        assert result.schema == pyarrow.schema([("age", pyarrow.int16()), ("name", pyarrow.string())])

    def test_a_column_that_is_missing_is_named(self) -> None:
        with pytest.raises(ColumnFault, match="the result has no column 'x'"):
            transformed("arrow", "return df", PEOPLE, {"x": "DATE", "name": "VARCHAR", "age": "BIGINT"})


class TestWrongResults:
    """What is not a table of plain columns is refused, with what to do."""

    @pytest.mark.parametrize(
        ("library", "body", "said"),
        [
            ("pandas", "return df['age']", "transform returned pandas.Series, not a pandas.DataFrame"),
            ("pandas", "pass", "transform returned builtins.NoneType"),
            ("pandas", "return df.groupby('name').sum()", r"the index name would be lost: return df.reset_index\(\)"),
            ("pandas", "return df.rename(columns={'age': 3})", "the name of a column is a text, not 3"),
            ("pandas", "return df.assign(x=[1, 'a', {}])", "not a table of plain columns"),
            ("polars", "import pandas\nreturn pandas.DataFrame()", "not a polars.DataFrame"),
            ("arrow", "return df.to_pydict()", "transform returned builtins.dict, not a pyarrow.Table"),
        ],
    )
    def test_the_code_is_told(self, library: box.Library, body: str, said: str) -> None:
        with pytest.raises(box.CodeError, match=said) as caught:
            transformed(library, body, PEOPLE)
        assert caught.value.field == "code"

    @pytest.mark.parametrize("written", ["b'nothing of Arrow'", "b'ARROW1\\0\\0' + b'\\xff' * 999 + b'ARROW1'", "b''"])
    def test_a_result_that_was_tampered_with_is_refused(self, written: str) -> None:
        body = f"""
import os
for number in range(3, 20):
    try:
        os.write(number, {written})
    except OSError:
        pass
os._exit(0)
"""
        with pytest.raises(DataError):
            transformed("arrow", body, PEOPLE)
