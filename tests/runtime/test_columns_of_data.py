"""Columns that depend on the data: unknown when a document is checked, there when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.runtime.conftest import node, rows_of

if TYPE_CHECKING:
    from tests.runtime.conftest import Workshop

ORDERS = "shop,day,amount\na,mon,1\na,tue,2\nb,mon,4\nb,,8\n"
PIVOT = node("by_day", "pivot", index=["shop"], column="day", value="amount")
CHAIN = (
    node("orders", "csv_read", path="orders.csv"),
    node("paid", "filter", where="amount < 100"),
    PIVOT,
    node("both", "derive", columns={"both": "mon + coalesce(tue, 0)"}),
    node("sorted", "sort", by=["shop"]),
)
EDGES = "orders>paid paid>by_day by_day>both both>sorted"


@pytest.mark.parametrize("grouping", ["auto", "none"])
def test_values_become_columns_in_the_run(workshop: Workshop, grouping: str) -> None:
    workshop.file("orders.csv", ORDERS)
    run = workshop.begin(*CHAIN, edges=EDGES, grouping=grouping)
    assert not run.plan.nodes["by_day"].sql
    assert len(run.plan.steps) == (1 if grouping == "auto" else 5)
    assert rows_of(run.all()["sorted"]) == [
        {"shop": "a", "mon": 1, "tue": 2, "both": 3},
        {"shop": "b", "mon": 4, "tue": None, "both": 4},
    ]


def test_a_column_that_the_data_do_not_make_fails_at_its_node(workshop: Workshop) -> None:
    workshop.file("orders.csv", ORDERS.replace("tue", "wed"))
    found = workshop.run(*CHAIN, edges=EDGES)
    assert found["by_day"].state == "success"
    error = found["both"].error
    assert error is not None
    assert (error["message"], error["failure"]) == ("there is no column 'tue'", "configuration")


def test_too_many_values_are_a_fault_of_the_data(workshop: Workshop) -> None:
    lines = "".join(f"a,d{at},1\n" for at in range(1_001))
    workshop.file("orders.csv", "shop,day,amount\n" + lines)
    error = workshop.run(*CHAIN[:3], edges="orders>paid paid>by_day")["by_day"].error
    assert error is not None
    assert (error["code"], error["field"]) == ("data", "column")
    assert "more than 1,000 values" in error["message"]


def test_rows_that_break_a_rule_leave_by_a_port_of_their_own(workshop: Workshop) -> None:
    workshop.file("orders.csv", ORDERS)
    checked = node("checked", "validate_rows", rules=[{"columns": "day", "must": "not_null", "name": "has a day"}])
    nodes = (CHAIN[0], checked, node("good", "limit", rows=9), node("bad", "limit", rows=9))
    found = workshop.run(*nodes, edges="orders>checked checked.rows>good checked.rejects>bad")
    assert [row["amount"] for row in rows_of(found["good"])] == [1, 2, 4]
    assert rows_of(found["bad"]) == [{"shop": "b", "day": None, "amount": 8, "reasons": "has a day"}]


def test_a_rule_that_stops_the_run_says_how_many_rows_break_it(workshop: Workshop) -> None:
    workshop.file("orders.csv", ORDERS)
    rules = [{"columns": "amount", "must": "<", "value": 3}]
    checked = node("checked", "validate_rows", rules=rules, action="fail")
    found = workshop.run(CHAIN[0], checked, CHAIN[1], edges="orders>checked checked.rows>paid")
    error = found["checked"].error
    assert error is not None
    assert (error["message"], error["failure"]) == ("rows that break the rule 'amount: < 3': 2", "data")
    assert found["paid"].state == "not_run"
