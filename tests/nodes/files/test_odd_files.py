"""Files as they are: every row of an odd file comes out, or is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from datetime import UTC, date, datetime
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import xlsxwriter
from tests.nodes.files.conftest import Desk
from tests.runtime.conftest import node, rows_of


def zipped(*names: str, content: bytes = b"a,b\n1,x\n") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


TABLE = [(1, "x"), (2, "y")]


ODD_CSV: list[Any] = [
    ("bom.csv", b"\xef\xbb\xbfa,b\n1,x\n2,y\n", {}, ["a", "b"], TABLE),
    ("windows.csv", b"a,b\r\n1,x\r\n2,y\r\n", {}, ["a", "b"], TABLE),
    ("old_mac.csv", b"a,b\r1,x\r2,y\r", {}, ["a", "b"], TABLE),
    ("no_last_line_end.csv", b"a,b\n1,x\n2,y", {}, ["a", "b"], TABLE),
    ("blank_lines.csv", b"\n\na,b\n1,x\n\n2,y\n\n", {}, ["a", "b"], TABLE),
    ("semicolon.csv", b"a;b\n1;x,y,z\n2;y\n", {}, ["a", "b"], [(1, "x,y,z"), (2, "y")]),
    ("tab.tsv", b"a\tb\n1\tx\n2\ty\n", {}, ["a", "b"], TABLE),
    ("pipe.csv", b"a|b\n1|x\n2|y\n", {}, ["a", "b"], TABLE),
    ("tilde.csv", b"a~b\n1~x\n2~y\n", {"delimiter": "~"}, ["a", "b"], TABLE),
    ("single_quotes.csv", b"a,b\n1,'x, y'\n", {"quote": "'"}, ["a", "b"], [(1, "x, y")]),
    ("backslash.csv", b'a,b\n1,"x \\"y\\""\n', {"escape": "\\"}, ["a", "b"], [(1, 'x "y"')]),
    ("no_quotes.csv", b'a|b\n1|5" pipe\n2|y\n', {"quote": ""}, ["a", "b"], [(1, '5" pipe'), (2, "y")]),
    ("lines_in_values.csv", b'a,b\n1,"x\n\ny"\n2,y\n', {}, ["a", "b"], [(1, "x\n\ny"), (2, "y")]),
    ("lines_in_windows.csv", b'a,b\r\n1,"x\ny"\r\n2,y\r\n', {}, ["a", "b"], [(1, "x\ny"), (2, "y")]),
    ("hash.csv", b"a,b\n#1,x\n2,y\n", {}, ["a", "b"], [("#1", "x"), ("2", "y")]),
    ("spaces.csv", b"a, b\n1, x\n2, y\n", {}, ["a", "b"], [(1, " x"), (2, " y")]),
    ("trailing.csv", b"a,b,\n1,x\n2,y\n", {"header": True}, ["a", "b"], TABLE),
    ("trailing_rows.csv", b"a,b\n1,x,\n2,y,\n", {}, ["a", "b"], TABLE),
    ("no_name.csv", b"a,,A\n1,2,3\n", {}, ["a", "column1", "A_1"], [(1, 2, 3)]),
    ("no_header.csv", b"1,x\n2,y\n", {}, ["column0", "column1"], TABLE),
    ("texts_only.csv", b"name,city\nann,oslo\n", {}, ["name", "city"], [("ann", "oslo")]),
    ("header_only.csv", b"a,b\n", {}, ["a", "b"], []),
    ("one_column.csv", b"a\n1\n\n3\n", {}, ["a"], [(1,), (None,), (3,)]),
    ("title.csv", b"Report\n\na,b\n1,x\n2,y\n", {"skip_rows": 1}, ["a", "b"], TABLE),
    ("nothing.csv", b"", {"header": False, "columns": {"a": "BIGINT"}}, ["a"], []),
    ("null_words.csv", b"a,b\n1,NA\n-,y\n", {"null_values": ["NA", "-"]}, ["a", "b"], [(1, None), (None, "y")]),
    ("leading_zeros.csv", b"a,b\n01234,x\n00001,y\n", {}, ["a", "b"], [("01234", "x"), ("00001", "y")]),
    ("bad_date.csv", b"a,b\n2026-02-30,x\n", {}, ["a", "b"], [("2026-02-30", "x")]),
    ("day_or_month.csv", b"a,b\n01/02/2026,x\n", {}, ["a", "b"], [("01/02/2026", "x")]),
    ("utf16.csv", "a,b\n1,ü☃\n".encode("utf-16"), {"encoding": "utf-16"}, ["a", "b"], [(1, "ü☃")]),
    ("utf16be.csv", "a,b\n1,ü\n".encode("utf-16-be"), {"encoding": "utf-16-be"}, ["a", "b"], [(1, "ü")]),
    ("cp1252.csv", "a,b\n1,5 €\n".encode("cp1252"), {"encoding": "cp1252"}, ["a", "b"], [(1, "5 €")]),
    ("japan.csv", "a,b\n1,日本\n".encode("shift_jis"), {"encoding": "shift_jis"}, ["a", "b"], [(1, "日本")]),
    ("a.csv.gz", gzip.compress(b"a,b\n1,x\n2,y\n"), {}, ["a", "b"], TABLE),
    ("a.csv.bz2", bz2.compress(b"a,b\n1,x\n2,y\n"), {}, ["a", "b"], TABLE),
    ("a.csv.xz", lzma.compress(b"a,b\n1,x\n2,y\n"), {}, ["a", "b"], TABLE),
    ("a.zip", zipped("a.csv", content=b"a,b\n1,x\n2,y\n"), {}, ["a", "b"], TABLE),
    ("l1.csv.gz", gzip.compress("a,b\n1,ü\n".encode("latin-1")), {"encoding": "latin-1"}, ["a", "b"], [(1, "ü")]),
    ("nul.csv", b"a,b\n1,x\0y\n", {}, ["a", "b"], [(1, "x\0y")]),
]  # fmt: skip


def test_an_odd_csv_file_is_read(desk: Desk) -> None:
    found = desk.read_each(*(("csv_read", desk.put(name, content), config) for name, content, config, _, _ in ODD_CSV))
    for (name, _, _, columns, rows), table in zip(ODD_CSV, found, strict=True):
        assert not isinstance(table, str), (name, table)
        assert (name, list(table[0]), table[1]) == (name, columns, rows)


FAULTY_CSV: list[Any] = [
    (b"a,b,c\n1,2,3\n4,5\n6,7,8\n", {}, "line 3: 2 values where there are 3 columns"),
    (b"a,b\n1,2\n3,4,5\n", {}, "line 3: more values where there are 2 columns"),
    (b"a,b\n1,2\nx,4\n", {"columns": {"a": "BIGINT"}}, "line 3, column a: 'x' is not a BIGINT"),
    (b'a,b\n1,"x\ny"\nz,2\n', {"columns": {"a": "BIGINT"}}, "line 4, column a: 'z' is not a BIGINT"),
    (b"a,b\n1,2\n2.5,4\n", {"columns": {"a": "BIGINT"}}, "line 3, column a: '2.5' is not a BIGINT"),
    (b"a,b\n1,2\n0x10,4\n", {"columns": {"a": "BIGINT"}}, "line 3, column a: '0x10' is not a BIGINT"),
    (b"a,b\n1,2\n300,4\n", {"columns": {"a": "TINYINT"}}, "line 3, column a: '300' does not fit a TINYINT"),
    (b"a,b\n1,2026-02-28\n1,2026-02-30\n", {"columns": {"b": "DATE"}}, "line 3, column b: '2026-02-30' is not a DATE"),
    (b"a,b\n1,2.5\n3,NaN\n", {}, "line 3, column b: 'NaN' is not a number; name it in null_values to read null"),
    (b"a,b\n1,2.5\n3,-inf\n", {}, "line 3, column b: '-inf' is not a number; name it in null_values to read null"),
    (b"a,b\n1,2.5\n3,1e999\n", {}, "line 3, column b: '1e999' is too large for a DOUBLE"),
    (b"a,b\n1,x\n2,\xff\xfe\n", {}, "line 3, column b: bytes that are not letters in the encoding of the file"),
    (b'a,b\n1,"x"y\n', {}, "line 2: a quote is not closed, or text follows it"),
    (b'a,b\n1,x\n2,"y\n3,z\n', {}, "line 3: a quote is not closed, or text follows it"),
    (b"a,b\n1,x\r\n2,y\n", {}, "line 2: the line ends in CR LF, those above in LF"),
    ("a,b\n1,€\n".encode("cp1252"), {}, "line 2, column b: bytes that are not letters in the encoding of the file"),
    (b"a,b\n1,\x81\n", {"encoding": "cp1252"}, "line 2, column b: bytes that are not letters in the encoding"),
    (b"a,b\n" + b"1,x\n" * 30_000 + b"oops,y\n", {}, "line 30002, column a: 'oops' is not a BIGINT"),
    (b"a,b\n" + b"1,x\n" * 30_000 + b"2.7,y\n", {}, "line 30002, column a: '2.7' is not a BIGINT"),
    (b"a,b\n" + b"1,x\n" * 30_000 + b'2,"y, z"\n3\n', {}, "line 30003: 1 value where there are 2 columns"),
]  # fmt: skip


def test_what_does_not_fit_is_named(desk: Desk) -> None:
    names = [desk.put(f"odd{at}.csv", content) for at, (content, _, _) in enumerate(FAULTY_CSV)]
    found = desk.read_each(
        *(("csv_read", name, config) for name, (_, config, _) in zip(names, FAULTY_CSV, strict=True))
    )
    for name, (_, _, message), told in zip(names, FAULTY_CSV, found, strict=True):
        assert str(told).startswith(f"{name}, {message}")


def book(*rows: list[Any], sheet: str = "Sheet1", start: tuple[int, int] = (0, 0)) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"default_date_format": "yyyy-mm-dd"}) as workbook:
        workbook.add_worksheet("Cover")
        page = workbook.add_worksheet(sheet)
        for at, row in enumerate(rows, start[0]):
            for column, value in enumerate(row, start[1]):
                if value == "#DIV/0!":
                    page.write_formula(at, column, "=1/0", None, value)
                else:
                    page.write(at, column, value)
    return buffer.getvalue()


ODD_SHEETS: list[Any] = [
    (book(["a", "b"], [1, "x"], [2, "y"]), {}, {"a": "BIGINT", "b": "VARCHAR"}, TABLE),
    (book(["a", "b"], [1, "x"], [], [2.5]), {}, {"a": "DOUBLE", "b": "VARCHAR"}, [(1.0, "x"), (2.5, None)]),
    (book(["a", "b"], [1, "x"], start=(4, 0)), {}, {"a": "BIGINT", "b": "VARCHAR"}, [(1, "x")]),
    (book(["Report"], [], ["a", "b"], [1, "x"]), {"skip_rows": 1}, {"a": "BIGINT", "b": "VARCHAR"}, [(1, "x")]),
    (book(["a"], ["007"], [8]), {}, {"a": "VARCHAR"}, [("007",), ("8",)]),
    (book(["a"], ["12"]), {}, {"a": "VARCHAR"}, [("12",)]),
    (book(["a"], [date(2026, 1, 31)]), {}, {"a": "DATE"}, [(date(2026, 1, 31),)]),
    (book(["a"], [True], [False]), {}, {"a": "BOOLEAN"}, [(True,), (False,)]),
    (book([1, "x"]), {"header": False}, {"column0": "BIGINT", "column1": "VARCHAR"}, [(1, "x")]),
    (
        book([1, "x"]), {"header": False, "columns": {"a": "DOUBLE", "b": "VARCHAR"}},
        {"a": "DOUBLE", "b": "VARCHAR"}, [(1.0, "x")],
    ),
    (book(["a", "a", None], [1, 2]), {}, {"a": "BIGINT", "a_1": "BIGINT"}, [(1, 2)]),
    (book(["a", None], [1, 2]), {}, {"a": "BIGINT", "column1": "BIGINT"}, [(1, 2)]),
    (book(["a"], [1], ["#DIV/0!"]), {"null_values": ["#DIV/0!"]}, {"a": "BIGINT"}, [(1,), (None,)]),
    (book(["a"], [1], sheet="März 2026"), {"sheet": "März 2026"}, {"a": "BIGINT"}, [(1,)]),
    (book(["a", "b"]), {}, {"a": "VARCHAR", "b": "VARCHAR"}, []),
]  # fmt: skip


def test_an_odd_sheet_is_read(desk: Desk) -> None:
    names = [desk.put(f"odd{at}.xlsx", content) for at, (content, *_) in enumerate(ODD_SHEETS)]
    found = desk.read_each(
        *(("excel_read", name, {"sheet": 1, **case[1]}) for name, case in zip(names, ODD_SHEETS, strict=True))
    )
    for name, (_, _, columns, rows), table in zip(names, ODD_SHEETS, found, strict=True):
        assert (name, table) == (name, (columns, rows))


@pytest.mark.parametrize(
    ("content", "config", "message"),
    [
        (book(["a"], [1], ["#DIV/0!"]), {}, 'odd.xlsx, line 3, column a: "#DIV/0!" is not a BIGINT'),
        (book(["a"], [1], [], ["x"]), {"columns": {"a": "BIGINT"}}, 'odd.xlsx, line 4, column a: "x" is not a BIGINT'),
    ],
)
def test_what_a_sheet_does_not_hold_is_named(desk: Desk, content: bytes, config: dict[str, Any], message: str) -> None:
    assert desk.fault("excel_read", desk.put("odd.xlsx", content), **{"sheet": 1, **config}).startswith(message)


@pytest.mark.parametrize(
    ("kind", "content", "config", "field", "message"),
    [
        ("excel_read", b"a,b\n1,2\n", {}, "path", "odd is not a workbook: Cannot detect file format"),
        ("excel_read", book(["a"]), {"sheet": "Q1"}, "sheet", "odd has no sheet 'Q1'"),
        ("excel_read", book(["a"]), {}, "sheet", "odd: the sheet is empty, so it has no columns"),
        ("excel_read", book(["a"]), {"sheet": 1, "columns": {"b": "DATE"}}, "columns/b", "the sheet has no column 'b'"),
        ("csv_read", b"", {}, "path", "odd is empty, so it has no columns"),
        ("jsonl_read", b"", {}, "path", "odd is empty, so it has no columns"),
        ("csv_read", b"a\n1\n", {"columns": {"b": "DATE"}}, "columns/b", "odd has no column 'b'"),
        ("csv_read", b"Report\n\na,b\n1,x\n2,y\n", {}, "path", "odd, line 1: 1 value, but most lines have 2"),
        ("csv_read", "a,b\n1,ü\n".encode("utf-16"), {}, "encoding", "odd is written in UTF-16"),
        ("csv_read", "a,b\n1,ü\n".encode("utf-16-le"), {}, "encoding", "odd is not text in UTF-8"),
        ("json_read", b'{"a": [1', {}, "path", "odd, line 1, character 9: this is not JSON: Expecting ',' delimiter"),
        ("json_read", b'[{"a": 1},\n{"a": NaN}]', {}, "path", "odd, line 2: NaN is not a value of JSON"),
        (
            "jsonl_read", b'{"a": 1, "A": 2}\n', {}, "columns",
            "odd: the field 'A' differs from 'a' in case alone; SQL cannot tell them apart",
        ),
        ("json_read", b"{}", {"json_path": "$.rows"}, "json_path", "odd has nothing at $.rows: 'rows' is not there"),
        ("json_read", b'[{"a": 1, "a": 2}]', {}, "path", "odd: an object has the field 'a' twice"),
        ("json_read", b'[[1, 2], [3]]', {"orient": "values"}, "path", "odd, row 2: 1 value where there are 2 columns"),
        (
            "json_read", b"[1]", {"orient": "index"}, "orient",
            "odd: with orient 'index' there is an object of objects in the file",
        ),
    ],
)  # fmt: skip
def test_what_can_be_seen_before_the_run_is_a_problem_at_its_field(
    desk: Desk, kind: str, content: bytes, config: dict[str, Any], field: str, message: str
) -> None:
    assert desk.problem(kind, desk.put("odd", content), **config) == (field, message)


def test_a_zip_file_with_several_files_is_refused(desk: Desk) -> None:
    assert desk.problem("csv_read", desk.put("two.zip", zipped("a.csv", "b.csv"))) == (
        "path", "two.zip holds 2 files: a.csv, b.csv",
    )  # fmt: skip


ROWS = [(1, "x"), (2, None)]


ODD_JSON: list[Any] = [
    ("jsonl_read", b'{"a": 1, "b": "x"}\n{"a": 2}\n', {}, ROWS),
    ("jsonl_read", b'\xef\xbb\xbf{"a": 1, "b": "x"}\r\n\r\n{"a": 2}', {}, ROWS),
    ("jsonl_read", '{"a": 1, "b": "ü"}\n'.encode("utf-16"), {"encoding": "utf-16"}, [(1, "ü")]),
    ("jsonl_read", b'{"b": "x", "a": 1, "c": 3}\n', {"columns": {"a": "BIGINT", "b": "VARCHAR"}}, [(1, "x")]),
    ("jsonl_read", b'{"a": 1}\n{"a": "x"}\n', {"columns": {"a": "VARCHAR"}}, [("1",), ("x",)]),
    ("jsonl_read", b'{"a": {"b": [1, 2]}}\n', {}, [({"b": [1, 2]},)]),
    ("json_read", b'[{"a": 1, "b": "x"},\n {"a": 2}]', {}, ROWS),
    ("json_read", b'{"a": 1, "b": "x"}', {}, [(1, "x")]),
    ("json_read", b'{\n  "a": 1,\n  "b": "x"\n}\n{\n  "a": 2\n}\n', {}, ROWS),
    ("json_read", b'{"d": {"items": [{"a": 1, "b": "x"}, {"a": 2}]}}', {"json_path": "$.d.items"}, ROWS),
    ("json_read", b'{"my key": [0, [{"a": 1}]]}', {"json_path": "$['my key'][1]"}, [(1,)]),
    ("json_read", b'{"p": [{"r": [{"a": 1}]}, {"r": [{"a": 2}]}]}', {"json_path": "$.p[*].r"}, [(1,), (2,)]),
    ("json_read", b'{"k1": {"a": 1}, "k2": {"a": 2}}', {"orient": "index"}, [("k1", 1), ("k2", 2)]),
    ("json_read", b'{"a": [1, 2], "b": ["x", null]}', {"orient": "columns"}, ROWS),
    ("json_read", b'{"a": {"0": 1, "1": 2}, "b": {"0": "x"}}', {"orient": "columns"}, ROWS),
    ("json_read", b'[[1, "x"], [2, null]]', {"orient": "values"}, ROWS),
    ("json_read", b'[[1, "x"]]', {"orient": "values", "columns": {"a": "BIGINT", "b": "VARCHAR"}}, [(1, "x")]),
    ("json_read", b'[{"a": 9007199254740993}]', {}, [(9007199254740993,)]),
    ("json_read", gzip.compress('[{"a": "ü"}]'.encode("latin-1")), {"encoding": "latin-1"}, [("ü",)]),
    ("text_read", b'one\n\n\x1f two,"three\r\nlast', {}, ["one", "", "\x1f two,\"three", "last"]),
    ("text_read", b"one\n\ntwo\n", {"rows": "files"}, ["one\n\ntwo\n"]),
]  # fmt: skip


def test_an_odd_json_or_text_file_is_read(desk: Desk) -> None:
    packed = [".gz" if content[:2] == b"\x1f\x8b" else "" for _, content, _, _ in ODD_JSON]
    names = [desk.put(f"odd{at}{packed[at]}", content) for at, (_, content, _, _) in enumerate(ODD_JSON)]
    found = desk.read_each(*((case[0], name, case[2]) for name, case in zip(names, ODD_JSON, strict=True)))
    for name, (kind, content, _, rows), table in zip(names, ODD_JSON, found, strict=True):
        wanted = [(text, str(desk.workshop.folder / name)) for text in rows] if kind == "text_read" else rows
        assert (content, table[1]) == (content, wanted)


FAULTY_LINES: list[Any] = [
    (b'{"a": 1}\n{"a":\n{"a": 2}\n', {}, "line 2: the line is not JSON"),
    (b'{"a": 1}\n\n[1]\n', {}, "line 3: the line is not an object"),
    (b'{"a": 1}\n{"a": 1, "a": 2}\n', {}, "line 2: a field stands there twice"),
    (b'{"a": 1.5}\n{"a": NaN}\n', {}, "line 2, column a: NaN is not a DOUBLE"),
    (b'{"a": 1.5}\n{"a": 1e999}\n', {}, "line 2, column a: Infinity is not a DOUBLE"),
    (b'{"a": 1}\n{"a": "x"}\n', {"columns": {"a": "BIGINT"}}, 'line 2, column a: "x" is not a BIGINT'),
    (b'{"a": "x"}\n{"a": "\xff"}\n', {}, "line 2: bytes that are not letters"),
]  # fmt: skip


def test_a_line_that_does_not_fit_is_named(desk: Desk) -> None:
    names = [desk.put(f"odd{at}.jsonl", content) for at, (content, _, _) in enumerate(FAULTY_LINES)]
    cases = zip(names, FAULTY_LINES, strict=True)
    found = desk.read_each(*(("jsonl_read", name, config) for name, (_, config, _) in cases))
    for name, (_, _, message), told in zip(names, FAULTY_LINES, found, strict=True):
        assert str(told).startswith(f"{name}, {message}")


def test_a_late_field_of_another_line_is_no_field_that_is_lost(desk: Desk) -> None:
    lines = b'{"a": 1}\n' * 30_000 + b'{"a": 2.5, "late": true}\n'
    results = desk.workshop.run(
        node("file", "jsonl_read", path=desk.put("late.jsonl", lines)),
        node("late", "filter", where="late"),
        edges="file>late",
    )
    assert rows_of(results["late"]) == [{"a": 2.5, "late": True}]


def test_grouped_or_not_the_same_rows_and_the_same_fault(desk: Desk) -> None:
    good, bad = desk.put("good.csv", "a,b\n1,x\n2,y\n"), desk.put("bad.csv", "a,b\n1,x\n2\n")
    assert desk.read("csv_read", good, grouping="none") == desk.read("csv_read", good)
    assert desk.fault("csv_read", bad, grouping="none") == desk.fault("csv_read", bad)


def test_several_files_meet_by_name_whatever_their_layout(desk: Desk) -> None:
    desk.put("m1.csv", "id,name\n1,x\n")
    desk.put("m2.csv", "Name;extra;ID\ny;2026-01-31;2\n")
    desk.put("m3.csv", "")
    desk.put("m4.csv.gz", gzip.compress(b'id,name\n2.5,"z\nz"\n'))
    columns, rows = desk.read("csv_read", "m*.csv*")
    assert columns == {"id": "DOUBLE", "name": "VARCHAR", "extra": "DATE"}
    wanted = [(1.0, "x", None), (2.0, "y", date(2026, 1, 31)), (2.5, "z\nz", None)]
    assert sorted(rows, key=lambda row: row[0]) == wanted


def test_three_thousand_columns(desk: Desk) -> None:
    names = [f"c{at}" for at in range(3000)]
    text = ",".join(names) + "\n" + ",".join(str(at) for at in range(3000)) + "\n"
    columns, rows = desk.read("csv_read", desk.put("wide.csv", text))
    assert (list(columns), rows) == (names, [tuple(range(3000))])


# Rejects


def test_what_does_not_fit_goes_to_rejects(desk: Desk) -> None:
    text = (
        b'id,amount,day,note\n1,2.5,2026-01-31,"a\nb"\n2,2.5\n3,1,2026-01-31,x,y\nfour,1,2026-01-31,x\n'
        b'5,NaN,2026-01-31,x\n6.5,1,2026-02-30,x\n7,1,2026-01-31,"open" text\n8,1,2026-01-31,\xff\n9,,,\n'
    )
    columns = {"id": "BIGINT", "amount": "DOUBLE", "day": "DATE"}
    rows, rejects = desk.rejects("csv_read", desk.put("odd.csv", text), columns=columns)
    assert rows == [(1, 2.5, date(2026, 1, 31), "a\nb"), (9, None, None, None)]
    assert rejects == [
        ("odd.csv", 4, None, "2,2.5", "2 values where there are 4 columns"),
        ("odd.csv", 5, None, "3,1,2026-01-31,x,y", "more values where there are 4 columns"),
        ("odd.csv", 6, "id", "four,1,2026-01-31,x", "'four' is not a BIGINT"),
        ("odd.csv", 7, "amount", "5,NaN,2026-01-31,x", "'NaN' is not a number; name it in null_values to read null"),
        ("odd.csv", 8, "day", "6.5,1,2026-02-30,x", "'2026-02-30' is not a DATE"),
        ("odd.csv", 8, "id", "6.5,1,2026-02-30,x", "'6.5' is not a BIGINT"),
        ("odd.csv", 9, None, '7,1,2026-01-31,"open" text', "a quote is not closed, or text follows it"),
        ("odd.csv", 10, "note", "8,1,2026-01-31,?", "bytes that are not letters in the encoding of the file"),
    ]


def test_lines_that_do_not_fit_go_to_rejects(desk: Desk) -> None:
    desk.put("a.jsonl", '{"n": 1, "x": 1.5}\n\n{"n":\n[2]\n')
    desk.put("b.jsonl", '{"n": "two", "x": NaN}\n{"n": 3, "x": null}\n{"n": null, "other": 1}\n')
    rows, rejects = desk.rejects("jsonl_read", "*.jsonl", columns={"n": "BIGINT", "x": "DOUBLE"})
    assert rows == [(1, 1.5), (3, None), (None, None)]
    assert rejects == [
        ("a.jsonl", 3, None, '{"n":', "the line is not JSON"),
        ("a.jsonl", 4, None, "[2]", "the line is not an object"),
        ("b.jsonl", 1, "n", '{"n": "two", "x": NaN}', '"two" is not a BIGINT'),
        ("b.jsonl", 1, "x", '{"n": "two", "x": NaN}', "NaN is not a DOUBLE"),
    ]


def test_items_and_cells_that_do_not_fit_go_to_rejects(desk: Desk) -> None:
    rows, rejects = desk.rejects("json_read", desk.put("a.json", '[{"n": 1}, 2, {"n": "x"}]'), columns={"n": "BIGINT"})
    assert rows == [(1,)]
    assert rejects == [
        ("a.json", 2, None, "2", "the line is not an object"), ("a.json", 3, "n", '{"n": "x"}', '"x" is not a BIGINT'),
    ]  # fmt: skip
    rows, rejects = desk.rejects("excel_read", desk.put("a.xlsx", book(["n"], [1], ["#DIV/0!"], [3])), sheet=1)
    assert rows == [(1,), (3,)]
    assert rejects == [("a.xlsx", 3, "n", '{"n": "#DIV/0!"}', '"#DIV/0!" is not a BIGINT')]


def test_bytes_that_are_no_letters_in_a_text_are_named(desk: Desk) -> None:
    for rows in ("lines", "files"):
        message = desk.fault("text_read", desk.put("odd.log", b"one\ntw\xff\n"), rows=rows)
        assert message == "odd.log, line 2: bytes that are not letters in the encoding of the file"


def test_without_a_fault_rejects_is_an_empty_table(desk: Desk) -> None:
    assert desk.rejects("csv_read", desk.put("a.csv", "a,b\n1,x\n")) == ([(1, "x")], [])
    assert desk.rejects("csv_read", desk.put("b.csv", "a,b\n")) == ([], [])


def test_nanoseconds_with_a_zone(desk: Desk) -> None:
    """As pandas writes datetime64[ns, UTC]."""
    kind = pyarrow.timestamp("ns", "Europe/Berlin")
    values = {"at": [1_769_853_600_000_001_000, None], "several": [[1_769_853_600_000_001_000], None]}
    table = pyarrow.table(
        {"at": pyarrow.array(values["at"], kind), "several": pyarrow.array(values["several"], pyarrow.list_(kind))}
    )
    pyarrow.parquet.write_table(table, desk.workshop.folder / "zone.parquet")
    at = datetime(2026, 1, 31, 10, 0, 0, 1, tzinfo=UTC)
    columns, rows = desk.read("parquet_read", "zone.parquet")
    assert columns == {"at": "TIMESTAMPTZ", "several": "TIMESTAMPTZ[]"}
    assert rows == [(at, [at]), (None, None)]
