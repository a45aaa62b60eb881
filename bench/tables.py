"""How fast tables are against SQL by hand, Polars and pandas: `python bench/tables.py`.

10 million rows of sales (`_sales.py`) are filtered, filled, joined, derived and aggregated, from Parquet to Parquet.
Airloom runs the plan that publishing makes, without Airflow: grouped (one step, one query) and with a step for each
node. What the others do stands in `_rivals.py`. Every run is a fresh process; seconds are those of the work, without
imports. Memory is that of all processes of a run, shared pages counted once, and is watched in a round of its own.

Then all columns of 40 million rows are sorted with a memory limit of 2 GB; the table takes more (`--quick`: a quarter
of both).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import _sales
from _harness import Report, Spent, arguments, folder, in_turn, median, peak_of, ratio, run_command, spread
from _plans import ours

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
    variants = {
        "SQL by hand": _rival("hand_sql", place),
        "Airloom, grouped": ours(_sales.document("grouped", str(place)), place),
        "Airloom, a step for each node": ours(_sales.document("ungrouped", str(place), grouping="none"), place),
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


def _sort(report: Report, place: Path, rows: int, limit: int) -> None:
    nodes = [
        {"id": "sales", "type": "parquet_read", "config": {"path": str(place / "sales.parquet")}},
        {"id": "sorted", "type": "sort", "config": {"by": ["customer", "day", "id"]}},
        {"id": "write", "type": "parquet_write", "config": {"path": str(place / "sorted.parquet")}},
    ]
    edges = [{"from": "sales", "to": "sorted"}, {"from": "sorted", "to": "write"}]
    document = {"id": "sorted", "nodes": nodes, "edges": edges}
    variants = {
        "Airloom": ours(document, place, AIRLOOM_MEMORY_LIMIT=f"{limit}B"),
        "SQL by hand, ties by all columns": _rival("sorted_with_ties", place, str(limit)),
        "SQL by hand, ties left open": _rival("sorted_by_hand", place, str(limit)),
        "Polars, lazy, without a limit": _rival("polars_sorted", place),
        "pandas, without a limit": _rival("pandas_sorted", place),
    }
    lines, seconds = [], []
    for name, run in variants.items():
        spent: list[Spent] = []
        peak = peak_of(lambda run=run, spent=spent: spent.append(run()))
        answer = spent[0].answer
        seconds.append(answer["seconds"])
        lines.append((name, f"{answer['seconds']:.1f}", f"{answer['processor']:.1f}", f"{peak / 1e6:.0f}"))
    report.note(f"{rows:,} rows, sorted with all their columns; memory limit {limit:,} bytes. No rows tie.")
    report.table(("", "seconds", "processor, s", "peak memory, MB"), lines)
    report.goal("a sort against SQL by hand of the same order", seconds[0] / seconds[1], "≤", 1.15)


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


if __name__ == "__main__":
    main()
