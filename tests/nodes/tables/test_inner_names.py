"""Columns of users may be called as nodes call columns on the way: the rows that come out are the same."""

from __future__ import annotations

from typing import Any

import pytest
from tests.nodes.cases import COLUMNS, CONFIGS, MORE

from airloom.engine.relation import Relation
from airloom.nodes.calling import queries_of
from airloom.nodes.catalog import catalog
from airloom.nodes.sdk import ports_of
from airloom.nodes.testing import Rows, run_table

KINDS = ["INTEGER", "BOOLEAN", "VARCHAR", "TIMESTAMP"]
EXTRA = {
    "INTEGER": [1, 2, 1, 3, 2, 1],
    "BOOLEAN": [True, False, None, True, False, False],
    "VARCHAR": ["a", "b", "a", "c", None, "b"],
    "TIMESTAMP": [f"2026-01-0{day} 10:00:00" for day in (3, 1, 2, 2, 4, 3)],
}
ROWS = [
    [at % 4, f"k{at % 2}", at % 3, at, at / 2, at + 1, f"a-{at % 3}", f"2026-01-01 0{at}:00:00", [at], '{"a": [1, 2]}',
     at % 2 == 0]
    for at in range(6)
]  # fmt: skip


def relations(node, columns) -> dict[str, Any]:
    def relation(name: str) -> Relation:
        return Relation(name, columns, distinct=lambda *_: [0, 1, 2])

    ports = ports_of(type(node), node).inputs
    return {port.name: [relation("a")] if port.many else relation(f"{port.name}.rows") for port in ports}


def inner_names(node) -> set[str]:
    queries = queries_of(node, relations(node, COLUMNS)).values()
    return {part for query in queries for part in query.sql("duckdb").split('"') if part.startswith("airloom_")}


def answers(node, extra: list[str], kind: str) -> Any:
    table = Rows(
        {**COLUMNS, **dict.fromkeys(extra, kind)},
        [[*row, *[value] * len(extra)] for row, value in zip(ROWS, EXTRA[kind], strict=True)],
    )
    inputs = {port.name: [table] if port.many else table for port in ports_of(type(node), node).inputs}
    try:
        return {
            port: (list(answer.columns.values()), sorted(map(repr, answer.values)))
            for port, answer in run_table(node, **inputs).items()
        }
    except Exception as error:  # noqa: BLE001 - a guard that fails has to fail in both
        return type(error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "config"), [pytest.param(*case, id=f"{case[0]}-{at}") for at, case in enumerate([*CONFIGS, *MORE])]
)
def test_columns_called_like_inner_ones(name, config, kind):
    node = catalog().get(name).model_validate(config)
    names = sorted(inner_names(node))
    if not names:
        return
    plain = answers(node, [f"extra_{at}" for at in range(len(names))], kind)
    assert answers(node, names, kind) == plain
    assert answers(node, [part.upper() for part in names], kind) == plain


@pytest.mark.parametrize("name", ["airloom_start", "AIRLOOM_START", "airloom_start_", "airloom_time"])
def test_a_time_called_like_an_inner_column(name):
    node = catalog().get("window").model_validate(
        {"time": name, "window": {"type": "tumbling", "duration": 10}, "measures": {"n": {"op": "count"}},
         "start": "airloom_rest", "end": "airloom_floor"}
    )  # fmt: skip
    rows = run_table(node, rows=[{name: 3}, {name: 12}, {name: 15}])["rows"].rows
    assert sorted(map(repr, rows)) == [
        repr({"airloom_rest": 0, "airloom_floor": 10, "n": 1}),
        repr({"airloom_rest": 10, "airloom_floor": 20, "n": 2}),
    ]


@pytest.mark.parametrize("name", ["airloom_number", "airloom_row_number", "n"])
def test_deduplicate_with_a_column_called_like_its_own(name):
    node = catalog().get("deduplicate").model_validate({"keys": [name]})
    assert run_table(node, rows=[{name: 5, "v": 1}, {name: 5, "v": 2}])["rows"].rows == [{name: 5, "v": 1}]
