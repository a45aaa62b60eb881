"""One text has one value, whoever reads it: a file, a cast, a rule, a condition; and nothing of it is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

import duckdb
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from airloom.engine.text_values import PLAIN, TextForm, read_text, value_of
from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.tables._values import fitted
from airloom.nodes.tables.columns import Cast
from airloom.nodes.tables.dates import ParseDates
from airloom.nodes.tables.validate_rows import ValidateRows
from airloom.nodes.testing import Rows, run_table

KINDS = ["BIGINT", "TINYINT", "DOUBLE", "DECIMAL(8,2)", "BOOLEAN", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ"]

number = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "+", "-", " "]),
        st.sampled_from(["0", "7", "007", "1_000", "0x10", "12345678", "9007199254740993", "", "1,5", "true"]),
        st.sampled_from(["", "", ".", ".5", ".50", ".005", ".000", ".5_0"]),
        st.sampled_from(["", "", "", "e2", "E-2", "e999", "d", " "]),
    ),
)
day = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["2026", "1999", "26", "12026"]),
    st.sampled_from(["-", "-", "/", "."]),
    st.sampled_from(["01", "1", "12", "13"]),
    st.sampled_from(["-", "-", "/"]),
    st.sampled_from(["02", "2", "31", "32", "02x"]),
)
clock = st.builds(
    "{}:{}{}".format,
    st.sampled_from(["10", "9", "00", "23", "25"]),
    st.sampled_from(["00", "59", "60", "5"]),
    st.sampled_from(["", ":00", ":59", ":00.5", ":00.000", ":00.123456789", ":61"]),
)
zone = st.sampled_from(
    ["", "", "Z", "+02:00", "-0530", "+05", " +09:00", " PM", " UTC", " Europe/Berlin", "z", "+2", "x"]
)
moment = st.builds("{}{}{}{}".format, day, st.sampled_from([" ", "T", "  "]), clock, zone)
other = st.sampled_from(
    ["infinity", "epoch", "nan", "TRUE", "y", "1", "yes", "off", " false ", "today", "", "2026-01-02 (BC)"]
)
texts = st.one_of(number, day, clock, moment, other)


def values_of(expression: str, texts: Sequence[str]) -> list[Any]:
    """Return what an SQL expression over a column `text` gives for each text."""
    rows = "FROM (SELECT unnest($1::VARCHAR[]) AS text)"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return [row[0] for row in connection.execute(f"SELECT {expression} {rows}", [texts]).fetchall()]


def read(texts: Sequence[str], kind: str, form: TextForm = PLAIN) -> list[Any]:
    """Return what a reader of files makes of texts."""
    return values_of(read_text("text", kind, form) or "", texts)


def cast_to(kind: str, texts: Sequence[str]) -> list[Any]:
    """Return what the cast node makes of texts."""
    node = Cast(columns={"x": kind}, on_error="null")
    rows = Rows({"x": "VARCHAR"}, [(text,) for text in texts])
    return [row["x"] for row in run_table(node, rows=rows)["rows"].rows]


def of_config(kind: str, text: str) -> Any:
    """Return what a text in a config stands for beside a column of a type, None where it is refused."""
    try:
        return values_of(fitted(text, kind, "value").sql("duckdb"), ["-"])[0]
    except ConfigurationError:
        return None


KNOWN = [
    "2026-01-02 10:00:00+02:00", "2026-01-02 10:00:00 PM", "2026-01-02 18:45", "2026-01-02T00:00:00.000Z", "1.005",
    "0x10", "1_000.5", "1e999", "0042", "infinity", "y", "2026/01-02",
    "+12345678.E-2", "1234567.E-2", ".5e3", "99999999e2",
]  # fmt: skip


@given(st.lists(texts, min_size=20, max_size=40), st.sampled_from(sorted(KINDS)))
@example(KNOWN, "TIMESTAMP")
@example(KNOWN, "DATE")
@example(KNOWN, "DECIMAL(8,2)")
@example(KNOWN, "DOUBLE")
@example(KNOWN, "BIGINT")
@settings(deadline=None, max_examples=20, phases=[Phase.explicit, Phase.generate])
def test_a_text_has_one_value(texts: list[str], kind: str) -> None:
    values = read(texts, kind)
    assert cast_to(kind, texts) == values
    assert read(texts, kind, TextForm(portable=True)) == values

    rule = ValidateRows.model_validate({"rules": [{"columns": "x", "must": "type", "value": kind}]})
    kept = run_table(rule, rows=Rows({"x": "VARCHAR"}, [(text,) for text in texts]))["rows"].rows
    fitting = [text for text, value in zip(texts, values, strict=True) if value is not None]
    assert [row["x"] for row in kept] == fitting
    assert [of_config(kind, text) for text in texts] == values


@given(st.lists(st.one_of(day, moment, other), min_size=20, max_size=40), st.sampled_from(["DATE", "TIMESTAMP"]))
@settings(deadline=None, max_examples=10, phases=[Phase.generate])
def test_parse_dates_reads_what_a_cast_reads_and_more(texts: list[str], kind: Literal["DATE", "TIMESTAMP"]) -> None:
    node = ParseDates(columns=["x"], type=kind, on_error="null")
    rows = run_table(node, rows=Rows({"x": "VARCHAR"}, [(text,) for text in texts]))["rows"].rows
    for row, value in zip(rows, cast_to(kind, texts), strict=True):
        assert value is None or row["x"] == value


def test_a_date_is_no_time_of_a_day() -> None:
    texts = ["31.01.2026 00:00", "31.01.2026 18:45", "31 Jan 2026 18:45", "2026-01-31 18:45", "2026/01/31 18:45"]
    node = ParseDates(columns=["x"], type="DATE", on_error="null")
    rows = run_table(node, rows=Rows({"x": "VARCHAR"}, [(text,) for text in texts]))["rows"].rows
    assert [row["x"] for row in rows] == [date(2026, 1, 31), None, None, None, None]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("[1, 2]", "INTEGER[]", [1, 2]),
        ("[1, NULL]", "INTEGER[]", [1, None]),
        ("[1.5]", "INTEGER[]", None),
        ("[true]", "INTEGER[]", None),
        ("[[1], [0x10]]", "INTEGER[][]", None),
        ("[[1], [2, 3]]", "INTEGER[][]", [[1], [2, 3]]),
        ("[2026-01-02 18:45]", "DATE[]", None),
        ("[a, b]", "VARCHAR[]", ["a", "b"]),
        ("[x]", "UUID[]", None),
    ],
)
def test_the_items_of_a_list_are_read_like_texts(text: str, kind: str, value: Any) -> None:
    assert cast_to(kind, [text]) == [value]


@pytest.mark.parametrize(
    ("document", "kind", "value"),
    [
        ("1.5", "BIGINT", None),
        ("2.0", "BIGINT", 2),
        ("true", "BIGINT", None),
        ('"0x10"', "BIGINT", None),
        ('"2026-01-02 18:45"', "DATE", None),
        ('"2026-01-02T10:00:00+02:00"', "TIMESTAMP", datetime.fromisoformat("2026-01-02T08:00")),
        ("12345678901234567890.12", "DECIMAL(38,2)", Decimal("12345678901234567890.12")),
        ("null", "BIGINT", None),
        ("[1, 2.5]", "BIGINT[]", None),
        ("[1, null]", "BIGINT[]", [1, None]),
        ('{"a": 1}', "VARCHAR", '{"a": 1}'),
    ],
)
def test_json_is_read_like_text(document: str, kind: str, value: Any) -> None:
    node = Cast(columns={"x": kind}, on_error="null")
    assert run_table(node, rows=Rows({"x": "JSON"}, [(document,)]))["rows"].rows == [{"x": value}]


def test_a_list_of_texts_is_read_like_texts() -> None:
    node = Cast(columns={"x": "INTEGER[]"})
    assert run_table(node, rows=Rows({"x": "VARCHAR[]"}, [(["1", None],)]))["rows"].rows == [{"x": [1, None]}]
    with pytest.raises(duckdb.InvalidInputException, match=r"x: '\[1.5\]' is not an INTEGER\[\]"):
        run_table(node, rows=Rows({"x": "VARCHAR[]"}, [(["1.5"],)]))


def test_null_of_json_is_no_fault() -> None:
    assert run_table(Cast(columns={"x": "BIGINT"}), rows=Rows({"x": "JSON"}, [("null",)]))["rows"].rows == [{"x": None}]


@pytest.mark.parametrize(
    ("text", "family", "value"),
    [
        ("2026-01-02 24:00", "TIMESTAMP", datetime.fromisoformat("2026-01-03")),
        ("2026/1/2", "DATE", date(2026, 1, 2)),
        (" 9:30 ", "TIME", time(9, 30)),
        ("2026-07-02 10:00 Europe/Berlin", "TIMESTAMPTZ", datetime(2026, 7, 2, 8, tzinfo=UTC)),
        ("1e2", "number", Decimal(100)),
        ("True", "BOOLEAN", True),
    ],
)
def test_a_text_of_a_config_has_the_value_that_it_has_in_a_file(text: str, family: str, value: Any) -> None:
    assert value_of(text, family) == value


@pytest.mark.parametrize("text", ["1_0", "٣", "0x10", "nan", "inf", "", "1 2"])
def test_a_text_of_a_config_that_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        value_of(text, "number")
