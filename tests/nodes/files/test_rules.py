"""The rules of docs/files.md, each held by the test of its name."""

from __future__ import annotations

import bz2
import gzip
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
from tests.nodes.files.conftest import Desk
from tests.nodes.files.test_odd_files import book, zipped
from tests.nodes.files.test_written import written
from tests.runtime.conftest import node, rows_of

PAGE = Path(__file__).parents[3] / "docs" / "files.md"
RULES = re.findall(r"^\| (?!about|to |-)(.+?) \| (?!\[)(?:.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_rule_has_a_test_and_every_test_a_rule() -> None:
    tests = {name for name in globals() if name.startswith("test_") and not name.startswith("test_every_rule")}
    rules = [rule for rule in RULES if not rule.startswith("read ")]
    assert {"test_" + re.sub(r"\W+", "_", about.lower()) for about in rules} == tests


def csv(desk: Desk, *files: tuple[bytes, dict[str, Any]]) -> list[Any]:
    """Return columns and rows, or the fault, of each content with its config."""
    cases = [("csv_read", desk.put(f"f{at}.csv", content), config) for at, (content, config) in enumerate(files)]
    return desk.read_each(*cases)


def lines(desk: Desk, *files: tuple[bytes, dict[str, Any]]) -> list[Any]:
    cases = [("jsonl_read", desk.put(f"f{at}.jsonl", content), config) for at, (content, config) in enumerate(files)]
    return desk.read_each(*cases)


def test_delimiter(desk: Desk) -> None:
    found = csv(desk, (b"a;b\n1,5;x\n2,5;y\n", {}), (b"a~b\n1~x\n", {}), (b"a~b\n1~x\n", {"delimiter": "~"}))
    assert [list(columns) for columns, _ in found] == [["a", "b"], ["a~b"], ["a", "b"]]


def test_header(desk: Desk) -> None:
    found = csv(
        desk, (b"a,b\nx,y\n", {}), (b"x,1\ny,2\n", {}), (b"id,2026\n1,2\n", {}), (b"x,y\n", {"header": False}),
        (b"1,2\n3,4\n", {"header": True}),
    )  # fmt: skip
    assert [list(columns) for columns, _ in found] == [
        ["a", "b"], ["column0", "column1"], ["id", "2026"], ["column0", "column1"], ["1", "2"],
    ]  # fmt: skip


def test_names_of_columns(desk: Desk) -> None:
    assert list(csv(desk, (b"a, b ,,A\nx,y,z,w\n", {}))[0][0]) == ["a", "b", "column2", "A_1"]


def test_lines_above_the_table(desk: Desk) -> None:
    report = b"Report\na,b\n1,x\n2,y\n"
    name = desk.put("report.csv", report)
    assert desk.problem("csv_read", name) == ("path", "report.csv, line 1: 1 value, but most lines have 2")
    assert csv(desk, (report, {"skip_rows": 1}))[0][1] == [(1, "x"), (2, "y")]


def test_empty_lines(desk: Desk) -> None:
    assert [rows for _, rows in csv(desk, (b"a,b\n\n1,2\n", {}), (b"a\n1\n\n2\n", {}))] == [
        [(1, 2)], [(1,), (None,), (2,)],
    ]  # fmt: skip


def test_comments(desk: Desk) -> None:
    assert csv(desk, (b"a,b\n#1,x\n", {}))[0][1] == [("#1", "x")]


def test_types_of_values(desk: Desk) -> None:
    text = (
        b"i,d,day,t,at,zone,yes,s,none\n1,2.5,2026-01-31,10:30,2026-01-31 10:30:00,2026-01-31T10:30:00+01:00,true,x,\n"
    )
    late = b"a\n" + b"1\n" * 20_000 + b"x\n"
    found, fault = csv(desk, (text, {}), (late, {}))
    assert list(found[0].values()) == [
        "BIGINT", "DOUBLE", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "BOOLEAN", "VARCHAR", "VARCHAR",
    ]  # fmt: skip
    assert fault == "f1.csv, line 20002, column a: 'x' is no BIGINT"


def test_leading_zeros(desk: Desk) -> None:
    assert csv(desk, (b"a,b\n01234,0.5\n", {}))[0] == ({"a": "VARCHAR", "b": "DOUBLE"}, [("01234", 0.5)])


def test_dates(desk: Desk) -> None:
    day = b"a\n01/02/2026\n"
    found = csv(desk, (b"a\n2026-02-01\n", {}), (day, {"date_format": "%d/%m/%Y"}), (day, {}))
    assert [rows for _, rows in found] == [[(date(2026, 2, 1),)], [(date(2026, 2, 1),)], [("01/02/2026",)]]


def test_whole_numbers(desk: Desk) -> None:
    whole = {"columns": {"a": "TINYINT"}}
    cases = ((f"a\n{value}\n".encode(), whole) for value in ("2.7", "1e2", "128", "127"))
    assert csv(desk, *cases) == [
        "f0.csv, line 2, column a: '2.7' is no TINYINT",
        "f1.csv, line 2, column a: '1e2' is no TINYINT",
        "f2.csv, line 2, column a: '128' does not fit a TINYINT",
        ({"a": "TINYINT"}, [(127,)]),
    ]


def test_nan_and_infinity(desk: Desk) -> None:
    text = b"a\n1.5\nNaN\n"
    fault, found = csv(desk, (text, {}), (text, {"null_values": ["NaN"]}))
    assert fault == "f0.csv, line 3, column a: 'NaN' is no number; name it in null_values to read null"
    assert found[1] == [(1.5,), (None,)]
    assert lines(desk, (b'{"a": 1.5}\n{"a": NaN}\n', {}))[0] == "f0.jsonl, line 2, column a: NaN is no DOUBLE"
    duckdb.connect().sql("SELECT 'NaN'::DOUBLE AS a").write_parquet(str(desk.workshop.folder / "a.parquet"))
    ((_, rows),) = desk.read_each(("parquet_read", "a.parquet", {}))
    assert repr(rows) == "[(nan,)]"


def test_nanoseconds(desk: Desk) -> None:
    moment = "TIMESTAMP_NS '2026-01-31 10:00:00.000001999'"
    query = f"SELECT {moment} AS at, [{moment}] AS several, CAST('10:00:00.000001999' AS TIME_NS) AS clock"
    duckdb.connect().execute(f"COPY ({query}) TO '{desk.workshop.folder}/fine.parquet'")
    at = datetime(2026, 1, 31, 10, 0, 0, 2)  # noqa: DTZ001 files hold times without a zone
    for grouping in ("auto", "none"):
        found = desk.read("parquet_read", "fine.parquet", grouping=grouping)
        assert found == ({"at": "TIMESTAMP", "several": "TIMESTAMP[]", "clock": "TIME"}, [(at, [at], at.time())])


def test_nulls(desk: Desk) -> None:
    assert csv(desk, (b'a,b\n"",NA\n', {"null_values": ["NA"]}))[0][1] == [(None, None)]


def test_ragged_rows(desk: Desk) -> None:
    assert csv(desk, (b"a,b\n1\n2,3\n", {}), (b"a,b\n1,2,3\n4,5\n", {}), (b"a,b\n1,2,\n4,5\n", {})) == [
        "f0.csv, line 2: 1 value where there are 2 columns",
        "f1.csv, line 2: more values where there are 2 columns",
        ({"a": "BIGINT", "b": "BIGINT"}, [(1, 2), (4, 5)]),
    ]


def test_quotes(desk: Desk) -> None:
    fault, behind, twice = csv(desk, (b'a,b\n1,"x\n', {}), (b'a,b\n1,"x"y\n', {}), (b'a,b\n1,"x""y"\n', {}))
    assert fault == "f0.csv, line 2: a quote is not closed, or text follows it"
    assert behind == "f1.csv, line 2: a quote is not closed, or text follows it"
    assert twice[1] == [(1, 'x"y')]


def test_line_ends(desk: Desk) -> None:
    *same, mixed = csv(desk, *((end.join([b"a,b", b"1,2", b""]), {}) for end in (b"\n", b"\r\n", b"\r")), (
        b"a,b\n1,2\r\n", {}
    ))  # fmt: skip
    assert [rows for _, rows in same] == [[(1, 2)]] * 3
    assert mixed == "f3.csv, line 2: the line ends in CR LF, those above in LF"


def test_encodings(desk: Desk) -> None:
    given = "a,b\n1,ü\n"
    *found, fault = csv(
        desk, (given.encode("utf-8-sig"), {}), (given.encode("cp1252"), {"encoding": "cp1252"}),
        (given.encode("utf-16"), {"encoding": "utf-16"}), (given.encode("cp1252"), {}),
    )  # fmt: skip
    assert [rows for _, rows in found] == [[(1, "ü")]] * 3
    assert fault == "f3.csv, line 2, column b: bytes that are no letters in the encoding of the file"


def test_lines_of_a_fault(desk: Desk) -> None:
    integer = {"columns": {"a": "BIGINT"}}
    sheet = book(["Report"], [], ["a"], [1], ["z"])
    found = desk.read_each(
        ("csv_read", desk.put("a.csv", 'Report\na,b\n1,"x\ny"\n\nz,2\n'), {**integer, "skip_rows": 1}),
        ("excel_read", desk.put("a.xlsx", sheet), {**integer, "sheet": 1, "skip_rows": 1}),
        ("json_read", desk.put("a.json", '{"rows": [\n\n{"a": 1}, {"a": "z"}]}'), {**integer, "json_path": "$.rows"}),
    )  # fmt: skip
    assert found == [
        "a.csv, line 6, column a: 'z' is no BIGINT",
        'a.xlsx, line 5, column a: "z" is no BIGINT',
        'a.json, line 2, column a: "z" is no BIGINT',
    ]


def test_packed_files(desk: Desk) -> None:
    text = b"a,b\n1,x\n"
    packed = {"a.csv.gz": gzip.compress(text), "a.csv.bz2": bz2.compress(text), "a.zip": zipped("a.csv")}
    found = desk.read_each(*(("csv_read", desk.put(name, content), {}) for name, content in packed.items()))
    assert [rows for _, rows in found] == [[(1, "x")]] * 3


def test_several_files(desk: Desk) -> None:
    csv(desk, (b"a,b\n1,2\n", {}), (b"B;c;A\nx;2026-01-31;2.5\n", {}))
    columns, rows = desk.read("csv_read", "f*.csv")
    assert columns == {"a": "DOUBLE", "b": "VARCHAR", "c": "DATE"}
    assert rows == [(1.0, "2", None), (2.5, "x", date(2026, 1, 31))]


def test_fields_of_json_lines(desk: Desk) -> None:
    text = b'{"a": 1}\n' * 25_000 + b'{"late": true}\n'
    found = lines(desk, (text, {}), (b'{"a": 1, "b": 2}\n', {"columns": {"b": "BIGINT", "c": "DATE"}}))
    assert found[0][0] == {"a": "BIGINT", "late": "BOOLEAN"}
    assert found[1][1] == [(2, None)]


def test_mixed_values_in_json(desk: Desk) -> None:
    assert lines(desk, (b'{"a": 1}\n{"a": "x"}\n', {}))[0] == ({"a": "JSON"}, [("1",), ('"x"',)])


def test_lines_that_are_no_object(desk: Desk) -> None:
    assert lines(desk, *((b'{"a": 1}\n\n' + line, {}) for line in (b'{"a"', b"[1]", b'{"a": 1, "a": 2}'))) == [
        "f0.jsonl, line 3: the line is no JSON",
        "f1.jsonl, line 3: the line is no object",
        "f2.jsonl, line 3: a field stands there twice",
    ]


def test_sheets(desk: Desk) -> None:
    content = book(["t", "n", "x", "m"], ["12", 1, 1, 1], [], ["007", 2, 2.5, "y"])
    (found,) = desk.read_each(("excel_read", desk.put("a.xlsx", content), {"sheet": 1}))
    assert found == (
        {"t": "VARCHAR", "n": "BIGINT", "x": "DOUBLE", "m": "VARCHAR"}, [("12", 1, 1.0, "1"), ("007", 2, 2.5, "y")],
    )  # fmt: skip


def test_formulas_of_a_sheet(desk: Desk) -> None:
    name = desk.put("a.xlsx", book(["n", "t"], [1, "x"], ["#DIV/0!", "#DIV/0!"]))
    assert desk.fault("excel_read", name, sheet=1) == 'a.xlsx, line 3, column n: "#DIV/0!" is no BIGINT'
    (found,) = desk.read_each(("excel_read", name, {"sheet": 1, "columns": {"n": "VARCHAR"}}))
    assert found[1] == [("1", "x"), ("#DIV/0!", "#DIV/0!")]


def test_writing_a_sheet(desk: Desk) -> None:
    written(desk, "excel_write", "a.xlsx", "SELECT 9007199254740993 AS n, DATE '1899-12-31' AS d")
    assert desk.read_each(("excel_read", "a.xlsx", {}))[0][1] == [("9007199254740993", "1899-12-31")]
    result, _ = written(desk, "excel_write", "a.xlsx", "SELECT 'NaN'::DOUBLE AS x")
    assert (result.error or {})["message"] == "row 1, column x: nan is no number that a sheet can hold"


def test_whole_files(desk: Desk) -> None:
    for kind in ("json_write", "excel_write"):
        path = {"json_write": "a.json", "excel_write": "a.xlsx"}[kind]
        _, place = written(desk, kind, path, "SELECT 1 AS a")
        before = place.read_bytes()
        result, _ = written(desk, kind, path, "SELECT 1 AS a, 'inf'::DOUBLE AS x")
        assert (result.state, place.read_bytes()) == ("failed", before)
    names = sorted(found.name for found in desk.workshop.folder.iterdir())
    assert names == ["a.json", "a.xlsx", "rows.parquet"]


def test_faults_and_grouping(desk: Desk) -> None:
    name = desk.put("a.csv", "a,b\n1,2\n3,x\n")
    entries = (node("file", "csv_read", path=name, columns={"b": "BIGINT"}), node("few", "select", columns=["a"]))
    grouped, alone = (desk.workshop.run(*entries, edges="file>few", grouping=how) for how in ("auto", "none"))
    assert rows_of(grouped["few"]) == [{"a": 1}, {"a": 3}]
    assert (alone["file"].error or {})["message"] == "a.csv, line 3, column b: 'x' is no BIGINT"
    assert alone["few"].state == "not_run"
