"""The talk with Airflow's own database."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

from tests.dags.airflow_runs import begin_run, end_run, know_dag

from airloom.dags import platform

THREADS = """
import sys, threading
from airloom.dags import platform
platform.load()
before = set(sys.modules)
calls = [platform.connections, platform.pools, platform.import_errors] + [
    lambda call=call: call("sales")
    for call in (platform.active_runs, platform.serialized_version, platform.foreign_dag, platform.is_paused)
]
nothing = {"nodes": {}, "steps": []}
calls += [lambda: platform.run_state("sales", "run"), lambda: platform.node_results("sales", "run", nothing)]
start = threading.Barrier(len(calls))
def work(call):
    start.wait()
    call()
threads = [threading.Thread(target=work, args=(call,)) for call in calls]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(name for name in set(sys.modules) - before if name.startswith(("airflow.models", "airflow.utils"))))
"""


def test_after_loading_threads_use_airflow_side_by_side(airflow_database: str) -> None:
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_runs_are_found_by_when_they_ended(airflow_database: str) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    know_dag("ended")
    know_dag("foreign", bundle="another")
    for minutes in (0, 5, 9):
        begin_run("ended", f"run_{minutes}")
        end_run("ended", f"run_{minutes}", noon + timedelta(minutes=minutes))
    begin_run("ended", "active")
    begin_run("foreign", "run")
    end_run("foreign", "run", noon + timedelta(minutes=5))
    found = platform.ended_runs(noon, noon + timedelta(minutes=9))
    assert found == [("ended", "run_5"), ("ended", "run_9")]
