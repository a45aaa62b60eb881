"""A value comes out as its text says, whole, or its place is named: nothing is cut, rounded or guessed."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from tests.nodes.files.conftest import Desk
from tests.nodes.files.test_odd_files import book
from tests.runtime.conftest import node

from airloom.engine import duck
from airloom.engine.text_values import TextForm, read_text

GERMAN = {"decimal": ",", "thousands": "."}
FAULTY: dict[str, tuple[list[str], dict[str, Any]]] = {
    "DATE": (
        ["2026-01-02 18:45", "2026-01-02x", "infinity", "epoch", "2026-02-30", "02/01/2026", "2026-01-02 (BC)", "1e3"],
        {},
    ),
    "TIMESTAMP": (
        [
            "2026-01-02 10:00:00 PM",
            "2026-01-02 10:00 AM",
            "2026-01-02 25:00:00",
            "10:00",
            "2026-01-02 10:00: 5",
            "infinity",
            "2026-01-02 x",
        ],
        {},
    ),
    "TIMESTAMPTZ": (["2026-01-02 10:00:00 PM", "2026-01-02 10:00:00 Nowhere/City", "-infinity"], {}),
    "TIME": (["2026-01-02 10:00:00", "10:00 PM", "10:00:00+02", "25:00"], {}),
    "DOUBLE": (["1_000.5", "1,5", "0x10", "1_0", "1e999", "NaN", "1.5 EUR", "--1", "1 000"], {}),
    "DECIMAL(8,2)": (["1.005", "1_0.5", "1e-3", "1000000", "NaN", "1.50.0"], {}),
    "BIGINT": (["2.7", "2.0", "1e2", "1_000", "9223372036854775808", "1 000", "true"], {}),
    "BOOLEAN": (["y", "yes", "1", "t", "truex"], {}),
}
GROUPED = {
    "DOUBLE": ["12.34", "1.5", "1,234.50", "1.2.3", "1.234.5", ".123", "1..234"],
    "BIGINT": ["12.5", "1.2.3", "1.23", "1234.567", "1,5"],
}


def kept(kind: str) -> dict[str, Any]:
    return {"header": True, "columns": {"a": kind}}


def test_a_text_that_says_more_than_its_type_holds_is_a_fault(desk: Desk) -> None:
    for kind, (texts, config) in FAULTY.items():
        content = "a;b\n" + "".join(f"{text};{text}\n" for text in texts)
        name = desk.put("odd.csv", content)
        rows, rejects = desk.rejects("csv_read", name, delimiter=";", **kept(kind), **config)
        assert (kind, rows, [(line, column) for _, line, column, _, _ in rejects]) == (
            kind, [], [(at, "a") for at in range(2, len(texts) + 2)],
        )  # fmt: skip
        assert all(
            (text in reason and kind in reason) or "null_values" in reason
            for text, (*_, reason) in zip(texts, rejects, strict=True)
        )


def test_a_separator_of_thousands_stands_every_three_digits(desk: Desk) -> None:
    for kind, texts in GROUPED.items():
        name = desk.put("odd.csv", "a;b\n" + "".join(f"{text};x\n" for text in texts))
        rows, rejects = desk.rejects("csv_read", name, delimiter=";", **GERMAN, **kept(kind))
        assert (rows, [row[3] for row in rejects]) == ([], [f"{text};x" for text in texts])
    name = desk.put("good.csv", "a;b\n1.234,5;1.234\n1234,5;1234\n-1.234.567,89;-1.234.567\n,5;+7\n")
    _, rows = desk.read("csv_read", name, delimiter=";", **GERMAN)
    assert rows == [(1234.5, 1234), (1234.5, 1234), (-1234567.89, -1234567), (0.5, 7)]


def test_a_zone_is_turned_to_utc(desk: Desk) -> None:
    texts = ["2026-01-02 10:00:00+02:00", "2026-01-02T10:00Z", "2026-01-02 10:00:00 Europe/Berlin", "2026-01-02"]
    name = desk.put("a.csv", "a,b\n" + "".join(f"{text},x\n" for text in texts))
    _, rows = desk.read("csv_read", name, **kept("TIMESTAMP"))
    assert [row[0].isoformat() for row in rows] == [
        "2026-01-02T08:00:00", "2026-01-02T10:00:00", "2026-01-02T09:00:00", "2026-01-02T00:00:00",
    ]  # fmt: skip


def test_a_type_that_was_found_takes_what_it_was_found_by(desk: Desk) -> None:
    late = [("1", "0042"), ("1.5", "007.5"), ("2026-01-02", "2026-1-2"), ("1.5", "9007199254740993")]
    for at, (usual, odd) in enumerate(late):
        name = desk.put(f"late{at}.csv", "a,b\n" + f"{usual},x\n" * 20_000 + f"{odd},x\n")
        assert desk.fault("csv_read", name).startswith(f"{name}, line 20002, column a: '{odd}'")
    assert desk.read("csv_read", desk.put("a.csv", "a,b\n0042,x\n"), **kept("BIGINT"))[1] == [(42, "x")]


def test_a_year_has_four_digits_where_its_format_says_so(desk: Desk) -> None:
    name = desk.put("a.csv", "a,b\n03.02.2026,x\n3.2.26,y\n")
    day = {"date_format": "%d.%m.%Y"}
    assert desk.read("csv_read", name, **day)[0] == {"a": "VARCHAR", "b": "VARCHAR"}
    fault = desk.fault("csv_read", name, **day, **kept("DATE"))
    assert fault == "a.csv, line 3, column a: '3.2.26' is not a DATE in the format %d.%m.%Y"


def test_whole_numbers_that_no_double_holds_stay_whole(desk: Desk) -> None:
    columns, rows = desk.read("csv_read", desk.put("a.csv", "a,b\n9007199254740993,9007199254740993\n1.5,2\n"))
    assert columns == {"a": "VARCHAR", "b": "BIGINT"}
    assert rows == [("9007199254740993", 9007199254740993), ("1.5", 2)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("BIGINT", [0, -1, 2**63 - 1, -(2**63)]),
        ("DOUBLE", [0.1, -1e300, 5e-324, 0.1 + 0.2, 2.0**60]),
        ("DECIMAL(38,18)", [Decimal("1.123456789012345678"), Decimal("-12345678901234567890.5")]),
        ("DATE", [date(1, 1, 1), date(9999, 12, 31), date(2026, 2, 28)]),
        ("TIME", [time(0), time(23, 59, 59, 999999), time(10, 30)]),
        ("TIMESTAMP", [datetime(1, 1, 1), datetime(2026, 1, 2, 10, 0, 0, 120000)]),  # noqa: DTZ001 no zone is meant
        ("BOOLEAN", [True, False]),
    ],
)
def test_what_a_value_is_written_as_is_read_as_that_value(kind: str, values: list[Any]) -> None:
    with duck.connect() as connection:
        for form in (TextForm(), TextForm(found=True)):
            read = read_text("text", kind, form)
            written = f"SELECT CAST(CAST(unnest($1) AS {kind}) AS VARCHAR) AS text"
            found = connection.execute(f"SELECT {read} FROM ({written})", [values]).fetchall()
            assert [row[0] for row in found] == values


@pytest.mark.parametrize("item", ["[1,2]", "5", '"x"', "true"])
def test_an_item_that_is_no_object_takes_no_part_in_finding_the_fields(desk: Desk, item: str) -> None:
    lines = f'{{"size":3,"o":{{"a":1}}}}\n{item}\n{{"size":4.5}}\n'
    name = desk.put("a.jsonl", lines)
    assert desk.fault("jsonl_read", name) == "a.jsonl, line 2: the line is not an object"
    rows, rejects = desk.rejects("jsonl_read", name)
    assert (rows, rejects) == (
        [(3.0, {"a": 1}), (4.5, None)], [("a.jsonl", 2, None, item, "the line is not an object")],
    )  # fmt: skip
    document = desk.put("a.json", f'[{{"size":3}},{item}]')
    rows, rejects = desk.rejects("json_read", document)
    assert (rows, [reject[1] for reject in rejects]) == ([(3,)], [2])


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ('{"outer":{"x":1,"X":2}}', "outer"),
        ('{"n":{"x":1}}\n{"n":{"X":2}}', "n"),
        ('{"n":[{"x":1},{"X":2}]}', "n"),
        ('{"a":{"b":{"c":[[{"x":1}],[{"X":1}]]}}}', "a.b.c"),
    ],
)
def test_names_equal_but_for_case_are_refused_at_any_depth(desk: Desk, lines: str, place: str) -> None:
    words = f"the field 'X' of '{place}' differs from 'x' in case alone; SQL cannot tell them apart"
    desk.put("m1.jsonl", '{"n": 1}\n')
    name = desk.put("m2.jsonl", lines + "\n")
    assert desk.problem("jsonl_read", "m*.jsonl" if lines.startswith('{"outer') else name) == (
        "columns", f"m2.jsonl: {words}",
    )  # fmt: skip
    document = desk.put("a.json", "[" + lines.replace("\n", ",") + "]")
    assert desk.problem("json_read", document) == ("columns", f"a.json: {words}")


def test_a_type_given_for_json_or_a_sheet_takes_what_it_holds(desk: Desk) -> None:
    odd = ["2990.5", "2991.5", "true", '"0x10"', '"1_0"', "[1]", "1e30", '"2.5"']
    text = "".join(f'{{"n": {value}}}\n' for value in odd) + '{"n": 7.0}\n{"n": "8"}\n{"n": null}\n'
    rows, rejects = desk.rejects("jsonl_read", desk.put("a.jsonl", text), columns={"n": "BIGINT"})
    assert (rows, [reject[1] for reject in rejects]) == ([(7,), (8,), (None,)], list(range(1, 9)))
    days = '{"d": "2026-01-02 18:45"}\n{"d": "infinity"}\n{"d": 1}\n{"d": "2026-01-02T00:00:00"}\n'
    rows, rejects = desk.rejects("jsonl_read", desk.put("b.jsonl", days), columns={"d": "DATE"})
    assert (rows, len(rejects)) == ([(date(2026, 1, 2),)], 3)
    sheet = book(["n", "d"], [2990.5, datetime(2026, 1, 2)], [3, datetime(2026, 1, 2)], [True, date(2026, 1, 2)])  # noqa: DTZ001
    name = desk.put("a.xlsx", sheet)
    rows, rejects = desk.rejects("excel_read", name, sheet=1, columns={"n": "BIGINT", "d": "DATE"})
    assert (rows, [reject[1:3] for reject in rejects]) == ([(3, date(2026, 1, 2))], [(2, "n"), (4, "n")])


def test_a_message_shows_a_value_with_its_spaces(desk: Desk) -> None:
    results = desk.workshop.run(
        node("file", "csv_read", path=desk.put("a.csv", "t,x\n2018-04-11  10:30:00,y\n")),
        node("read", "parse_dates", columns=["t"]),
        edges="file>read",
    )
    assert "no format fits 2018-04-11  10:30:00" in (results["read"].error or {})["message"]


def test_numbers_do_not_meet_as_float(desk: Desk) -> None:
    for name, query in (
        ("q1", "SELECT 16777217 AS qty, 1::FLOAT AS x"),
        ("q2", "SELECT 1.5::FLOAT AS qty, 2::TINYINT AS x"),
    ):
        duckdb.sql(query).write_parquet(str(desk.workshop.folder / f"{name}.parquet"))
    field, message = desk.problem("parquet_read", "q*.parquet")
    assert (field, message) == (
        "path",
        "'qty' is INTEGER in q1.parquet and FLOAT in another file: no FLOAT holds the numbers of both",
    )


def test_decimals_of_json_keep_all_digits(desk: Desk) -> None:
    columns = {"a": "DECIMAL(38,18)", "b": "DECIMAL(20,4)", "decimals": "BIGINT", "x": "DOUBLE", "t": "VARCHAR"}
    line = '{"a": 1.123456789012345678, "b": 12345678901234.5678, "decimals": 7, "x": 0.1, "t": "u"}'
    wanted = (Decimal("1.123456789012345678"), Decimal("12345678901234.5678"), 7, 0.1, "u")
    text = line + '\n{"a": "2.5"}\n{"b": 1.00005}\n{"b": true}\n{"b": null}\n[1]\n'
    good, odd = desk.put("a.jsonl", line + "\n"), desk.put("b.jsonl", text)
    assert desk.read("jsonl_read", good, columns=columns)[1] == [wanted]
    rows, rejects = desk.rejects("jsonl_read", odd, columns=columns)
    assert (rows[0], rows[1][0], rows[2:]) == (wanted, Decimal("2.5"), [(None,) * 5])
    assert [reject[1:3] for reject in rejects] == [(3, "b"), (4, "b"), (6, None)]
    assert desk.fault("jsonl_read", odd, columns=columns).startswith(
        "b.jsonl, line 3, column b: 1.00005 is not a DECIMAL"
    )
    assert desk.read("json_read", desk.put("a.json", f"[{line}]"), columns=columns)[1] == [wanted]
