"""Exact numbers beside floating ones: equal to the last digit or not at all, and no digit lost where they meet."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from airloom.engine.shapes import Shapes
from airloom.nodes.files.parquet import ParquetRead
from airloom.nodes.sdk import ConfigurationError, Files
from airloom.nodes.tables.concat import Concat
from airloom.nodes.tables.join import Join
from airloom.nodes.tables.lookup import Lookup
from airloom.nodes.tables.pivot import Unpivot
from airloom.nodes.tables.update_rows import UpdateRows
from airloom.nodes.testing import Answer, Rows, run_table

LARGE = 2**53 + 1
EXACT: dict[str, list[Any]] = {
    "INTEGER": [0, 7, 16777217, -16777217],
    "BIGINT": [7, 16777217, LARGE, -LARGE, 2**63 - 1, 2**60],
    "UBIGINT": [7, LARGE, 2**64 - 1],
    "DECIMAL(38,0)": [Decimal(7), Decimal(LARGE), Decimal(10**30)],
    "DECIMAL(19,1)": [Decimal("7.0"), Decimal("0.5"), Decimal(f"{LARGE}.0")],
}
FLOATING: dict[str, list[Any]] = {
    "FLOAT": [0.0, 0.5, 7.0, 16777216.0, float(2**60)],
    "DOUBLE": [0.5, 7.0, 16777217.0, float(2**53), -float(2**53), float(2**60), float(2**63), float(2**64), 1e30],
}
PAIRS = [*product(EXACT, FLOATING), *product(FLOATING, EXACT)]


def column(kind: str, values: list[Any]) -> Rows:
    """Return a table of one column."""
    return Rows({"k": kind}, [(value,) for value in values])


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_keys_are_equal_to_the_last_digit(left: str, right: str) -> None:
    sides = {**EXACT, **FLOATING}
    same = {Fraction(value) for value in sides[left]} & {Fraction(value) for value in sides[right]}
    tables = {"left": column(left, sides[left]), "right": column(right, sides[right])}
    matches = run_table(Join(on=["k"]), **tables)["rows"].rows
    assert {Fraction(row["k"]) for row in matches} == same
    others = run_table(Join(on=["k"], how="anti"), **tables)["rows"].rows
    assert {Fraction(row["k"]) for row in others} == {Fraction(value) for value in sides[left]} - same


@pytest.mark.parametrize(("exact", "floating"), list(product(EXACT, FLOATING)))
def test_values_that_stand_together_keep_all_digits_or_end_the_run(exact: str, floating: str) -> None:
    """A join of both sides, updates, tables under each other, columns under each other."""
    for value in EXACT[exact]:
        one, other = column(exact, [value]), column(floating, [0.25])
        both = Rows({"a": exact, "b": floating}, [(value, 0.25)])
        runs: list[tuple[Any, dict[str, Any]]] = [
            (Join(on=["k"], how="outer"), {"left": one, "right": other}),
            (Join(on=["k"], how="outer"), {"left": other, "right": one}),
            (UpdateRows(keys=["k"]), {"rows": one, "updates": other}),
            (Concat(), {"tables": [one, other]}),
            (Unpivot(values=["a", "b"], value="k"), {"rows": both}),
        ]
        for node, tables in runs:
            if Fraction(float(value)) == Fraction(value):
                answer = run_table(node, **tables)["rows"]
                assert {Fraction(row["k"]) for row in answer.rows} == {Fraction(value), Fraction(1, 4)}
            else:
                with pytest.raises(duckdb.InvalidInputException, match=r"would lose digits of .*DECIMAL\(38,6\)"):
                    run_table(node, **tables)


def test_a_decimal_meets_the_double_that_is_written_alike() -> None:
    tables = {"left": column("DECIMAL(9,2)", [Decimal("0.10")]), "right": column("DOUBLE", [0.1])}
    assert len(run_table(Join(on=["k"]), **tables)["rows"].rows) == 1
    table = Rows({"k": "DOUBLE", "n": "INTEGER"}, [(0.1, 1)])
    assert run_table(Lookup(on=["k"]), rows=tables["left"], table=table)["rows"].rows == [
        {"k": Decimal("0.10"), "n": 1}
    ]


def test_an_update_of_a_float_is_no_update_of_its_neighbour() -> None:
    answer: Answer = run_table(
        UpdateRows(keys=["k"]), rows=column("BIGINT", [16777217]), updates=column("FLOAT", [16777216.0])
    )["rows"]
    assert [row["k"] for row in answer.rows] == [16777217, 16777216]


def parquet(folder: Path, *values: str) -> dict[str, str]:
    """Return the columns of files that hold these values of n."""
    for number, value in enumerate(values):
        duckdb.sql(f"COPY (SELECT {value} AS n) TO '{folder}/{number}.parquet'")
    scan = ParquetRead(path=f"{folder}/*.parquet").scan(Files(folder, (str(folder),)))
    with Shapes(read=[file.uri for file in scan.files]) as shapes:
        return dict(shapes.scanned(scan, [file.uri for file in scan.files]))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["16777217::BIGINT", "1.5::DOUBLE"], "DOUBLE"),
        (["1.5::DOUBLE", f"{2**60}::BIGINT"], "DOUBLE"),
        (["NULL::BIGINT", "1.5::DOUBLE"], "DOUBLE"),
        (["12.5::DECIMAL(19,2)", "1.5::DOUBLE"], "DOUBLE"),
        (["1.5::FLOAT", "1.5::DOUBLE"], "DOUBLE"),
        ([f"{2**64 - 1}::UBIGINT", "-1::BIGINT"], "DECIMAL(38,0)"),
    ],
)
def test_parquet_files_meet_in_a_type_that_holds_all_numbers(tmp_path: Path, values: list[str], kind: str) -> None:
    assert parquet(tmp_path, *values) == {"n": kind}


@pytest.mark.parametrize(
    "values",
    [
        [f"{LARGE}::BIGINT", "1.5::DOUBLE"],
        ["1.5::DOUBLE", f"{LARGE}::BIGINT"],
        [f"{2**64 - 1}::UBIGINT", "1.5::DOUBLE"],
        ["12345678901234567.89::DECIMAL(19,2)", "1.5::DOUBLE"],
        ["16777217::BIGINT", "1.5::FLOAT"],
        [f"[{LARGE}::BIGINT]", "[1.5::DOUBLE]"],
        ["{'a': 1::BIGINT}", "{'a': 1.5::DOUBLE}"],
    ],
)
def test_parquet_files_that_no_type_holds_are_refused(tmp_path: Path, values: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"'n' is .* in \d.parquet and .* in another file") as raised:
        parquet(tmp_path, *values)
    assert raised.value.field == "path"
    assert "concat" in str(raised.value.hint)


def test_a_decimal_of_more_digits_than_a_column_holds_is_refused(tmp_path: Path) -> None:
    table = pyarrow.table({"n": pyarrow.array([1]).cast(pyarrow.decimal256(40, 0))})
    pyarrow.parquet.write_table(table, tmp_path / "long.parquet")
    with pytest.raises(ConfigurationError, match="'n' is a decimal of 40 digits"):
        parquet(tmp_path)
