"""All that is wrong with a document, at once: each fault at its place, with what to do."""

from __future__ import annotations

import base64
import copy
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.dags.judging import points_somewhere

from airloom.checks.check import Report, check
from airloom.checks.facts import Facts
from airloom.engine.storage import Files
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.connection import how_to_make
from airloom.spec.problem import Problem
from airloom.spec.values import Values

Json = dict[str, Any]
SUITE = Path(__file__).parents[1] / "conformance"
ROOT = SUITE.parents[1]
ORDERS = {"id": "orders", "type": "csv_read", "config": {"path": "tests/conformance/data/orders.csv"}}
JOINED = "orders>both.left customers>both.right"
CUSTOMERS = {"id": "customers", "type": "csv_read", "config": {"path": "tests/conformance/data/customers.csv"}}
FACTS = Facts(
    connections={"warehouse": "postgres", "web": "http"},
    pools=frozenset({"default_pool", "small_pool"}),
    files=Files.of(Configuration(root=ROOT, paths=["tests/conformance/data", "output"])),
)


@pytest.fixture(autouse=True)
def _own_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_NODES", str(SUITE / "nodes"))
    configuration.cache_clear()


def node(identifier: str, kind: str, **config: Any) -> Json:
    return {"id": identifier, "type": kind, "config": config}


def edges_of(text: str) -> list[Json]:
    return [dict(zip(("from", "to"), edge.split(">"), strict=True)) for edge in text.split()]


def report(*nodes: Any, edges: Any = "", **more: Any) -> Report:
    given = edges_of(edges) if isinstance(edges, str) else edges
    return check({"id": "checked", "nodes": list(nodes), "edges": given, **more}, FACTS)


def told(found: Report) -> list[tuple[str, str]]:
    return [(problem.code, problem.pointer) for problem in found.problems]


def only(found: Report) -> Problem:
    assert len(found.problems) == 1, [str(problem) for problem in found.problems]
    return found.problems[0]


# Together


def test_a_correct_document_has_no_problem_and_can_be_planned() -> None:
    found = report(ORDERS, node("paid", "filter", where="status = 'paid'"), edges="orders>paid")
    assert found.problems == []
    assert found.correct
    assert found.resolved is not None
    assert found.columns["paid.rows"] == {
        "id": "BIGINT", "customer": "BIGINT", "day": "DATE", "status": "VARCHAR", "amount": "DOUBLE",
        "note": "VARCHAR",
    }  # fmt: skip


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_document() -> None:
    found = report(
        ORDERS,
        node("typo", "fliter", where="id > 1"),
        node("kept", "filter", where="amont > {{ params.least }}"),
        node("few", "limit", rows="many"),
        node("route", "switch", rules=[{"id": "Big"}]),
        node("after", "set", value="{{ nodes.kep.rows }}"),
        edges="orders>kept orders>few nowhere>after kept.row>route",
        settings={"retries": -1},
        params={"least": {"type": "integr"}},
        nmae="x",
    )
    assert told(found) == [
        ("edge.unknown_node", "/edges/2/from"),
        ("edge.unknown_port", "/edges/3/from"),
        ("document.unknown_field", "/nmae"),
        ("edge.missing", "/nodes/1"),
        ("node.unknown_type", "/nodes/1/type"),
        ("sql", "/nodes/2/config/where"),
        ("config.invalid", "/nodes/3/config/rows"),
        ("config.identifier", "/nodes/4/config/rules/0/id"),
        ("expression.unknown_node", "/nodes/5/config/value"),
        ("params.schema", "/params/least/type"),
        ("document.invalid", "/settings/retries"),
    ]
    assert all(problem.hint for problem in found.problems if problem.code in ("edge.unknown_node", "sql"))
    assert found.resolved is None


@pytest.mark.parametrize(
    ("data", "code", "at"),
    [
        (None, "document.type", ""),
        ([], "document.type", ""),
        ("id: x", "document.type", ""),
        ({}, "document.missing", "/id"),
        ({"id": 7}, "document.invalid", "/id"),
        ({"id": "Über"}, "document.identifier", "/id"),
        ({"id": "x"}, "document.empty", "/nodes"),
        ({"id": "x", "nodes": {}}, "document.type", "/nodes"),
        ({"id": "x", "nodes": [7]}, "document.invalid", "/nodes/0"),
        ({"id": "x", "nodes": [{}]}, "document.missing", "/nodes/0/id"),
        ({"id": "x", "nodes": [{"id": "a", "type": "set", "config": [1]}]}, "document.invalid", "/nodes/0/config"),
        ({"id": "x", "nodes": [ORDERS], "edges": "a>b"}, "document.type", "/edges"),
        ({"id": "x", "nodes": [ORDERS], "edges": ["a>b"]}, "document.invalid", "/edges/0"),
        ({"id": "x", "nodes": [ORDERS], "schedule": {}}, "document.invalid", "/schedule"),
        ({"id": "x", "nodes": [ORDERS], "schedule": {"cron": "daily"}}, "document.invalid", "/schedule/cron"),
        ({"id": "x", "nodes": [ORDERS], "settings": {"timeout": "soon"}}, "document.invalid", "/settings/timeout"),
        ({"id": "x", "nodes": [ORDERS], "settings": {"grouping": "some"}}, "document.invalid", "/settings/grouping"),
        ({"id": "x", "nodes": [ORDERS], "params": {"P": {}}}, "document.identifier", "/params/P"),
        ({"id": "x", "nodes": [ORDERS], "tags": [""]}, "document.invalid", "/tags/0"),
    ],
)
def test_a_document_that_is_none_says_where(data: object, code: str, at: str) -> None:
    assert (code, at) in told(check(data, FACTS))


