"""Users' Python in a box: a fresh interpreter that reaches its packages and the data it is given, and nothing else.

What the box is made of is told by `available`:

| wall | keeps away | needs |
|---|---|---|
| namespaces | every file but Python's; the network; its temporary folder lies in memory | root, or user namespaces |
| landlock | every file but Python's; TCP, abstract sockets and signals, as far as its version goes | Linux 5.13 |
| system calls | sockets, other processes, changes to files it may read, shared memory | x86_64 or aarch64 |

The filter of system calls and one of the other two have to stand; both stand where both can be had. Without namespaces
there is no temporary folder, for nothing would bound it. Besides: an empty environment, another account than root, no
capabilities, and bounds on memory, computing time, threads, open files and what is written.

Code cannot start a process, so the process is all there is to kill: it dies at its time limit, and with its parent.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from datetime import time as time_of_day
from pathlib import Path
from typing import IO, Any, Literal, NoReturn

from pydantic import BaseModel, Field, ValidationError

from airloom.engine import walls
from airloom.engine.batches import Batches
from airloom.engine.child import MemoryExceeded, QueryTimeout, Result, at_work, run_in_child
from airloom.engine.portable import make_portable, read_value
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError, DataError, SystemFault

Library = Literal["pandas", "polars", "arrow"]
LARGEST_VALUE = 50_000_000
"""Bytes of JSON that code may return."""
MOST_FAILURES = 100
"""Failures of tests that are reported of one file."""
SMALL_VALUE = 1_000_000
"""Bytes of JSON that this process reads itself: whatever they hold, it takes less than 50 MB and half a second."""
SCRATCH = "airloom-box-"
"""What the names of the folders begin with that boxes stand in."""

_START = "import sys; sys.path.insert(0, {root!r}); from airloom.engine.boxed import main; main()"
_LIBRARIES = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share/zoneinfo",
    # Where polars cannot see that memory may be promised to several, it reserves more than it takes.
    "/proc/sys/vm/overcommit_memory",
)  # fmt: skip
_LOOK = 0.05
_LONGEST_REPORT = 1_000_000
_SHORT_OF_MEMORY = re.compile("memory allocation|cannot allocate memory|bad_alloc|out of memory", re.IGNORECASE)
_MOST_LINES, _LONGEST_LINE = 1000, 2000
_CLOSED = "code runs in a box: no network, no files of this machine, no other processes"


class CodeError(DataError):
    """Raise when a user's code failed, or returned what it should not."""

    code = "code"


class CodeTimeout(DataError):
    """Raise when a user's code took longer than its time limit and was killed."""

    code = "code.timeout"


class NoBoxHere(SystemFault):
    """Raise when this system offers no box, and nobody has said that code is trusted."""

    code = "code.no_box"


@dataclass(frozen=True)
class Code:
    """A user's Python: the source, the function in it to call, and the run's parameters, which it may ask for.

    `seconds` and `memory` (bytes, the interpreter and its libraries included) bound it. `file` is the name of the file
    that the source comes from, empty where it stands in a document.
    """

    source: str
    function: str
    params: Mapping[str, Any]
    seconds: float
    memory: int
    file: str = ""

    @property
    def field(self) -> str:
        """Return the field of a node's config that the code comes from."""
        return "function" if self.file else "code"


@dataclass(frozen=True)
class FailedTest:
    """Say which test of a function failed, none where the whole file did, and how, with file and line."""

    test: str
    message: str


@dataclass(frozen=True)
class Wall:
    """Say whether a part of the box can be had here: what it is, and why it is missing."""

    name: str
    missing: str | None = None


class _Fault(BaseModel):
    """What the box says of a failure; code may have written it, so it is nothing but text."""

    kind: Literal["no_box", "library", "code", "raised", "memory", "output", "too_large"]
    message: str = Field(max_length=10_000)
    line: int | None = None
    refused: bool = False
    absent: bool = False
    trace: str = Field("", max_length=200_000)
    file: str = ""
    test: str = Field("", max_length=1000)


class _Report(BaseModel):
    """What the box says at its end."""

    missing: dict[str, str]
    fault: _Fault | None
    tests: int = 0
    failures: list[_Fault] = Field([], max_length=MOST_FAILURES)


def available() -> list[Wall]:
    """Return the parts of the box with what is missing here; `[]` stands for no box at all."""
    nothing = Code("", "", {}, seconds=60, memory=1 << 30)
    try:
        with _Box(nothing, None, logging.getLogger(__name__)) as box:
            report = box.run_to_end(boxed=True)
    except NoBoxHere:
        return []
    return [Wall(name, report.missing.get(name)) for name in walls.WALLS]


