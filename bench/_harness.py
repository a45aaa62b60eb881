"""What every benchmark shares: the machine in words, runs in turn, medians, and the table that is printed."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("apache-airflow-core", "duckdb")


@dataclass(frozen=True)
class Spent:
    """What one run took: seconds by the clock, seconds of processor in all its processes, and what it reported."""

    wall: float
    cpu: float
    answer: Any = None


class Stopwatch:
    """Measure a block: seconds by the clock, and seconds of processor of this process and of children that ended."""

    spent: Spent

    def __enter__(self) -> Stopwatch:
        self._cpu = _processor_seconds()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.spent = Spent(time.perf_counter() - self._began, _processor_seconds() - self._cpu)


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


@dataclass
class Report:
    """Collect what a benchmark found, and print it as Markdown."""

    title: str
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    missed: list[str] = field(default_factory=list)
    _goals: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        print(f"## {self.title}\n")

    def note(self, text: str) -> None:
        """Print a line of text."""
        print(f"{text}\n", flush=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table; the first column is text, the others are figures."""
        print("| " + " | ".join(head) + " |")
        print("|---" + "|--:" * (len(head) - 1) + "|")
        for row in rows:
            print("| " + " | ".join(map(str, row)) + " |")
        print(flush=True)

    def goal(self, what: str, measured: float, sign: str, wanted: float, unit: str = "×") -> None:
        """Compare a figure with its goal; `sign` is `≤`, `<` or `≥`."""
        reached = measured >= wanted if sign == "≥" else measured <= wanted
        self._goals.append((what, f"{measured:.3g} {unit}", f"{sign} {wanted:g} {unit}", "yes" if reached else "NO"))
        if not reached:
            self.missed.append(what)

    def end(self) -> None:
        """Print the goals and the machine."""
        if self._goals:
            self.table(("goal", "measured", "wanted", "met"), self._goals)
        self.note(f"{machine()}. {self.began:%Y-%m-%d}, load {self.load:.1f} at the start, {os.getloadavg()[0]:.1f} at "
                  "the end.")  # fmt: skip


def arguments(description: str, *, rounds: int, quick: int, **sizes: int) -> argparse.Namespace:
    """Read the command line: `--quick` measures less, `--rounds` says how often each variant runs.

    Each of `sizes` is an option of its own, with its default.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default:,}")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds")
    parser.add_argument("--rounds", type=int, help=f"rounds of each variant; default {rounds}, quick {quick}")
    read = parser.parse_args()
    read.rounds = read.rounds or (quick if read.quick else rounds)
    return read


def machine() -> str:
    """Say on what this runs: processor, memory, system, Python and the packages that matter."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return (
        f"{cpus} × {_processor()}, {_memory() / 2**30:.0f} GiB, {system}; "
        f"Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def in_turn(variants: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """Run the variants A B C, A B C, …: what else the machine does falls on all of them alike."""
    found: dict[str, list[Any]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            found[name].append(run())
    return found


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    """Return the median of ours over other, round by round: neighbours in time are compared."""
    return statistics.median([mine / theirs for mine, theirs in zip(ours, other, strict=True)])


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median with the least and the greatest value."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def run_command(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Spent:
    """Run a command in a fresh process; the last line that it prints may be JSON, which is its answer.

    Raises RuntimeError with the end of what the command wrote where it fails.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, env=dict(env or os.environ), cwd=cwd, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        text, complaint = output.read(), errors.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{complaint[-3000:]}")
    lines = text.strip().splitlines()
    answer = json.loads(lines[-1]) if lines and lines[-1].startswith(("{", "[")) else None
    return Spent(wall, usage.ru_utime + usage.ru_stime, answer)


def peak_of(run: Callable[[], Any]) -> int:
    """Return the most bytes that the child processes of a run held together; a page that some share counts once."""
    import psutil

    ended = threading.Event()
    peak = 0

    def watch() -> None:
        nonlocal peak
        this = psutil.Process()
        while not ended.wait(0.05):
            held = 0
            for process in this.children(recursive=True):
                with suppress(psutil.Error):
                    held += process.memory_full_info().pss
            peak = max(peak, held)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run()
    finally:
        ended.set()
        watcher.join()
    return peak


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """Give a folder of its own that every account may enter (PostgreSQL's has to), removed at the end."""
    with tempfile.TemporaryDirectory(prefix=f"airloom-bench-{prefix}-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