def test_one_faulty_param_does_not_make_the_others_unknown() -> None:
    found = report(
        node("told", "set", value="{{ params.good }}"), params={"good": {"type": "string"}, "Bad": {"type": "string"}}
    )
    assert told(found) == [("document.identifier", "/params/Bad")]


# Ids and types


def test_a_repeated_id_is_told_beside_what_is_wrong_with_both_nodes() -> None:
    found = report(node("a", "nosuch"), node("a", "set", valu=1), node("b", "set", value=1))
    assert sorted(told(found)) == [
        ("config.unknown_field", "/nodes/1/config/valu"),
        ("node.duplicate_id", "/nodes/1/id"), ("node.unknown_type", "/nodes/0/type"),
    ]  # fmt: skip


def test_a_node_without_edges_beside_others_is_told() -> None:
    chain = node("r", "set", value=[{"a": 1}]), node("g", "limit", rows=1)
    alone = node("alone", "set", value=5)
    found = report(*chain, alone, edges=edges_of("r>g"))
    assert [(problem.code, problem.severity, problem.node) for problem in found.problems] == [
        ("node.unconnected", "warning", "alone")
    ]
    assert found.correct
    reader = node("reader", "set", value="{{ nodes.alone.value }}")
    assert not report(*chain, alone, reader, edges=edges_of("r>g alone>reader")).problems
    assert not report(*chain, alone, edges=edges_of("r>g"), outputs={"x": "alone"}).problems
    assert not report(alone, node("other", "set", value=6)).problems, "nothing is connected: each does its work"


def test_ids_are_checked_and_stand_once() -> None:
    found = report(node("Big", "set", value=1), node("twice", "set", value=1), node("twice", "set", value=2))
    assert told(found) == [("document.identifier", "/nodes/0/id"), ("node.duplicate_id", "/nodes/2/id")]
    assert found.problems[0].node == "Big"
    assert "small letter" in found.problems[0].message
    assert found.problems[1].message == "two nodes are called 'twice'"


def test_an_unknown_type_has_a_suggestion() -> None:
    problem = only(report(node("read", "csv_raed", path="tests/conformance/data/orders.csv")))
    assert (problem.code, problem.pointer, problem.node) == ("node.unknown_type", "/nodes/0/type", "read")
    assert (problem.message, problem.hint) == ("there is no node type 'csv_raed'", "did you mean 'csv_read'?")
    assert only(report(node("read", "qqq"))).hint == "`airloom nodes` lists all types"


def test_an_unknown_version_names_those_there_are() -> None:
    problem = only(report({**node("one", "set", value=1), "version": 9}))
    assert (problem.pointer, problem.message, problem.hint) == (
        "/nodes/0/version",
        "'set' has no version 9",
        "versions here: 1",
    )


def test_a_faulty_node_does_not_make_its_edges_dangle() -> None:
    found = report(
        ORDERS, {**node("kept", "filter", where="id > 1"), "on_error": "ignore"}, node("few", "limit", rows=1),
        edges="orders>kept kept>few",
    )  # fmt: skip
    assert told(found) == [("document.invalid", "/nodes/1/on_error")]


# Config


@pytest.mark.parametrize(
    ("entry", "code", "at", "message", "hint"),
    [
        (
            node("x", "csv_read", pth="a.csv", path="output/a.csv"), "config.unknown_field", "/pth",
            "there is no field 'pth'", "did you mean 'path'?",
        ),
        (
            node("x", "csv_read"), "config.missing", "/path", "'path' is needed here",
            "A file, or a glob that names several; those that end in .gz, .zst, .bz2, .xz or .zip are unpacked",
        ),
        (
            node("x", "csv_read", path="output/a.csv", skip_rows=-1), "config.invalid", "/skip_rows",
            "a number of at least 0 is needed here", None,
        ),
        (
            node("x", "csv_read", path="output/a.csv", header="yes please"), "config.invalid", "/header",
            "true or false is needed here", None,
        ),
        (
            node("x", "csv_read", path="output/a.csv", encoding="utf-9"), "config.invalid", "/encoding",
            "there is no encoding 'utf-9'", "write utf-8, utf-16, latin-1, cp1252, …",
        ),
        (
            node("x", "csv_read", path="output/a.csv", columns={"a": "STRING"}), "config.invalid", "/columns/a",
            "'STRING' is not a column type", "write VARCHAR",
        ),
        (
            node("x", "csv_read", path="output/a.csv", null_values="-"), "config.invalid", "/null_values",
            "a list is needed here, not a text", 'write ["-"]',
        ),
        (
            node("x", "numbers", count="seven"), "config.invalid", "/count", "a whole number is needed here", None,
        ),
        (
            node("x", "numbers", count=1.5), "config.invalid", "/count", "a whole number is needed here", None,
        ),
    ],
)  # fmt: skip
def test_a_fault_in_a_config_stands_at_its_field(
    entry: Json, code: str, at: str, message: str, hint: str | None
) -> None:
    found = [problem for problem in report(entry).problems if problem.severity == "error"]
    assert [(problem.code, problem.pointer, problem.message, problem.hint) for problem in found] == [
        (code, "/nodes/0/config" + at, message, hint)
    ]


@pytest.mark.parametrize(
    ("entry", "at", "hint"),
    [
        (node("x", "sort", by=[{"column": "id", "desc": True}]), "/by/0/desc", "did you mean 'descending'?"),
        (
            node("x", "aggregate", measures={"n": {"op": "sum", "column": "id", "distint": 1}}), "/measures/n/distint",
            "known fields: op, column",
        ),
    ],
)  # fmt: skip
def test_a_field_deep_in_a_config_that_is_not_there_names_those_that_are(entry: Json, at: str, hint: str) -> None:
    [problem] = report(ORDERS, entry, edges="orders>x").problems
    assert (problem.code, problem.pointer) == ("config.unknown_field", "/nodes/1/config" + at)
    assert (problem.hint or "").startswith(hint)


