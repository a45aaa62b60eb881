"""What a step learns of its run from Airflow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airloom.dags.surroundings import TaskSurroundings, index_path
from airloom.plan.plan import Plan

Json = dict[str, Any]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def make(branches: Json, plan_of: Callable[[Json], Json]) -> Callable[..., TaskSurroundings]:
    """Return a function that makes the surroundings of a task, given its attempt and what XCom and the run hold."""
    plan = Plan.from_json(plan_of(branches))

    def make(
        *, values: Json | None = None, attempt: int = 1, retries: int = 0, max_tries: int = 0, **run: Any
    ) -> TaskSurroundings:
        held = {("other", key): value for key, value in (values or {}).items()}
        task = SimpleNamespace(
            dag_id="branches",
            run_id="manual_1",
            map_index=-1,
            try_number=attempt,
            max_tries=max_tries,
            task=SimpleNamespace(retries=retries),
            xcom_pull=lambda task_ids, key: held.get((task_ids, key)),
        )
        facts = {"conf": None, "logical_date": None, "run_after": NOON, "start_date": NOON, **run}
        context: Any = {"ti": task, "dag_run": SimpleNamespace(**facts), "params": {"day": "2026-02-03", "extra": 1}}
        document = {**branches, "params": {"day": {"type": "string", "format": "date"}}}
        return TaskSurroundings(context, document, plan)

    return make


def test_the_schedule_tells_local_time_and_interval(make: Callable[..., TaskSurroundings], branches: Json) -> None:
    branches["schedule"] = {"cron": "0 6 * * *", "timezone": "Pacific/Auckland"}
    run = make(logical_date=datetime(2026, 1, 1, 17, tzinfo=UTC)).run
    assert (run.local_date, run.local_time) == (date(2026, 1, 2), datetime(2026, 1, 2, 6))  # noqa: DTZ001
    assert run.interval_start == datetime(2025, 12, 31, 17, tzinfo=UTC)
    assert run.interval_end == datetime(2026, 1, 1, 17, tzinfo=UTC)


@pytest.mark.parametrize(("given", "index"), [(-1, ""), (None, ""), (0, "0"), (3, "3")])
def test_a_mapped_task_s_index_is_its_path(given: int | None, index: str) -> None:
    assert index_path(given) == index


def test_references_are_looked_up_by_node(make: Callable[..., TaskSurroundings]) -> None:
    reference = {"kind": "object", "value": 1}
    around = make(values={"other.value": reference, "other.fired": ["value"]})
    assert around.reference("other", "value") == reference
    assert around.fired("other") == ["value"]
    assert around.reference("other", "error") is None
    assert (around.reference("route", "a"), around.fired("route")) == (None, None)


def test_an_error_port_carries_the_error_without_its_trace(make: Callable[..., TaskSurroundings]) -> None:
    error = {"code": "node.fault", "message": "broke", "trace": "line 1"}
    around = make(values={"other.error": error, "other.fired": ["error"]})
    assert around.reference("other", "error") == {"kind": "object", "value": {**error, "trace": None}}


def test_an_error_that_another_attempt_mended_is_not_carried(make: Callable[..., TaskSurroundings]) -> None:
    around = make(values={"other.error": {"message": "broke"}, "other.fired": ["value"]})
    assert around.reference("other", "error") is None


def test_params_are_those_of_the_document_with_dates_as_dates(make: Callable[..., TaskSurroundings]) -> None:
    assert dict(make().params) == {"day": date(2026, 2, 3)}


@pytest.mark.parametrize(
    ("attempt", "max_tries", "first", "last"),
    [
        pytest.param(1, 2, 1, False, id="the first of three"),
        pytest.param(3, 2, 1, True, id="the last of three"),
        pytest.param(2, 3, 2, False, id="the first after a clear"),
        pytest.param(4, 3, 2, True, id="the last after a clear"),
    ],
)
def test_attempts(make: Callable[..., TaskSurroundings], attempt: int, max_tries: int, first: int, last: bool) -> None:
    run = make(attempt=attempt, retries=2, max_tries=max_tries).run
    assert (run.attempt, run.first_attempt, run.last_attempt) == (attempt, first, last)


def test_a_run_that_a_person_starts_has_a_date_all_the_same(make: Callable[..., TaskSurroundings]) -> None:
    assert make().run.logical_date == NOON
    planned = datetime(2026, 1, 1, tzinfo=UTC)
    assert make(logical_date=planned).run.logical_date == planned


def test_the_event_that_started_the_run_is_its_trigger(make: Callable[..., TaskSurroundings]) -> None:
    assert make().trigger is None
    assert make(conf={"day": "2026-02-03"}).trigger is None
    assert make(conf={"airloom": {"trigger": {"body": 1}}}).trigger == {"body": 1}


def test_secrets_of_connections_are_known_to_the_step_and_to_airflow(
    make: Callable[..., TaskSurroundings], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import Connection
    from airflow.sdk._shared.secrets_masker import redact

    found = Connection(conn_id="c", conn_type="http", password="s3cret of/airflow", extra='{"api_token": "t0ken-here"}')
    monkeypatch.setattr(Connection, "get", lambda name: found)
    around = make()
    assert around.connection("c") is found
    text = "https://ann:s3cret%20of%2Fairflow@host?token=t0ken-here"
    assert around.redactor.text(text) == "https://ann:***@host?token=***"
    shown = str(redact(text))
    assert "s3cret" not in shown
    assert "t0ken" not in shown
