"""Random tables through random chains of table nodes: as one query, and node by node over files."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.conftest import node, rows_of

if TYPE_CHECKING:
    from tests.runtime.conftest import Workshop

Json = dict[str, Any]
Link = tuple[list[Json], list[str], str]
"""Nodes, edges between them and from what came before, and the `node.port` that goes on."""

SCHEMA = pyarrow.schema(
    [
        ("id", pyarrow.int64()),
        ("n", pyarrow.int32()),
        ("word", pyarrow.string()),
        ("amount", pyarrow.decimal128(10, 2)),
        ("day", pyarrow.date32()),
    ]
)
ROWS = st.fixed_dictionaries(
    {
        "id": st.integers(0, 5),
        "n": st.none() | st.integers(-3, 9),
        "word": st.none() | st.sampled_from(["", "a", "ab", "b", "é", "A", "null"]),
        "amount": st.none() | st.decimals(Decimal(-10), Decimal(10), places=2),
        "day": st.none() | st.dates(datetime.date(2025, 12, 30), datetime.date(2026, 1, 2)),
    }
)
CONDITIONS = [
    "n > 2", "word IS NOT NULL", "word LIKE 'a%'", "amount < 5.5 OR n IS NULL", "day >= DATE '2026-01-01'", "id = n",
    "NOT (word = '')", "n IN (1, 2, NULL)", "false",
]  # fmt: skip
FORMULAS: list[dict[str, str]] = [
    {"word": "coalesce(word, 'none') || id"},
    {"n": "n % 3", "id": "n"},
    {"amount": "amount / 3"},
    {"day": "day + INTERVAL 1 DAY"},
    {"n": "CASE WHEN n > 3 THEN NULL ELSE n END"},
]
TYPES = [{"n": "DOUBLE"}, {"n": "BIGINT"}, {"amount": "DOUBLE"}, {"day": "TIMESTAMP"}, {"id": "INTEGER"}]
WINDOW = "SELECT id, sum(n) OVER (PARTITION BY word) AS n, word, amount, day FROM rows"


def single(kind: str, config: Callable[[st.DrawFn], Json]) -> Callable[[st.DrawFn, str, str], Link]:
    """Return a link of one node."""
    return lambda draw, name, before: (
        [node(name, kind, **config(draw))],
        [f"{before}>{name}"],
        f"{name}.rows",
    )


def first_rows(draw: st.DrawFn, name: str, before: str) -> Link:
    """Sort and limit: the same rows in every run, for all columns break ties."""
    by = draw(st.lists(st.sampled_from(SCHEMA.names), min_size=1, max_size=2, unique=True))
    keys = [{"column": column, "descending": draw(st.booleans())} for column in by]
    limit = node(f"{name}_few", "limit", rows=draw(st.integers(0, 4)), offset=draw(st.integers(0, 1)))
    return [node(name, "sort", by=keys), limit], [f"{before}>{name}", f"{name}>{name}_few"], f"{name}_few.rows"


def two_ways(draw: st.DrawFn, name: str, before: str) -> Link:
    """Filter, and meet what was not filtered again."""
    kept = node(f"{name}_kept", "filter", where=draw(st.sampled_from(CONDITIONS)))
    if draw(st.booleans()):
        return (
            [kept, node(name, "concat")],
            [f"{before}>{name}_kept", f"{name}_kept>{name}", f"{before}>{name}"],
            f"{name}.rows",
        )
    how = draw(st.sampled_from(["semi", "anti"]))
    on = draw(st.lists(st.sampled_from(["id", "word", "n"]), min_size=1, max_size=2, unique=True))
    return (
        [kept, node(name, "join", on=on, how=how)],
        [f"{before}>{name}_kept", f"{before}>{name}.left", f"{name}_kept>{name}.right"],
        f"{name}.rows",
    )


def split(draw: st.DrawFn, name: str, before: str) -> Link:
    """Split, and put two of the parts under each other again."""
    first, second = draw(st.lists(st.sampled_from(CONDITIONS), min_size=2, max_size=2))
    conditions = [{"name": "one", "where": first}, {"name": "two", "where": second}]
    ports = draw(st.lists(st.sampled_from(["one", "two", "other"]), min_size=1, max_size=3, unique=True))
    nodes = [node(f"{name}_split", "split_rows", conditions=conditions), node(name, "concat")]
    return nodes, [f"{before}>{name}_split", *(f"{name}_split.{port}>{name}" for port in ports)], f"{name}.rows"


def reduce(draw: st.DrawFn) -> Json:
    """Draw an aggregate that leaves the same columns."""
    by = draw(st.sampled_from(["word", "day", "n"]))
    measures = {
        "id": {"op": "max", "column": "id"},
        "n": {"op": draw(st.sampled_from(["sum", "count", "min"])), "column": "n"},
        "word": {"op": draw(st.sampled_from(["mode", "max"])), "column": "word"},
        "amount": {"op": draw(st.sampled_from(["sum", "avg"])), "column": "amount"},
        "day": {"op": "earliest", "column": "day", "by": "id"},
    }
    return {"by": [by], "measures": {name: measure for name, measure in measures.items() if name != by}}


LINKS: list[Callable[[st.DrawFn, str, str], Link]] = [
    single("filter", lambda draw: {"where": draw(st.sampled_from(CONDITIONS))}),
    single("derive", lambda draw: {"columns": draw(st.sampled_from(FORMULAS))}),
    single("cast", lambda draw: {"columns": draw(st.sampled_from(TYPES))}),
    single("aggregate", reduce),
    single("select", lambda draw: {"columns": draw(st.permutations(SCHEMA.names))}),
    single("sql", lambda draw: {"sql": WINDOW}),
    first_rows,
    two_ways,
    split,
]


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Json], list[str]]:
    """Draw a chain of links behind the node `read`, and `last` at its end."""
    nodes: list[Json] = [node("read", "parquet_read", path="rows.parquet")]
    edges: list[str] = []
    before = "read"
    for index in range(draw(st.integers(2, 4))):
        more, joined, before = draw(st.sampled_from(LINKS))(draw, f"link{index}", before)
        nodes += more
        edges += joined
    return [*nodes, node("last", "filter", where="true")], [*edges, f"{before}>last"]


@given(chain=chains(), rows=st.lists(ROWS, max_size=8))
@settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
def test_grouping_changes_no_row(workshop: Workshop, chain: tuple[list[Json], list[str]], rows: list[Json]) -> None:
    shutil.rmtree(str(workshop.settings.data), ignore_errors=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=SCHEMA), workshop.folder / "rows.parquet")
    nodes, edges = chain
    together = workshop.begin(*nodes, edges=" ".join(edges))
    assert len(together.plan.steps) == 1
    grouped = together.all()
    ungrouped = workshop.run(*nodes, edges=" ".join(edges), grouping="none")
    assert {name: result.state for name, result in grouped.items()} == dict.fromkeys(grouped, "success")
    assert {name: result.state for name, result in ungrouped.items()} == dict.fromkeys(ungrouped, "success")
    assert grouped["last"].outputs["rows"]["columns"] == ungrouped["last"].outputs["rows"]["columns"]
    assert sorted(map(repr, rows_of(grouped["last"]))) == sorted(map(repr, rows_of(ungrouped["last"])))
