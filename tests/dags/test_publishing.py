"""Publishing and archiving, on a real store beside a real database of Airflow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.dags.airflow_runs import begin_run, end_run, know_dag

from airloom.dags import parsing, publishing
from airloom.dags.actor import administrator
from airloom.dags.publishing import archive, finish_archiving, unpause
from airloom.spec.error import ConfigurationError, SystemFault
from airloom.store.records import Event
from airloom.store.store import Store

Json = dict[str, Any]
pytestmark = pytest.mark.usefixtures("airflow_database")


def document(identifier: str = "sales", value: Any = 1, **fields: Any) -> Json:
    """Return a document of one node."""
    return {"id": identifier, "nodes": [{"id": "only", "type": "set", "config": {"value": value}}], **fields}


def publish(store: Store, data: Json, **named: Any) -> publishing.Published:
    """Publish a document, which has to be right."""
    found = publishing.publish(store, data, actor=administrator("ann"), **named)
    assert found.problems == []
    return found


class TestArchive:
    def test_an_idle_pipeline_is_gone_at_once(self, store: Store) -> None:
        publish(store, document())
        assert archive(store, "sales", author="bob") == []
        assert (store.pipeline("sales").archived, store.closing()) == (True, [])

    def test_active_runs_may_end_first(self, store: Store) -> None:
        publish(store, document("busy"))
        begin_run("busy")
        assert archive(store, "busy", author="bob") == ["run_1"]
        finish_archiving(store)
        assert store.closing() == ["busy"]
        end_run("busy")
        finish_archiving(store)
        assert store.closing() == []
        assert (store.pipeline("busy").archived, store.pipeline("busy").updated_by) == (True, "bob")

    def test_force_waits_for_nothing(self, store: Store) -> None:
        publish(store, document("stuck"))
        begin_run("stuck")
        archive(store, "stuck", author="bob")
        assert archive(store, "stuck", author="bob", force=True) == ["run_1"]
        assert (store.pipeline("stuck").archived, store.closing()) == (True, [])

    def test_a_file_that_is_there_keeps_its_pipeline(self, store: Store) -> None:
        publish(store, document(), source="file", path="sales.json")
        store.files.save("sales.json", "hash", "sales", datetime.now(UTC))
        with pytest.raises(ConfigurationError, match=r"comes from the file sales\.json"):
            archive(store, "sales", author="bob")
        assert not store.pipeline("sales").archived

    def test_one_that_is_gone_does_not(self, store: Store) -> None:
        publish(store, document(), source="file", path="sales.json")
        store.files.mark_missing(["sales.json"], datetime.now(UTC))
        archive(store, "sales", author="bob")
        assert store.pipeline("sales").archived
        assert store.files.all() == {}
        archive(store, "sales", author="bob", force=True)


def unpauses(store: Store) -> list[Event]:
    """Return the events that wait to let runs of a pipeline begin."""
    return [event for event in store.outbox.events() if event.kind == "unpause"]


class TestEnabled:
    @pytest.fixture(autouse=True)
    def read_at_once(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
        """Stand in for the DAG processor: the version of each pipeline that Airflow has read."""
        read: dict[str, int] = {}
        monkeypatch.setattr(parsing, "serialized_version", read.get)
        monkeypatch.setattr(parsing, "wait_until", lambda done, timeout, every: done())
        return read

    def test_a_change_pauses_and_unpauses(self, store: Store, read_at_once: dict[str, int]) -> None:
        know_dag("sales")
        publish(store, document())
        assert not parsing.is_paused("sales")
        publish(store, document(settings={"enabled": False}))
        assert parsing.is_paused("sales")
        publish(store, document())
        (event,) = unpauses(store)
        assert parsing.is_paused("sales"), "the version before is not to run"
        with pytest.raises(SystemFault):
            unpause(store, event.payload)
        assert parsing.is_paused("sales")
        read_at_once["sales"] = 3
        unpause(store, event.payload)
        assert not parsing.is_paused("sales")

    def test_a_pause_by_hand_stays(self, store: Store) -> None:
        know_dag("held")
        publish(store, document("held"))
        parsing.set_paused("held", True)
        publish(store, document("held", value=2))
        publish(store, document("held", value=2, settings={"enabled": True}))
        assert parsing.is_paused("held")
        assert unpauses(store) == []

    def test_a_version_that_is_no_longer_current_unpauses_nothing(
        self, store: Store, read_at_once: dict[str, int]
    ) -> None:
        know_dag("back")
        read_at_once["back"] = 9
        for enabled in (False, True, False):
            publish(store, document("back", settings={"enabled": enabled}))
        (event,) = unpauses(store)
        unpause(store, event.payload)
        assert parsing.is_paused("back")
