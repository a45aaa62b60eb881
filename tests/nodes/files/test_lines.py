"""Every line of a CSV file is in the header, a row, a reject, or in what was passed over."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.nodes.files.conftest import Desk
from tests.runtime.conftest import node, rows_of

REGION = [("north", 12), ("south", 7), ("east", 9)]
ROWS = "north,12\nsouth,7\neast,9\n"
TOPS: list[Any] = [
    ('site,"amount\n(kWh)"\n', {}, ["site", "amount\n(kWh)"]),
    ('"si\n\nte","amount\n""kWh"""\n', {}, ["si\n\nte", 'amount\n"kWh"']),
    ('\ufeff"site" , "amount\n(kWh)"\n', {}, ["site", "amount\n(kWh)"]),
    ('"Report" of March\nsite,amount\n', {"skip_rows": 1}, ["site", "amount"]),
    ('"Report of March\nsite,amount\n', {"skip_rows": 1}, ["site", "amount"]),
    ('Report "March\n\n"x",of,"y" z\nsite,"amount\n"\n', {"skip_rows": 3}, ["site", "amount"]),
    ('"Report of March\n', {"skip_rows": 1, "header": False, "columns": {"a": "VARCHAR", "b": "BIGINT"}}, ["a", "b"]),
    ('Report\r\nsite,amount\n', {"skip_rows": 1}, ["site", "amount"]),
    ('Report\rsite,amount\n', {"skip_rows": 1}, ["site", "amount"]),
    ("sep=,\nsite,amount\n", {}, ["site", "amount"]),
    ("\n\nsite,amount\n\n", {}, ["site", "amount"]),
]  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_is_above_the_rows_takes_none_of_them(desk: Desk, end: str) -> None:
    # A line end inside of quotes, or of a title, need not be that of the rows.
    found = desk.read_each(
        *(
            ("csv_read", desk.put(f"top{at}.csv", top[: -top.endswith("\n")] + (end + ROWS).replace("\n", end)), config)
            for at, (top, config, _) in enumerate(TOPS)
            if end == "\n" or not top.startswith("\n\n")
        )
    )
    for (top, _, names), table in zip(TOPS, found, strict=False):
        assert not isinstance(table, str), (top, table)
        assert (top, list(table[0]), table[1]) == (top, names, REGION)


def test_what_is_above_the_rows_is_counted_in_rejects(desk: Desk) -> None:
    for top, config, _ in TOPS[:7]:
        wanted = {**config, "columns": {**config.get("columns", {})}} if config.get("columns") else config
        rows, rejects = desk.rejects("csv_read", desk.put("a.csv", top + ROWS + "west,1,2\n"), **wanted)
        assert (rows, [reject[1] for reject in rejects]) == (REGION, [top.count("\n") + 4])


@pytest.mark.parametrize("text", ['"Report" of March\nsite,amount\n', '"Report of March\nsite,amount\n'])
def test_a_header_whose_quotes_are_wrong_is_a_problem(desk: Desk, text: str) -> None:
    message = "a.csv, line 1: a quote is not closed, or text follows it"
    assert desk.problem("csv_read", desk.put("a.csv", text + ROWS)) == ("path", message)


def test_both_readers_take_a_space_before_a_quote_for_none(desk: Desk) -> None:
    text = 'Index, Item, "Cost"\n1, "Plain Socks", 7.97\n2, "Sunscreen, 8 oz" , 6.68\n'
    columns, rows = desk.read("csv_read", desk.put("a.csv", text))
    assert columns == {"Index": "BIGINT", "Item": "VARCHAR", "Cost": "DOUBLE"}
    assert rows == [(1, "Plain Socks", 7.97), (2, "Sunscreen, 8 oz", 6.68)]
    rows, rejects = desk.rejects("csv_read", desk.put("b.csv", text + '3, "x, y", free\n'), columns={"Cost": "DOUBLE"})
    assert (len(rows), rejects) == (2, [("b.csv", 4, "Cost", '3, "x, y", free', "' free' is not a DOUBLE")])


def test_every_line_is_in_a_row_a_reject_or_what_is_passed_over(desk: Desk) -> None:
    """Random lines of the signs that matter, three values wide; each row bears its number."""
    chance, complete = random.Random(11), 0
    right = ["x", "", '"x"', '"x, y"', '"x\ny"', '"x""y"', ' "x"', 'x"', " ", "x y", "  'x'"]
    wrong = [[], ['"x'], ['"x" y'], ["x,y"]]
    for turn in range(24):
        lines = [
            f"{number},{chance.choice(right)},{chance.choice(right if number % 7 else [*right, *wrong[turn % 4]])}"
            for number in range(20)
        ]
        text = "n,a,b\n" + "".join(line + "\n" for line in lines)
        config: dict[str, Any] = {"header": True, "columns": {"n": "VARCHAR", "a": "VARCHAR", "b": "VARCHAR"}}
        source = node("file", "csv_read", path=desk.put(f"r{turn}.csv", text), rejects=True, **config)
        results = desk.workshop.run(source, node("all", "filter", where="TRUE"), edges="file.rows>all")
        if results["file"].state == "failed":
            # Better no row than one too few.
            assert "cannot be told apart" in (results["file"].error or {})["message"]
            continue
        complete += 1
        rows, rejects = rows_of(results["all"]), rows_of(results["file"], "rejects")
        seen = {row["n"] for row in rows}
        held = "\n".join(str(value) for row in (*rows, *rejects) for value in row.values())
        for number, line in enumerate(lines):
            assert str(number) in seen or any(part in held for part in line.split("\n")), (text, line)
    assert complete
