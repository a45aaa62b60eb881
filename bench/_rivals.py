"""The work of `_sales.py` as others write it: SQL by hand, Polars, pandas. Run by `tables.py` in fresh processes.

`python bench/_rivals.py WAY FOLDER`: reads `sales.parquet` and `products.parquet` there, writes `WAY.parquet`, and
prints the seconds of the work without its imports.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from _harness import Stopwatch

HAND_SQL = """
COPY (
  SELECT category, date_trunc('month', day) AS month, count(*) AS orders,
    count(DISTINCT customer) AS customers,
    sum(amount * (1 - coalesce(discount, 0))) AS revenue,
    sum(amount * (1 - coalesce(discount, 0)) - cost * quantity) AS margin,
    max(amount) AS largest
  FROM read_parquet('{folder}/sales.parquet') JOIN read_parquet('{folder}/products.parquet') USING (product)
  WHERE status = 'paid'
  GROUP BY category, month
) TO '{folder}/hand_sql.parquet' (FORMAT parquet)
"""
SORTED_SQL = """
COPY (
  SELECT * FROM read_parquet('{folder}/sales.parquet') ORDER BY customer, day, id
) TO '{folder}/sorted_by_hand.parquet' (FORMAT parquet)
"""
TIED_SQL = SORTED_SQL.replace("day, id", "day, id, store, product, quantity, amount, discount, status")


def hand_sql(folder: str, limit: str = "4000000000", query: str = HAND_SQL) -> Callable[[], object]:
    """Run one query, written by hand, with the threads and the memory that a step has."""
    import duckdb

    def work() -> None:
        settings = {"threads": 2, "memory_limit": f"{limit}B", "temp_directory": f"{folder}/spill"}
        with duckdb.connect(config=settings) as connection:
            connection.execute(query.format(folder=folder))

    return work


def sorted_by_hand(folder: str, limit: str) -> Callable[[], object]:
    """Sort all rows by one query, written by hand."""
    return hand_sql(folder, limit, SORTED_SQL)


def sorted_with_ties(folder: str, limit: str) -> Callable[[], object]:
    """Sort all rows by one query, written by hand, in which the other columns decide where rows tie, as with us."""
    return hand_sql(folder, limit, TIED_SQL)


def polars_lazy(folder: str) -> Callable[[], object]:
    """Build one lazy query."""
    import polars as pl

    def work() -> None:
        net = pl.col("amount") * (1 - pl.col("discount").fill_null(0))
        (
            pl.scan_parquet(f"{folder}/sales.parquet")
            .filter(pl.col("status") == "paid")
            .join(pl.scan_parquet(f"{folder}/products.parquet"), on="product")
            .with_columns(
                month=pl.col("day").dt.truncate("1mo"), revenue=net, margin=net - pl.col("cost") * pl.col("quantity")
            )
            .group_by("category", "month")
            .agg(
                orders=pl.len(),
                customers=pl.col("customer").n_unique(),
                revenue=pl.col("revenue").sum(),
                margin=pl.col("margin").sum(),
                largest=pl.col("amount").max(),
            )
            .sink_parquet(f"{folder}/polars_lazy.parquet")
        )

    return work


def polars_sorted(folder: str) -> Callable[[], object]:
    """Sort all rows, lazily."""
    import polars as pl

    sales = pl.scan_parquet(f"{folder}/sales.parquet")
    return lambda: sales.sort("customer", "day", "id").sink_parquet(f"{folder}/polars_sorted.parquet")


def pandas_sorted(folder: str) -> Callable[[], object]:
    """Sort all rows in memory."""
    read, write = _pandas()

    def work() -> None:
        sales = read(f"{folder}/sales.parquet").sort_values(["customer", "day", "id"])
        write(sales, f"{folder}/pandas_sorted.parquet")

    return work


def pandas_script(folder: str) -> Callable[[], object]:
    """Do everything in one script: nothing is handed from task to task."""
    read, write = _pandas()

    def work() -> None:
        joined = filled(paid(read(f"{folder}/sales.parquet"))).merge(read(f"{folder}/products.parquet"), on="product")
        write(aggregated(figures(joined)), f"{folder}/pandas_script.parquet")

    return work


def pandas_tasks(folder: str) -> Callable[[], object]:
    """Do each step as a task does: read what the task before left as Parquet, and leave Parquet."""
    read, write = _pandas()

    def work() -> None:
        place = f"{folder}/pandas_tasks"
        write(paid(read(f"{folder}/sales.parquet")), f"{place}-paid.parquet")
        write(filled(read(f"{place}-paid.parquet")), f"{place}-filled.parquet")
        joined = read(f"{place}-filled.parquet").merge(read(f"{folder}/products.parquet"), on="product")
        write(joined, f"{place}-joined.parquet")
        del joined
        write(figures(read(f"{place}-joined.parquet")), f"{place}-figures.parquet")
        write(aggregated(read(f"{place}-figures.parquet")), f"{place}.parquet")

    return work


def _pandas() -> tuple[Callable[[str], Any], Callable[[Any, str], None]]:
    """Return how to read and write a table; dates are kept as numbers, for as objects pandas takes twice as long."""
    import pandas as pd

    def read(path: str) -> Any:
        return pd.read_parquet(path, to_pandas_kwargs={"date_as_object": False})

    return read, lambda table, path: table.to_parquet(path, index=False)


def paid(sales: Any) -> Any:
    """Keep what was paid."""
    return sales[sales["status"] == "paid"]


def filled(sales: Any) -> Any:
    """Put no discount where none is known."""
    return sales.assign(discount=sales["discount"].fillna(0))


def figures(sales: Any) -> Any:
    """Add month, revenue and margin."""
    net = sales["amount"] * (1 - sales["discount"])
    month = sales["day"].to_numpy().astype("datetime64[M]").astype("datetime64[s]")
    return sales.assign(month=month, revenue=net, margin=net - sales["cost"] * sales["quantity"])


def aggregated(sales: Any) -> Any:
    """Sum up by category and month."""
    return sales.groupby(["category", "month"], as_index=False).agg(
        orders=("id", "size"),
        customers=("customer", "nunique"),
        revenue=("revenue", "sum"),
        margin=("margin", "sum"),
        largest=("amount", "max"),
    )


def main() -> None:
    """Run one way, and print how long its work took."""
    sorts = (sorted_by_hand, sorted_with_ties, polars_sorted, pandas_sorted)
    ways = (hand_sql, polars_lazy, pandas_script, pandas_tasks, *sorts)
    way, *given = sys.argv[1:]
    work = {found.__name__: found for found in ways}[way](*given)
    with Stopwatch() as watch:
        work()
    print(json.dumps({"seconds": watch.spent.wall, "processor": watch.spent.cpu}))


if __name__ == "__main__":
    main()
