"""Many threads that check, publish and list the catalog at once, in one process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.dags.actor import administrator
from airloom.dags.publishing import publish
from airloom.engine.storage import Files
from airloom.nodes.catalog import catalog
from airloom.spec.configuration import configuration
from airloom.spec.problem import Problem
from airloom.store.store import Store

THREADS = 32
ROWS = "id,day,region,amount\n1,2026-01-31,EU,2.5\n2,2026-02-01,US,7\n"
OWN = '''
"""A node type of the user's own."""

from airloom.nodes.sdk import Query, Relation, Table


class Same{number}(Table):
    """Give the rows as they are."""

    def query(self, rows: Relation) -> Query:
        return rows.select([rows[name] for name in rows.columns])
'''


def furnish(folder: Path) -> None:
    """Put a file of rows and two files of own node types into a project's folder."""
    (folder / "include" / "data").mkdir(parents=True)
    (folder / "include" / "data" / "rows.csv").write_text(ROWS)
    (folder / "include" / "nodes").mkdir()
    for number in range(2):
        (folder / "include" / "nodes" / f"same{number}.py").write_text(OWN.format(number=number))


def act(store: Store, operations: int) -> list[str]:
    """Do so many things by THREADS threads, in turn; return what was not as it is to be."""
    start = threading.Barrier(THREADS)

    def work(thread: int) -> Iterator[str]:
        start.wait(60)
        for number in range(thread, operations, THREADS):
            yield from ACTS[number % len(ACTS)](store, number)

    with ThreadPoolExecutor(THREADS) as threads:
        return [fault for faults in threads.map(lambda thread: list(work(thread)), range(THREADS)) for fault in faults]


def document(number: int, **last: Any) -> dict[str, Any]:
    """Return a document with a pivot and an own type in it; the fields of the last node are as given."""
    nodes = [
        {"id": "read", "type": "csv_read", "config": {"path": "include/data/rows.csv"}},
        {"id": "same", "type": f"same{number % 2}"},
        {
            "id": "wide",
            "type": "pivot",
            "config": {"index": ["day"], "column": "region", "value": "amount", "values": ["EU", "US"], "op": "sum"},
        },
        {"id": "kept", "type": "filter", "config": {"where": "EU > 1"}, **last},
    ]
    names = [str(node["id"]) for node in nodes]
    edges = [{"from": source, "to": target} for source, target in itertools.pairwise(names)]
    return {"id": f"pipeline_{number}", "nodes": nodes, "edges": edges}


def _facts() -> Facts:
    return Facts(files=Files.of(configuration()))


def _check_right(store: Store, number: int) -> Iterator[str]:
    report = check(document(number), _facts())
    yield from _unlike(number, report.problems, [])
    if list(report.columns.get("kept.rows", ())) != ["day", "EU", "US"]:
        yield f"{number}: the columns are {report.columns}"


def _check_wrong(store: Store, number: int) -> Iterator[str]:
    report = check(document(number, type="filtre", config={"where": "EU > 1"}), _facts())
    yield from _unlike(number, report.problems, [("node.unknown_type", "did you mean 'filter'?")])


def _publish(store: Store, number: int) -> Iterator[str]:
    published = publish(store, document(number), actor=administrator("ann"))
    yield from _unlike(number, published.problems, [])
    if published.version is None or published.version.number != 1:
        yield f"{number}: published as {published.version}"


def _list(store: Store, number: int) -> Iterator[str]:
    known = catalog()
    names = [node.declaration.type for node in known.all()]
    if not {"pivot", "filter", "csv_read", "same0", "same1"} <= set(names) or known.problems:
        yield f"{number}: the catalog has {names}, {known.problems}"
    if {declared.type for declared in known.declarations()} != set(names):
        yield f"{number}: the list lacks types"


def _unlike(number: int, problems: list[Problem], expected: list[tuple[str, str | None]]) -> Iterator[str]:
    if [(problem.code, problem.hint) for problem in problems] != expected:
        yield f"{number}: {[str(problem) for problem in problems]}"


ACTS: list[Callable[[Store, int], Iterator[str]]] = [_check_right, _publish, _list, _check_wrong, _list]
