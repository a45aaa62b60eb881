"""The DAG of a pipeline, as Airflow sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import CronTriggerTimetable, DeltaTriggerTimetable

from airloom.dags.factory import documentation, pipeline, version_in
from airloom.dags.files import pipeline_text
from airloom.spec.document import PipelineSettings

Json = dict[str, Any]
Plan = Callable[[Json], Json]

# What a file's own process tells of it: the serialized DAG (its keys sorted, as Airflow keeps it), and what parsing
# imported beyond what any DAG does.
PARSE = """
import json, sys
import airflow.sdk.definitions.timetables.trigger, airflow.providers.standard.operators.empty
before = set(sys.modules)
namespace = {"__name__": "parsed"}
exec(open(sys.argv[1]).read(), namespace)
imported = sorted({name.partition(".")[0] if not name.startswith("airloom.") else ".".join(name.split(".")[:2])
                   for name in set(sys.modules) - before if name not in sys.stdlib_module_names})
from airflow.serialization.serialized_objects import DagSerialization
print(json.dumps({"imported": imported, "dag": json.dumps(DagSerialization.to_dict(namespace["dag"]), sort_keys=True)}))
"""


def _parse(file: Path, seed: str) -> Json:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARSE, file], env=environment, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    parsed: Json = json.loads(finished.stdout.splitlines()[-1])
    return parsed


def test_any_process_makes_the_same_dag_and_imports_little_for_it(
    sales: Json, branches: Json, plan_of: Plan, tmp_path: Path
) -> None:
    document = {**sales, "nodes": sales["nodes"] + branches["nodes"], "edges": sales["edges"] + branches["edges"]}
    file = tmp_path / "daily_sales.py"
    file.write_text(pipeline_text(document, plan_of(document)))
    first, second = _parse(file, "1"), _parse(file, "2")
    assert first["dag"] == second["dag"]
    others = [name for name in first["imported"] if not name.startswith(("airflow", "airloom", "_"))]
    assert others == []
    assert {name for name in first["imported"] if name.startswith("airloom.")} <= {
        "airloom.dags",
        "airloom.plan",
        "airloom.spec",
    }


def test_a_document_says_what_airflow_shows(sales: Json, plan_of: Plan) -> None:
    dag = pipeline(sales, {**plan_of(sales), "version": 7})
    assert (dag.dag_id, dag.dag_display_name, dag.description) == ("daily_sales", "Daily sales", "Sales")
    assert dag.tags == {"sales", "daily", "finance", "europe"}
    assert version_in(dag.doc_md) == 7
    assert dag.is_paused_upon_creation is False
    region = dag.params.get_param("region")
    assert (region.value, region.description) == ("EU", "Where")
    assert region.schema == {"type": "string", "title": "Region"}
    load: Any = dag.get_task("load")
    assert load.upstream_task_ids == {"orders"}
    assert (load.owner, load.pool, load.priority_weight, load.weight_rule) == ("data-team", "small", 5, "absolute")
    assert (load.retries, load.retry_delay, load.execution_timeout) == (2, timedelta(seconds=10), timedelta(hours=1))
    assert (load.operator_name, load.doc_md) == ("load_write", "**load**: Into the warehouse")
    assert load.config == {"load": {"table": "sales"}}
    assert dag.get_task("orders").task_display_name == "Orders"


def test_a_cron_schedule_keeps_its_time_zone(sales: Json, plan_of: Plan) -> None:
    dag = pipeline(sales, plan_of(sales))
    assert isinstance(dag.timetable, CronTriggerTimetable)
    assert dag.timetable.expression == "0 2 * * *"
    assert dag.start_date == datetime(2025, 12, 31, 23, tzinfo=UTC)


def test_an_interval_needs_no_start(sales: Json, plan_of: Plan) -> None:
    document = {**sales, "schedule": {"every": "90m", "end": "2027-01-01T00:00:00+02:00"}}
    dag = pipeline(document, plan_of(document))
    assert isinstance(dag.timetable, DeltaTriggerTimetable)
    assert dag.timetable.delta == timedelta(minutes=90)
    assert (dag.start_date, dag.end_date) == (None, datetime(2026, 12, 31, 22, tzinfo=UTC))


def test_what_a_document_leaves_out_is_as_its_model_says(plan_of: Plan) -> None:
    document = {"id": "short", "nodes": [{"id": "only", "type": "step", "config": {"source": True}}]}
    dag = pipeline(document, plan_of(document))
    defaults = PipelineSettings()
    assert dag.max_active_runs == defaults.max_active_runs
    assert dag.catchup == defaults.catchup
    assert dag.is_paused_upon_creation is not defaults.enabled
    assert dag.get_task("only").priority_weight == defaults.priority
    assert dag.get_task("only").retries == defaults.retries
    assert dag.timetable.can_be_scheduled is False


def test_a_port_whose_target_has_other_sources_leads_through_a_gate(branches: Json, plan_of: Plan) -> None:
    dag = pipeline(branches, plan_of(branches))
    assert dag.get_task("m").upstream_task_ids == {"route--b", "other--value"}
    assert dag.get_task("x").upstream_task_ids == {"route--a", "route--b", "other--error"}
    gate = dag.get_task("route--b")
    assert (gate.task_type, gate.task_display_name, gate.upstream_task_ids) == ("EmptyOperator", "b", {"route"})
    assert {task.trigger_rule for task in dag.tasks} == {"none_failed_min_one_success"}
    choosing = {task.task_id for task in dag.tasks if task.inherits_from_skipmixin}
    assert choosing == {"route", "other"}


def test_a_port_that_leads_straight_to_its_target_is_written_on_the_edge(branches: Json, plan_of: Plan) -> None:
    branches["edges"] = branches["edges"][:2]
    dag = pipeline(branches, plan_of(branches))
    assert dag.get_task("x").upstream_task_ids == {"route"}
    assert dag.get_edge_info("route", "x") == {"label": "a | b"}


@pytest.mark.parametrize("description", ["", "One line", "Two\n\nlines", "_Version 9, published by Airloom_"])
def test_the_version_is_read_back_from_the_documentation(description: str) -> None:
    assert version_in(documentation(description, 3)) == 3


@pytest.mark.parametrize("text", [None, "", "Version 3", "_Version 3, published by Airloom_\n\nand more"])
def test_other_documentation_names_no_version(text: str | None) -> None:
    assert version_in(text) is None


def test_any_text_of_a_document_comes_through_its_file(sales: Json, plan_of: Plan) -> None:
    awkward = "'''); raise ValueError(r'''\\u0027 \\ \" { \n\t é \u2028 \\" + "'" * 5
    document = {**sales, "name": awkward}
    namespace: Json = {"__name__": "parsed"}
    exec(pipeline_text(document, plan_of(document)), namespace)
    assert namespace["document"] == document
    assert namespace["dag"].dag_display_name == awkward


def test_a_closing_pipeline_is_a_dag_whatever_its_schedule_and_params(plan_of: Any, sales: Json) -> None:
    sales["settings"]["catchup"] = True
    sales["params"]["day"] = {"type": "string"}
    dag = pipeline(sales, plan_of(sales), closing=True)
    dag.validate()
    assert (dag.catchup, dag.allowed_run_types) == (False, {"scheduled"})


NOW = datetime(2026, 6, 1, 12, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "catchup", "last", "expected"),
    [
        (None, False, None, "12:00:07"),  # at once
        (None, False, "12:00:00", "12:05:00"),  # then each interval after the run before
        (None, False, "09:00:00", "12:00:07"),  # after a pause, at once again
        ("2026-06-01T13:00:00", False, None, "13:00:00"),
        ("2026-06-01T10:01:00", False, None, "12:00:07"),  # `start` is not what the times are counted from
        ("2026-06-01T10:01:00", True, None, "10:01:00"),
        ("2026-06-01T10:01:00", True, "10:01:00", "10:06:00"),
    ],
)
def test_times_of_every_are_counted_as_the_docs_say(
    start: str | None,
    catchup: bool,
    last: str | None,
    expected: str,
    plan_of: Plan,
    sales: Json,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables import trigger
    from airflow.timetables.base import DataInterval, TimeRestriction
    from pendulum import instance

    schedule = {"every": "5m", **({"start": start} if start else {})}
    dag = pipeline({**sales, "schedule": schedule, "settings": {"catchup": catchup}}, plan_of(sales))
    monkeypatch.setattr(trigger, "utcnow", lambda: instance(NOW))
    before = None
    if last is not None:
        before = DataInterval.exact(instance(datetime.fromisoformat(f"2026-06-01T{last}+00:00")))
    earliest = None if dag.start_date is None else instance(dag.start_date)
    found = coerce_to_core_timetable(dag.timetable).next_dagrun_info(
        last_automated_data_interval=before, restriction=TimeRestriction(earliest, None, dag.catchup)
    )
    assert found is not None
    assert f"{found.run_after:%H:%M:%S}" == expected


def test_pauses_before_retries_double_up_to_the_longest(sales: Json, plan_of: Plan) -> None:
    backoff = {"retries": 4, "retry_delay": "2s", "retry_backoff": "exponential", "max_retry_delay": "10s"}
    document = {**sales, "settings": backoff}
    task = next(iter(pipeline(document, plan_of(document)).tasks))
    assert task.retry_policy is not None

    def pauses(cleared: int) -> list[float]:
        """Return the pause after each try; `cleared` tries were before the task was cleared."""
        context: Any = {"ti": SimpleNamespace(task=task)}
        decisions = [
            task.retry_policy.evaluate(ValueError(), cleared + number, cleared + 4, context) for number in range(1, 5)
        ]
        return [decision.retry_delay.total_seconds() for decision in decisions]

    assert pauses(0) == pauses(3) == [2, 4, 8, 10]
    plain = {**sales, "settings": {"retries": 4}}
    assert all(task.retry_policy is None for task in pipeline(plain, plan_of(plain)).tasks)
