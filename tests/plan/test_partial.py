"""A part of a pipeline: which nodes run, are computed again, reused, silent or left out, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.engine.storage import Files
from airloom.plan.build import build_plan
from airloom.plan.partial import Earlier, Reuse, Selection, Wish, cut, select
from airloom.plan.plan import Plan
from airloom.spec.configuration import Configuration

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]


def document(*nodes: Json, edges: str, grouping: str = "auto", **more: Any) -> Json:
    """Return a document; `edges` are `a>b.port` texts with spaces between."""
    ends = [dict(zip(("from", "to"), edge.split(">"), strict=True)) for edge in edges.split()]
    return {"id": "part", "settings": {"grouping": grouping}, "nodes": list(nodes), "edges": ends, **more}


def node(identifier: str, kind: str, **config: Any) -> Json:
    return {"id": identifier, "type": kind, "config": config}


def planned(document: Json) -> Plan:
    files = Files.of(Configuration(root=ROOT, paths=["tests/conformance/data", "output"]))
    report = check(document, Facts(files=files))
    assert report.resolved is not None, report.problems
    return build_plan(report.resolved)


def ended(plan: Plan, **other: Json) -> Reuse:
    """Return a run in which all nodes of a plan ended well but for these; inner tables of a step were not kept."""
    nodes = {}
    for step in plan.steps:
        for name in step.nodes:
            kept = step.kind != "table" or name in step.exits
            nodes[name] = replace(
                Earlier(plan.nodes[name].hash, "success", plan.nodes[name].ports, kept), **other.get(name, {})
            )
    return Reuse("run_1", nodes)


def parts(selection: Selection) -> str:
    """Return the parts as one text, in the order of the nodes."""
    assert not selection.problems
    return " ".join(f"{name}:{part}" for name, part in selection.parts.items())


def messages(selection: Selection) -> list[str]:
    return [problem.message for problem in selection.problems]


ORDERS = node("orders", "csv_read", path="tests/conformance/data/orders.csv")
PAID = node("paid", "filter", where="status = 'paid'")
BY_DAY = node("by_day", "aggregate", by=["day"], measures={"orders": {"op": "count"}})
SAVE = node("save", "csv_write", path="output/days.csv")
CHAIN = {"edges": "orders>paid paid>by_day by_day>save"}
SINGLE = document(ORDERS, PAID, BY_DAY, SAVE, **CHAIN, grouping="none")
GROUPED = document(ORDERS, PAID, BY_DAY, SAVE, **CHAIN)
TOGETHER = document(ORDERS, PAID, BY_DAY, SAVE, **CHAIN, grouping="all")


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Wish(only="paid"), "orders:reused paid:run by_day:left_out save:left_out"),
        (Wish(first="paid"), "orders:reused paid:run by_day:run save:silent"),
        (Wish(first="paid", writes=True), "orders:reused paid:run by_day:run save:run"),
        (Wish(until="paid"), "orders:run paid:run by_day:left_out save:left_out"),
        (Wish(first="paid", until="by_day"), "orders:reused paid:run by_day:run save:left_out"),
        (Wish(only="by_day"), "orders:reused paid:reused by_day:run save:left_out"),
        (Wish(only="save", writes=True), "orders:reused paid:reused by_day:reused save:run"),
    ],
)
@pytest.mark.parametrize("document", [SINGLE, TOGETHER], ids=["none", "all"])
def test_what_is_chosen_runs_and_what_it_reads_is_reused(document: Json, wish: Wish, expected: str) -> None:
    plan = planned(document)
    assert parts(select(plan, document, wish, ended(plan))) == expected


@pytest.mark.parametrize(
    ("wish", "expected", "nodes", "exits"),
    [
        (Wish(only="paid"), "orders:again paid:run by_day:left_out save:left_out", ["orders", "paid"], ["paid"]),
        (Wish(first="paid"), "orders:again paid:run by_day:run save:silent", ["orders", "paid", "by_day"], ["by_day"]),
        (Wish(until="paid"), "orders:run paid:run by_day:left_out save:left_out", ["orders", "paid"], ["paid"]),
    ],
)
def test_inner_nodes_of_a_step_are_computed_again(
    wish: Wish, expected: str, nodes: list[str], exits: list[str]
) -> None:
    plan = planned(GROUPED)
    (step,) = plan.steps
    selection = select(plan, GROUPED, wish, ended(plan))
    assert parts(selection) == expected
    working = cut(step, plan, selection.parts)
    assert (list(working.nodes), list(working.exits)) == (nodes, exits)


def test_the_first_nodes_need_no_other_run_and_others_do() -> None:
    plan = planned(SINGLE)
    assert parts(select(plan, SINGLE, Wish(until="by_day"), None)).endswith("by_day:run save:left_out")
    selection = select(plan, SINGLE, Wish(first="by_day"), None)
    assert messages(selection) == ["node 'paid' is read by what is to run"]
    assert selection.problems[0].hint == "name the run whose outputs are to be reused"


def test_a_run_of_another_version_is_reused_where_nodes_are_the_same() -> None:
    before, now = planned(SINGLE), planned(GROUPED)
    # What was a step of its own is computed again within the step that it stands in now.
    assert parts(select(now, GROUPED, Wish(first="by_day"), ended(before))).startswith("orders:again paid:again")
    changed = document(ORDERS, node("paid", "filter", where="status = 'open'"), BY_DAY, SAVE, **CHAIN, grouping="none")
    plan = planned(changed)
    assert parts(select(plan, changed, Wish(first="paid"), ended(before))).startswith("orders:reused paid:run")
    assert messages(select(plan, changed, Wish(first="by_day"), ended(before))) == [
        "node 'paid' is not as it was in run 'run_1': it, a node before it, or a param that they read has changed"
    ]


def test_a_param_with_another_value_makes_a_node_another() -> None:
    params = {"status": {"type": "string", "default": "paid"}, "unread": {"type": "string", "default": ""}}
    paid = node("paid", "filter", where="status = {{ params.status }}")
    read = document(ORDERS, paid, BY_DAY, SAVE, **CHAIN, grouping="none", params=params)
    plan = planned(read)
    run = ended(plan)
    assert not select(plan, read, Wish(only="by_day"), replace(run, params={"unread"})).problems
    assert not select(plan, read, Wish(only="paid"), replace(run, params={"status"})).problems
    assert len(select(plan, read, Wish(only="by_day"), replace(run, params={"status"})).problems) == 1
    assert len(select(plan, read, Wish(only="save", writes=True), replace(run, params={"status"})).problems) == 1


def test_all_that_is_in_the_way_is_told_at_once() -> None:
    left, right = (node(name, "set", value=name) for name in ("left", "right"))
    both = document(left, right, node("both", "merge"), edges="left>both right>both", grouping="none")
    plan = planned(both)
    run = replace(ended(plan, left={"state": "failed", "fired": ()}), gone=lambda name: f"{name}.json")
    assert messages(select(plan, both, Wish(only="both"), run)) == [
        "node 'right' gave in run 'run_1' what is gone: right.json",
        "node 'left' failed in run 'run_1'",
    ]
    missing = Reuse("run_1", {"left": run.nodes["left"]})
    assert "node 'right' has no state in run 'run_1'" in messages(select(plan, both, Wish(only="both"), missing))


def test_files_that_have_changed_are_not_read_again() -> None:
    plan = planned(GROUPED)
    run = replace(ended(plan), changed=lambda name: "orders.csv has changed since")
    assert messages(select(plan, GROUPED, Wish(first="paid"), run)) == [
        "node 'orders' is to read again what it read in run 'run_1', and orders.csv has changed since"
    ]
    # A node that reads no files itself is at fault for none.
    assert len(select(plan, GROUPED, Wish(first="by_day"), run).problems) == 1
    assert not select(plan, GROUPED, Wish(first="orders"), run).problems


@pytest.mark.parametrize(
    ("wish", "message", "hint"),
    [
        (Wish(only="pade"), "only: the node 'pade' is not there", "paid"),
        (Wish(first="word"), "from: the node 'word' stands inside of node 'each', which runs as a whole", "'each'"),
        (Wish(until="last"), "stands in `finally`, which runs as a whole", "choose another"),
        (Wish(), "only one node, or begins at a node", "only, or from, or until"),
        (Wish(only="paid", first="paid"), "only one node, or begins at a node", "only, or from, or until"),
        (Wish(first="each", until="paid"), "nothing leads from node 'each' to node 'paid'", "on one way"),
        (Wish(only="save"), "nothing would run: 'save' writes", "ask for writes"),
    ],
)
def test_a_wrong_wish_is_refused_with_what_to_do(wish: Wish, message: str, hint: str) -> None:
    body = {"nodes": [node("word", "set", value="{{ loop.item }}")], "edges": [], "result": "word"}
    each = {"id": "each", "type": "for_each", "body": body}
    last = {"nodes": [node("last", "set", value=1)], "edges": []}
    wrong = document(ORDERS, PAID, each, SAVE, edges="orders>paid paid>each paid>save", **{"finally": last})
    plan = planned(wrong)
    (problem,) = select(plan, wrong, wish, ended(plan)).problems
    assert message in problem.message
    assert hint in (problem.hint or "")


SWITCH = node("route", "switch", rules=[{"id": "many", "field": "rows", "operator": "gt", "value": 5}], fallback=True)


def test_a_switch_that_is_reused_fires_what_it_fired() -> None:
    ways = document(
        ORDERS, SWITCH, node("large", "set", value=1), node("small", "set", value=2), node("end", "merge"),
        edges="orders>route route.many>large route.fallback>small large>end small>end", grouping="none",
    )  # fmt: skip
    plan = planned(ways)
    run = ended(plan, route={"fired": ("many",)}, small={"state": "skipped", "fired": ()})
    assert parts(select(plan, ways, Wish(only="end"), run)).endswith("small:skipped end:run")
    assert parts(select(plan, ways, Wish(first="large"), run)).endswith("large:run small:skipped end:run")
    assert parts(select(plan, ways, Wish(first="small"), run)).endswith("large:reused small:skipped end:run")


def test_what_follows_a_silent_node_is_skipped_and_finally_is_silent() -> None:
    last = {"nodes": [node("last", "set", value=1)], "edges": []}
    told = document(
        ORDERS, SAVE, node("note", "set", value="{{ nodes.save.done.rows }}"), edges="orders>save save.done>note",
        grouping="none", **{"finally": last},
    )  # fmt: skip
    plan = planned(told)
    assert parts(select(plan, told, Wish(first="orders"), None)) == "orders:run save:silent note:skipped last:silent"
    assert parts(select(plan, told, Wish(first="orders", writes=True), None)) == (
        "orders:run save:run note:run last:run"
    )
