"""Several mistakes in one document: each is told at its place, and what one keeps from being checked is said."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.checks.test_check import FACTS, Json, edges_of, node

from airloom.checks.check import check
from airloom.spec.places import located
from airloom.spec.problem import Problem
from airloom.spec.text import read_text

ORDERS = "tests/conformance/data/orders.csv"
UNCHECKED = "columns below 'orders' are not checked until this is corrected"


def problems(*nodes: Json, edges: str = "", **more: Any) -> list[Problem]:
    return check({"id": "several", "nodes": list(nodes), "edges": edges_of(edges), **more}, FACTS).problems


def told(found: list[Problem]) -> list[tuple[str | None, str]]:
    return [(problem.node, problem.message) for problem in found]


def orders(**config: Any) -> Json:
    return node("orders", "csv_read", path=ORDERS, **config)


SORTED = node("sorted", "sort", by=["dai"])
NO_DAI = ("sorted", "there is no column 'dai'")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({**orders(), "type": "read_csv"}, "there is no node type 'read_csv'"),
        (orders(sep=","), "there is no field 'sep'"),
        (orders(columns={"amount": "FLOAT64"}), "'FLOAT64' is not a column type"),
        (orders(null_values="NA"), "a list is needed here, not a text"),
    ],
)
def test_what_may_be_meant_is_followed(source: Json, message: str) -> None:
    found = problems(source, SORTED, edges="orders>sorted")
    assert told(found) == [("orders", message), NO_DAI]
    assert UNCHECKED not in (found[0].hint or "")


@pytest.mark.parametrize(
    ("source", "severity"),
    [
        ({**orders(), "type": "hail"}, "error"),
        (orders(colour="red"), "error"),
        (orders(columns={"amount": "HAIL"}), "error"),
        (orders() | {"config": {"path": "tests/conformance/data/order.csv"}}, "warning"),
    ],
)
def test_columns_that_are_not_checked_are_told(source: Json, severity: str) -> None:
    [problem] = problems(source, SORTED, edges="orders>sorted")
    assert (problem.node, problem.severity) == ("orders", severity)
    assert (problem.hint or "").endswith(UNCHECKED)


def test_a_circle_hides_no_column() -> None:
    nodes = [orders(), node("kept", "filter", where="amout > 3"), SORTED]
    found = problems(*nodes, edges="orders>kept kept>sorted sorted>kept")
    assert told(found) == [
        ("kept", "the edges go in a circle: kept → sorted → kept"), ("kept", "there is no column 'amout'"),
    ]  # fmt: skip
    assert found[0].pointer == "/edges/2"


def test_an_edge_too_many_that_leads_back_is_told_so() -> None:
    nodes = [orders(), node("kept", "filter", where="amount > 3"), node("last", "sort", by=["id"])]
    found = problems(*nodes, edges="orders>kept last>kept kept>gone gone>last")
    [several] = [problem for problem in found if problem.code == "edge.several"]
    assert several.pointer == "/edges/1"
    assert several.hint == "this edge makes a circle: kept → gone → last → kept; take it out"


def test_a_wrong_measure_hides_no_other() -> None:
    measures = {"a": {"op": "hail"}, "b": {"op": "sum", "column": "amout"}}
    found = problems(orders(), node("total", "aggregate", measures=measures), edges="orders>total")
    assert told(found) == [("total", "'hail' is not possible here"), ("total", "there is no column 'amout'")]


QUERY = """\
WITH seen AS (
  SELECT customer, countif(amount > 3) AS n, max(amout) AS most
  FROM order
  GROUP BY customer
)
SELECT seens.n, dai FROM seen
"""
FAULTS = {
    "the function countif(…) is not allowed": 2, "there is no column 'amout'": 2, "there is no table 'order'": 3,
    "there is no table 'seens'": 6, "there is no column 'dai'": 6,
}  # fmt: skip


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_all_that_is_wrong_in_a_query_is_told_where_it_stands(name: str) -> None:
    import json

    document = {"id": "several", "nodes": [orders(), node("asked", "sql", sql="", inputs=["orders"])],
                "edges": edges_of("orders>asked.orders")}  # fmt: skip
    document["nodes"][1]["config"]["sql"] = "@"
    text = json.dumps(document, indent=1)
    first = text[: text.index('"@"')].count("\n") + 1
    if name.endswith(".json"):
        text, lines = text.replace('"@"', json.dumps(QUERY)), dict.fromkeys(FAULTS.values(), first)
    else:
        import yaml

        document["nodes"][1]["config"]["sql"] = QUERY
        text = yaml.dump(document, default_style=None)
        block = "\n".join("        " + line for line in QUERY.splitlines())
        head, _, _ = yaml.dump({**document, "nodes": document["nodes"][:1]}).partition("nodes:")
        text = head + "nodes:\n- id: orders\n  type: csv_read\n  config: {path: " + ORDERS + "}\n"
        text += "- id: asked\n  type: sql\n  config:\n    inputs: [orders]\n    sql: |\n" + block + "\n"
        before = text[: text.index("WITH")].count("\n")
        lines = {line: before + line for line in FAULTS.values()}
    data, faults = read_text(text, name)
    assert not faults
    found = located(check(data, FACTS).problems, text, name)
    assert {problem.message: problem.line for problem in found} == {
        message: lines[line] for message, line in FAULTS.items()
    }
    rows = text.splitlines()
    words = {problem.message: rows[(problem.line or 0) - 1][(problem.column or 0) - 1 :] for problem in found}
    for message, rest in words.items():
        assert rest.startswith(next(word for word in ("countif", "amout", "order", "seens", "dai") if word in message))


def test_a_line_of_a_text_is_told_where_the_file_does_not_show_it() -> None:
    text = "id: several\nnodes:\n- {id: orders, type: csv_read, config: {path: " + ORDERS + "}}\n"
    text += '- {id: asked, type: sql, config: {inputs: [orders], sql: "SELECT id\\nFROM orders\\nWHERE WHERE"}}\n'
    text += "edges: [{from: orders, to: asked.orders}]\n"
    data, _ = read_text(text, "a.yaml")
    [problem] = check(data, FACTS).problems
    assert problem.to_json()["message"].endswith("(line 3 of the text)")


def test_problems_stand_in_the_order_of_the_file() -> None:
    text = "edges: [{from: a, to: b}]\nnodes: [{id: c, type: hail}]\nid: x y\nschedule: daily\n"
    data, _ = read_text(text, "a.yaml")
    found = located(check(data, FACTS).problems, text, "a.yaml")
    assert [problem.line for problem in found] == sorted(problem.line or 0 for problem in found)
    assert len(found) > 1


def test_a_reference_that_never_has_a_value_is_refused() -> None:
    nodes = [
        orders(),
        node("kept", "filter", where="amount > 3"),
        node("note", "set", value="{{ nodes.orders.rows.rows }}"),
    ]
    [problem] = problems(*copy.deepcopy(nodes), edges="orders>kept orders.error>note")
    assert (problem.code, problem.node, problem.pointer) == ("expression.never", "note", "/nodes/2/config/value")
    assert problem.message == "'note' runs only after 'orders' has failed, and then there is no 'rows'"
    assert problem.hint == "read nodes.orders.error"
    nodes[2]["config"]["value"] = "{{ nodes.orders.error.message }}"
    assert problems(*nodes, edges="orders>kept orders.error>note") == []
