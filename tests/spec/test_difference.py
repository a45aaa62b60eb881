"""How two documents differ: by node, field and edge, whatever their order."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from airloom.spec.difference import differences

Json = dict[str, Any]
BEFORE: Json = {
    "id": "sales",
    "schedule": {"cron": "0 2 * * *"},
    "settings": {"retries": 1, "catchup": False},
    "tags": ["a"],
    "nodes": [
        {"id": "orders", "type": "csv_read", "config": {"path": "a.csv"}, "ui": {"x": 1, "y": 2}},
        {
            "id": "each",
            "type": "for_each",
            "config": {},
            "body": {
                "nodes": [{"id": "inner", "type": "filter", "config": {"where": "a = 1", "on": [1, 2]}}],
                "edges": [{"from": "loop.item", "to": "inner"}],
                "result": "inner.rows",
            },
        },
        {"id": "both", "type": "concat", "config": {}},
    ],
    "edges": [{"from": "orders", "to": "both"}, {"from": "each", "to": "both"}],
    "finally": {"nodes": [{"id": "last", "type": "set", "config": {"value": 1}}], "edges": []},
}


def changed(**fields: Any) -> Json:
    return {**copy.deepcopy(BEFORE), **fields}


def told(after: Json, before: Json = BEFORE) -> list[tuple[str, ...]]:
    return [
        (change.what, change.change, change.name, change.field, repr(change.before), repr(change.after))
        for change in differences(before, after)
    ]


def test_a_document_is_as_itself() -> None:
    assert told(copy.deepcopy(BEFORE)) == []


def test_neither_the_order_of_nodes_nor_where_they_are_drawn_is_a_difference() -> None:
    after = changed()
    random.Random(1).shuffle(after["nodes"])
    for node in after["nodes"]:
        node["ui"] = {"x": 9, "y": 9}
    assert told(after) == []


def test_nodes_come_go_and_change_in_bodies_too() -> None:
    after = changed()
    after["nodes"][1]["body"]["nodes"][0]["config"] = {"where": "a = 2", "on": [1, 3], "not": None}
    after["nodes"][1]["body"]["result"] = "inner.rest"
    after["nodes"][2] = {"id": "all", "type": "concat", "config": {}}
    after["finally"]["nodes"][0]["config"]["value"] = True
    assert told(after) == [
        ("node", "changed", "each", "/body/result", "'inner.rows'", "'inner.rest'"),
        ("node", "removed", "both", "", "'concat'", "None"),
        ("node", "changed", "inner", "/config/where", "'a = 1'", "'a = 2'"),
        ("node", "changed", "inner", "/config/on/1", "2", "3"),
        ("node", "changed", "inner", "/config/not", "None", "None"),
        ("node", "changed", "last", "/config/value", "1", "True"),
        ("node", "added", "all", "", "None", "'concat'"),
    ]


def test_a_node_that_moves_into_a_body_is_told() -> None:
    after = changed()
    after["nodes"][1]["body"]["nodes"].append(after["nodes"].pop(0))
    assert told(after) == [("node", "changed", "orders", "/scope", "None", "'each'")]


def test_edges_come_go_and_change_their_order() -> None:
    after = changed(edges=[{"from": "each", "to": "both"}, {"from": "orders", "to": "both"}])
    assert told(after) == [("edge", "changed", "→ both", "", "['orders', 'each']", "['each', 'orders']")]
    after = changed(edges=[{"from": "each.error", "to": "both"}, {"from": "orders", "to": "both"}])
    assert told(after) == [
        ("edge", "removed", "each → both", "", "'each'", "None"),
        ("edge", "added", "each.error → both", "", "None", "'each.error'"),
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"settings": {"retries": 2, "catchup": False}}, ("setting", "changed", "/settings/retries", "", "1", "2")),
        ({"settings": {"retries": 1}}, ("setting", "removed", "/settings/catchup", "", "False", "None")),
        ({"owner": "ann"}, ("setting", "added", "/owner", "", "None", "'ann'")),
        ({"tags": ["a", "b"]}, ("setting", "changed", "/tags", "", "['a']", "['a', 'b']")),
        ({"schedule": {"every": "1h"}}, ("setting", "removed", "/schedule/cron", "", "'0 2 * * *'", "None")),
    ],
)
def test_settings(fields: Json, expected: tuple[str, ...]) -> None:
    assert expected in told(changed(**fields))