def test_a_fault_deep_in_a_config_stands_at_its_field() -> None:
    measures = {"a/b": {"op": "summ", "column": "amount"}, "n": {"op": "sum"}}
    found = report(ORDERS, node("total", "aggregate", by=["day"], measures=measures), edges="orders>total")
    assert told(found) == [
        ("config.invalid", "/nodes/1/config/measures/a~1b/op"),
        ("config.invalid", "/nodes/1/config/measures/n"),
    ]
    assert (found.problems[0].hint or "").startswith("did you mean 'sum'?")
    assert found.problems[1].message == "sum needs a column"


def test_a_value_that_only_a_run_can_tell_is_no_problem() -> None:
    found = report(
        node("start", "set", value={"n": 3}), node("numbers", "numbers", count="{{ nodes.start.value.n }}"),
        node("few", "limit", rows="{{ params.rows }}"), edges="start>numbers numbers>few",
        params={"rows": {"type": "integer"}},
    )  # fmt: skip
    assert found.problems == []


def test_a_default_that_does_not_fit_the_field_it_goes_to_is_one() -> None:
    found = report(node("numbers", "numbers", count="{{ params.count }}"), params={"count": {"default": "many"}})
    assert told(found) == [("config.invalid", "/nodes/0/config/count")]


# Edges


def test_a_circle_is_named_in_the_direction_of_its_edges() -> None:
    found = report(
        node("a", "limit", rows=1), node("b", "limit", rows=1), node("c", "limit", rows=1), edges="a>b b>c c>a"
    )
    problem = only(found)
    assert (problem.code, problem.pointer) == ("graph.cycle", "/edges/2")
    around = problem.message.removeprefix("the edges go in a circle: ").split(" → ")
    assert around[0] == around[-1]
    assert set(itertools.pairwise(around)) == {("a", "b"), ("b", "c"), ("c", "a")}
    assert problem.hint == "take one of these edges out, such as the one from 'c'"
    assert only(report(node("a", "limit", rows=1), edges="a>a")).message.endswith("a → a")


def test_an_edge_to_nowhere_names_the_nodes_there_are() -> None:
    found = report(ORDERS, node("kept", "limit", rows=1), edges="orders>kept order>kept kept>gone")
    assert [(problem.pointer, problem.message, problem.hint) for problem in found.problems] == [
        ("/edges/1/from", "there is no node 'order'", "did you mean 'orders'?"),
        ("/edges/2/to", "there is no node 'gone'", "nodes: kept, orders"),
    ]


def test_a_faulty_edge_does_not_move_the_places_of_those_behind_it() -> None:
    edges = [{"from": "orders"}, "orders>kept", *edges_of("orders>kept orders>gone")]
    found = report(ORDERS, node("kept", "limit", rows=1), edges=edges)
    assert told(found) == [
        ("document.missing", "/edges/0/to"),
        ("document.invalid", "/edges/1"),
        ("edge.unknown_node", "/edges/3/to"),
    ]


@pytest.mark.parametrize(
    ("edge", "code", "at", "message", "hint"),
    [
        ("orders.row>few", "edge.unknown_port", "/from", "'orders' has no output 'row'", "did you mean 'rows'?"),
        ("orders.zzz>few", "edge.unknown_port", "/from", "'orders' has no output 'zzz'", "ports: rows, error"),
        ("orders>few.row", "edge.unknown_port", "/to", "'few' has no input 'row'", "did you mean 'rows'?"),
        ("few>orders", "edge.port", "/to", "'orders' takes no input", None),
        ("orders>both", "edge.port", "/to", "'both' has several inputs: name one", "inputs: left, right"),
        ("route>few", "edge.port", "/from", "'route' has several ports: name one", "ports: one, two"),
    ],
)
def test_a_port_that_is_not_there_is_told(edge: str, code: str, at: str, message: str, hint: str | None) -> None:
    rules = [{"id": "one"}, {"id": "two"}]
    found = report(
        ORDERS, node("few", "limit", rows=1), node("both", "join", on=["id"]), node("route", "switch", rules=rules),
        edges=f"{edge} orders>route",
    )  # fmt: skip
    problem = found.problems[0]
    assert (problem.code, problem.pointer, problem.message, problem.hint) == (code, f"/edges/0{at}", message, hint)


def test_an_input_that_needs_an_edge_says_so_once() -> None:
    found = report(ORDERS, node("both", "join", on=["id"]), node("route", "merge"), edges="orders>both.left")
    assert [(problem.code, problem.node, problem.message, problem.hint) for problem in found.problems] == [
        (
            "edge.missing", "both", "the input 'right' of 'both' needs an edge",
            'write an edge such as {"from": "…", "to": "both.right"}',
        ),
        (
            "edge.missing", "route", "the input 'values' of 'route' needs an edge",
            'write an edge such as {"from": "…", "to": "route.values"}',
        ),
    ]  # fmt: skip
    # The edge is there, with a fault of its own.
    wrong = report(ORDERS, node("both", "join", on=["id"]), edges="orders>both.left orders.row>both.right")
    assert told(wrong) == [("edge.unknown_port", "/edges/1/from")]
    meant = report(ORDERS, node("both", "join", on=["id"]), edges="orders>both.left orders>both.rigth")
    assert told(meant) == [("edge.unknown_port", "/edges/1/to")]


