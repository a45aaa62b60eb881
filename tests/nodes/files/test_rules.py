"""The rules of docs/files.md, each held by the test of its name."""

from __future__ import annotations

import bz2
import gzip
import io
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import xlsxwriter
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
    assert csv(desk, (b"sep=~\na~b\n1~x\n", {}), (b'\xef\xbb\xbf"sep=;"\r\na;b\r\n1;x\r\n', {})) == [
        ({"a": "BIGINT", "b": "VARCHAR"}, [(1, "x")])
    ] * 2  # fmt: skip
    found = csv(
        desk, (b"a\n-1,5\n", {"decimal": ","}), (b'a,b\n"1,5",x\n', {"decimal": ","}),
        (b"a;b\n1,234;x\n", {"thousands": ","}), (b"a\nx\nb;c\n", {}),
    )  # fmt: skip
    assert [rows for _, rows in found[:3]] == [[(-1.5,)], [(1.5, "x")], [(1234, "x")]]
    assert found[3].startswith("f3.csv, line 3: more values where there is 1 column; delimiter names")


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
    for top in (b"Report", b'"Report" of March', b'"Report', b"Report\r"):
        assert csv(desk, (report.replace(b"Report", top), {"skip_rows": 1}))[0][1] == [(1, "x"), (2, "y")]


