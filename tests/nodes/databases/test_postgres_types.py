"""Every type, written and read, and read as PostgreSQL has it."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from tests.nodes.databases.conftest import Warehouse

from airloom.spec.error import DataError

UTC = dt.UTC
naive = dt.datetime.fromisoformat
TEXTS = [
    "",
    "plain",
    "NULL",
    "\\N",
    "\\.",
    "q\"uo'te",
    "tab\tline\nreturn\r\\",
    "ünï→🐘",
    "  spaces ",
    "{a,b}",
    "%s %(x)s",
]


def strings(values: list[str | None]) -> pa.Array:
    return pa.array(values, pa.string())


def uuids(values: list[str | None]) -> pa.Array:
    raw = [None if value is None else uuid.UUID(value).bytes for value in values]
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(raw, pa.binary(16)))


def jsons(values: list[str | None]) -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.json_(pa.string()), strings(values))


ONE = "00000000-0000-0000-0000-000000000001"
SAME = {
    "boolean": pa.array([True, False, None]),
    "int16": pa.array([-(2**15), 2**15 - 1, None], pa.int16()),
    "int32": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
    "int64": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
    "float32": pa.array([0.1, float("inf"), None, -0.0], pa.float32()),
    "float64": pa.array([0.1, 1e300, 5e-324, float("-inf"), None]),
    "decimal": pa.array([Decimal("0.0000000001"), Decimal("-9999999999999999999999999999.9999999999"), None]),
    "decimal 38": pa.array([Decimal("9" * 38), None], pa.decimal128(38, 0)),
    "text": strings([*TEXTS, None]),
    "binary": pa.array([b"", b"\x00\xff\\x", None], pa.binary()),
    "date": pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
    "time": pa.array([dt.time(0), dt.time(23, 59, 59, 999999), None], pa.time64("us")),
    "timestamp": pa.array([naive("0001-01-01"), naive("9999-12-31 23:59:59.999999"), None], pa.timestamp("us")),
    "timestamptz": pa.array([dt.datetime(2024, 2, 29, 1, 2, 3, 4, UTC), None], pa.timestamp("us", "UTC")),
    "interval": pa.array(
        [*map(pa.MonthDayNano, ([14, -3, 3_723_000_004_000], [-1, 2, -500_000_000], [0, 0, 0])), None]
    ),
    "uuid": uuids([ONE, None]),
    "json": jsons(['{"a": [1, null, "ü"]}', "null", None]),
    "list of int": pa.array([[1, None, 3], [], None], pa.list_(pa.int32())),
    "list of text": pa.array([TEXTS, [None], ["NULL"], [], None], pa.list_(pa.string())),
    "list of decimal": pa.array([[Decimal("1.50"), None], None], pa.list_(pa.decimal128(10, 2))),
    "list of timestamptz": pa.array([[dt.datetime(2024, 1, 1, tzinfo=UTC), None]], pa.list_(pa.timestamp("us", "UTC"))),
    "list of date": pa.array([[dt.date(2024, 1, 1), None]], pa.list_(pa.date32())),
    "list of boolean": pa.array([[True, False, None]], pa.list_(pa.bool_())),
    "list of binary": pa.array([[b'\x00\\"', b"", None]], pa.list_(pa.binary())),
    "list of double": pa.array([[1.5, float("inf"), None]], pa.list_(pa.float64())),
    "list of uuid": pa.ListArray.from_arrays(pa.array([0, 2, 2], pa.int32()), uuids([ONE, None])),
    "list of json": pa.ListArray.from_arrays(pa.array([0, 2], pa.int32()), jsons(['{"a": "x,\\"y"}', None])),
}


@pytest.mark.parametrize("kind", SAME)
def test_what_is_written_is_read(warehouse: Warehouse, kind: str) -> None:
    table = pa.table({"value": SAME[kind], "at": pa.array(range(len(SAME[kind])))})
    assert warehouse.write(table).rows == len(table)
    found = warehouse.read(table="target", order=["at"])
    assert found.schema == table.schema.remove_metadata()
    assert found.equals(table)


def test_nan_is_written_and_read(warehouse: Warehouse) -> None:
    warehouse.write(pa.table({"value": pa.array([float("nan")])}))
    assert str(warehouse.read(table="target")["value"][0]) == "nan"


CHANGED: dict[str, tuple[pa.Array, str, list[Any]]] = {
    "int8": (pa.array([-128], pa.int8()), "smallint", [-128]),
    "uint8": (pa.array([255], pa.uint8()), "smallint", [255]),
    "uint16": (pa.array([65535], pa.uint16()), "integer", [65535]),
    "uint32": (pa.array([2**32 - 1], pa.uint32()), "bigint", [2**32 - 1]),
    "uint64": (pa.array([2**64 - 1], pa.uint64()), "numeric(20,0)", [Decimal(2**64 - 1)]),
    "large text": (pa.array(["x"], pa.large_string()), "text", ["x"]),
    "text view": (pa.array(["x"], pa.string_view()), "text", ["x"]),
    "dictionary": (pa.array(["b", "a", None]).dictionary_encode(), "text", ["b", "a", None]),
    "null": (pa.nulls(2), "text", [None, None]),
    "zone": (
        pa.array([dt.datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin")),
        "timestamp with time zone",
        [dt.datetime(2024, 1, 1, tzinfo=UTC)],
    ),
    "milliseconds": (
        pa.array([naive("2024-01-01 01:00")], pa.timestamp("ms")),
        "timestamp without time zone",
        [naive("2024-01-01 01:00")],
    ),
    "duration": (pa.array([dt.timedelta(days=1, microseconds=1)]), "interval", [dt.timedelta(days=1, microseconds=1)]),
    "bool8": (
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8())),
        "boolean",
        [True, False, None],
    ),
    "struct": (
        pa.array([{"a": Decimal("1.10"), "b": {"c": [None, 'ü"']}}, None]),
        "jsonb",
        [{"a": 1.1, "b": {"c": [None, 'ü"']}}, None],
    ),
    "map": (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())), "jsonb", [{"k": 1}, None]),
    "list of lists": (pa.array([[[1], [2, 3]], []]), "jsonb", [[[1], [2, 3]], []]),
    "list of structs": (pa.array([[{"d": dt.date(2024, 1, 1)}]]), "jsonb", [[{"d": "2024-01-01"}]]),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_a_column_is_made_for_each_type(warehouse: Warehouse, kind: str) -> None:
    array, made, values = CHANGED[kind]
    warehouse.write(pa.table({"value": array}))
    assert warehouse.query("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attname = 'value'") == [
        (made,)
    ]
    assert [row[0] for row in warehouse.query("SELECT value FROM target")] == values


def test_decimals_in_json_keep_their_digits(warehouse: Warehouse) -> None:
    digits = Decimal("12345678901234567890.123456789")
    warehouse.write(pa.table({"value": pa.array([{"a": digits}])}))
    assert warehouse.query("SELECT value->>'a' FROM target") == [(str(digits),)]


def test_lists_fill_arrays_of_arrays(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE target (value integer[])")
    warehouse.write(pa.table({"value": pa.array([[[1, 2], [3, None]], None])}))
    assert warehouse.query("SELECT value FROM target") == [([[1, 2], [3, None]],), (None,)]


FOREIGN = {
    "enum": ("'happy'::mood", "VARCHAR", "happy"),
    "array of enum": ("'{sad,NULL}'::mood[]", "VARCHAR[]", ["sad", None]),
    "domain": ("'7'::positive", "INTEGER", 7),
    "array of domain": ("ARRAY[7]::positive[]", "INTEGER[]", [7]),
    "composite": ("(1, 'a b')::pair", "VARCHAR", '(1,"a b")'),
    "record": ("ROW(1, 'x')", "VARCHAR", "(1,x)"),
    "range": ("'[1,5)'::int4range", "VARCHAR", "[1,5)"),
    "inet": ("'10.0.0.1'::inet", "VARCHAR", "10.0.0.1"),
    "time with zone": ("'12:00:00+02'::timetz", "VARCHAR", "12:00:00+02"),
    "box array": ("'{(1,1),(0,0);(2,2),(1,1)}'::box[]", "VARCHAR[]", ["(1,1),(0,0)", "(2,2),(1,1)"]),
    "char": ("'ab'::char(4)", "VARCHAR", "ab  "),
    "name": ("'x'::name", "VARCHAR", "x"),
    "oid": ("4294967295::oid", "UINTEGER", 4294967295),
    "int2vector": ("'1 2'::int2vector", "VARCHAR", "1 2"),
    "bits": ("B'101'", "VARCHAR", "101"),
    "json": ("'{\"a\":  1}'::json", "JSON", '{"a":  1}'),
    "numeric": ("12345678901234.5::numeric", "DOUBLE", 12345678901234.5),
    "numeric NaN": ("'NaN'::numeric", "DOUBLE", None),
    "numeric without fraction": ("9007199254740992::numeric", "DOUBLE", 9007199254740992.0),
    "numeric with zeros": ("123456789012.50000000000::numeric", "DOUBLE", 123456789012.5),
    "sum": ("(SELECT sum(x) FROM (VALUES (1::bigint), (2)) v (x))", "DOUBLE", 3.0),
    "numeric(50)": ("5::numeric(50,2)", "DOUBLE", 5.0),
    "numeric(3,-2)": ("12345::numeric(3,-2)", "DOUBLE", 12300.0),
    "numeric(2,4)": ("0.0012::numeric(2,4)", "DOUBLE", 0.0012),
    "array from 0": ("'[0:1]={1,2}'::int[]", "INTEGER[]", [1, 2]),
    "text without type": ("'x'", "VARCHAR", "x"),
    "null": ("NULL", "VARCHAR", None),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_types_are_read(warehouse: Warehouse, kind: str) -> None:
    expression, duckdb, value = FOREIGN[kind]
    warehouse.execute(
        "CREATE TYPE mood AS ENUM ('happy', 'sad')",
        "CREATE DOMAIN positive AS integer CHECK (value > 0)",
        "CREATE TYPE pair AS (a integer, b text)",
    )
    sql = f"SELECT {expression} AS value"
    assert warehouse.describe(sql=sql) == {"value": duckdb}
    [found] = warehouse.read(sql=sql)["value"].to_pylist()
    assert found == value or (value is None and str(found) in ("None", "nan"))


@pytest.mark.parametrize(
    "expression",
    [
        "'infinity'::timestamp", "'-infinity'::date", "'4713-01-01 BC'::date", "'10000-01-01'::timestamptz",
        "'24:00'::time", "'NaN'::numeric(10,2)", "'infinity'::interval",
        "ARRAY[[1,2],[3,4]]", "ARRAY['infinity'::date]",
    ],
)  # fmt: skip
def test_what_has_no_arrow_value_is_named(warehouse: Warehouse, expression: str) -> None:
    with pytest.raises(DataError, match=r"column 'value' holds .+, which does not fit"):
        warehouse.read(sql=f"SELECT 1 AS other, {expression} AS value")


@pytest.mark.parametrize(
    "number", ["1234567890123456.78", "12345678901234567891", "0.12345678901234567", "-9007199254740993"]
)
def test_a_numeric_that_no_double_holds_is_named(warehouse: Warehouse, number: str) -> None:
    for value in (f"({number})::numeric", f"ARRAY[({number})::numeric]"):
        with pytest.raises(DataError, match=f"column 'value' .* holds {number}, of which a DOUBLE loses") as raised:
            warehouse.read(sql=f"SELECT {value} AS value")
    assert "value::numeric(38, 10)" in str(raised.value.hint)
    sql = f"SELECT ({number})::numeric(38, 17) AS value"
    assert warehouse.read(sql=sql)["value"].to_pylist() == [Decimal(number)]


def test_settings_of_the_role_change_nothing(warehouse: Warehouse) -> None:
    for setting in (
        "timezone = 'Asia/Tokyo'", "datestyle = 'SQL, DMY'", "intervalstyle = 'postgres_verbose'",
        "bytea_output = 'escape'", "extra_float_digits = -15", "client_encoding = 'LATIN1'",
        "standard_conforming_strings = off",
    ):  # fmt: skip
        warehouse.execute(f"ALTER ROLE postgres SET {setting}")
    try:
        table = pa.table(
            {name: SAME[name].slice(0, 1) for name in ("date", "timestamp", "timestamptz", "interval", "binary")}
        )
        table = table.append_column("float", pa.array([0.1 + 0.2])).append_column("text", pa.array(["→🐘\\"]))
        warehouse.write(table)
        assert warehouse.read(table="target").equals(table)
    finally:
        warehouse.execute("ALTER ROLE postgres RESET ALL")