def test_a_single_input_takes_one_edge_or_those_that_never_fire_together() -> None:
    rules = [{"id": "one", "value": 1}, {"id": "two", "value": 2}]
    fine = report(
        ORDERS, node("route", "switch", rules=rules), node("few", "limit", rows=1), node("pair", "pair"),
        edges="orders>route route.one>few route.two>few orders>pair.left orders.error>pair.left",
    )  # fmt: skip
    assert fine.problems == []
    problem = only(report(ORDERS, CUSTOMERS, node("few", "limit", rows=1), edges="orders>few customers>few"))
    assert (problem.code, problem.pointer) == ("edge.several", "/edges/1")
    assert problem.message == "the input 'rows' of 'few' takes one edge, not 2"
    split = node("split", "split_rows", conditions=[{"name": "low", "where": "id < 3"}])
    both = report(ORDERS, split, node("few", "limit", rows=1), edges="orders>split split.low>few split.other>few")
    assert only(both).code == "edge.several"


@pytest.mark.parametrize("name", ["fired", "statistics"])
def test_a_port_cannot_be_called_as_what_a_run_keeps(name: str) -> None:
    split = node("split", "split_rows", conditions=[{"name": name, "where": "id < 3"}])
    problem = only(report(ORDERS, split, edges="orders>split"))
    assert (problem.code, problem.pointer) == ("port.reserved", "/nodes/1/config")
    assert problem.message == f"no port can be called {name!r}"


def test_the_same_edge_twice_is_told() -> None:
    problem = only(report(ORDERS, node("all", "concat"), edges="orders>all orders.rows>all.tables"))
    assert (problem.code, problem.pointer, problem.message) == (
        "edge.duplicate",
        "/edges/1",
        "this edge is there twice",
    )


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ("measure.length>few", "measure.length gives a number, few.rows takes a table"),
        ("write.done>items", "write.done gives an object, items.items takes a list"),
        ("measure.length>items", "measure.length gives a number, items.items takes a list"),
    ],
)
def test_kinds_that_do_not_fit_are_told(edge: str, message: str) -> None:
    found = report(
        node("measure", "measure", count=1), node("write", "csv_write", path="output/x.csv"),
        node("few", "limit", rows=1), node("items", "tally"), edges=f"measure.rows>write {edge}",
    )  # fmt: skip
    problem = found.problems[0]
    assert (problem.code, problem.pointer, problem.message) == ("edge.kind", "/edges/1", message)
    assert problem.hint


def test_kinds_that_convert_are_fine() -> None:
    found = report(
        node("numbers", "numbers", count=3), node("few", "limit", rows=1), node("items", "tally"),
        edges="numbers>few few>items",
    )  # fmt: skip
    assert found.problems == []


# Secrets, Connections, pools, paths


TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkFkYSJ9."
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)


@pytest.mark.parametrize(
    "value",
    [
        {"password": "x"}, {"deep": [{"api_key": "x"}]}, {"client_secret": "x"}, {"Token": "x"},
        "postgresql://me:word@host/db",
        f"Bearer {TOKEN}", "-----BEGIN PRIVATE KEY-----\nMIIEword\n", "-----BEGIN RSA PRIVATE KEY-----\nMIIEword\n",
        {"x": "ghp_" + 36 * "w"}, "github_pat_" + 22 * "w" + "_" + 59 * "W", "xoxb-1234567890-1234567890-word",
        ["AKIAIOSFODNN7EXAMPLE"],
    ],
)  # fmt: skip
def test_a_secret_is_refused_with_advice_and_never_repeated(value: Any) -> None:
    problem = only(report(node("login", "set", value=value)))
    assert problem.code == "secret.literal"
    assert problem.pointer.startswith("/nodes/0/config/value")
    assert problem.hint == "put it into an Airflow Connection, and name the Connection here"
    assert "word" not in str(problem).replace("password", "")


@pytest.mark.parametrize(
    "entry",
    [
        node("rows", "postgres_read", connection="postgres://ann:geheim@host/db", sql="SELECT 1"),
        node("rows", "csv_read", path="https://ann:geheim@host/rows.csv"),
        node("rows", "set", value={"password": "a secret"}),
        node("rows", "csv_read", path="ghp_geheim" + 30 * "x" + ".csv"),
    ],
)
def test_nothing_else_repeats_a_secret(entry: Json) -> None:
    found = report(entry).problems
    assert [problem.code for problem in found] == ["secret.literal"]
    assert "geheim" not in str(found)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("name", "by ghp_" + 36 * "w"), ("description", "see https://ann:word@host/x"),
        ("tags", ["AKIAIOSFODNN7EXAMPLE"]), ("owner", "xoxb-1234567890-1234567890-word"),
        ("inputs", {"day": {"default": TOKEN}}),
    ],
)  # fmt: skip
def test_what_airflow_shows_to_everybody_holds_no_secret(place: str, value: Any) -> None:
    problem = only(report(node("one", "set", value=1), **{place: value}))
    assert problem.code == "secret.literal"
    assert problem.pointer.startswith(f"/{place}")
    if isinstance(value, str):
        problem = only(report({**node("one", "set", value=1), "name": value}))
        assert (problem.code, problem.node, problem.pointer) == ("secret.literal", "one", "/nodes/0/name")


def test_a_default_that_is_a_secret_and_does_not_fit_is_not_repeated() -> None:
    found = report(node("one", "set", value=1), params={"key": {"type": "integer", "default": "ghp_" + 36 * "g"}})
    assert "secret.literal" in [problem.code for problem in found.problems]
    assert "ggg" not in str(found.problems)


