"""The talk with Airflow's own database."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from tests.dags.airflow_runs import begin_run, end_run, know_dag

from airloom.dags import parsing, runs
from airloom.store.records import Schedule

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
THREADS = """
import sys, threading
from airloom.dags import connections, parsing, platform, runs
from airloom.dags.node_states import node_results
platform.load()
before = set(sys.modules)
calls = [connections.connection_types, platform.pools, parsing.import_errors] + [
    lambda call=call: call("sales")
    for call in (runs.active_runs, parsing.serialized_version, parsing.foreign_dag, parsing.is_paused)
]
nothing = {"nodes": {}, "steps": []}
calls += [lambda: runs.run_state("sales", "run"), lambda: node_results("sales", "run", nothing)]
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
    found = runs.ended_runs(noon, noon + timedelta(minutes=9))
    assert found == [("ended", "run_5"), ("ended", "run_9")]


def test_states_of_runs_come_with_what_started_them(airflow_database: str) -> None:
    know_dag("stated")
    begin_run("stated", "first")
    begin_run("stated", "second")
    end_run("stated", "second")
    found = runs.run_states([("stated", "first"), ("stated", "second"), ("stated", "third"), ("other", "first")])
    assert {key: run.state for key, run in found.items()} == {
        ("stated", "first"): "running",
        ("stated", "second"): "success",
    }
    assert found[("stated", "first")] == runs.run_state("stated", "first")
    first = found[("stated", "first")]
    assert (first.trigger, first.actor, first.params, first.event) == ("hand", None, {}, None)
    assert first.queued_at is not None
    assert runs.run_states([]) == {}


@pytest.mark.parametrize(
    ("triggered_by", "run_type", "trigger"),
    [
        ("TIMETABLE", "scheduled", "clock"), ("UI", "manual", "hand"), ("CLI", "manual", "hand"),
        ("REST_API", "manual", "api"), ("OPERATOR", "operator_triggered", "pipeline"),
        ("ASSET", "asset_triggered", "asset"), ("BACKFILL", "backfill", "backfill"), (None, "scheduled", "clock"),
        (None, "manual", "hand"), ("UI", "asset_materialization", "hand"),
    ],
)  # fmt: skip
def test_what_started_a_run_is_told_in_our_words(
    airflow_database: str, triggered_by: str | None, run_type: str, trigger: str
) -> None:
    from airflow.utils.types import DagRunTriggeredByType

    run = SimpleNamespace(
        dag_id="a", run_id="r", state="running", bundle_version="3", logical_date=None, start_date=None, end_date=None,
        queued_at=None, run_after=NOON, triggering_user_name="ann", run_type=run_type,
        conf={"day": 1, "airloom": {"trigger": {"order": 7}}},
        triggered_by=DagRunTriggeredByType[triggered_by] if triggered_by else None,
    )  # fmt: skip
    state = runs._run_state(run)
    assert (state.trigger, state.actor, state.params, state.event) == (trigger, "ann", {"day": 1}, {"order": 7})
    assert (state.revision, state.queued_at) == (3, NOON)


def test_schedules_are_those_of_our_pipelines(airflow_database: str) -> None:
    know_dag("planned")
    know_dag("elsewhere", bundle="another")
    found = parsing.schedules()
    assert found["planned"] == Schedule(False, None)
    assert "elsewhere" not in found
    parsing.set_paused("planned", True)
    assert parsing.schedules()["planned"] == Schedule(True, None)
