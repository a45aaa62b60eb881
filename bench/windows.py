"""How fast windows and joins by time are against SQL by hand and Polars: `python bench/windows.py`.

10 million trades of 1,000 symbols by 100,000 clients in 30 days, and 2 million prices. From Parquet to Parquet, each
run a fresh process with two threads and 4 GB; seconds are those of the work, without imports. Airloom runs the plan
that publishing makes, without Airflow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _harness import Report, Spent, Stopwatch, arguments, folder, in_turn, ratio, run_command, spread
from _plans import ours

TRADES = """
SELECT i AS id, TIMESTAMP '2026-01-01' + to_microseconds(CAST(hash(i) % 2592000000000 AS BIGINT)) AS traded,
  CAST(hash(i + 1) % 2592000 AS BIGINT) AS second, CAST(hash(i + 2) % 1000 AS INTEGER) AS symbol,
  CAST(hash(i + 3) % 100000 AS INTEGER) AS client, round(1 + hash(i + 4) % 50000 / 100, 2) AS amount
FROM range({rows}) AS numbers(i)
"""
PRICES = """
SELECT TIMESTAMP '2026-01-01' + to_microseconds(CAST(hash(i + 5) % 2592000000000 AS BIGINT)) AS since,
  CAST(hash(i + 6) % 1000 AS INTEGER) AS symbol, round(1 + hash(i + 7) % 50000 / 100, 2) AS price
FROM range({rows}) AS numbers(i)
"""
MEASURES = {"trades": {"op": "count"}, "total": {"op": "sum", "column": "amount"}}


@dataclass(frozen=True)
class Case:
    """One node over the trades: its config, and the same by hand. Polars' form is the method of the same name."""

    name: str
    node: dict[str, Any]
    sql: str


def _window(name: str, window: dict[str, Any], sql: str, time: str = "traded", instance: str = "symbol") -> Case:
    config = {"time": time, "window": window, "instance": [instance], "measures": MEASURES}
    return Case(name, {"type": "window", "config": config}, sql)


def _asof(name: str, sql: str, **config: Any) -> Case:
    given = {"on": ["symbol"], "left_time": "traded", "right_time": "since", **config}
    return Case(name, {"type": "asof_join", "config": given}, sql)


CASES = (
    _window(
        "tumbling",
        {"type": "tumbling", "duration": "1h"},
        """
        SELECT time_bucket(INTERVAL 1 hour, traded) AS window_start, window_start + INTERVAL 1 hour AS window_end,
          symbol, count(*) AS trades, sum(amount) AS total
        FROM {trades} GROUP BY window_start, symbol
        """,
    ),
    _window(
        "tumbling, whole numbers",
        {"type": "tumbling", "duration": 3600},
        """
        SELECT second - second % 3600 AS window_start, window_start + 3600 AS window_end, symbol,
          count(*) AS trades, sum(amount) AS total
        FROM {trades} GROUP BY window_start, symbol
        """,
        time="second",
    ),
    _window(
        "sliding",
        {"type": "sliding", "hop": "1h", "duration": "4h"},
        """
        SELECT time_bucket(INTERVAL 1 hour, traded) - back AS window_start,
          window_start + INTERVAL 4 hour AS window_end, symbol, count(*) AS trades, sum(amount) AS total
        FROM {trades} CROSS JOIN (SELECT to_hours(hours) AS back FROM range(4) AS r(hours))
        GROUP BY window_start, symbol
        """,
    ),
    _window(
        "session",
        {"type": "session", "max_gap": "6h"},
        """
        SELECT min(traded) AS window_start, max(traded) AS window_end, client, count(*) AS trades, sum(amount) AS total
        FROM (
          SELECT *, sum(opens) OVER (PARTITION BY client ORDER BY traded) AS session
          FROM (
            SELECT client, traded, amount, CASE WHEN traded - lag(traded) OVER (PARTITION BY client ORDER BY traded)
              < INTERVAL 6 hour THEN 0 ELSE 1 END AS opens
            FROM {trades}
          )
        )
        GROUP BY client, session
        """,
        instance="client",
    ),
    _asof(
        "as-of join",
        """
        SELECT trades.*, prices.since, prices.price
        FROM {trades} AS trades ASOF LEFT JOIN {prices} AS prices
          ON trades.symbol = prices.symbol AND trades.traded >= prices.since
        """,
    ),
    _asof(
        "as-of join, at most 10 minutes ahead",
        """
        SELECT trades.*, prices.since, prices.price
        FROM {trades} AS trades ASOF JOIN {prices} AS prices
          ON trades.symbol = prices.symbol AND trades.traded <= prices.since
        WHERE prices.since - trades.traded <= INTERVAL 10 minute
        """,
        direction="forward",
        tolerance="10m",
        how="inner",
    ),
)


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=5, quick=2, rows=10_000_000)
    rows = asked.rows // 10 if asked.quick else asked.rows
    report = Report("Windows and joins by time")
    lines = []
    with folder("windows") as place:
        _write_data(place, rows)
        for case in CASES:
            variants = {
                "hand": _rival("hand", case, place),
                "airloom": ours(_document(case, place), place),
                "polars": _rival("polars", case, place),
            }
            runs = in_turn(variants, asked.rounds)
            _compare_results(case, place, list(variants))
            found, processor = (
                {way: [run.answer[what] for run in times] for way, times in runs.items()}
                for what in ("seconds", "processor")
            )
            against = {way: ratio(found["airloom"], found[way]) for way in ("hand", "polars")}
            work = ratio(processor["airloom"], processor["hand"])
            seconds = [spread(times) for times in found.values()]
            lines.append((case.name, *seconds, f"{against['hand']:.2f}", f"{work:.2f}", f"{against['polars']:.2f}"))
            report.goal(f"{case.name}: against SQL by hand", against["hand"], "≤", 1.15)
    report.note(f"{rows:,} rows; the results of all three are equal.")
    head = (
        "",
        "SQL by hand, s",
        "Airloom, s",
        "Polars, s",
        "Airloom × SQL by hand",
        "of processor ×",
        "Airloom × Polars",
    )
    report.table(head, lines)
    report.end()