def test_a_list_that_is_too_short_is_told() -> None:
    found = report(ORDERS, CUSTOMERS, node("both", "join", on=["id"], suffixes=["_x"]), edges=JOINED)
    assert ("config.missing", "/nodes/2/config/suffixes/1") in told(found)


def test_a_run_by_schedule_needs_all_defaults() -> None:
    params = {"least": {"type": "integer"}, "most": {"type": "integer", "default": 1}}
    problem = only(report(node("one", "set", value=1), params=params, schedule={"every": "1h"}))
    assert (problem.code, problem.pointer) == ("params.default", "/params/least")
    assert report(node("one", "set", value=1), params=params).problems == []


def test_a_node_of_an_unknown_type_is_the_only_thing_that_is_wrong() -> None:
    found = report(
        node("one", "sett", value=1), node("two", "set", value="{{ nodes.one.value }}"),
        node("three", "set", value="{{ nodes.one.value + nodes.two.value }}"), edges="one>two two>three",
    )  # fmt: skip
    assert only(found).code == "node.unknown_type"


def test_what_is_no_secret_is_not_taken_for_one() -> None:
    found = report(
        ORDERS,
        node("named", "rename", mapping={"note": "password", "status": "secret"}),
        node("typed", "cast", columns={"password": "VARCHAR"}),
        node("made", "derive", columns={"token": "md5(secret)"}),
        node("back", "rename", mapping={"token": "api_key"}),
        node("told", "set", value={"token": "{{ params.token }}", "tokens": "many", "secret": ""}),
        node(
            "looks",
            "set",
            value=[
                "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
                "d41d8cd98f00b204e9800998ecf8427e",
                64 * "a1",
                "AKIA",
                "ghp_rows",
                "data:image/png;base64," + base64.b64encode(random.Random(7).randbytes(100_000)).decode(),
                "eyJhIjoxfQ==",
                "eyJ.eyJ.a",
                "-----BEGIN CERTIFICATE-----",
                "-----BEGIN PUBLIC KEY-----",
                "xoxb-team",
                "write the BEGIN PRIVATE KEY line",
                "https://host:80/a@b",
                "SHA256:" + 43 * "x",
                "AKIAIOSFODNN7EXAMPLES",
            ],
        ),
        edges="orders>named named>typed typed>made made>back",
        params={"token": {"type": "string"}},
    )
    assert [problem.code for problem in found.problems if problem.code.startswith("secret")] == []


def test_connections_are_checked_by_name_and_type() -> None:
    read = {"type": "postgres_read"}
    found = report(
        {"id": "typo", **read, "config": {"connection": "warehous", "table": "t"}},
        {"id": "none", **read, "config": {"connection": "zzz", "table": "t"}},
        {"id": "other", **read, "config": {"connection": "web", "table": "t"}},
        {"id": "later", **read, "config": {"connection": "{{ params.where }}", "table": "t"}},
        {"id": "good", **read, "config": {"connection": "warehouse", "table": "t"}},
        params={"where": {"type": "string"}},
    )
    assert [(problem.code, problem.pointer, problem.message, problem.hint) for problem in found.problems] == [
        (
            "connection.unknown", "/nodes/0/config/connection", "there is no Connection 'warehous'",
            "did you mean 'warehouse'?",
        ),
        (
            "connection.unknown", "/nodes/1/config/connection", "there is no Connection 'zzz'",
            how_to_make("zzz", "postgres"),
        ),
        (
            "connection.type", "/nodes/2/config/connection", "the Connection 'web' is of type 'http', not 'postgres'",
            "Connections that fit: warehouse",
        ),
    ]  # fmt: skip


def test_pools_are_checked() -> None:
    found = report(
        {**node("typo", "set", value=1), "pool": "smal_pool"}, {**node("good", "set", value=1), "pool": "small_pool"},
        settings={"pool": "zzz"},
    )  # fmt: skip
    assert [(problem.code, problem.pointer, problem.hint) for problem in found.problems] == [
        ("pool.unknown", "/nodes/0/pool", "did you mean 'small_pool'?"),
        ("pool.unknown", "/settings/pool", "create it in Airflow: Admin, Pools"),
    ]


def test_what_is_not_known_here_is_no_problem() -> None:
    nodes = [
        {**node("read", "postgres_read", connection="zzz", table="t"), "pool": "zzz"},
        node("file", "csv_read", path="/anywhere/x.csv"),
        node("kept", "filter", where="whatever > 3"),
        node("both", "concat"),
    ]
    found = check({"id": "x", "nodes": nodes, "edges": edges_of("file>kept kept>both read>both")})
    assert found.problems == []
    assert found.correct


def test_a_path_outside_is_an_error_and_a_missing_file_a_warning() -> None:
    found = report(
        node("outside", "csv_read", path="/etc/passwd"), node("missing", "csv_read", path="output/none.csv"),
        node("wrong", "parquet_read", path="tests/conformance/data/orders.csv"),
    )  # fmt: skip
    assert [(problem.code, problem.severity, problem.pointer) for problem in found.problems] == [
        ("path.outside", "error", "/nodes/0/config/path"),
        ("configuration", "error", "/nodes/2/config/path"),
        ("path.missing", "warning", "/nodes/1/config/path"),
    ]
    assert found.problems[2].hint == f"looked at {ROOT / 'output' / 'none.csv'}"
    assert found.problems[1].message.startswith("orders.csv cannot be read as parquet: ")


