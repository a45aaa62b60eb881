"""The DAG that `run.py` compares with: plain PythonOperators that run SQL and hand on Parquet files by XCom.

Airflow reads it as `bare.py`, with what its tasks do beside it in `bare.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

GIVEN = json.loads(Path(__file__).with_suffix(".json").read_text())
FOLDER = GIVEN["folder"]


def read(path: str) -> str:
    """Hand on a file as it is."""
    return path


def query(text: str, ti: Any) -> str:
    """Write what a query gives to a file, and hand that on."""
    return copied(text, f"{FOLDER}/bare-{ti.run_id}-{ti.task_id}.parquet", ti)


def write(path: str, ti: Any) -> str:
    """Write the table of the task before to its place."""
    return copied(f'FROM "{min(ti.task.upstream_task_ids)}.rows"', path, ti)


def copied(text: str, path: str, ti: Any) -> str:
    """Run a query over the files of the tasks before, with the threads and the memory that a step has."""
    import duckdb

    paths = {name: ti.xcom_pull(task_ids=name) for name in ti.task.upstream_task_ids}
    tables = ", ".join(f"\"{name}.rows\" AS (FROM read_parquet('{path}'))" for name, path in paths.items())
    settings = {"threads": 2, "memory_limit": "4000000000B", "temp_directory": f"{FOLDER}/spill"}
    with duckdb.connect(config=settings) as connection:
        connection.execute(f"COPY (WITH {tables} FROM ({text})) TO '{path}' (FORMAT parquet)")
    return path


with DAG("bare", schedule=None) as dag:
    tasks = {
        name: PythonOperator(task_id=name, python_callable=function, op_args=[argument])
        for function in (read, query, write)
        for name, argument in GIVEN[function.__name__].items()
    }
    for source, target in GIVEN["edges"]:
        tasks[source] >> tasks[target]
