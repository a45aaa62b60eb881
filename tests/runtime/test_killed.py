"""A step whose query is killed at any moment: its try fails, its target is whole, and the next try makes it good."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import duckdb
import psutil
from tests.runtime.conftest import node

from airloom.engine.child import run_in_child

if TYPE_CHECKING:
    from tests.runtime.conftest import Run, Workshop

KILLS = 3
MOST_TRIES = 30
SLOW = "md5(md5(md5(md5(name)))) <> name"


def answer(query: str) -> Any:
    """Return the row that a query gives, asked in another process: one that has used DuckDB cannot fork in safety."""
    return run_in_child(_answer, query, timeout=60)


def _answer(query: str) -> Any:
    with contextlib.closing(duckdb.connect()) as connection:
        return connection.execute(query).fetchone()


def killed(run: Run, step: str, moment: float) -> bool:
    """Run a step, kill its query so many seconds after it began, and tell whether that hit."""
    before = set(psutil.Process().children())
    thread = threading.Thread(target=run.step, args=(step,))
    thread.start()
    hit = False
    while thread.is_alive() and not hit:
        for child in set(psutil.Process().children()) - before:
            time.sleep(moment)
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
                hit = True
    thread.join()
    return hit


def test_a_file_is_there_whole_or_not_at_all(workshop: Workshop) -> None:
    source, target = workshop.folder / "rows.parquet", workshop.folder / "out" / "new.parquet"
    answer(f"COPY (SELECT i AS id, 'name ' || i AS name FROM range(100000) AS t(i)) TO '{source}'")
    run = workshop.begin(
        node("read", "parquet_read", path=source.name),
        node("slow", "filter", where=SLOW),
        node("save", "parquet_write", path="out/new.parquet"),
        edges="read>slow slow>save",
        grouping="none",
    )
    run.step("read")
    run.step("slow")
    began = time.monotonic()
    run.step("save")
    seconds = time.monotonic() - began
    clean = answer(f"SELECT count(*), bit_xor(hash(t)) FROM '{target}' AS t")
    old = b"what was there before"
    chance, kills = random.Random(7), 0
    for _ in range(MOST_TRIES):
        target.write_bytes(old)
        run.attempt(1, last=False)
        killed(run, "save", chance.uniform(0, seconds))
        failed = run.surroundings.results["save"]
        if failed.state == "failed":
            kills += 1
            assert failed.error is not None
            assert (failed.error["failure"], failed.error["message"]) == (
                "system",
                "the process of this query was killed from outside",
            )
            if target.read_bytes() != old:
                # Killed between the rename and the report of it.
                assert answer(f"SELECT count(*), bit_xor(hash(t)) FROM '{target}' AS t") == clean
            run.attempt(2, last=False)
            assert run.step("save")["save"].state == "success"
        assert answer(f"SELECT count(*), bit_xor(hash(t)) FROM '{target}' AS t") == clean
        if kills == KILLS:
            return
    raise AssertionError(f"only {kills} kills hit")