def run_table(
    code: Code, library: Library, rows: Batches, columns: Mapping[str, str] | None, log: logging.Logger
) -> Batches:
    """Return the table that the code's function returns for the rows, as a data frame of `library`.

    `columns` are the names and types that the result is to have, in order; without it they are what Arrow says,
    brought into the types that a table between steps may have. What the code prints goes to `log`.

    Raises CodeError, CodeTimeout, MemoryExceeded, ColumnFault, ConfigurationError, or NoBoxHere.
    """
    import pyarrow

    intervals = [field.name for field in rows.schema if pyarrow.types.is_interval(field.type)]
    if intervals:
        raise DataError(
            f"the column {intervals[0]!r} is an INTERVAL, which code cannot take", hint="cast it before, to VARCHAR"
        )
    with _Box(code, library, log) as box:
        with pyarrow.ipc.new_stream(box.place("input"), rows.schema) as writer:
            for batch in rows:
                writer.write_batch(batch)
        box.run()
        box.read_output(make_portable, box.place("output"), box.place("portable"), columns)
        # The file is gone with the folder; what is mapped stays until the last batch is.
        reader = pyarrow.ipc.open_stream(pyarrow.memory_map(box.place("portable")))
    return Batches(reader.schema, reader)


def run_value(code: Code, value: Any, log: logging.Logger) -> Any:
    """Return the JSON value that the code's function returns for a JSON value; what it prints goes to `log`.

    Raises CodeError, CodeTimeout, MemoryExceeded, ConfigurationError, or NoBoxHere.
    """
    with _Box(code, None, log) as box:
        Path(box.place("input")).write_text(json.dumps(value, default=_plain_json), encoding="utf-8")
        box.run()
        output = Path(box.place("output"))
        size = output.stat().st_size
        if size > LARGEST_VALUE:
            raise CodeError(
                f"{code.function} returned {size:,} bytes of JSON; at most {LARGEST_VALUE:,} can be kept",
                field=code.field,
                hint="make a table of it",
            )
        try:
            if size <= SMALL_VALUE:
                return read_value(str(output))
            return box.read_output(read_value, str(output))
        except (MemoryExceeded, CodeTimeout):
            raise
        except DataError as error:
            raise CodeError(f"{code.function} returned {error.message}", field=code.field, hint=error.hint) from None


def run_tests(code: Code, tests: str, file: str, log: logging.Logger) -> tuple[int, list[FailedTest]]:
    """Run the tests of a function, the text of `file`; return how many there are, and those that failed.

    Raises NoBoxHere.
    """
    with _Box(code, None, log, (file, tests)) as box:
        try:
            report = box.run()
        except (CodeError, CodeTimeout, MemoryExceeded, SystemFault) as error:
            if isinstance(error, NoBoxHere):
                raise
            return 0, [FailedTest("", error.message)]
        return report.tests, [FailedTest(failure.test, box.described(failure)) for failure in report.failures]


