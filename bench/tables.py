"""How fast tables are against SQL by hand, Polars and pandas: `python bench/tables.py`.

10 million rows of sales (`_sales.py`) are filtered, filled, joined, derived and aggregated, from Parquet to Parquet.
Airloom runs the plan that publishing makes, without Airflow: grouped (one step, one query) and with a step for each
node. What the others do stands in `_rivals.py`. Every run is a fresh process; seconds are those of the work, without
imports. Memory is that of all processes of a run, shared pages counted once, and is watched in a round of its own.

Then all columns of 40 million rows are sorted with a memory limit of 2 GB; the table takes more (`--quick`: a quarter
of both).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import _sales
from _harness import (
    Report,
    Spent,
    Stopwatch,
    arguments,
    folder,
    in_turn,
    median,
    peak_of,
    ratio,
    run_command,
    spread,
)

HERE = Path(__file__).parent


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=5, quick=2, rows=10_000_000)
    report = Report("Tables")
    with folder("tables") as place:
        _sales.write_data(place, asked.rows)
        _compare(report, place, asked.rounds, asked.rows)
        for file in place.glob("*.parquet"):
            file.unlink()
        share = 4 if asked.quick else 1
        _sales.write_data(place, 4 * asked.rows // share)
        _sort(report, place, 4 * asked.rows // share, 2_000_000_000 // share)
    report.end()


def _compare(report: Report, place: Path, rounds: int, rows: int) -> None:
    for name, grouping in (("grouped", "auto"), ("ungrouped", "none")):
        _write_plan(place, _sales.document(name, str(place), grouping=grouping))
    variants = {
        "SQL by hand": _rival("hand_sql", place),
        "Airloom, grouped": _ours("grouped", place),
        "Airloom, a step for each node": _ours("ungrouped", place),
        "Polars, lazy": _rival("polars_lazy", place),
        "pandas, one script": _rival("pandas_script", place),
        "pandas, a task for each node": _rival("pandas_tasks", place),
    }
    spent = in_turn(variants, rounds)
    found = {name: [run.answer["seconds"] for run in runs] for name, runs in spent.items()}
    processor = {name: median([run.answer["processor"] for run in runs]) for name, runs in spent.items()}
    same = _totals(place, ("hand_sql", "grouped", "ungrouped", "polars_lazy", "pandas_script", "pandas_tasks"))
    peaks = {name: peak_of(run) for name, run in variants.items()}
    hand = found["SQL by hand"]
    report.note(f"{rows:,} rows; all results are equal, {same} orders.")
    lines = []
    for name, seconds in found.items():
        figures = (spread(seconds), f"{ratio(seconds, hand):.2f}", f"{processor[name]:.2f}", f"{peaks[name] / 1e6:.0f}")
        lines.append((name, *figures))
    report.table(("", "seconds", "× SQL by hand", "processor, s", "peak memory, MB"), lines)
    grouped = found["Airloom, grouped"]
    report.goal("grouped against SQL by hand", ratio(grouped, hand), "≤", 1.15)
    report.goal("pandas tasks against grouped", ratio(found["pandas, a task for each node"], grouped), "≥", 5)
    report.goal("pandas in one script against grouped", ratio(found["pandas, one script"], grouped), "≥", 5)


def _sort(report: Report, place: Path, rows: int, limit: int) -> None:
    nodes = [
        {"id": "sales", "type": "parquet_read", "config": {"path": str(place / "sales.parquet")}},
        {"id": "sorted", "type": "sort", "config": {"by": ["customer", "day", "id"]}},
        {"id": "write", "type": "parquet_write", "config": {"path": str(place / "sorted.parquet")}},
    ]
    edges = [{"from": "sales", "to": "sorted"}, {"from": "sorted", "to": "write"}]
    _write_plan(place, {"id": "sorted", "nodes": nodes, "edges": edges})
    variants = {
        "Airloom": _ours("sorted", place, AIRLOOM_MEMORY_LIMIT=f"{limit}B"),
        "SQL by hand, with memory_limit": _rival("sorted_by_hand", place, str(limit)),
        "Polars, lazy, without a limit": _rival("polars_sorted", place),
        "pandas, without a limit": _rival("pandas_sorted", place),
    }
    lines = []
    for name, run in variants.items():
        spent: list[Spent] = []
        peak = peak_of(lambda run=run, spent=spent: spent.append(run()))
        lines.append((name, f"{spent[0].answer['seconds']:.1f}", f"{peak / 1e6:.0f}"))
    report.note(f"{rows:,} rows, sorted with all their columns; memory limit {limit:,} bytes.")
    report.table(("", "seconds", "peak memory, MB"), lines)


def _write_plan(place: Path, given: dict[str, Any]) -> None:
    document, plan = _sales.plan_of(given, place)
    (place / f"{given['id']}.json").write_text(json.dumps({"document": document, "plan": plan}))


def _ours(name: str, place: Path, **variables: str) -> Callable[[], Spent]:
    environment = {**os.environ, "AIRLOOM_PATHS": json.dumps([str(place)]), "AIRLOOM_DATA": str(place / "data")}
    command = [sys.executable, __file__, "--inside", str(place / f"{name}.json")]
    return lambda: run_command(command, env={**environment, **variables})


def _rival(way: str, place: Path, *limit: str) -> Callable[[], Spent]:
    command = [sys.executable, str(HERE / "_rivals.py"), way, str(place), *limit]
    return lambda: run_command(command)


def _totals(place: Path, names: tuple[str, ...]) -> str:
    """Return the number of orders; raise SystemExit where the results differ."""
    import duckdb

    figures = "count(*), sum(orders), sum(customers), round(sum(revenue)), round(sum(margin)), max(largest)"
    text = f"SELECT {figures} FROM '{{}}/{{}}.parquet'"
    with duckdb.connect() as connection:
        found: Mapping[str, Any] = {name: connection.execute(text.format(place, name)).fetchone() for name in names}
    if len(set(found.values())) != 1:
        raise SystemExit(f"the results differ: {found}")
    return f"{int(found[names[0]][1]):,}"


def run_plan(path: Path) -> None:
    """Run the plan of a file in this process, as `airloom try` does, and print how long that took."""
    import duckdb  # noqa: F401 (the executor imports it before a task starts)

    from airloom.nodes.context import RunFacts
    from airloom.plan.plan import Plan
    from airloom.runtime.pipeline import LocalSurroundings, run_pipeline
    from airloom.runtime.trial import no_connections
    from airloom.spec.configuration import configuration

    given = json.loads(path.read_text())
    with Stopwatch() as watch:
        surroundings = LocalSurroundings(RunFacts(given["document"]["id"], "bench"), {}, no_connections)
        plan = Plan.from_json(given["plan"])
        for node, result in run_pipeline(plan, given["document"], surroundings, configuration()):
            if result.state != "success":
                raise SystemExit(f"{node}: {result.error}")
    print(json.dumps({"seconds": watch.spent.wall, "processor": watch.spent.cpu}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        run_plan(Path(sys.argv[2]))
    else:
        main()