# Expressions


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        ("{{ nods.a }}", "expression.unknown_name", "there is no name 'nods'", "did you mean 'nodes'?"),
        ("{{ conn.x }}", "expression.unknown_name", "there is no name 'conn'", "declare a param"),
        ("{{ params.limt }}", "expression.unknown_param", "there is no parameter 'limt'", "did you mean 'limit'?"),
        ("{{ params.x }}", "expression.unknown_param", "there is no parameter 'x'", "declare it in the document"),
        ("{{ run.ID }}", "expression.unknown_name", "run has no 'ID'", "did you mean 'id'?"),
        ("{{ loop.index }}", "expression.no_loop", "loop is known only in the body of a loop", ""),
        ("{{ nodes.order.rows }}", "expression.unknown_node", "names node 'order'", "did you mean 'orders'?"),
        ("{{ nodes.zzz.rows }}", "expression.unknown_node", "names node 'zzz'", "nodes before this one: orders"),
        ("{{ nodes.reads.value }}", "expression.not_upstream", "the node that it stands in", "nodes before it"),
        ("{{ nodes.later.value }}", "expression.not_upstream", "which comes after 'reads'", "nodes before it"),
        ("{{ nodes.aside.value }}", "expression.not_upstream", "does not come before", "add edges from 'aside'"),
        ("{{ nodes.orders.row }}", "expression.unknown_port", "'orders' has no output 'row'", "did you mean 'rows'?"),
        ("{{ 1 + }}", "expression.syntax", "this expression cannot be read", "to keep braces as text"),
        ("{{ 'a' | uper }}", "expression.unknown_filter", "there is no filter 'uper'", "did you mean 'upper'?"),
        ("{# note #}", "expression.comment", "is a comment and would vanish", "to keep braces as text"),
        ("{% include 'x' %}", "expression.statement", "is not possible here", "for, if and set can be used"),
    ],
)  # fmt: skip
def test_a_fault_in_an_expression_stands_at_its_text(text: str, code: str, message: str, hint: str) -> None:
    found = report(
        ORDERS, node("reads", "set", value={"deep": ["fine", text]}), node("later", "set", value=1),
        node("aside", "set", value=1), edges="orders>reads reads>later", params={"limit": {"type": "integer"}},
    )  # fmt: skip
    problem = only(found)
    assert (problem.code, problem.pointer, problem.node) == (code, "/nodes/1/config/value/deep/1", "reads")
    assert message in problem.message
    assert hint in (problem.hint or "")


def test_an_error_port_can_be_read() -> None:
    found = report(ORDERS, node("alert", "set", value="{{ nodes.orders.error.message }}"), edges="orders.error>alert")
    assert found.problems == []


# Columns and types


@pytest.mark.parametrize(
    ("entry", "code", "at", "message", "hint"),
    [
        (node("x", "filter", where="amont > 3"), "sql", "/where", "no column 'amont'", "did you mean 'amount'?"),
        (node("x", "filter", where="status ="), "sql", "/where", "this cannot be read as SQL", ""),
        (node("x", "filter", where="id > 1; drop table x"), "sql", "/where", "", ""),
        (node("x", "filter", where="sum(id) > 1"), "sql", "/where", "is an aggregate", "use the aggregate node"),
        (node("x", "filter", where="read_csv('x')"), "sql", "/where", "read_csv", "with a node, such as csv_read"),
        (node("x", "filter", where="day > now()"), "sql", "/where", "not allowed", "{{ run.logical_date }}"),
        (node("x", "filter", where="{% if x %}"), "expression.statement", "/where", "only {{ … }}", "CASE WHEN"),
        (node("x", "filter", where="amount > note - 1"), "query.invalid", "/where", "- does not take VARCHAR", "cast("),
        (node("x", "filter", where="amount > note"), "query.invalid", "/where", "cannot be compared with", "cast("),
        (
            node("x", "derive", columns={"a": "CASE WHEN id > 1 THEN note ELSE amount END"}), "query.invalid",
            "/columns/a", "cannot stand together in CASE", "cast(",
        ),
        (node("x", "sql", sql="SELECT sum(note) FROM rows"), "query.invalid", "/sql", "sum does not take", "cast the"),
        (node("x", "select", columns=["id", "nam"]), "column.unknown", "/columns/1", "no column 'nam'", "columns here"),
        (node("x", "sort", by=["day", {"column": "dy"}]), "column.unknown", "/by/1/column", "no column 'dy'", "'day'"),
        (node("x", "cast", columns={"dy": "DATE"}), "column.unknown", "/columns/dy", "no column 'dy'", "'day'"),
        (node("x", "rename", mapping={"id": "DAY"}), "configuration", "/mapping/id", "called 'DAY'", "another name"),
        (node("x", "sql", sql="SELECT nope FROM rows"), "query.invalid", "/sql", "no column 'nope'", ""),
        (node("x", "sql", sql="SELECT 1 FROM other"), "sql", "/sql", "there is no table 'other'", "rows"),
        (node("x", "sql", sql="DELETE FROM rows"), "sql", "/sql", "a query starts with SELECT or WITH", ""),
    ],
)  # fmt: skip
def test_a_fault_in_a_column_or_in_sql_stands_at_its_field(
    entry: Json, code: str, at: str, message: str, hint: str
) -> None:
    problem = only(report(ORDERS, entry, edges="orders>x"))
    assert (problem.code, problem.pointer, problem.node) == (code, "/nodes/1/config" + at, "x")
    assert message in problem.message
    assert hint in (problem.hint or "")