class _Box:
    """One run of code: a private folder for what goes in and out, and the process."""

    def __init__(
        self, code: Code, library: Library | None, log: logging.Logger, tests: tuple[str, str] | None = None
    ) -> None:
        self.code = code
        self.tests = tests
        self.library = library
        self.log = log
        self.folder = ""
        self.tail: deque[str] = deque(maxlen=20)

    def __enter__(self) -> _Box:
        self.folder = tempfile.mkdtemp(prefix=SCRATCH)
        os.mkdir(self.place("root"))
        Path(self.place("input")).touch()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def place(self, name: str) -> str:
        """Return the path of a file of this run."""
        return os.path.join(self.folder, name)

    def run(self) -> _Report:
        """Run the code to its end, without a box only where it is trusted and there is none; raise how it failed."""
        # Asked of a box without code, for what code says of its box is not to be believed.
        boxed = not configuration().trust_code or bool(available())
        if not boxed:
            self.log.warning("this system offers no box: the code runs without one (AIRLOOM_TRUST_CODE)")
        return self.run_to_end(boxed=boxed)

    def run_to_end(self, *, boxed: bool) -> _Report:
        """Run the code; raise how it failed."""
        return self._checked(*self._run(boxed=boxed))

    def read_output(self, read: Callable[..., Result], *arguments: Any) -> Result:
        """Return what `read` makes of the output, which code may have written to do harm: in a child with its bounds.

        What the child could hold, this process can: so the result is bounded, too.
        """
        try:
            return run_in_child(read, *arguments, timeout=self.code.seconds, memory=self.code.memory)
        except MemoryExceeded:
            raise self.memory_error() from None
        except QueryTimeout:
            message = f"the result could not be read within {self.code.seconds:g} seconds"
            raise CodeTimeout(message, field=self.code.field, hint="return less, or raise the node's timeout") from None

    def _run(self, *, boxed: bool) -> tuple[int, bytes]:
        with ExitStack() as stack:
            given = stack.enter_context(open(self.place("input"), "rb"))
            output = stack.enter_context(open(self.place("output"), "wb"))
            report = stack.enter_context(open(self.place("report"), "w+b"))
            request = stack.enter_context(open(self.place("request"), "w+b"))
            request.write(json.dumps(self._request(given, output, report, boxed=boxed), default=_plain_json).encode())
            request.seek(0)
            process = stack.enter_context(
                subprocess.Popen(  # noqa: S603 our own interpreter with our own program
                    [sys.executable, "-s", "-S", "-P", "-B", "-X", "utf8", "-c", _START.format(root=_root())],
                    stdin=request,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=_environment(),
                    cwd="/",
                    pass_fds=[file.fileno() for file in (given, output, report)],
                    start_new_session=True,
                )
            )
            with self._logged(process.stdout), _killed(process):
                status = self._ended(process)
            report.seek(0)
            return status, report.read(_LONGEST_REPORT)

    def _ended(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the end of the process; raise CodeTimeout or MemoryExceeded where it goes beyond a bound."""
        deadline = time.monotonic() + self.code.seconds
        while (remaining := deadline - time.monotonic()) > 0:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(min(remaining, _LOOK))
            # The kernel's limit counts what is asked for, but not all of it: memory that was first reserved, then used.
            if _memory_of(process.pid) > self.code.memory * 1.1:
                raise self.memory_error()
        raise CodeTimeout(
            f"the code took longer than {self.code.seconds:g} seconds and was stopped",
            field=self.code.field,
            hint="give it less to do, or raise the node's timeout",
        )

    def _request(self, given: IO[bytes], output: IO[bytes], report: IO[bytes], *, boxed: bool) -> dict[str, Any]:
        packages = _packages()
        given_size = os.fstat(given.fileno()).st_size
        return {
            "source": self.code.source,
            "function": self.code.function,
            "file": self.code.file,
            "tests": self.tests,
            "most_failures": MOST_FAILURES,
            "library": self.library,
            "params": dict(self.code.params),
            "memory": self.code.memory,
            "addresses": self.code.memory + given_size + (2 << 30) + (configuration().threads << 27),
            "seconds": self.code.seconds,
            "input": given.fileno(),
            "output": output.fileno(),
            "report": report.fileno(),
            "parent": os.getpid(),
            "boxed": boxed,
            "offered": list(walls.WALLS),
            "folder": self.place("root"),
            "packages": packages,
            "readable": [*_standard_library(), *packages, *_LIBRARIES, walls.DEVICE],
        }

    @contextmanager
    def _logged(self, stream: IO[bytes] | None) -> Iterator[None]:
        reader = threading.Thread(target=self._log_lines, args=(stream,), daemon=True)
        reader.start()
        yield
        # Only where code runs without a box can something still hold the other end.
        reader.join(5)

    def _log_lines(self, stream: IO[bytes]) -> None:
        number = 0
        with suppress(ValueError):
            while line := stream.readline(_LONGEST_LINE):
                number += 1
                text = _printable(line.decode(errors="replace")).strip()
                self.tail.append(text)
                if number <= _MOST_LINES and text:
                    self.log.info("code: %s", text)
        if number > _MOST_LINES:
            self.log.info("code: … %d more lines are left out", number - _MOST_LINES)

    # How it ended

    def _checked(self, status: int, report: bytes) -> _Report:
        # What is not written in Python may end its process where it gets no memory.
        if (status < 0 or not report) and any(_SHORT_OF_MEMORY.search(line) for line in self.tail):
            raise self.memory_error()
        if status < 0:
            self._raise_death(-status)
        try:
            read = _Report.model_validate_json(report)
        except ValidationError:
            raise CodeError(f"the code ended its process itself (exit code {status})", field=self.code.field) from None
        if read.fault is not None:
            self._raise_fault(read.fault)
        return read

    def _raise_death(self, number: int) -> NoReturn:
        name = signal.Signals(number).name
        if number == signal.SIGXCPU:
            raise CodeTimeout(
                "the code computed longer than it may",
                field=self.code.field,
                hint="give it less to do, or raise the timeout",
            )
        if number == signal.SIGKILL:
            raise SystemFault("the code's process was killed from outside", hint="is the machine short of memory?")
        raise CodeError(
            f"the code's process crashed ({name})", field=self.code.field, hint="what it printed is in the log"
        )

    def memory_error(self) -> MemoryExceeded:
        """Return the error for code that went beyond its memory."""
        return MemoryExceeded(
            f"the code needed more than its {self.code.memory:,} bytes of memory",
            field=self.code.field,
            hint="give it less to do, or raise the node's memory",
        )

    def _raise_fault(self, fault: _Fault) -> NoReturn:
        if fault.kind == "no_box":
            raise NoBoxHere(
                f"this system offers no box to run code in ({fault.message})",
                hint="Linux from 5.13 on has one, with Landlock or user namespaces; where every author is trusted, "
                "an administrator may set AIRLOOM_TRUST_CODE=true",
            )
        if fault.kind == "library":
            raise ConfigurationError(fault.message, field="library", hint=f"airloom add {self.library} on every worker")
        if fault.trace:
            self.log.error("the code failed:\n%s", _printable(fault.trace))
        if fault.kind == "memory" or (fault.kind == "raised" and _SHORT_OF_MEMORY.search(fault.message)):
            raise self.memory_error()
        hint = _CLOSED if fault.refused else None
        if fault.absent:
            hint = "install it beside Airloom, on every worker"
        raise CodeError(self.described(fault), field=self.code.field, hint=hint)

    def described(self, fault: _Fault) -> str:
        """Return what a fault is, with the place in the code or in its tests."""
        named = self.tests is not None and fault.file == self.tests[0]
        lines = (self.tests[1] if self.tests is not None and named else self.code.source).splitlines()
        message = _printable(fault.message)
        if fault.line is None or not 0 < fault.line <= len(lines):
            return message
        file = self.tests[0] if self.tests is not None and named else self.code.file
        place = f"{file}, line {fault.line}" if file else f"line {fault.line}"
        return f"{message}, {place}: {lines[fault.line - 1].strip()[:200]}"


@contextmanager
def _killed(process: subprocess.Popen[bytes]) -> Iterator[None]:
    at_work.add(process.pid)
    try:
        yield
    finally:
        at_work.discard(process.pid)
        # Without a box there may be more of the group than the process that ended.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _printable(text: str) -> str:
    """Return text without what would steer a terminal."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def _plain_json(value: Any) -> str:
    if isinstance(value, date | time_of_day):
        return value.isoformat()
    raise TypeError(f"a value of type {type(value).__name__} is not JSON")


def _memory_of(process: int) -> int:
    """Return the bytes of memory that a process of our own holds alone; 0 where that cannot be seen."""
    with suppress(OSError, ValueError):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return sum(
            int(line.split()[1]) << 10 for line in lines if line.startswith(("RssAnon:", "RssShmem:", "VmSwap:"))
        )
    return 0


def _root() -> str:
    """Return the folder that the package `airloom` stands in."""
    return str(Path(__file__).parents[2])


def _environment() -> dict[str, str]:
    """Return all that a box's environment holds: what makes two runs alike, and nothing of this process's own."""
    threads = str(configuration().threads)
    return {
        "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": threads, "POLARS_MAX_THREADS": threads,
        # Its own allocator would take a gigabyte of addresses at once, which counts towards the memory limit.
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }  # fmt: skip


def _standard_library() -> Sequence[str]:
    paths = sysconfig.get_paths()
    # Where Python is a tree of its own, its libraries in C stand beside the standard library.
    own = [] if sys.base_prefix in ("/usr", "/usr/local") else [os.path.join(sys.base_prefix, "lib")]
    return list(dict.fromkeys([paths["stdlib"], paths["platstdlib"], *own]))


def _packages() -> list[str]:
    """Return the folders of installed packages: no folder of DAGs, of the project, or of `PYTHONPATH`."""
    paths = sysconfig.get_paths()
    own = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    found = [paths["purelib"], paths["platlib"], *site.getsitepackages(), *own]
    return [path for path in dict.fromkeys(found) if os.path.isdir(path)]
