"""The pipeline that several benchmarks run: sales by category and month, in eight nodes; and its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SALES = """
SELECT i AS id, DATE '2024-01-01' + CAST(hash(i) % 730 AS INTEGER) AS day, CAST(hash(i + 1) % 200 AS INTEGER) AS store,
  CAST(hash(i + 2) % 10000 AS INTEGER) AS product, CAST(hash(i + 3) % 1000000 AS INTEGER) AS customer,
  CAST(1 + hash(i + 4) % 5 AS INTEGER) AS quantity, round(1 + hash(i + 5) % 50000 / 100, 2) AS amount,
  CASE WHEN hash(i + 6) % 10 > 0 THEN hash(i + 6) % 30 / 100 END AS discount,
  CASE hash(i + 7) % 4 WHEN 0 THEN 'open' ELSE 'paid' END AS status
FROM range({rows}) AS numbers(i)
"""
CALLABLE = "def work():\n    pass\n"
PRODUCTS = """
SELECT CAST(i AS INTEGER) AS product, 'category ' || i % 25 AS category, round(hash(i) % 2000 / 100, 2) AS cost
FROM range(10000) AS numbers(i)
"""


def write_data(folder: Path, rows: int, *, suffix: str = "parquet") -> None:
    """Write sales of so many rows, and 10,000 products, as `sales.parquet` and `products.parquet` (or `.csv`)."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"COPY ({SALES.format(rows=rows)}) TO '{folder}/sales.{suffix}' (FORMAT {suffix})")
        connection.execute(f"COPY ({PRODUCTS}) TO '{folder}/products.{suffix}' (FORMAT {suffix})")


def document(identifier: str, folder: str, *, grouping: str = "auto", suffix: str = "parquet") -> dict[str, Any]:
    """Return the pipeline; its files lie in `folder`, which is part of the result's name too."""
    nodes = [
        ("sales", f"{suffix}_read", {"path": f"{folder}/sales.{suffix}"}),
        ("products", f"{suffix}_read", {"path": f"{folder}/products.{suffix}"}),
        ("paid", "filter", {"where": "status = 'paid'"}),
        ("filled", "fill_nulls", {"columns": ["discount"], "strategy": "constant", "value": 0}),
        ("with_product", "join", {"on": ["product"], "how": "inner"}),
        (
            "figures",
            "derive",
            {
                "columns": {
                    "month": "date_trunc('month', day)",
                    "revenue": "amount * (1 - discount)",
                    "margin": "amount * (1 - discount) - cost * quantity",
                }
            },
        ),
        (
            "by_category",
            "aggregate",
            {
                "by": ["category", "month"],
                "measures": {
                    "orders": {"op": "count"},
                    "customers": {"op": "count_distinct", "column": "customer"},
                    "revenue": {"op": "sum", "column": "revenue"},
                    "margin": {"op": "sum", "column": "margin"},
                    "largest": {"op": "max", "column": "amount"},
                },
            },
        ),
        ("write", f"{suffix}_write", {"path": f"{folder}/{identifier}.{suffix}"}),
    ]
    edges = [
        ("sales", "paid"), ("paid", "filled"), ("filled", "with_product.left"), ("products", "with_product.right"),
        ("with_product", "figures"), ("figures", "by_category"), ("by_category", "write"),
    ]  # fmt: skip
    return {
        "id": identifier,
        "settings": {"grouping": grouping},
        "nodes": [{"id": name, "type": kind, "config": config} for name, kind, config in nodes],
        "edges": [{"from": source, "to": target} for source, target in edges],
    }


def bare_file(name: str, given: dict[str, Any]) -> str:
    """Return a plain DAG file with a PythonOperator, which does nothing, for each node of a document."""
    tasks = [
        f'    {node["id"]} = PythonOperator(task_id="{node["id"]}", python_callable=work)' for node in given["nodes"]
    ]
    edges = [f"    {edge['from']} >> {edge['to'].partition('.')[0]}" for edge in given["edges"]]
    return "\n".join([
        "from airflow.providers.standard.operators.python import PythonOperator",
        "from airflow.sdk import DAG",
        "",
        "",
        CALLABLE,
        "",
        f'with DAG("{name}", schedule=None) as dag:',
        *tasks,
        *edges,
        "",
    ])  # fmt: skip
