"""How long a pipeline of eight nodes takes on a real Airflow: `python bench/run.py`.

The pipeline of `_sales.py` as Airloom runs it, with a task for each node and grouped, against eight plain
PythonOperators that run the same SQL and hand on the same Parquet files, their paths by XCom. All three run on one
Airflow with the same executor, in turn; what is measured is the time from the start to the end of the DAG run.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import _sales
from _harness import Report, arguments, in_turn, ratio, spread
from _installation import Running, installation, seconds_of, wait_for
from _plans import plan_of

HERE = Path(__file__).parent
WAYS = {"ungrouped": "none", "grouped": "auto"}
NAMES = {
    "bare": "eight PythonOperators",
    "ungrouped": "Airloom, a task for each node",
    "grouped": "Airloom, grouped",
}


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=7, quick=2, small=100_000, large=5_000_000)
    report = Report("A run of eight nodes on Airflow")
    with installation() as running:
        files = running.place / "files"
        _sales.write_data(files, asked.small)
        running.start()
        documents = {name: _sales.document(name, str(files), grouping=way) for name, way in WAYS.items()}
        running.publish(list(documents.values()))
        _write_bare(running, documents["ungrouped"], files)
        for dag in ("bare", *documents):
            wait_for(lambda dag=dag: _is_there(running, dag), 120, dag)
        for rows in (asked.small, asked.large) if not asked.quick else (asked.small,):
            _sales.write_data(files, rows)
            _measure(report, running, files, rows, asked.rounds)
    report.end()


def _measure(report: Report, running: Running, files: Path, rows: int, rounds: int) -> None:
    def once(dag: str) -> float:
        return seconds_of(running.ended(dag, running.trigger(dag)))

    for dag in NAMES:
        once(dag)
    found = in_turn({dag: lambda dag=dag: once(dag) for dag in NAMES}, rounds)
    _compare_results(files)
    report.note(f"{rows:,} rows; all results are equal.")
    lines = [(NAMES[dag], spread(seconds), f"{ratio(seconds, found['bare']):.2f}") for dag, seconds in found.items()]
    report.table(("", "seconds", "× PythonOperators"), lines)
    for dag in WAYS:
        report.goal(f"{rows:,} rows, {dag}, against PythonOperators", ratio(found[dag], found["bare"]), "≤", 1.15)


def _write_bare(running: Running, document: dict[str, Any], files: Path) -> None:
    _, plan = plan_of(document, files)
    facts = {
        "folder": str(files),
        "read": {node["id"]: node["config"]["path"] for node in document["nodes"] if node["type"] == "parquet_read"},
        "query": {name: node["sql"]["rows"] for name, node in plan["nodes"].items() if node.get("sql")},
        "write": {"write": f"{files}/bare.parquet"},
        "edges": [(edge["from"], edge["to"].partition(".")[0]) for edge in document["edges"]],
    }
    (running.bare / "bare.json").write_text(json.dumps(facts))
    shutil.copyfile(HERE / "_bare.py", running.bare / "bare.py")


def _is_there(running: Running, dag: str) -> bool:
    found = running.client.request("GET", f"/api/v2/dags?dag_id_pattern={dag}&exclude_stale=true")
    return any(listed["dag_id"] == dag for listed in found["dags"])


def _compare_results(files: Path) -> None:
    import duckdb

    figures = "count(*), sum(orders), sum(customers), round(sum(revenue)), round(sum(margin)), max(largest)"
    with duckdb.connect() as connection:
        found = {
            name: connection.execute(f"SELECT {figures} FROM '{files}/{name}.parquet'").fetchone() for name in NAMES
        }
    if len(set(found.values())) != 1:
        raise SystemExit(f"the results differ: {found}")


if __name__ == "__main__":
    main()
