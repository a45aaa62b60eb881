"""Files as they are: every row of an odd file comes out, or is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from typing import Any

import pytest
from tests.nodes.files.conftest import Desk


def zipped(*names: str, content: bytes = b"a,b\n1,x\n") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


TABLE = [(1, "x"), (2, "y")]


@pytest.mark.parametrize(
    ("name", "content", "config", "columns", "rows"),
    [
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
    ],
)  # fmt: skip
def test_an_odd_csv_file_is_read(
    desk: Desk, name: str, content: bytes, config: dict[str, Any], columns: list[str], rows: list[Any]
) -> None:
    found, values = desk.read("csv_read", desk.put(name, content), **config)
    assert (list(found), values) == (columns, rows)


@pytest.mark.parametrize(
    ("content", "config", "message"),
    [
        (b"a,b,c\n1,2,3\n4,5\n6,7,8\n", {}, "line 3: 2 values where there are 3 columns"),
        (b"a,b\n1,2\n3,4,5\n", {}, "line 3: more values where there are 2 columns"),
        (b"a,b\n1,2\nx,4\n", {"columns": {"a": "BIGINT"}}, "line 3, column a: 'x' is no BIGINT"),
        (b'a,b\n1,"x\ny"\nz,2\n', {"columns": {"a": "BIGINT"}}, "line 4, column a: 'z' is no BIGINT"),
        (b"a,b\n1,2\n2.5,4\n", {"columns": {"a": "BIGINT"}}, "line 3, column a: '2.5' is no BIGINT"),
        (b"a,b\n1,2\n300,4\n", {"columns": {"a": "TINYINT"}}, "line 3, column a: '300' does not fit a TINYINT"),
        (b"a,b\n1,2026-02-28\n1,2026-02-30\n", {"columns": {"b": "DATE"}}, "line 3, column b: '2026-02-30' is no DATE"),
        (b"a,b\n1,2.5\n3,NaN\n", {}, "line 3, column b: 'NaN' is no number; name it in null_values to read null"),
        (b"a,b\n1,2.5\n3,-inf\n", {}, "line 3, column b: '-inf' is no number; name it in null_values to read null"),
        (b"a,b\n1,2.5\n3,1e999\n", {}, "line 3, column b: '1e999' is too large for a DOUBLE"),
        (b"a,b\n1,x\n2,\xff\xfe\n", {}, "line 3, column b: bytes that are no letters in the encoding of the file"),
        (b'a,b\n1,"x"y\n', {}, "line 2: a quote is not closed, or text follows it"),
        (b'a,b\n1,x\n2,"y\n3,z\n', {}, "line 3: a quote is not closed, or text follows it"),
        (b"a,b\n1,x\r\n2,y\n", {}, "line 2: the line ends in CR LF, those above in LF"),
        ("a,b\n1,€\n".encode("cp1252"), {}, "line 2, column b: bytes that are no letters in the encoding of the file"),
        (b"a,b\n1,\x81\n", {"encoding": "cp1252"}, "line 2, column b: bytes that are no letters in the encoding"),
        (b"a,b\n" + b"1,x\n" * 30_000 + b"oops,y\n", {}, "line 30002, column a: 'oops' is no BIGINT"),
        (b"a,b\n" + b"1,x\n" * 30_000 + b"2.7,y\n", {}, "line 30002, column a: '2.7' is no BIGINT"),
        (b"a,b\n" + b"1,x\n" * 30_000 + b'2,"y, z"\n3\n', {}, "line 30003: 1 value where there are 2 columns"),
    ],
)
def test_what_does_not_fit_is_named(desk: Desk, content: bytes, config: dict[str, Any], message: str) -> None:
    assert desk.fault("csv_read", desk.put("odd.csv", content), **config).startswith(f"odd.csv, {message}")
