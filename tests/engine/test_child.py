"""Work in a child process: results, faults, limits, and nothing left behind."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
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

from airloom.engine.child import MemoryExceeded, QueryTimeout, StandingChild, ask, run_in_child, safe_start
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError, DataError, SystemFault

LONG = 60.0
STARTS = ["fork", "server"]


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


@contextlib.contextmanager
def beside_a_thread():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_process_with_threads_lets_a_server_fork():
    assert safe_start() == "fork"
    with beside_a_thread():
        assert safe_start() == "server"
    parents = [run_in_child(os.getppid, timeout=LONG, start="server") for _ in range(2)]
    assert parents[0] == parents[1] != os.getpid()


def test_a_child_of_the_server_has_the_environment_and_the_folder_of_now(tmp_path, monkeypatch):
    run_in_child(os.getpid, timeout=LONG, start="server")
    monkeypatch.setenv("AIRLOOM_THREADS", "7")
    monkeypatch.chdir(tmp_path)
    assert run_in_child(threads_of_configuration, timeout=LONG, start="server") == 7
    assert run_in_child(os.getcwd, timeout=LONG, start="server") == str(tmp_path)


def threads_of_configuration():
    return configuration().threads


def note_in(path):
    Path(path).write_text(str(os.getpid()))


@pytest.mark.parametrize("start", STARTS)
def test_who_forks_prepares_what_the_children_need(tmp_path, start):
    prepare = functools.partial(note_in, str(tmp_path / "pid"))
    parent = run_in_child(os.getppid, timeout=LONG, start=start, prepare=[prepare])
    assert (tmp_path / "pid").read_text() == str(parent)


def test_a_server_that_was_killed_is_started_again():
    parent = run_in_child(os.getppid, timeout=LONG, start="server")
    os.kill(parent, signal.SIGKILL)
    wait_for(lambda: not is_alive(parent))
    assert run_in_child(os.getppid, timeout=LONG, start="server") != parent


def test_threads_that_ask_the_server_at_once_get_their_own_results():
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        found = threads.map(
            lambda number: run_in_child(operator.add, number, 1, timeout=LONG, start="server"), range(64)
        )
        assert list(found) == list(range(1, 65))


def ask_twice(name):
    return ask(name, 1, 2) + ask(name, 3, 4)


@pytest.mark.parametrize("start", STARTS)
def test_a_child_asks_its_parent(start):
    assert run_in_child(ask_twice, "sum", timeout=LONG, start=start, answers={"sum": add}) == 10


@pytest.mark.parametrize("start", STARTS)
def test_a_child_is_told_why_there_is_no_answer(start):
    def refuse(left, right):
        raise ConfigurationError("no sum today")

    with pytest.raises(ConfigurationError, match="no sum today") as caught:
        run_in_child(ask_twice, "sum", timeout=LONG, start=start, answers={"sum": refuse})
    assert "in ask_twice" in caught.value.__notes__[0]


@pytest.mark.parametrize("start", STARTS)
def test_what_else_an_answer_raises_ends_the_child(start):
    with pytest.raises(ZeroDivisionError):
        run_in_child(ask_twice, "quotient", timeout=LONG, start=start, answers={"quotient": lambda one, two: one / 0})


def ask_and_hang():
    ask("slow")
    ask("asked")
    time.sleep(600)


@pytest.mark.parametrize("start", STARTS)
def test_the_time_of_an_answer_does_not_count(start):
    asked = []
    answers = {"slow": lambda: time.sleep(2), "asked": lambda: asked.append(1)}
    with pytest.raises(QueryTimeout):
        run_in_child(ask_and_hang, timeout=1.5, start=start, answers=answers)
    assert asked == [1]


def fail():
    raise DataError("a bad row", node="load", field="/table", hint="look at row 3")


@pytest.mark.parametrize("start", STARTS)
def test_carries_our_errors_whole(start):
    with pytest.raises(DataError) as caught:
        run_in_child(fail, timeout=LONG, start=start)
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


@pytest.mark.parametrize("start", STARTS)
def test_kills_what_takes_too_long_with_its_own_children(tmp_path, start):
    pids = tmp_path / "pids"
    with pytest.raises(QueryTimeout) as caught:
        run_in_child(write_and_hang, str(pids), timeout=2.0, start=start)
    assert "AIRLOOM_QUERY_TIMEOUT" in caught.value.hint
    assert caught.value.failure == "data"
    for process in pids.read_text().split():
        wait_for(lambda process=process: not is_alive(process))


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


def log_lines():
    log = logging.getLogger("airloom.test.child")
    log.info("read %d rows", 7)
    log.warning("%s", object)


@pytest.mark.parametrize("start", STARTS)
def test_log_lines_reach_the_parent(caplog, start):
    caplog.set_level(logging.INFO)
    run_in_child(log_lines, timeout=LONG, start=start)
    assert caplog.record_tuples == [
        ("airloom.test.child", logging.INFO, "read 7 rows"),
        ("airloom.test.child", logging.WARNING, "<class 'object'>"),
    ]
    assert caplog.records[0].process != os.getpid()


@pytest.mark.parametrize("start", STARTS)
def test_leaves_no_zombie_and_no_open_file(start):
    run_in_child(add, 1, 2, timeout=LONG, start=start)
    before = len(os.listdir("/proc/self/fd")), children_of_this_process()
    for _ in range(10):
        run_in_child(add, 1, 2, timeout=LONG, start=start)
        with contextlib.suppress(SystemFault):
            run_in_child(os._exit, 1, timeout=LONG, start=start)
        with contextlib.suppress(QueryTimeout):
            run_in_child(time.sleep, 60, timeout=0.05, start=start)
    assert (len(os.listdir("/proc/self/fd")), children_of_this_process()) == before


class TestStandingChild:
    """A child for one piece of work after the other."""

    @pytest.fixture
    def child(self):
        child = StandingChild(memory=200 * 2**20)
        yield child
        child.end()

    def test_one_process_does_the_pieces(self, child):
        process = child.run(os.getpid, timeout=LONG)
        assert process != os.getpid()
        with pytest.raises(SystemFault, match="factorial"):
            child.run(math.factorial, -1, timeout=LONG)
        assert child.run(add, 1, 2, timeout=LONG) == 3
        assert child.run(os.getpid, timeout=LONG) == process
        child.end()
        assert not is_alive(process)

    @pytest.mark.parametrize(
        ("function", "argument", "timeout", "error"),
        [
            (time.sleep, 60, 0.2, QueryTimeout),
            (os._exit, 3, LONG, SystemFault),
            (bytearray, 400 * 2**20, LONG, MemoryExceeded),
        ],
    )
    def test_another_takes_the_place_of_one_that_a_piece_ended(self, child, function, argument, timeout, error):
        process = child.run(os.getpid, timeout=LONG)
        with pytest.raises(error):
            child.run(function, argument, timeout=timeout)
        assert not is_alive(process)
        assert child.run(os.getpid, timeout=LONG) != process

    def test_one_that_was_killed_between_pieces_is_told(self, child):
        os.kill(child.run(os.getpid, timeout=LONG), signal.SIGKILL)
        with pytest.raises(SystemFault, match="killed from outside"):
            child.run(add, 1, 2, timeout=LONG)
        assert child.run(add, 1, 2, timeout=LONG) == 3

    def test_it_leaves_nothing(self, child, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        before = len(os.listdir("/proc/self/fd")), children_of_this_process()
        child.run(make_files, str(tmp_path), timeout=LONG)
        child.end()
        assert list(tmp_path.iterdir()) == []
        assert (len(os.listdir("/proc/self/fd")), children_of_this_process()) == before


def write_and_hang(path):
    grandchild = subprocess.Popen(["sleep", "600"])
    Path(path).write_text(f"{os.getpid()} {grandchild.pid}")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def make_files(folder=None):
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"x")
    subprocess.run([sys.executable, "-c", "import tempfile; tempfile.mkdtemp()"], check=True)
    if folder is None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("killed", [False, True])
def test_temporary_files_go_with_the_child(tmp_path, monkeypatch, killed, start):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemFault, match=r"killed|ended without") if killed else contextlib.nullcontext():
        run_in_child(make_files, None if killed else tmp_path, timeout=60, start=start)
    assert list(tmp_path.iterdir()) == []


PARENT = textwrap.dedent(
    """
    import os, signal, sys, time
    from airloom.engine.child import run_in_child

    def stop(number, frame):
        raise SystemExit(7)

    def hang():
        print(os.getpid(), flush=True)
        time.sleep(600)

    # A parent that runs in the background may have handed on that SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "handler" in sys.argv:
        signal.signal(signal.SIGTERM, stop)
    if "slow" in sys.argv:
        # The signal comes while Python calls this, where an exception goes nowhere.
        os.register_at_fork(after_in_parent=lambda: [time.sleep(0.01) for _ in range(200)])
    run_in_child(hang, timeout=600)
    """
)


@pytest.mark.parametrize(
    ("mode", "sent", "code"),
    [
        ("", signal.SIGKILL, -signal.SIGKILL),
        ("", signal.SIGTERM, -signal.SIGTERM),
        ("handler", signal.SIGTERM, 7),
        ("handler slow", signal.SIGTERM, 7),
        ("", signal.SIGINT, -signal.SIGINT),
        ("slow", signal.SIGINT, -signal.SIGINT),
    ],
)
def test_the_child_dies_with_its_parent(mode, sent, code):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *mode.split()], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        try:
            child = int(parent.stdout.readline())
            assert is_alive(child)
            parent.send_signal(sent)
            assert parent.wait(20) == code
        finally:
            parent.kill()
        wait_for(lambda: not is_alive(child))


SERVED = """
import os, threading, time
from airloom.engine.child import run_in_child

print(run_in_child(os.getppid, timeout=60, start="server"), flush=True)
threading.Thread(target=run_in_child, args=(time.sleep, 600), kwargs={"timeout": 600, "start": "server"}).start()
time.sleep(600)
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_and_its_children_die_with_the_program(sent):
    with subprocess.Popen([sys.executable, "-c", SERVED], stdout=subprocess.PIPE, text=True) as program:
        try:
            server = int(program.stdout.readline())
            wait_for(lambda: children_of(server))
            child = next(iter(children_of(server)))
        finally:
            program.send_signal(sent)
        program.wait(20)
        wait_for(lambda: not is_alive(server) and not is_alive(child))


def children_of(process):
    return {pid for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split() if is_alive(pid)}


def test_a_fork_of_the_program_starts_a_server_of_its_own():
    parent = run_in_child(os.getppid, timeout=LONG, start="server")
    other = run_in_child(lambda: run_in_child(os.getppid, timeout=LONG, start="server"), timeout=LONG)
    assert other != parent
    assert run_in_child(os.getppid, timeout=LONG, start="server") == parent
