"""What the examination of an installation finds, with a real store."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airloom.dags.deployment import BUNDLES, variable
from airloom.doctor.airflow import (
    BUNDLES_SETTING,
    OURS,
    SECRETS,
    SORT,
    examine_airflow,
    examine_database,
    needed_settings,
)
from airloom.doctor.examination import examine_folders, examine_machine
from airloom.doctor.finding import Finding
from airloom.doctor.store import examine_server, examine_store
from airloom.local.airflow import PLATFORM
from airloom.nodes.modules import MissingModule
from airloom.spec.configuration import configuration
from airloom.spec.problem import Problem
from airloom.store.migrate import ensure_task_role
from airloom.store.outbox import ATTEMPTS
from airloom.store.store import Store

if TYPE_CHECKING:
    from tests.conftest import Databases


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Let a test set variables, in a project folder of its own."""
    for name in [name for name in os.environ if name.startswith("AIRLOOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AIRLOOM_ROOT", str(tmp_path))
    configuration.cache_clear()
    return monkeypatch


def found(findings: Iterable[Finding], *, state: str | None = None) -> dict[str, Finding]:
    """Return findings by name, those of a state where one is given; each that asks for something has a hint."""
    kept = [finding for finding in findings if state in (None, finding.state)]
    assert all(finding.hint for finding in kept if finding.state != "right")
    return {finding.name: finding for finding in kept}


class TestAirflow:
    @pytest.fixture(autouse=True)
    def shipped(self, settings: pytest.MonkeyPatch) -> None:
        """Set what an installation of ours sets."""
        for name, value in PLATFORM.items():
            settings.setenv(variable(name), value)
        settings.setenv(variable("core.executor"), OURS)
        settings.setenv(variable("dag_processor.dag_bundle_storage_path"), "/srv/airflow/bundles")
        for name in SECRETS:
            settings.setenv(variable(name), "a secret of theirs")

    def test_what_is_shipped_is_right(self) -> None:
        assert {finding.state for finding in examine_airflow()} == {"right"}

    @pytest.mark.parametrize(
        ("setting", "value", "state"),
        [
            ("core.min_serialized_dag_update_interval", "30", "wrong"),
            ("dag_processor.file_parsing_sort_mode", "alphabetical", "wrong"),
            ("dag_processor.min_file_process_interval", "30", "advice"),
            ("database.sql_alchemy_max_overflow", "10", "advice"),
            ("dag_processor.bundle_refresh_check_interval", "60", "advice"),
            ("dag_processor.print_stats_interval", "30", "advice"),
            ("core.dag_discovery_safe_mode", "True", "advice"),
            ("workers.min_heartbeat_interval", "often", "advice"),
            ("workers.execution_api_retries", "5", "advice"),
            ("core.auth_manager", "airflow.api_fastapi.auth.managers.simple.SimpleAuthManager", "advice"),
            ("dag_processor.dag_bundle_storage_path", "", "advice"),
            ("core.executor", "LocalExecutor", "advice"),
            ("core.executor", "CeleryExecutor,other:airflow.executors.local_executor.LocalExecutor", "advice"),
            ("core.fernet_key", "", "wrong"),
            ("api_auth.jwt_secret", "", "wrong"),
        ],
    )
    def test_what_differs_is_named_with_what_to_set(
        self, settings: pytest.MonkeyPatch, setting: str, value: str, state: str
    ) -> None:
        settings.setenv(variable(setting), value)
        differing = {finding.name: finding.state for finding in examine_airflow() if finding.state != "right"}
        assert differing == {setting: state}

    def test_one_that_nobody_set_is_not_ours(self, settings: pytest.MonkeyPatch) -> None:
        settings.delenv(variable("api.secret_key"))
        finding = found(examine_airflow(), state="wrong")["api.secret_key"]
        assert finding.hint == "set AIRFLOW__API__SECRET_KEY to the same secret for every part"

    def test_celery_is_right(self, settings: pytest.MonkeyPatch) -> None:
        settings.setenv(variable("core.executor"), "CeleryExecutor")
        assert found(examine_airflow(), state="wrong") == {}

    def test_a_bundle_that_is_not_there(self, settings: pytest.MonkeyPatch) -> None:
        settings.setenv(variable("dag_processor.dag_bundle_config_list"), "[]")
        assert "PipelineBundle" in str(found(examine_airflow(), state="wrong")["bundle"].hint)

    def test_a_bundle_that_looks_seldom(self, settings: pytest.MonkeyPatch) -> None:
        bundle = '[{"name": "ours", "classpath": "airloom.dags.bundle.PipelineBundle", "kwargs": {}}]'
        settings.setenv(variable("dag_processor.dag_bundle_config_list"), bundle)
        assert found(examine_airflow(), state="advice")["bundle"].message.startswith("ours: ")

    @pytest.mark.parametrize("url", ["sqlite:////tmp/airflow.db", "mysql://ann:secret@localhost/airflow"])
    def test_a_database_of_another_sort_is_no_more_than_advised_against(self, url: str) -> None:
        (finding,) = examine_database(url)
        assert finding.state == "advice"
        assert "secret" not in repr(finding)

    def test_what_pipelines_need_comes_beside_the_bundles_that_are_there(self, settings: pytest.MonkeyPatch) -> None:
        theirs = {"name": "theirs", "classpath": "theirs.Bundle", "kwargs": {}}
        settings.setenv(variable(BUNDLES_SETTING), json.dumps([theirs]))
        settings.setenv(variable("core.min_serialized_dag_update_interval"), "30")
        needed = needed_settings()
        assert json.loads(needed.pop(BUNDLES_SETTING) or "") == [theirs, *BUNDLES]
        assert needed == {"core.min_serialized_dag_update_interval": "0", SORT: None}

    def test_no_secret_is_shown(self, settings: pytest.MonkeyPatch) -> None:
        assert "a secret of theirs" not in repr(list(examine_airflow()))


class TestMachine:
    def test_steps_that_need_more_memory_than_there_is(self, settings: pytest.MonkeyPatch) -> None:
        settings.setenv("AIRLOOM_MEMORY_LIMIT", "900TB")
        assert "900000.0 GB" in found(examine_machine(1), state="wrong")["memory"].message

    def test_too_many_at_once(self, settings: pytest.MonkeyPatch) -> None:
        settings.setenv("AIRLOOM_MEMORY_LIMIT", "100MB")
        assert found(examine_machine(4))["memory"].state == "right"
        assert found(examine_machine(1_000_000))["memory"].state == "advice"

    def test_a_full_disk(self, settings: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch) -> None:
        for free, state in ((10**8, "wrong"), (2 * 10**9, "advice"), (10**12, "right")):
            monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: type("Usage", (), {"free": free}))
            assert found(examine_machine(1))["disk"].state == state

    def test_no_box(self, settings: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("airloom.engine.box.available", list)
        assert found(examine_machine(1))["box"].state == "advice"


class TestFolders:
    def test_what_is_not_there_yet_is_right(self, settings: pytest.MonkeyPatch) -> None:
        assert {finding.state for finding in examine_folders(shared=False)} == {"right"}

    def test_a_file_in_their_place_is_not(self, settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for name in ("AIRLOOM_DATA", "AIRLOOM_PIPELINES"):
            settings.setenv(name, str(tmp_path / "file"))
        assert set(found(examine_folders(shared=False), state="wrong")) == {"AIRLOOM_DATA", "AIRLOOM_PIPELINES"}

    def test_machines_that_share_no_folder(self, settings: pytest.MonkeyPatch) -> None:
        assert found(examine_folders(shared=True))["AIRLOOM_DATA"].state == "advice"
        settings.setenv("AIRLOOM_DATA", "memory://bucket/data")
        configuration.cache_clear()
        assert found(examine_folders(shared=True))["AIRLOOM_DATA"].state == "right"

    def test_a_bucket_that_nothing_reads(self, settings: pytest.MonkeyPatch) -> None:
        settings.setenv("AIRLOOM_DATA", "memory://bucket/data")
        settings.setenv("AIRLOOM_UPLOADS", "gopherx://bucket/uploads")
        configuration.cache_clear()
        finding = found(examine_folders(shared=True))["AIRLOOM_UPLOADS"]
        assert (finding.state, "nothing reads gopherx://" in finding.message) == ("wrong", True)


class TestStore:
    @pytest.fixture
    def shipped(self, settings: pytest.MonkeyPatch, store_url: str) -> pytest.MonkeyPatch:
        """Set the addresses of a store and of its role of tasks."""
        settings.setenv("AIRLOOM_DATABASE_URL", store_url)
        settings.setenv("AIRLOOM_TASK_DATABASE_URL", ensure_task_role(store_url, "secret of tasks"))
        return settings

    @pytest.fixture
    def worker(self, store: Store) -> Iterator[None]:
        """Let somebody wait for events, as a worker does."""
        stopping = threading.Event()
        waiting = threading.Thread(target=lambda: list(store.outbox.wakeups(stopping)))
        waiting.start()
        while not store.outbox.workers():
            assert waiting.is_alive()
        yield
        stopping.set()
        waiting.join()

    def test_a_new_one_is_right(self, shipped: pytest.MonkeyPatch, worker: None) -> None:
        assert found(examine_store(airflow_answers=False), state="wrong") == {}
        assert found(examine_store(airflow_answers=False))["tables"].state == "right"

    def test_none(self, settings: pytest.MonkeyPatch) -> None:
        assert [finding.name for finding in examine_store(airflow_answers=False)] == ["database"]

    def test_one_that_does_not_answer(self, settings: pytest.MonkeyPatch) -> None:
        settings.setenv("AIRLOOM_DATABASE_URL", "postgresql://ann:secret@127.0.0.1:1/store")
        (finding,) = examine_store(airflow_answers=False)
        assert (finding.name, finding.state) == ("database", "wrong")
        assert "secret" not in repr(finding)

    def test_no_worker(self, shipped: pytest.MonkeyPatch, store: Store) -> None:
        finding = found(examine_store(airflow_answers=False), state="wrong")["worker"]
        assert finding.hint == "start one beside Airflow: airloom worker"

    def test_one_of_an_earlier_release(self, settings: pytest.MonkeyPatch, database_url: str) -> None:
        settings.setenv("AIRLOOM_DATABASE_URL", database_url)
        assert found(examine_store(airflow_answers=False), state="wrong")["tables"].hint == "run airloom prepare"

    def test_clocks_that_differ(self, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from datetime import datetime, timedelta, tzinfo

        class Late(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return datetime.now(tz) - timedelta(minutes=2)

        monkeypatch.setattr("airloom.doctor.store.datetime", Late)
        assert "120 s apart" in found(examine_server("store", store_url), state="wrong")["clock"].message

    def test_tasks_that_may_do_too_much_or_too_little(
        self, shipped: pytest.MonkeyPatch, store_url: str, databases: Databases
    ) -> None:
        shipped.delenv("AIRLOOM_TASK_DATABASE_URL")
        assert "whole store" in found(examine_store(airflow_answers=False), state="wrong")["role of tasks"].message
        for url, text in ((store_url, "more than"), (databases.url("postgres"), "not those of this")):
            shipped.setenv("AIRLOOM_TASK_DATABASE_URL", url)
            configuration.cache_clear()
            assert text in found(examine_store(airflow_answers=False), state="wrong")["role of tasks"].message

    def test_events_that_died_and_that_nobody_handles(self, shipped: pytest.MonkeyPatch, store: Store) -> None:
        from datetime import timedelta

        store.outbox.enqueue("run_ended", {})
        assert found(examine_store(airflow_answers=False))["outbox"].state == "right"
        store.outbox.enqueue("run_ended", {}, delay=timedelta(minutes=-10))
        with store.outbox._engine.begin() as connection:
            connection.exec_driver_sql(f"update outbox set attempts = {ATTEMPTS} where id = 1")
        states = [finding.state for finding in examine_store(airflow_answers=False) if finding.name == "outbox"]
        assert states == ["advice", "wrong"]

    def test_pipelines_that_cannot_run(
        self, shipped: pytest.MonkeyPatch, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airloom.nodes.files.csv import CsvRead

        node = {"type": "csv_read", "version": 1}
        for pipeline, planned in (("whole", node), ("unknown", {**node, "type": "csv_reed"})):
            store.publish({"id": pipeline}, {"nodes": {"one": planned}}, author="ann", source="api")
        store.problems.set("broken.json", [Problem("text.syntax", "it ends too early")])
        findings = found(examine_store(airflow_answers=False))
        assert (findings["unknown"].state, findings["broken.json"].state) == ("wrong", "advice")
        assert findings["unknown"].hint == "did you mean 'csv_read'?"
        store.archive("unknown", "ann")
        assert "1 published pipelines have" in found(examine_store(airflow_answers=False))["node types"].message
        monkeypatch.setattr(CsvRead, "missing_module", classmethod(lambda cls: MissingModule("paint", "buy it")))
        assert found(examine_store(airflow_answers=False), state="wrong")["whole"].hint == "buy it"
