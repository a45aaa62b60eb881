"""The worker's loop: jobs that fail, a store that goes away, several copies, and a clean stop."""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from airloom.spec.error import DataError
from airloom.store import outbox
from airloom.store.lookup import plain
from airloom.store.records import StoreUnavailable
from airloom.store.store import Store
from airloom.worker import worker
from airloom.worker.handlers import LANES, Handler
from airloom.worker.worker import Job, drain, lanes_of, work


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


class TestLanes:
    @pytest.mark.parametrize("slow", LANES)
    def test_a_slow_handler_holds_no_other_lane_up(self, store: Store, slow: str) -> None:
        handled: set[int] = set()
        release = threading.Event()
        table = {lane: Handler(lane, lambda _, payload: handled.add(payload["number"])) for lane in LANES}
        table[slow] = Handler(slow, lambda *_: until(release))
        others = [lane for lane in LANES if lane != slow]
        stopping = threading.Event()
        with working(*lanes_of(store, table, stopping)):
            for _ in range(2 * LANES[slow]):
                store.outbox.enqueue(slow, {})
            for number in range(30):
                store.outbox.enqueue(others[number % 2], {"number": number})
            wait_until(lambda: handled == set(range(30)) and len(store.outbox.events()) == 2 * LANES[slow])
            release.set()
            wait_until(lambda: not store.outbox.events())
            stopping.set()

    def test_an_event_wakes_its_lane_before_the_next_look(self, store: Store) -> None:
        handled = threading.Event()
        stopping = threading.Event()
        jobs = lanes_of(store, {"mail": Handler("delivery", lambda *_: handled.set())}, stopping)
        with working(*(replace(job, every=600) for job in jobs)):
            time.sleep(0.5)
            store.outbox.enqueue("nobody's", {})
            store.outbox.enqueue("mail", {})
            assert handled.wait(10)
            stopping.set()

    def test_an_event_that_nobody_told_of_is_found_by_looking(self, store: Store, store_url: str) -> None:
        handled: list[object] = []
        stopping = threading.Event()
        jobs = lanes_of(store, {"mail": Handler("delivery", lambda _, payload: handled.append(payload["n"]))}, stopping)
        with working(*(replace(job, every=600) if job.name != "wake-ups" else job for job in jobs)):
            store.outbox.enqueue("mail", {"n": "later"}, delay=timedelta(seconds=2))
            wait_until(lambda: handled == ["later"])
            with psycopg.connect(plain(store_url)) as session:
                session.execute("alter table outbox disable trigger user")
            store.outbox.enqueue("mail", {"n": "untold"})
            wait_until(lambda: handled == ["later", "untold"])
            stopping.set()

    def test_one_look_a_second_serves_all_threads(self, store: Store) -> None:
        asked: Counter[tuple[str, int]] = Counter()

        def count(*_: object) -> None:
            asked[threading.current_thread().name, threading.get_ident()] += 1

        event.listen(store._engine, "before_cursor_execute", count)
        stopping = threading.Event()
        table = {lane: Handler(lane, lambda *_: None) for lane in LANES}
        with working(*lanes_of(store, table, stopping)):
            wait_until(lambda: max([asked[key] for key in list(asked) if key[0] == "wake-ups"], default=0) > 8)
            stopping.set()
        assert max(times for (name, _), times in asked.items() if name != "wake-ups") <= 2


def handle_slowly(store: Store, payload: dict[str, object]) -> None:
    """Note the event, take some time, and do what it asks for under its key."""
    with psycopg.connect(plain(str(payload["url"])), autocommit=True) as connection:
        connection.execute("insert into begun values (%s)", (payload["n"],))
        time.sleep(0.15)
        connection.execute("insert into effects values (%s) on conflict do nothing", (payload["n"],))
        connection.execute("insert into ended values (%s)", (payload["n"],))


def work_until_killed(url: str) -> None:
    """Run a worker in a process that will be killed."""
    outbox.LEASE = timedelta(seconds=1)
    outbox.FIRST_PAUSE = outbox.LONGEST_PAUSE = timedelta(seconds=0.1)
    outbox.ATTEMPTS = 1000  # an event that is at work in each kill is not to blame
    stopping = threading.Event()
    store = Store(url)
    work(lanes_of(store, {"mail": Handler("delivery", handle_slowly)}, stopping), stopping)


def kill_workers(store: Store, store_url: str, kills: int) -> tuple[int, int, int, int]:
    """Kill worker after worker at work; return how many events there were, were done, were begun and were ended."""
    context = multiprocessing.get_context("spawn")
    with psycopg.connect(plain(store_url), autocommit=True) as connection:
        for statement in ("begun (n int)", "ended (n int)", "effects (n int primary key)"):
            connection.execute(f"create table {statement}".encode())
        put_in = 0
        for _ in range(kills):
            for _ in range(3):
                store.outbox.enqueue("mail", {"n": put_in, "url": store_url}, key=f"k{put_in % 7}")
                put_in += 1
            (begun,) = connection.execute("select count(*) from begun").fetchone() or (0,)
            process = context.Process(target=work_until_killed, args=(store_url,))
            process.start()
            query = "select count(*) > %s from begun"
            wait_until(lambda: connection.execute(query, (begun,)).fetchone() == (True,))  # noqa: B023
            time.sleep(random.random() * 0.3)
            process.kill()
            process.join()
        process = context.Process(target=work_until_killed, args=(store_url,))
        process.start()
        wait_until(lambda: not store.outbox.events())
        process.kill()
        process.join()
        counts = "select (select count(*) from effects), (select count(*) from begun), (select count(*) from ended)"
        effects, begun, ended = connection.execute(counts).fetchone() or (0, 0, 0)
    return put_in, effects, begun, ended


def test_workers_that_are_killed_lose_nothing(store: Store, store_url: str) -> None:
    put_in, effects, begun, ended = kill_workers(store, store_url, kills=10)
    assert effects == put_in
    assert begun > ended >= put_in  # some were cut short, and done again


class TestLostDatabase:
    def test_the_worker_goes_on_when_it_is_back(
        self, store: Store, store_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "LONGEST_PAUSE", 0.2)
        handled: list[object] = []
        stopping = threading.Event()
        name = store_url.rpartition("/")[2]
        administrator = plain(store_url.replace(name, "postgres"))
        table = {"mail": Handler("delivery", lambda _, payload: handled.append(payload["n"]))}
        with working(*lanes_of(store, table, stopping)), psycopg.connect(administrator, autocommit=True) as server:
            store.outbox.enqueue("mail", {"n": 1})
            wait_until(lambda: handled == [1])
            server.execute(f"alter database {name} allow_connections false".encode())
            server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
            wait_until(lambda: "delivery waits for the store" in caplog.text)
            wait_until(lambda: "wake-ups waits for the store" in caplog.text)
            server.execute(f"alter database {name} allow_connections true".encode())
            store.outbox.enqueue("mail", {"n": 2})
            wait_until(lambda: handled == [1, 2])
            stopping.set()
        assert "Traceback" not in caplog.text


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
        wait_until(lambda: store.problems.all() or process.poll() is not None)
        process.send_signal(number)
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    text = log.read_text()
    jobs = "drop folder, starts, answers, previews, delivery, housekeeping, wake-ups, agreement, schedules, upgrade"
    assert f"The worker runs: {jobs}, run events, ended runs, archive, clean-up" in text
    assert "The worker stops\n" in text
    assert "Traceback" not in text
    assert [shown.path for shown in store.problems.all()] == ["bad.json"]
