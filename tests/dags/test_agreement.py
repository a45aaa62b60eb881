"""Pipelines that are live in the store and not so in Airflow are found, named, and read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.dags.airflow_runs import know_dag

from airloom.dags import parsing
from airloom.dags.actor import administrator
from airloom.dags.agreement import restore_agreement, unread_pipelines
from airloom.dags.publishing import publish
from airloom.store.store import Store

pytestmark = pytest.mark.usefixtures("airflow_database")
LATER = timedelta(minutes=5)


def document(identifier: str, value: int = 1) -> dict[str, Any]:
    return {"id": identifier, "nodes": [{"id": "one", "type": "set", "config": {"value": value}}]}


def read_at(pipeline: str, revision: int, *, stale: bool = False) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    know_dag(pipeline)
    with create_session(scoped=False) as session:
        values = {"bundle_version": str(revision), "is_stale": stale}
        session.execute(update(DagModel).where(DagModel.dag_id == pipeline).values(**values))


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(parsing, "request_parse", found.append)
    return found


def test_what_airflow_does_not_have_is_named_and_read_again(
    store: Store, requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("agreed", "deleted", "stale", "earlier", "archived"):
        publish(store, document(name), actor=administrator("ann"))
    publish(store, document("earlier", 2), actor=administrator("ann"))
    store.archive("archived", "ann")
    head = store.revision()
    read_at("agreed", head)
    read_at("stale", head, stale=True)
    read_at("earlier", store.version("earlier", 1).revision)
    requests.clear()
    assert unread_pipelines(store) == {}, "what was published a moment ago is still being read"
    later = datetime.now(UTC) + LATER
    assert unread_pipelines(store, later) == {
        "deleted": "Airflow does not know it",
        "stale": "Airflow does not know it",
        "earlier": "Airflow has an earlier version than 2",
    }
    monkeypatch.setattr("airloom.dags.agreement.GRACE", timedelta(minutes=-5))
    assert restore_agreement(store) == ["deleted", "earlier", "stale"]
    assert requests == ["deleted", "earlier", "stale"]


def test_the_log_names_the_first_of_many(
    store: Store, requests: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"many_{number:02}" for number in range(13)]
    for name in names:
        publish(store, document(name), actor=administrator("ann"))
    requests.clear()
    monkeypatch.setattr("airloom.dags.agreement.GRACE", timedelta(minutes=-5))
    assert restore_agreement(store) == requests == names
    lines = [record.getMessage() for record in caplog.records if record.name == "airloom.dags.agreement"]
    assert (len(lines), lines[-1]) == (11, "So it is with 3 more")