def test_all_fields_of_a_node_are_looked_at() -> None:
    measures = {"a": {"op": "sum", "column": "amont"}, "b": {"op": "max", "column": "staus"}}
    formulas = {"a": "foo(id)", "b": "id +", "c": "upper(nope)", "good": "id + 1"}
    found = report(
        ORDERS, node("total", "aggregate", by=["dy"], measures=measures), node("made", "derive", columns=formulas),
        edges="orders>total orders>made",
    )  # fmt: skip
    assert told(found) == [
        ("column.unknown", "/nodes/1/config/by/0"),
        ("column.unknown", "/nodes/1/config/measures/a/column"),
        ("column.unknown", "/nodes/1/config/measures/b/column"),
        ("sql", "/nodes/2/config/columns/a"),
        ("sql", "/nodes/2/config/columns/b"),
        ("sql", "/nodes/2/config/columns/c"),
    ]


def test_nothing_is_said_below_a_fault_or_what_only_a_run_can_tell() -> None:
    found = report(
        ORDERS, node("wrong", "select", columns=["nope"]), node("below", "filter", where="anything > 3"),
        node("start", "set", value=[]), node("unknown", "filter", where="anything > 3"),
        node("route", "switch", rules=[{"id": "one"}]), node("after", "select", columns=["anything"]),
        edges="orders>wrong wrong>below start>unknown orders>route route.one>after",
    )  # fmt: skip
    assert told(found) == [("column.unknown", "/nodes/1/config/columns/0")]


def test_types_are_those_of_the_run() -> None:
    found = report(
        ORDERS, CUSTOMERS,
        node("total", "aggregate", by=["customer"], measures={
            "n": {"op": "count"}, "all": {"op": "sum", "column": "id"}, "days": {"op": "sorted_tuple", "column": "day"},
        }),
        node("made", "sql", sql="SELECT customer, r.* FROM (SELECT customer, {{ params.day }} AS day FROM rows) r"),
        node("named", "join", on=[["customer", "id"]]),
        edges="orders>total orders>made total>named.left customers>named.right",
        params={"day": {"type": "string", "format": "date"}},
    )  # fmt: skip
    assert [problem.message for problem in found.problems] == ["two columns of the result are called 'customer'"]
    assert found.columns["total.rows"] == {
        "customer": "BIGINT", "n": "BIGINT", "all": "DECIMAL(38,0)", "days": "DATE[]",
    }  # fmt: skip
    assert list(found.columns["named.rows"]) == ["customer", "n", "all", "days", "id", "name", "country"]


def test_a_join_of_types_that_cannot_be_equal_is_told() -> None:
    found = report(
        ORDERS, CUSTOMERS, node("named", "join", on=[["customer", "name"]]),
        edges="orders>named.left customers>named.right",
    )  # fmt: skip
    problem = only(found)
    assert problem.pointer == "/nodes/2/config/on/0"
    assert problem.message == "'customer' on the left is BIGINT, 'name' on the right VARCHAR"
    assert "cast one of them" in (problem.hint or "")


def test_a_sort_that_is_lost_is_a_warning() -> None:
    found = report(
        ORDERS, node("sorted", "sort", by=["day"]), node("total", "aggregate", by=["day"]),
        node("write", "csv_write", path="output/x.csv"), edges="orders>sorted sorted>total total>write",
    )  # fmt: skip
    problem = only(found)
    assert (problem.code, problem.severity, problem.node) == ("order.lost", "warning", "total")
    assert found.correct


# Never an exception

