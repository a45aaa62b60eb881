"""The worker's loop: jobs that fail, a store that goes away, several copies, and a clean stop."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from airloom.spec.configuration import Configuration
from airloom.spec.error import DataError
from airloom.store.lookup import plain
from airloom.store.records import StoreUnavailable
from airloom.store.store import Store
from airloom.worker import worker
from airloom.worker.worker import Job, clean_up, drain, work


@contextmanager
def working(*jobs: Job) -> Iterator[threading.Event]:
    """Run a worker during the block."""
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=(list(jobs), stopping))
    thread.start()
    try:
        yield stopping
    finally:
        stopping.set()
        thread.join(60)
        assert not thread.is_alive()


def wait_until(condition: Callable[[], object]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it never came about")


def until(event: threading.Event) -> None:
    assert event.wait(120)


class TestJobs:
    def test_are_done_again_and_again_and_side_by_side(self) -> None:
        done: list[str] = []
        blocked = threading.Event()
        with working(Job("slow", 0.01, lambda: until(blocked)), Job("quick", 0.01, lambda: done.append("x"))):
            wait_until(lambda: len(done) > 3)
            blocked.set()

    def test_one_that_fails_is_tried_again(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        turns: list[int] = []

        def run() -> None:
            turns.append(1)
            if len(turns) == 1:
                raise RuntimeError("a fault")

        with working(Job("job", 0.01, run)):
            wait_until(lambda: len(turns) > 2)
        assert "job failed, and is tried again" in caplog.text
        assert "a fault" in caplog.text
        assert "job works again" in caplog.text

    @pytest.mark.parametrize(
        ("error", "what"),
        [
            (StoreUnavailable("connection refused"), "the store"),
            (OperationalError("select", {}, Exception("connection refused\nmore")), "Airflow's database"),
        ],
    )
    def test_a_lost_database_is_one_line_in_the_log(
        self, caplog: pytest.LogCaptureFixture, error: Exception, what: str
    ) -> None:
        caplog.set_level(logging.INFO)
        turns: list[int] = []

        def run() -> None:
            turns.append(1)
            if len(turns) < 3:
                raise error

        with working(Job("job", 0.01, run)):
            wait_until(lambda: len(turns) > 3)
        lines = [record.getMessage() for record in caplog.records]
        assert lines.count(f"job waits for {what}, and goes on when it answers: connection refused") == 1
        assert "job works again" in lines
        assert "Traceback" not in caplog.text

    def test_pauses_grow_and_are_bounded(self) -> None:
        job = Job("job", 1, lambda: None)
        assert [worker._pause(job, failures) for failures in (0, 1, 2, 3, 50)] == [1, 1, 2, 4, 30]

    def test_a_job_that_hangs_does_not_keep_the_process(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        monkeypatch.setattr(worker, "STOP_TIMEOUT", 0.2)
        began, hanging = threading.Event(), threading.Event()

        def hang() -> None:
            began.set()
            until(hanging)

        with working(Job("hanging", 1, hang)):
            until(began)
        hanging.set()
        assert "not finished, and done again later: hanging" in caplog.text


class TestDrain:
    def test_handles_what_waits(self, store: Store) -> None:
        handled: list[object] = []
        for number in range(3):
            store.outbox.enqueue("mail", {"n": number})
        store.outbox.enqueue("unknown", {})
        drain(store, {"mail": lambda _, payload: handled.append(payload["n"])}, threading.Event())
        assert handled == [0, 1, 2]
        assert [event.kind for event in store.outbox.events()] == ["unknown"]

    def test_a_failure_holds_up_no_other(self, store: Store, caplog: pytest.LogCaptureFixture) -> None:
        handled: list[object] = []

        def handle(_: Store, payload: dict[str, object]) -> None:
            if payload["n"] == 0:
                raise DataError("no")
            handled.append(payload["n"])

        for number in range(3):
            store.outbox.enqueue("mail", {"n": number})
        drain(store, {"mail": handle}, threading.Event())
        assert handled == [1, 2]
        assert [(event.attempts, event.last_error) for event in store.outbox.events()] == [(1, "no")]
        assert "An event was not handled" in caplog.text

    def test_stops_between_events(self, store: Store) -> None:
        stopping = threading.Event()
        for number in range(3):
            store.outbox.enqueue("mail", {"n": number})
        drain(store, {"mail": lambda *_: stopping.set()}, stopping)
        assert len(store.outbox.events()) == 2


class TestLostDatabase:
    def test_the_worker_goes_on_when_it_is_back(
        self, store: Store, store_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "LONGEST_PAUSE", 0.2)
        handled: list[object] = []
        stopping = threading.Event()
        name = store_url.rpartition("/")[2]
        administrator = plain(store_url.replace(name, "postgres"))
        job = Job("events", 0.1, lambda: drain(store, {"mail": lambda _, p: handled.append(p["n"])}, stopping))
        with working(job), psycopg.connect(administrator, autocommit=True) as server:
            store.outbox.enqueue("mail", {"n": 1})
            wait_until(lambda: handled == [1])
            server.execute(f"alter database {name} allow_connections false".encode())
            server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
            wait_until(lambda: "events waits for the store" in caplog.text)
            server.execute(f"alter database {name} allow_connections true".encode())
            store.outbox.enqueue("mail", {"n": 2})
            wait_until(lambda: handled == [1, 2])
        assert "Traceback" not in caplog.text


def test_clean_up_is_done_by_one(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "data" / "sales" / "run" / "node" / "rows.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    os.utime(file, (1, 1))
    settings = Configuration(data=str(tmp_path / "data"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("airloom-box-old", "airloom-child-old", "airloom-child-new", "another"):
        (tmp_path / name).mkdir()
        if "new" not in name:
            os.utime(tmp_path / name, (1, 1))
    with store.lock("clean-up"):
        clean_up(store, settings)
        assert file.exists()
    clean_up(store, settings)
    assert not file.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["airloom-child-new", "another", "data"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_stops_cleanly(
    store: Store, store_url: str, airflow_database: str, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "bad.json").write_text("{")
    environment = {
        "AIRLOOM_ROOT": str(tmp_path),
        "AIRLOOM_DATABASE_URL": store_url,
        "AIRLOOM_PIPELINES": str(tmp_path / "pipelines"),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_database,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRLOOM_")}
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", "from airloom.cli.worker import app; app()"],
            env={**inherited, **environment},
            cwd=tmp_path,
            stderr=stream,
            stdout=stream,
        )
    try:
        wait_until(lambda: store.problems() or process.poll() is not None)
        process.send_signal(number)
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    text = log.read_text()
    assert "The worker runs: drop folder, events, upgrade, ended runs, archive, clean-up" in text
    assert "The worker stops\n" in text
    assert "Traceback" not in text
    assert [shown.path for shown in store.problems()] == ["bad.json"]