def _write_data(place: Path, rows: int) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"COPY ({TRADES.format(rows=rows)}) TO '{place}/trades.parquet'")
        connection.execute(f"COPY ({PRICES.format(rows=rows // 5)}) TO '{place}/prices.parquet'")


def _document(case: Case, place: Path) -> dict[str, Any]:
    tables = ["trades", "prices"] if case.node["type"] == "asof_join" else ["trades"]
    ports = {"trades": ".left", "prices": ".right"} if len(tables) > 1 else {"trades": ""}
    nodes = [{"id": name, "type": "parquet_read", "config": {"path": f"{place}/{name}.parquet"}} for name in tables]
    nodes.append({"id": "made", **case.node})
    nodes.append({"id": "write", "type": "parquet_write", "config": {"path": f"{_result('airloom', place)}"}})
    edges = [{"from": name, "to": f"made{ports[name]}"} for name in tables]
    edges.append({"from": "made", "to": "write"})
    return {"id": "windows", "nodes": nodes, "edges": edges}


def _rival(way: str, case: Case, place: Path) -> Any:
    command = [sys.executable, __file__, "--rival", way, case.name, str(place)]
    return lambda: run_command(command)


def _result(way: str, place: Path) -> Path:
    return place / f"{way}-result.parquet"


def _compare_results(case: Case, place: Path, ways: Sequence[str]) -> None:
    import duckdb

    figures = (
        "count(*), count(since), round(sum(price)), sum(id), sum(epoch_us(since) % 1000003)"
        if case.node["type"] == "asof_join"
        else "count(*), sum(trades), round(sum(total)), min(window_start), max(window_end), max(trades)"
    )
    with duckdb.connect() as connection:
        found = {way: connection.execute(f"SELECT {figures} FROM '{_result(way, place)}'").fetchone() for way in ways}
    if len(set(found.values())) != 1:
        raise SystemExit(f"{case.name}: the results differ: {found}")


# The rivals, in a process of their own


def run_hand(case: Case, place: Path) -> Spent:
    """Run the case's SQL with the threads and the memory that a step has."""
    import duckdb

    tables = {name: f"read_parquet('{place}/{name}.parquet')" for name in ("trades", "prices")}
    query = f"COPY ({case.sql.format(**tables)}) TO '{_result('hand', place)}' (FORMAT parquet)"
    settings = {"threads": 2, "memory_limit": "4000000000B", "temp_directory": f"{place}/spill"}
    with Stopwatch() as watch, duckdb.connect(config=settings) as connection:
        connection.execute(query)
    return watch.spent


def run_polars(case: Case, place: Path) -> Spent:
    """Run the case as Polars does it lazily."""
    import polars as pl

    trades, prices = (pl.scan_parquet(f"{place}/{name}.parquet") for name in ("trades", "prices"))
    measures = {"trades": pl.len(), "total": pl.col("amount").sum()}
    hours = pl.duration(hours=1)
    before = pl.col("traded") - pl.col("traded").shift(1).over("client", order_by="traded")
    forms = {
        "tumbling": lambda: (
            trades.group_by(pl.col("traded").dt.truncate("1h").alias("window_start"), "symbol")
            .agg(**measures)
            .with_columns(window_end=pl.col("window_start") + hours)
        ),
        "tumbling, whole numbers": lambda: (
            trades.group_by((pl.col("second") // 3600 * 3600).alias("window_start"), "symbol")
            .agg(**measures)
            .with_columns(window_end=pl.col("window_start") + 3600)
        ),
        "sliding": lambda: (
            trades.sort("traded")
            .group_by_dynamic("traded", every="1h", period="4h", offset="-3h", group_by="symbol")
            .agg(**measures)
            .rename({"traded": "window_start"})
            .with_columns(window_end=pl.col("window_start") + 4 * hours)
        ),
        "session": lambda: (
            trades.select("client", "traded", "amount")
            .sort("client", "traded")
            .with_columns(opens=(before < 6 * hours).fill_null(value=False).not_())
            .with_columns(session=pl.col("opens").cum_sum())
            .group_by("client", "session")
            .agg(window_start=pl.col("traded").min(), window_end=pl.col("traded").max(), **measures)
        ),
        "as-of join": lambda: trades.sort("traded").join_asof(
            prices.sort("since"), left_on="traded", right_on="since", by="symbol", coalesce=False
        ),
        "as-of join, at most 10 minutes ahead": lambda: (
            trades.sort("traded")
            .join_asof(
                prices.sort("since"),
                left_on="traded",
                right_on="since",
                by="symbol",
                strategy="forward",
                tolerance="10m",
                coalesce=False,
            )
            .filter(pl.col("price").is_not_null())
        ),
    }
    with Stopwatch() as watch:
        forms[case.name]().sink_parquet(_result("polars", place))
    return watch.spent


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rival"]:
        way, name, place = sys.argv[2:]
        run = {"hand": run_hand, "polars": run_polars}[way]
        spent = run(next(case for case in CASES if case.name == name), Path(place))
        print(json.dumps({"seconds": spent.wall, "processor": spent.cpu}))
    else:
        main()
