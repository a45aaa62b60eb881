"""Killed at any moment and tried again, the target is as after one clean run."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from tests.nodes.databases.conftest import Warehouse
from tests.nodes.databases.test_postgres_write import MODES

KILLS = 6
MODE_NAMES = ["append", "replace", "upsert", "append with run column"]
OLD_ROWS = "INSERT INTO target SELECT id, 'old' FROM generate_series(-50, 49) AS id"


class Killable:
    """Run postgres_write in processes that can be killed."""

    def __init__(self, sent: IO[str], answered: IO[str], url: str) -> None:
        self.sent = sent
        self.answered = answered
        self.url = url.replace("postgresql+psycopg://", "postgres://")

    def run(self, config: dict[str, Any], run: dict[str, Any], kill_after: float | None = None) -> tuple[int, float]:
        """Run the node, killed after so many seconds; return its exit code and its seconds."""
        facts = {"pipeline": "sales", "run_id": "run_1", "node": "load", **run}
        job = {"config": {"connection": "warehouse", "table": "target", **config}, "run": facts, "url": self.url}
        print(json.dumps({**job, "pause": 0.005}), file=self.sent, flush=True)
        child = int(self.answered.readline())
        started = time.monotonic()
        if kill_after is not None and not select.select([self.answered], [], [], kill_after)[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        code = int(self.answered.readline())
        return code, time.monotonic() - started


@pytest.fixture
def killable(warehouse: Warehouse) -> Iterator[Killable]:
    script = Path(__file__).with_name("killable.py")
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Killable(process.stdin, process.stdout, warehouse.url)
        finally:
            process.stdin.close()
            process.wait()


@pytest.mark.parametrize("exists", [True, False], ids=["table", "no table"])
@pytest.mark.parametrize(
    "config", [*MODES, {"mode": "append", "run_column": "run"}], ids=["append", "replace", "upsert", "run"]
)
def test_a_killed_try_is_made_good(
    warehouse: Warehouse, killable: Killable, config: dict[str, Any], exists: bool
) -> None:
    def start() -> None:
        warehouse.execute("DROP TABLE IF EXISTS target, airloom_writes")
        if exists:
            warehouse.execute("CREATE TABLE target (id bigint PRIMARY KEY, name text, run text)")
            warehouse.execute(OLD_ROWS if config["mode"] != "append" else "SELECT 1")

    def content() -> list[tuple[Any, ...]]:
        return warehouse.query("SELECT count(*), sum(hashtextextended(target::text, 0)) FROM target")

    start()
    code, seconds = killable.run(config, {})
    assert code == 0
    clean = content()
    killed = 0
    moments = random.Random(len(str(config)))
    for _ in range(KILLS if exists else KILLS // 2):
        start()
        before = content() if exists else None
        code, _ = killable.run(config, {}, kill_after=moments.uniform(0, seconds * 0.9))
        if code == 0:
            assert content() == clean
        else:
            killed += 1
            if exists:
                assert content() in (before, clean)
        assert killable.run(config, {"attempt": 2, "last_attempt": False})[0] == 0
        assert content() == clean
        # And once more, as a worker does that lost the answer.
        assert killable.run(config, {"attempt": 3})[0] == 0
        assert content() == clean
    assert killed
