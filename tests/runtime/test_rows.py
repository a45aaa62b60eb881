"""Rows and words of a run: rows of every node where counting is cheap, and a line for each node in the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.dags.outcome import line_of, outcome_of
from airloom.engine.storage import Files
from airloom.nodes.context import RunFacts
from airloom.plan.build import build_plan
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.pipeline import run_pipeline
from airloom.runtime.results import NodeResult
from airloom.runtime.step import Workplace
from airloom.runtime.trial import no_connections
from airloom.spec.configuration import Configuration

DOCUMENT: dict[str, Any] = {
    "id": "rows",
    "nodes": [
        {"id": "orders", "type": "csv_read", "config": {"path": "orders.csv"}},
        {"id": "paid", "type": "filter", "config": {"where": "status = 'paid'"}},
        {"id": "parts", "type": "split_rows", "config": {"conditions": [{"name": "big", "where": "amount > 1"}]}},
        {"id": "both", "type": "concat"},
        {"id": "save", "type": "csv_write", "config": {"path": "out.csv"}},
    ],
    "edges": [
        {"from": "orders", "to": "paid"}, {"from": "paid", "to": "parts"}, {"from": "parts.big", "to": "both"},
        {"from": "parts.other", "to": "both"}, {"from": "both", "to": "save"},
    ],
}  # fmt: skip


def run(tmp_path: Path, **settings: Any) -> tuple[Any, dict[str, NodeResult]]:
    rows = "".join(f"{'paid' if number % 2 else 'open'},{number}\n" for number in range(6))
    (tmp_path / "orders.csv").write_text("status,amount\n" + rows)
    local = Configuration(root=tmp_path, paths=[str(tmp_path)], data=str(tmp_path / "data"))
    document = {**DOCUMENT, "settings": settings}
    report = check(document, Facts(files=Files.of(local)))
    assert report.resolved is not None, report.problems
    plan = build_plan(report.resolved)
    surroundings = LocalSurroundings(RunFacts("rows", "run"), {}, no_connections)
    return plan, dict(run_pipeline(plan, Workplace(document, local), surroundings))


def rows_of(results: dict[str, NodeResult]) -> dict[str, Any]:
    return {name: result.statistics.get("rows") for name, result in results.items()}


def test_rows_of_every_node_are_counted(tmp_path: Path) -> None:
    plan, grouped = run(tmp_path)
    assert len(plan.steps) == 1
    expected = {
        "orders": {"rows": 6}, "paid": {"rows": 3}, "parts": {"big": 2, "other": 1}, "both": {"rows": 3},
        "save": {"done": 3},
    }  # fmt: skip
    assert rows_of(grouped) == expected
    assert rows_of(run(tmp_path, grouping="none")[1]) == expected
    values = outcome_of(plan.steps[0], grouped).values
    assert values["orders-save.inner"]["paid"]["statistics"] == {"rows": {"rows": 3}}
    json.dumps(values)


def test_counting_can_be_left_out(tmp_path: Path) -> None:
    _, results = run(tmp_path, counts="none")
    assert rows_of(results) == {**dict.fromkeys(("orders", "paid", "parts", "both")), "save": {"done": 3}}


def test_large_inputs_are_counted_where_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airloom.runtime.table_work.SMALL_BYTES", 10)
    assert rows_of(run(tmp_path)[1])["paid"] is None
    assert rows_of(run(tmp_path, counts="all")[1])["paid"] == {"rows": 3}


def test_the_log_has_a_line_for_each_node(tmp_path: Path) -> None:
    plan, results = run(tmp_path)
    lines = [line_of(plan.nodes[node], result) for node, result in results.items()]
    assert lines[:4] == [
        "node orders: success, 6 rows",
        "node paid: success, 3 rows",
        "node parts: success, 2 rows at big, 1 row at other",
        "node both: success, 3 rows",
    ]
    assert lines[4].startswith(f"node save: success, 3 rows to {tmp_path}/out.csv, ")
    assert line_of(plan.nodes["paid"], NodeResult("skipped")) == "node paid: skipped"