def test_empty_lines(desk: Desk) -> None:
    assert [rows for _, rows in csv(desk, (b"a,b\n\n1,2\n", {}), (b"\na\n\n1\n\n2\n", {}))] == [
        [(1, 2)], [(None,), (1,), (None,), (2,)],
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
    assert fault == "f1.csv, line 20002, column a: 'x' is not a BIGINT"
    large = csv(desk, (b"a\n1\n18446744073709551615\n", {}))[0]
    assert large == ({"a": "DECIMAL(38,0)"}, [(1,), (18446744073709551615,)])


def test_leading_zeros(desk: Desk) -> None:
    assert csv(desk, (b"a,b\n01234,0.5\n", {}))[0] == ({"a": "VARCHAR", "b": "DOUBLE"}, [("01234", 0.5)])


def test_dates(desk: Desk) -> None:
    day = b"a\n01/02/2026\n"
    found = csv(desk, (b"a\n2026-02-01\n", {}), (day, {"date_format": "%d/%m/%Y"}), (day, {}))
    assert [rows for _, rows in found] == [[(date(2026, 2, 1),)], [(date(2026, 2, 1),)], [("01/02/2026",)]]
    given = {"columns": {"a": "DATE"}}
    found = csv(
        desk,
        (b"a\n2026-2-1\n", given),
        (b"a\n2026-02-01 18:45\n", given),
        (b"a\n1/2/26\n", {"date_format": "%d/%m/%Y", **given}),
    )
    assert found[0][1] == [(date(2026, 2, 1),)]
    assert found[1:] == [
        "f1.csv, line 2, column a: '2026-02-01 18:45' is not a DATE",
        "f2.csv, line 2, column a: '1/2/26' is not a DATE in the format %d/%m/%Y",
    ]


def test_numbers(desk: Desk) -> None:
    german = {"decimal": ",", "thousands": ".", "delimiter": ";", "columns": {"a": "DOUBLE"}}
    decimal = {"columns": {"a": "DECIMAL(8,2)"}}
    assert csv(
        desk, (b"a\n1.5e3\n", {}), (b"a\n1.234,5\n", german), (b"a\n12.34\n", german), (b"a\n1.005\n", decimal),
        (b"a\n9007199254740993\n0.5\n", {}),
    ) == [
        ({"a": "DOUBLE"}, [(1500.0,)]), ({"a": "DOUBLE"}, [(1234.5,)]),
        "f2.csv, line 2, column a: '12.34' is not a DOUBLE",
        "f3.csv, line 2, column a: '1.005' does not fit a DECIMAL(8,2)",
        ({"a": "VARCHAR"}, [("9007199254740993",), ("0.5",)]),
    ]  # fmt: skip


def test_true_and_false(desk: Desk) -> None:
    found = csv(desk, (b"a\ntrue\nFALSE\n", {}), (b"a\ny\n", {"columns": {"a": "BOOLEAN"}}))
    assert found == [({"a": "BOOLEAN"}, [(True,), (False,)]), "f1.csv, line 2, column a: 'y' is not a BOOLEAN"]


def test_whole_numbers(desk: Desk) -> None:
    whole = {"columns": {"a": "TINYINT"}}
    cases = ((f"a\n{value}\n".encode(), whole) for value in ("2.7", "1e2", "128", "127"))
    assert csv(desk, *cases) == [
        "f0.csv, line 2, column a: '2.7' is not a TINYINT",
        "f1.csv, line 2, column a: '1e2' is not a TINYINT",
        "f2.csv, line 2, column a: '128' does not fit a TINYINT",
        ({"a": "TINYINT"}, [(127,)]),
    ]


def test_nan_and_infinity(desk: Desk) -> None:
    text = b"a\n1.5\nNaN\n"
    fault, found = csv(desk, (text, {}), (text, {"null_values": ["NaN"]}))
    assert fault == "f0.csv, line 3, column a: 'NaN' is not a number; name it in null_values to read null"
    assert found[1] == [(1.5,), (None,)]
    assert lines(desk, (b'{"a": 1.5}\n{"a": NaN}\n', {}))[0] == "f0.jsonl, line 2, column a: NaN is not a DOUBLE"
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
    name = desk.put("ragged.csv", b"a,b\n1,2,,\nx\ny,z,w\n4,5\n")
    rows, rejects = desk.rejects("csv_read", name)
    assert rows == [(1, 2), (4, 5)]
    assert [reject[3] for reject in rejects] == ["x", "y,z,w"]


def test_quotes(desk: Desk) -> None:
    fault, behind, twice = csv(desk, (b'a,b\n1,"x\n', {}), (b'a,b\n1,"x"y\n', {}), (b'a,b\n1,"x""y"\n', {}))
    assert fault == "f0.csv, line 2: a quote is not closed, or text follows it"
    assert behind == "f1.csv, line 2: a quote is not closed, or text follows it"
    assert twice[1] == [(1, 'x"y')]
    assert csv(desk, (b'a, "b"\n1, "x, y" \n', {})) == [({"a": "BIGINT", "b": "VARCHAR"}, [(1, "x, y")])]
    name = desk.put("open.csv", b'a,b\n1,"x\n2,"y"\n3,z\n4,"v"\n')
    assert desk.rejects("csv_read", name) == (
        [(3, "z"), (4, "v")], [("open.csv", 2, None, '1,"x\n2,"y"', "a quote is not closed, or text follows it")],
    )  # fmt: skip


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
    assert fault == "f3.csv, line 2, column b: bytes that are not letters in the encoding of the file"


def test_lines_of_a_fault(desk: Desk) -> None:
    integer = {"columns": {"a": "BIGINT"}}
    sheet = book(["Report"], [], ["a"], [1], ["z"])
    found = desk.read_each(
        ("csv_read", desk.put("a.csv", 'Report\na,b\n1,"x\ny"\n\nz,2\n'), {**integer, "skip_rows": 1}),
        ("excel_read", desk.put("a.xlsx", sheet), {**integer, "sheet": 1, "skip_rows": 1}),
        ("json_read", desk.put("a.json", '{"rows": [\n\n{"a": 1}, {"a": "z"}]}'), {**integer, "json_path": "$.rows"}),
    )  # fmt: skip
    assert found == [
        "a.csv, line 6, column a: 'z' is not a BIGINT",
        'a.xlsx, line 5, column a: "z" is not a BIGINT',
        'a.json, line 2, column a: "z" is not a BIGINT',
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


def test_types_given_for_json_and_sheets(desk: Desk) -> None:
    whole = {"columns": {"a": "BIGINT"}}
    cases = ((f'{{"a": {value}}}\n'.encode(), whole) for value in ("2990.5", "true", '"0x10"', "7.0"))
    assert lines(desk, *cases) == [
        "f0.jsonl, line 1, column a: 2990.5 is not a BIGINT", "f1.jsonl, line 1, column a: true is not a BIGINT",
        'f2.jsonl, line 1, column a: "0x10" is not a BIGINT', ({"a": "BIGINT"}, [(7,)]),
    ]  # fmt: skip
    exact = {"columns": {"a": "DECIMAL(20,4)"}}
    assert lines(desk, (b'{"a": 12345678901234.5678}\n', exact))[0][1] == [(Decimal("12345678901234.5678"),)]
    sheet = desk.put("a.xlsx", book(["a"], [2990.5]))
    assert desk.fault("excel_read", sheet, sheet=1, **whole) == "a.xlsx, line 2, column a: 2990.5 is not a BIGINT"


def test_names_that_differ_in_case(desk: Desk) -> None:
    for content in ('{"a": 1, "A": 2}', '{"b": {"a": 1, "A": 2}}', '[{"b": {"a": 1}}, {"b": {"A": 2}}]'):
        field, message = desk.problem("json_read", desk.put("a.json", content))
        inside = " of 'b'" if "b" in content else ""
        assert field == "columns"
        assert message.startswith(f"a.json: the field 'A'{inside} differs from 'a' in case alone")


def test_mixed_values_in_json(desk: Desk) -> None:
    assert lines(desk, (b'{"a": 1}\n{"a": "x"}\n', {}))[0] == ({"a": "JSON"}, [("1",), ('"x"',)])


def test_lines_that_are_not_an_object(desk: Desk) -> None:
    assert lines(desk, *((b'{"a": 1}\n\n' + line, {}) for line in (b'{"a"', b"[1]", b'{"a": 1, "a": 2}'))) == [
        "f0.jsonl, line 3: the line is not JSON",
        "f1.jsonl, line 3: the line is not an object",
        "f2.jsonl, line 3: a field stands there twice",
    ]


def test_objects_by_key(desk: Desk) -> None:
    contents = ('{"k1": {"a": 1}, "k2": {"a": 2}}', '{"k1": {"index": 5, "a": 1}}', '{"k": {"Index": 5, "index_1": 6}}')
    found = [desk.read("json_read", desk.put("a.json", content), orient="index") for content in contents]
    assert [(list(columns), rows) for columns, rows in found] == [
        (["index", "a"], [("k1", 1), ("k2", 2)]), (["index_1", "index", "a"], [("k1", 5, 1)]),
        (["index_2", "Index", "index_1"], [("k", 5, 6)]),
    ]  # fmt: skip
    written(desk, "json_write", "b.json", "SELECT 'x' AS index, 1 AS a", orient="index")
    assert desk.read("json_read", "b.json", orient="index")[1] == [("0", "x", 1)]


def test_sheets(desk: Desk) -> None:
    content = book(["t", "n", "x", "m"], ["12", 1, 1, 1], [], ["007", 2, 2.5, "y"])
    (found,) = desk.read_each(("excel_read", desk.put("a.xlsx", content), {"sheet": 1}))
    assert found == (
        {"t": "VARCHAR", "n": "BIGINT", "x": "DOUBLE", "m": "VARCHAR"}, [("12", 1, 1.0, "1"), ("007", 2, 2.5, "y")],
    )  # fmt: skip

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as workbook:
        form = workbook.add_format({"num_format": "[h]:mm:ss"})
        page = workbook.add_worksheet()
        for at, value in enumerate(("d", 3723 / 86400, 1.5)):
            page.write(at, 0, value, form)
    columns, rows = desk.read("excel_read", desk.put("b.xlsx", buffer.getvalue()))
    assert (columns, [(row[0].days, row[0].nanoseconds) for row in rows]) == (
        {"d": "INTERVAL"}, [(0, 3723 * 10**9), (1, 43200 * 10**9)],
    )  # fmt: skip


def test_formulas_of_a_sheet(desk: Desk) -> None:
    name = desk.put("a.xlsx", book(["n", "t"], [1, "x"], ["#DIV/0!", "#DIV/0!"]))
    assert desk.fault("excel_read", name, sheet=1) == 'a.xlsx, line 3, column n: "#DIV/0!" is not a BIGINT'
    (found,) = desk.read_each(("excel_read", name, {"sheet": 1, "columns": {"n": "VARCHAR"}}))
    assert found[1] == [("1", "x"), ("#DIV/0!", "#DIV/0!")]


def test_writing_a_sheet(desk: Desk) -> None:
    written(desk, "excel_write", "a.xlsx", "SELECT 9007199254740993 AS n, DATE '1899-12-31' AS d")
    assert desk.read_each(("excel_read", "a.xlsx", {}))[0][1] == [("9007199254740993", "1899-12-31")]
    values = (5 / 3, 0.1 + 0.2, 1e300, 5e-324, -2.5, 123456789.12345679)
    query = " UNION ALL ".join(f"SELECT {value!r}::DOUBLE AS x" for value in values)
    written(desk, "excel_write", "a.xlsx", query)
    assert desk.read_each(("excel_read", "a.xlsx", {}))[0][1] == [(value,) for value in values]
    result, _ = written(desk, "excel_write", "a.xlsx", "SELECT 'NaN'::DOUBLE AS x")
    assert (result.error or {})["message"] == "row 1, column x: nan is not a number that a sheet can hold"


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
    assert (alone["file"].error or {})["message"] == "a.csv, line 3, column b: 'x' is not a BIGINT"
    assert alone["few"].state == "not_run"