DOCUMENTS = [
    json.loads(path.read_text())
    for path in sorted((SUITE / "documents").glob("*.json"))
    if not path.name.endswith(".expected.json")
]
ODD: list[Any] = [
    None, True, -1, 1.5, 10**30, float("inf"), "", "x", "{{", "{{ nodes }}", "{{ params.out }}", "é\0", "a.b.c", [],
    [[]], {}, {"": 0}, {"id": "x"}, ["a", 1], "{{ nodes.orders.rows }}", "orders", "x" * 5_000,
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Draw a document of the suite with a few values exchanged for odd ones, moved, doubled or taken away."""
    made: Any = {"document": copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))}
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from([path for path in places(made) if path]))
        parent = made
        for part in path[:-1]:
            parent = parent[part]
        match draw(st.sampled_from(["odd", "odd", "remove", "double", "move", "rename"])):
            case "odd":
                parent[path[-1]] = copy.deepcopy(draw(st.sampled_from(ODD)))
            case "remove" if len(path) > 1:
                del parent[path[-1]]
            case "double" if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[path[-1]]))
            case "move":
                other = draw(st.sampled_from(list(places(made))))
                found = made
                for part in other:
                    found = found[part]
                parent[path[-1]] = copy.deepcopy(found)
            case "rename" if isinstance(parent, dict) and len(path) > 1:
                parent[draw(st.sampled_from(["id", "x", "", "where", "config", "é", "a/b~c"]))] = parent.pop(path[-1])
            case _:
                pass
    return made["document"]


@given(mutated())
@settings(
    max_examples=150, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_no_document_whatever_makes_the_check_raise(data: Any) -> None:
    found = check(data, FACTS)
    assert found.correct == (found.resolved is not None)
    for problem in found.problems:
        assert problem.message
        assert problem.code != "check.stopped", str(problem)
        assert points_somewhere(data, problem), str(problem)
        json.dumps(problem.to_json())


def test_a_node_of_countless_faults_tells_the_first_hundred() -> None:
    found = report(node("sorted", "sort", by=[{"colum": "day"}] * 50_000)).problems
    more = [problem for problem in found if problem.code == "config.more"]
    assert len(found) < 110
    assert "more of its fields are wrong" in more[0].message


@pytest.mark.parametrize(
    ("fields", "named"), [({"tags": [1] * 50_000}, 100), ({"nodes": [1] * 5_000}, 1_000)], ids=["tags", "nodes"]
)
def test_a_document_of_countless_faults_tells_the_first(fields: dict[str, Any], named: int) -> None:
    codes = Counter(problem.code for problem in check({"id": "poor", **fields}, FACTS).problems)
    assert (codes["document.invalid"], codes["document.more"]) == (named, 1)


class TestPoison:
    """Texts that no file and no database takes, in a document given as an object."""

    PLACES = (
        ({"id": "a", "description": "POISON"}, "/description"),
        ({"id": "POISON"}, "/id"),
        ({"id": "a", "nodes": [{"id": "n", "type": "POISON"}]}, "/nodes/0/type"),
        ({"id": "a", "nodes": [{"id": "n", "type": "sql", "config": {"sql": {"x": ["", "POISON"]}}}]},
         "/nodes/0/config/sql/x/1"),
        ({"id": "a", "edges": [{"from": "a.b", "to": "POISON"}]}, "/edges/0/to"),
        ({"id": "a", "params": {"p": {"default": {"POISON": 1}}}}, "/params/p/default"),
        ({"id": "a", "unknown": [[["POISON"]]]}, "/unknown/0/0/0"),
    )  # fmt: skip

    @pytest.mark.parametrize("poison", ["half \ud800", "\udfff half", "NUL \0"])
    @pytest.mark.parametrize(("document", "place"), PLACES)
    def test_is_refused_at_its_place(self, document: Any, place: str, poison: str) -> None:
        poisoned = json.loads(json.dumps(document).replace('"POISON"', json.dumps(poison)))
        report = check(poisoned)
        assert not report.correct
        assert [(problem.code, problem.pointer) for problem in report.problems] == [("text.character", place)]

    def test_a_problem_can_always_be_written(self) -> None:
        (problem, inner) = check({"\ud800": "\0"}).problems
        assert (problem.pointer, inner.pointer) == ("", r"/\ud800")
        for shown in (problem, inner):
            assert str(shown).encode()
            assert json.dumps(shown.to_json(), ensure_ascii=False).encode()

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
    def test_numbers_that_json_has_not(self, number: float) -> None:
        (problem,) = check({"id": "a", "params": {"p": {"default": number}}}).problems
        assert (problem.code, problem.pointer) == ("text.number", "/params/p/default")

    def test_too_deep(self) -> None:
        nested: Any = "x"
        for _ in range(5000):
            nested = [nested]
        (problem,) = check({"id": "a", "description": nested}).problems
        assert problem.code == "text.deep"


@pytest.mark.parametrize(
    ("edges", "more", "lost"),
    [
        ("read.rows>rest", [], True),
        ("read.rows>rest read.rejects>bad", [node("bad", "limit", rows=1)], False),
        ("read.rows>rest rest>bad", [node("bad", "derive", columns={"lost": "{{ nodes.read.rejects.rows }}"})], False),
        ("read.rows>rest rest>bad", [node("bad", "derive", columns={"kept": "{{ nodes.read.rows.rows }}"})], True),
    ],
)
def test_rejects_that_nothing_reads_are_a_warning(tmp_path: Path, edges: str, more: list[Any], lost: bool) -> None:
    (tmp_path / "a.csv").write_text("n\n1\n")
    read = node("read", "csv_read", path=str(tmp_path / "a.csv"), rejects=True)
    pairs = [{"from": start, "to": end} for start, end in (edge.split(">") for edge in edges.split())]
    document = {"id": "checked", "nodes": [read, node("rest", "limit", rows=1), *more], "edges": pairs}
    found = check(document, Facts(files=Files(tmp_path, (str(tmp_path),)))).problems
    unread = [problem for problem in found if problem.code == "port.unread"]
    assert [(problem.node, problem.pointer, problem.severity) for problem in unread] == (
        [("read", "/nodes/0/config/rejects", "warning")] if lost else []
    )
    assert not [problem for problem in found if problem.code != "port.unread"]


def test_a_value_has_its_type_in_sql_and_a_name_that_is_known() -> None:
    def problems(where: str) -> list[tuple[str, str, str | None]]:
        nodes = [
            {"id": "rows", "type": "set", "config": {"value": [{"n": 1}]}},
            {"id": "some", "type": "filter", "config": {"where": where}},
        ]
        document = {"id": "valued", "nodes": nodes, "edges": [{"from": "rows", "to": "some"}]}
        values = Values({"limit": 3, "region": "north", "key": "postgresql://me:pass@host/db"})
        return [(one.code, one.message, one.hint) for one in check(document, Facts(values=values)).problems]

    assert problems("n > {{ values.limit }}") == []
    assert problems("n > {{ values.limti }}") == [
        ("expression.unknown_value", "this installation has no value 'limti'", "did you mean 'limit'?")
    ]
    assert problems("n > {{ limit }}")[0][2] == "write values.limit"
    assert problems("n > {{ values.key }}")[0][:2] == ("expression.secret", "the value 'key' looks like a secret")


@pytest.mark.parametrize(
    ("entry", "settings", "wanted"),
    [
        ({"type": "set", "parallel": 2}, {}, ("node.parallel", "/nodes/0/parallel")),
        (
            {"type": "for_each", "body": {"nodes": []}, "parallel": 2},
            {"grouping": "all"},
            ("node.inside", "/nodes/0/parallel"),
        ),
        ({"type": "for_each", "body": {"nodes": []}, "parallel": 0}, {}, ("document.invalid", "/nodes/0/parallel")),
    ],
)
def test_only_a_loop_with_a_task_of_its_own_shares_its_items(entry, settings, wanted):
    document = {"id": "p", "settings": settings, "nodes": [{"id": "each", **entry}]}
    assert wanted in [(problem.code, problem.pointer) for problem in check(document).problems]
