"""Work in a child process: results, faults, limits, and nothing left behind."""

from __future__ import annotations

import contextlib
import logging
import math
import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

from airloom.engine.child import MemoryExceeded, QueryTimeout, run_in_child
from airloom.spec.error import ConfigurationError, DataError, SystemFault

LONG = 60.0


def wait_for(happened, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen")
        time.sleep(0.02)


def is_alive(pid):
    """Tell whether a process runs; one that is dead but not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of_this_process():
    return [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def add(left, right):
    return left + right


def test_returns_the_result():
    assert run_in_child(add, 1, 2, timeout=LONG) == 3
    assert run_in_child(add, [1] * 300_000, ["x"], timeout=LONG)[-1] == "x"
    assert run_in_child(os.getpid, timeout=LONG) != os.getpid()


def test_spawns_where_threads_forbid_a_fork():
    results = []
    thread = threading.Thread(
        target=lambda: results.append(run_in_child(operator.add, 1, 2, timeout=LONG, start="spawn"))
    )
    thread.start()
    thread.join()
    assert results == [3]


def test_carries_our_errors_whole():
    def fail():
        raise DataError("a bad row", node="load", field="/table", hint="look at row 3")

    with pytest.raises(DataError) as caught:
        run_in_child(fail, timeout=LONG)
    assert caught.value.to_json() == {
        "code": "data",
        "message": "a bad row",
        "failure": "data",
        "node": "load",
        "field": "/table",
        "hint": "look at row 3",
    }
    assert "in fail" in caught.value.__notes__[0]


def test_keeps_the_kind_of_error_subclasses():
    def fail():
        raise ConfigurationError("wrong")

    with pytest.raises(ConfigurationError):
        run_in_child(fail, timeout=LONG)


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (operator.truediv, (1, 0), "ZeroDivisionError: division by zero"),
        (sys.exit, (4,), "ended without a result"),
        (os._exit, (3,), "ended without a result (exit code 3)"),
        (signal.raise_signal, (signal.SIGKILL,), "killed from outside"),
        (signal.raise_signal, (signal.SIGSEGV,), "crashed (SIGSEGV)"),
        (lambda: lambda: None, (), "Can't pickle"),
    ],
)
def test_reports_every_other_end_as_a_system_fault(function, arguments, expected):
    with pytest.raises(SystemFault) as caught:
        run_in_child(function, *arguments, timeout=LONG)
    assert expected in caught.value.message or expected.lower() in caught.value.message.lower()


def test_kills_what_takes_too_long_with_its_own_children(tmp_path):
    pids = tmp_path / "pids"

    def hang():
        grandchild = subprocess.Popen(["sleep", "600"])
        pids.write_text(f"{os.getpid()} {grandchild.pid}")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)

    with pytest.raises(QueryTimeout) as caught:
        run_in_child(hang, timeout=1.0)
    assert "AIRLOOM_QUERY_TIMEOUT" in caught.value.hint
    assert caught.value.failure == "data"
    child, grandchild = map(int, pids.read_text().split())
    assert not is_alive(child)
    wait_for(lambda: not is_alive(grandchild))


def test_kills_one_long_call_inside_duckdb():
    def query():
        import duckdb

        duckdb.sql("SELECT sum(length(replace(repeat('ab', 100000000), 'a', 'xy'))) FROM range(1000)").fetchall()

    with pytest.raises(QueryTimeout):
        run_in_child(query, timeout=0.5)


@pytest.mark.parametrize("megabytes", [100, 300])
def test_limits_memory_of_python(megabytes):
    with pytest.raises(MemoryExceeded) as caught:
        run_in_child(bytearray, (megabytes + 50) * 2**20, timeout=LONG, memory=megabytes * 2**20)
    assert "AIRLOOM_MEMORY_LIMIT" in caught.value.hint
    assert run_in_child(lambda: len(bytearray((megabytes - 50) * 2**20)), timeout=LONG, memory=megabytes * 2**20)


def test_limits_memory_that_duckdb_does_not_count():
    def query():
        import duckdb

        connection = duckdb.connect(config={"memory_limit": "100MB"})
        return connection.sql("SELECT length(repeat('x', 900000000))").fetchall()

    with pytest.raises(MemoryExceeded):
        run_in_child(query, timeout=LONG, memory=500 * 2**20)


def test_works_beside_an_open_duckdb():
    import duckdb

    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT * FROM range(1000000)")

    def query():
        return duckdb.connect().sql("SELECT count(*) FROM range(1000000)").fetchall()

    assert run_in_child(query, timeout=LONG) == [(1000000,)]
    assert connection.sql("SELECT count(*) FROM t").fetchall() == [(1000000,)]


def test_works_in_a_forked_process():
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(run_in_child(math.factorial, 5, timeout=LONG)))
    process.start()
    assert receiver.recv() == 120
    process.join()


def add_in_child(sender):
    sender.send((run_in_child(add, 1, 2, timeout=LONG), multiprocessing.current_process().daemon))


def test_works_in_a_process_that_may_have_no_children():
    """As those are that a Celery worker starts."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=add_in_child, args=(sender,), daemon=True)
    process.start()
    process.join(LONG)
    sender.close()
    assert receiver.recv() == (3, True)
    receiver.close()
    process.close()


def test_log_lines_reach_the_parent():
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append((record.name, record.levelname, record.getMessage(), record.process))

    def work():
        log = logging.getLogger("airloom.test.child")
        log.info("read %d rows", 7)
        log.warning("%s", object)

    keep = Keep()
    logger = logging.getLogger("airloom.test")
    logger.addHandler(keep)
    logger.setLevel(logging.INFO)
    try:
        run_in_child(work, timeout=LONG)
    finally:
        logger.removeHandler(keep)
    assert [record[:3] for record in records] == [
        ("airloom.test.child", "INFO", "read 7 rows"),
        ("airloom.test.child", "WARNING", "<class 'object'>"),
    ]
    assert records[0][3] != os.getpid()


def test_leaves_no_zombie_and_no_open_file():
    before = len(os.listdir("/proc/self/fd")), children_of_this_process()
    for _ in range(10):
        run_in_child(add, 1, 2, timeout=LONG)
        with contextlib.suppress(SystemFault):
            run_in_child(os._exit, 1, timeout=LONG)
        with contextlib.suppress(QueryTimeout):
            run_in_child(time.sleep, 60, timeout=0.05)
    assert (len(os.listdir("/proc/self/fd")), children_of_this_process()) == before


def make_files(folder=None):
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"x")
    subprocess.run([sys.executable, "-c", "import tempfile; tempfile.mkdtemp()"], check=True)
    if folder is None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("killed", [False, True])
def test_temporary_files_go_with_the_child(tmp_path, monkeypatch, killed):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemFault, match="killed") if killed else contextlib.nullcontext():
        run_in_child(make_files, None if killed else tmp_path, timeout=60)
    assert list(tmp_path.iterdir()) == []


PARENT = textwrap.dedent(
    """
    import signal, sys, time
    from airloom.engine.child import run_in_child

    def stop(number, frame):
        raise SystemExit(7)

    def hang():
        print(__import__("os").getpid(), flush=True)
        time.sleep(600)

    # A parent that runs in the background may have handed on that SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.argv[1] == "handler":
        signal.signal(signal.SIGTERM, stop)
    run_in_child(hang, timeout=600)
    """
)


@pytest.mark.parametrize(
    ("mode", "sent", "code"),
    [
        ("default", signal.SIGKILL, -signal.SIGKILL),
        ("default", signal.SIGTERM, -signal.SIGTERM),
        ("handler", signal.SIGTERM, 7),
        ("default", signal.SIGINT, -signal.SIGINT),
    ],
)
def test_the_child_dies_with_its_parent(mode, sent, code):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, mode], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.send_signal(sent)
        assert parent.wait(20) == code
        wait_for(lambda: not is_alive(child))
