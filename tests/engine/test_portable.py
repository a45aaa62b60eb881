"""Tables from strangers: portable types, declared columns, and files that are none."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from airloom.engine.child import MemoryExceeded, run_in_child
from airloom.engine.portable import ColumnFault, check_declarable, make_portable

PEOPLE = {"name": ["Ada", "Bob", None], "age": [36, None, 41]}
UNIX = [0, 1, None]


def portable(tmp_path: Path, table: pyarrow.Table, columns: dict[str, str] | None = None) -> pyarrow.Table:
    """Return what a table becomes."""
    with pyarrow.ipc.new_stream(str(tmp_path / "given"), table.schema) as writer:
        writer.write_table(table)
    make_portable(str(tmp_path / "given"), str(tmp_path / "made"), columns)
    return pyarrow.ipc.open_stream(str(tmp_path / "made")).read_all()


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        (pyarrow.array([None, None, None]), pyarrow.int32()),
        (pyarrow.array([1, 2, 3], "float16"), pyarrow.float32()),
        (pyarrow.array(UNIX, "timestamp[ns]"), pyarrow.timestamp("us")),
        (pyarrow.array(UNIX, pyarrow.timestamp("s", "Asia/Tokyo")), pyarrow.timestamp("us", "UTC")),
        (pyarrow.array(UNIX, "time32[ms]"), pyarrow.time64("us")),
        (pyarrow.array([0, 86_400_000, None], "date64"), pyarrow.date32()),
        (pyarrow.array([Decimal("1.5"), None, Decimal(2)], pyarrow.decimal256(38, 1)), pyarrow.decimal128(38, 1)),
        (pyarrow.array(["a", "b", "a"]).dictionary_encode(), pyarrow.string()),
        (pyarrow.array(["a", "b", None], "large_string"), pyarrow.string()),
        (pyarrow.array(["a text that is too long to stand in a view", "b", None], "string_view"), pyarrow.string()),
        (pyarrow.array([b"aa", b"bb", None], pyarrow.binary(2)), pyarrow.binary()),
        (pyarrow.array([[1, 2], [3, 4], None], pyarrow.list_(pyarrow.int8(), 2)), pyarrow.list_(pyarrow.int8())),
        (
            pyarrow.array(
                [[{"a": "x"}], [], None], pyarrow.large_list(pyarrow.struct([("a", pyarrow.large_string())]))
            ),
            pyarrow.list_(pyarrow.struct([("a", pyarrow.string())])),
        ),
        (
            pyarrow.array([[("k", 0)], [], None], pyarrow.map_(pyarrow.string_view(), pyarrow.timestamp("ns"))),
            pyarrow.map_(pyarrow.string(), pyarrow.timestamp("us")),
        ),
    ],
    ids=lambda value: str(value if isinstance(value, pyarrow.DataType) else value.type),
)
def test_a_type_becomes_a_portable_one(tmp_path: Path, given: pyarrow.Array, becomes: pyarrow.DataType) -> None:
    result = portable(tmp_path, pyarrow.table({"x": given}))
    assert result.schema.types == [becomes]
    expected = given.to_pylist()
    if pyarrow.types.is_timestamp(becomes) and given.type.tz is None:
        expected = [value and value.replace(nanosecond=0).to_pydatetime() for value in expected]
    assert [str(value) for value in result["x"].to_pylist()] == [str(value) for value in expected] or (
        result["x"].to_pylist() == expected
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"Name": [1], "name": [2]}, "there are two columns 'name'"),
        ({"": [1]}, "a column has no name"),
        ({}, "the result has no columns"),
        ({"x": pyarrow.array([1], pyarrow.duration("s"))}, "'x' is of type duration"),
        ({"x": pyarrow.array([Decimal(1)], pyarrow.decimal256(50, 2))}, "'x' is of type decimal256"),
        ({"x": pyarrow.array([{}], pyarrow.struct([]))}, "'x' is of type struct<>"),
        ({"x": pyarrow.array([{"a": 1, "A": 2}])}, "'x' is of type struct<a: int64, A: int64>"),
        ({"x": pyarrow.array([[1]], pyarrow.list_view(pyarrow.int8()))}, "'x' is of type list_view"),
        ({"x": pyarrow.array([[[1]]]).cast(pyarrow.list_(pyarrow.list_(pyarrow.duration("s"))))}, "'x' is of type dur"),
    ],
)
def test_what_no_step_takes_is_named(tmp_path: Path, table: dict[str, Any], said: str) -> None:
    with pytest.raises(ColumnFault, match=said):
        portable(tmp_path, pyarrow.table(table))


def test_declared_types_are_made(tmp_path: Path) -> None:
    texts = {"id": ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", None], "more": ['{"a": 1}', None]}
    given = pyarrow.table(
        {**texts, "at": pyarrow.array([0, None], "timestamp[ns]"), "price": [1.5, None], "n": [1, None]}
    )
    columns = {
        "n": "SMALLINT", "price": "DECIMAL(5,2)", "at": "TIMESTAMPTZ", "id": "UUID", "more": "JSON",
    }  # fmt: skip
    result = portable(tmp_path, given, columns)
    assert result.schema.names == list(columns)
    assert result.schema.types == [
        pyarrow.int16(), pyarrow.decimal128(5, 2), pyarrow.timestamp("us", "UTC"), pyarrow.uuid(), pyarrow.json_(),
    ]  # fmt: skip
    assert result["price"].to_pylist() == [Decimal("1.50"), None]
    assert portable(tmp_path, result, None).schema == result.schema


@pytest.mark.parametrize(
    ("columns", "said", "hint"),
    [
        ({"name": "VARCHAR"}, "the column 'age' is not declared", "there are: name, age"),
        ({"name": "VARCHAR", "age": "BIGINT", "x": "DATE"}, "has no column 'x'", "declared: name, age, x"),
        ({"name": "INTEGER", "age": "BIGINT"}, "'name' is string and does not fit INTEGER: .*'Bob'", None),
        ({"name": "UUID", "age": "BIGINT"}, "'name' is string and does not fit UUID: badly formed", None),
        ({"name": "JSON", "age": "BIGINT"}, "'name' is string and does not fit JSON: Expecting value", None),
        ({"name": "VARCHAR", "age": "BIGINT[]"}, r"'age' is int64 and does not fit BIGINT\[\]", None),
        ({"name": "VARCHAR", "age": "DATE"}, "'age' is int64 and does not fit DATE", None),
        ({"name": "VARCHAR", "age": "BIGINT", "part": "BIGINT"}, r"'part' is double .* BIGINT: Float value 2\.5", None),
        ({"name": "VARCHAR", "age": "TINYINT", "large": "TINYINT"}, r"'large' .* 300 not in range", None),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, columns: dict[str, str], said: str, hint: str | None) -> None:
    more = {"part": [1.0, 2.5, 3.0], "large": [1, 300, 2]}
    given = pyarrow.table({**PEOPLE, **{name: values for name, values in more.items() if name in columns}})
    with pytest.raises(ColumnFault, match=said) as caught:
        portable(tmp_path, given, columns)
    assert hint in str(caught.value.hint) if hint else caught.value.hint is None


@pytest.mark.parametrize("kind", ["INTERVAL", "INTERVAL[]", "UUID[]", "JSON[][]"])
def test_what_cannot_come_out_cannot_be_declared(kind: str) -> None:
    with pytest.raises(ValueError, match="comes out of code"):
        check_declarable(kind)


def test_a_file_with_faults_is_refused_and_breaks_nothing(tmp_path: Path) -> None:
    given = pyarrow.table(
        {
            **PEOPLE, "list": [[1], [2, 3], None], "struct": [{"a": 1, "b": "x"}, None, {"a": None, "b": ""}],
            "choice": pyarrow.array(["a", "b", "a"]).dictionary_encode(), "bytes": [b"1", None, b""],
            "map": pyarrow.array([[("k", 1)], None, []], pyarrow.map_(pyarrow.string(), pyarrow.int32())),
            "view": pyarrow.array(["a text that is too long to stand in a view", "b", None], "string_view"),
        }
    )  # fmt: skip
    portable(tmp_path, given)
    whole = (tmp_path / "given").read_bytes()
    random_number = random.Random(7)
    refused = 0
    for _ in range(500):
        broken = bytearray(whole)
        for _ in range(random_number.choice([1, 2, 20])):
            broken[random_number.randrange(len(broken))] = random_number.randrange(256)
        (tmp_path / "given").write_bytes(
            broken[: random_number.choice([len(broken), random_number.randrange(len(broken))])]
        )
        try:
            make_portable(str(tmp_path / "given"), str(tmp_path / "made"), None)
        except ColumnFault:
            refused += 1
    assert refused > 300


def test_a_small_file_that_becomes_large_is_stopped(tmp_path: Path) -> None:
    given = pyarrow.table({"x": pyarrow.repeat(0, 15_000_000)})
    path = str(tmp_path / "given")
    options = pyarrow.ipc.IpcWriteOptions(compression="zstd")
    with pyarrow.ipc.new_stream(path, given.schema, options=options) as writer:
        writer.write_table(given)
    assert Path(path).stat().st_size < 1_000_000
    with pytest.raises(MemoryExceeded):
        run_in_child(make_portable, path, str(tmp_path / "made"), None, timeout=60, memory=50_000_000)
