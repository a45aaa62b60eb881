"""Users' Python in a box: what it may and may not, as root and as an ordinary user, whatever the box is made of."""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.engine.hostile_code import ALWAYS_CLOSED, COUNTING, OPEN_WITHOUT_A_BOX, TOOLS, WITH_AN_END

from airloom.engine import box, walls
from airloom.engine.child import MemoryExceeded

LOG = logging.getLogger("airloom.tests.box")
DRIVER = Path(__file__).with_name("box_driver.py")
ACCOUNTS = ["root", "ordinary"] if os.getuid() == 0 else ["ordinary"]
MADE_OF = {
    "everything": walls.WALLS,
    "namespaces": (walls.NAMESPACES, walls.SYSTEM_CALLS),
    "landlock": (walls.LANDLOCK, walls.SYSTEM_CALLS),
}
GIGABYTE = 1_000_000_000


@dataclass
class Machine:
    """Things of this machine that code must not reach, open to every account."""

    facts: dict[str, Any]
    folder: Path


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Make a secret file, a folder that everybody may write, and servers that listen."""
    folder = Path(tempfile.mkdtemp(prefix="airloom-outside-"))
    folder.chmod(0o777)
    secret = folder / "settings.env"
    secret.write_text("AIRLOOM_DATABASE_URL=postgresql://airloom:secret@127.0.0.1/airloom\n")
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    unix, abstract = (socket.socket(socket.AF_UNIX) for _ in range(2))
    unix.bind(str(folder / "socket"))
    abstract.bind("\0" + folder.name)
    for server in (unix, abstract):
        server.listen()
    os.chmod(folder / "socket", 0o777)
    facts = {
        "secret": str(secret), "folder": str(folder), "unix": str(folder / "socket"), "abstract": folder.name,
        "tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1],
    }  # fmt: skip
    yield Machine(facts, folder)
    for server in (tcp, udp, unix, abstract):
        server.close()
    shutil.rmtree(folder)


def job(source: str, value: Any = None, made_of: str = "everything", **limits: Any) -> dict[str, Any]:
    """Return a job of the driver."""
    return {
        "source": TOOLS + source, "value": value, "walls": MADE_OF.get(made_of, ()), "seconds": 20.0,
        "memory": 100_000_000, **limits,
    }  # fmt: skip


def drive(jobs: list[dict[str, Any]], account: str, **environment: str) -> list[dict[str, Any]]:
    """Run jobs in a process of an account; return how each ended."""
    ordinary = ["--ordinary"] if account == "ordinary" and os.getuid() == 0 else []
    ended = subprocess.run(
        [sys.executable, DRIVER, *ordinary], input=json.dumps(jobs), capture_output=True, text=True, cwd="/",
        env={"AIRLOOM_ROOT": "/", "SECRET": "of the task", **environment},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def ends_of(jobs: dict[str, dict[str, Any]], account: str, **environment: str) -> dict[str, dict[str, Any]]:
    """Run named jobs in a process of an account; return how each ended."""
    return dict(zip(jobs, drive(list(jobs.values()), account, **environment), strict=True))


class TestAttacks:
    """Nothing gets through, and what is stopped is named."""

    @pytest.mark.parametrize("account", ACCOUNTS)
    @pytest.mark.parametrize("made_of", MADE_OF)
    def test_nothing_gets_through(self, machine: Machine, account: str, made_of: str) -> None:
        attacks = OPEN_WITHOUT_A_BOX | ALWAYS_CLOSED
        jobs = {name: job(source, machine.facts, made_of) for name, source in attacks.items()}
        jobs |= {name: job(source, machine.facts, made_of) for name, (_, source) in COUNTING.items()}
        ended = ends_of(jobs, account)
        program = ended.pop("become another program")
        assert program["error"] == "CodeError"
        assert "PermissionError" in program["message"]
        assert "no other processes" in program["hint"]
        counted = {name: ended.pop(name)["result"] for name in COUNTING}
        assert ended == {name: {"result": []} for name in ended}
        assert {name: got for name, got in counted.items() if not 0 <= got <= COUNTING[name][0]} == {}

    @pytest.mark.parametrize("account", ACCOUNTS)
    def test_what_does_not_end_is_ended(self, machine: Machine, account: str) -> None:
        jobs = {
            name: job(source, machine.facts, seconds=0.7 if error == "CodeTimeout" else 20.0)
            for name, (error, source) in WITH_AN_END.items()
        }
        ended = ends_of(jobs, account, AIRLOOM_TRUST_CODE="true")
        assert {name: end.get("error") for name, end in ended.items()} == {
            name: error for name, (error, _) in WITH_AN_END.items()
        }

    def test_the_attacks_work_where_there_is_no_box(self, machine: Machine) -> None:
        (machine.folder / "mine").touch()
        (machine.folder / "mine").chmod(0o666)
        os.chown(machine.folder / "mine", *[65534 if os.getuid() == 0 else -1] * 2)
        jobs = {name: job(source, machine.facts, "nothing") for name, source in OPEN_WITHOUT_A_BOX.items()}
        ended = ends_of(jobs, "ordinary", AIRLOOM_TRUST_CODE="true")
        assert ended.pop("become another program")["error"] == "SystemFault"
        missed = {
            name: [attempt for attempt in re.findall(r"(\w+)=(?:lambda|fork|send|to\()", OPEN_WITHOUT_A_BOX[name])
                   if attempt not in end["result"]]
            for name, end in ended.items()
        }  # fmt: skip
        assert missed == {name: [] for name in ended}


class TestWhereThereIsNoBox:
    """Code is refused, unless an administrator trusts it."""

    @pytest.mark.parametrize("stands", [[], [walls.SYSTEM_CALLS], [walls.NAMESPACES, walls.LANDLOCK]])
    def test_code_is_refused(self, monkeypatch: pytest.MonkeyPatch, stands: list[str]) -> None:
        monkeypatch.setattr(walls, "WALLS", tuple(stands))
        with pytest.raises(box.NoBoxHere) as caught:
            box.run_value(code("def run(value):\n    raise SystemExit"), 1, LOG)
        assert all(wall in caught.value.message for wall in set(MADE_OF["everything"]) - set(stands))
        assert "AIRLOOM_TRUST_CODE" in str(caught.value.hint)
        assert caught.value.failure == "system"

    def test_trusted_code_runs_but_sees_no_setting_of_the_task(self, caplog: pytest.LogCaptureFixture) -> None:
        source = "def run(value):\n    return [sorted(os.environ), os.path.exists('/etc/passwd')]\n"
        [ended] = drive([job(source, made_of="nothing")], ACCOUNTS[0], AIRLOOM_TRUST_CODE="true")
        names, sees_files = ended["result"]
        assert sees_files
        assert "SECRET" not in names
        assert not any(name.startswith("AIRLOOM") for name in names)

    def test_a_box_is_used_where_there_is_one_however_trusted_code_is(self) -> None:
        source = "def run(value):\n    return os.path.exists('/etc/passwd') and os.getuid() == 0\n"
        assert drive([job(source)], ACCOUNTS[0], AIRLOOM_TRUST_CODE="true") == [{"result": False}]


class TestValues:
    """JSON goes in, JSON comes out."""

    @pytest.mark.parametrize(
        "value", [None, 0, -1.5, 10**30, True, "ä\u2028\0", [], {}, {"a": [{"b": None}]}, "x" * 10**6]
    )
    def test_a_value_comes_back_as_it_went(self, value: Any) -> None:
        assert box.run_value(code("def run(value):\n    return value"), value, LOG) == value

    def test_parameters_are_there_for_code_that_asks(self) -> None:
        with_params = code("def run(value, params):\n    return params", {"day": "2026-01-31", "n": 3})
        assert box.run_value(with_params, None, LOG) == {"day": "2026-01-31", "n": 3}

    @pytest.mark.parametrize(
        ("returned", "said"),
        [
            ("{1, 2}", "set is not JSON"), ("float('nan')", "not JSON compliant"), ("10 ** 5000", "JSON"),
            ("object()", "object is not JSON"), ("'x' * 60_000_000", "60,000,002 bytes"),
            ("__import__('functools').reduce(lambda a, _: [a], range(100_000), 0)", "is not JSON"),
        ],
    )  # fmt: skip
    def test_what_is_no_json_is_refused(self, returned: str, said: str) -> None:
        with pytest.raises(box.CodeError, match=said) as caught:
            box.run_value(code(f"def run(value):\n    return {returned}"), None, LOG)
        assert caught.value.field == "code"

    def test_the_environment_is_the_same_everywhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://secret")
        monkeypatch.setenv("PYTHONPATH", "/somewhere")
        source = "import os, sys\ndef run(value):\n    return [sorted(os.environ), sys.path, os.getcwd()]"
        names, path, folder = box.run_value(code(source), None, LOG)
        assert [name for name in names if name.startswith(("AIR", "PATH", "PYTHONPATH", "SECRET", "USER"))] == []
        assert "/somewhere" not in path
        assert folder in ("/", "/tmp")

    def test_two_runs_are_alike(self) -> None:
        source = "def run(value):\n    return [hash('a'), list({str(n) for n in range(50)})]"
        first, second = (box.run_value(code(source), None, LOG) for _ in range(2))
        assert first == second

    def test_classes_that_look_up_their_module_work(self) -> None:
        source = (
            "from __future__ import annotations\nfrom dataclasses import asdict, dataclass\n\n"
            "@dataclass\nclass Point:\n    x: int\n\ndef run(value):\n    return asdict(Point(value))\n"
        )
        assert box.run_value(code(source), 3, LOG) == {"x": 3}

    def test_packages_are_found_wherever_they_are_installed(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        module = tmp_path / "packages" / "package_of_test.py"
        module.parent.mkdir(mode=0o700)
        module.write_text("ANSWER = 42\n")
        module.chmod(0o600)
        monkeypatch.setattr(box, "_packages", lambda: [str(module.parent)])
        assert box.run_value(code("import package_of_test as p\ndef run(value):\n    return p.ANSWER"), None, LOG) == 42


HOSTILE = """
import os, sys

def run(value):
    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    request = frame.f_locals["request"]
    answer = ANSWER
    while answer:
        answer = answer[os.write(request["output"], answer):]
    os.write(request["report"], b'{"missing": {}, "fault": null}')
    os._exit(0)
"""


def hostile(answer: str, memory: int = GIGABYTE, seconds: float = 60) -> box.Code:
    """Return code that writes its answer itself, past everything that would look at it."""
    return box.Code(HOSTILE.replace("ANSWER", answer), "run", {}, seconds, memory)


class TestHostileAnswers:
    """The answer of code is read like a stranger's: it costs this process no more than the code was allowed."""

    @pytest.mark.parametrize(
        ("answer", "error", "said"),
        [
            ("b'[' * 10_000_000", box.CodeError, "more than 200 levels"),
            ("b'[' * 201 + b']' * 201", box.CodeError, "more than 200 levels"),
            ("b'[NaN]'", box.CodeError, "NaN, which JSON can't hold"),
            ("b'[' + b'0,' * 1_000_000 + b'-Infinity]'", box.CodeError, "Infinity, which JSON can't hold"),
            ("b'9' * 2_000_000", box.CodeError, "cannot be read as JSON"),
            ("b''", box.CodeError, "cannot be read as JSON"),
            (r"b'\xff\xfe\x00\xd8' * 1_000_000", box.CodeError, "cannot be read as JSON"),
            ("b'[1] [2]'", box.CodeError, "cannot be read as JSON"),
            ("b'x' * 60_000_000", box.CodeError, "60,000,000 bytes"),
        ],
    )
    def test_what_is_no_value_is_refused(self, answer: str, error: type[Exception], said: str) -> None:
        with pytest.raises(error, match=said):
            box.run_value(hostile(answer), None, LOG)

    @pytest.mark.parametrize("part", ["[],", "{},", '{"":0},'])
    def test_one_that_needs_more_memory_than_its_code_may_take_never_comes_here(self, part: str) -> None:
        answer = f"b'[' + b'{part}' * {9_000_000 // len(part)} + b'0]'"
        before = most_memory()
        with pytest.raises(MemoryExceeded):
            box.run_value(hostile(answer, memory=150_000_000), None, LOG)
        assert most_memory() - before < 50_000_000

    def test_one_that_takes_longer_than_its_code_may_is_stopped(self) -> None:
        answer = "b'[' + b'[],' * 16_000_000 + b'0]'"
        with pytest.raises(box.CodeTimeout, match="could not be read within 1 seconds"):
            box.run_value(hostile(answer, memory=4 * GIGABYTE, seconds=1), None, LOG)

    def test_a_large_one_comes_whole(self) -> None:
        value = [{"ä": [None, True, 1.5, 10**30, "x" * 100, {}]}] * 20_000
        assert box.run_value(code("def run(value):\n    return value"), value, LOG) == value

    def test_the_deepest_comes(self) -> None:
        value = json.loads("[" * 200 + "]" * 200)
        assert box.run_value(code("def run(value):\n    return value"), value, LOG) == value


def most_memory() -> int:
    """Return the most bytes of memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


class TestErrors:
    """A failure is told in the user's own lines."""

    def test_an_error_names_line_and_text(self, caplog: pytest.LogCaptureFixture) -> None:
        source = "def half(value):\n    return value / 0\n\ndef run(value):\n    return half(value)\n"
        with pytest.raises(box.CodeError) as caught:
            box.run_value(code(source), 1, LOG)
        assert caught.value.message == "ZeroDivisionError: division by zero, line 2: return value / 0"
        assert caught.value.failure == "data"
        [told] = caplog.messages
        assert told.splitlines() == [
            "the code failed:",
            "  line 5, in run",
            "    return half(value)",
            "  line 2, in half",
            "    return value / 0",
            "ZeroDivisionError: division by zero",
        ]

    def test_an_error_in_a_library_names_the_line_that_called_it(self) -> None:
        with pytest.raises(box.CodeError, match=r"JSONDecodeError: .*, line 3: return json\.loads") as caught:
            box.run_value(code("import json\ndef run(value):\n    return json.loads(value)\n"), "{", LOG)
        assert "site-packages" not in caught.value.message

    @pytest.mark.parametrize(
        ("source", "said", "hint"),
        [
            ("import socket\ndef run(value):\n    socket.socket()", "PermissionError", "no network"),
            ("import nothing_like_it\ndef run(value):\n    pass", "ModuleNotFoundError.*line 1", "beside Airloom"),
            (
                "def run(value):\n    raise Odd\nclass Odd(Exception):\n    def __str__(self): raise self",
                "Odd, line 2",
                None,
            ),
            ("def run(value):\n    raise ValueError('x' * 10**7)", "ValueError: x+", None),
            ("def run(value):\n    return run(value)", "RecursionError", None),
            ("def ran(value):\n    pass", "defines no function run", None),
            ("def run(value:", "SyntaxError.*line 1: def run", None),
        ],
    )
    def test_an_error_says_what_to_do(self, source: str, said: str, hint: str | None) -> None:
        with pytest.raises(box.CodeError, match=said) as caught:
            box.run_value(code(source), None, LOG)
        assert len(caught.value.message) < 2500
        assert hint in caught.value.hint if hint else caught.value.hint is None

    def test_what_is_printed_goes_to_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        lines = ["print('a\\x1b[2Jb')", "sys.stderr.write('c\\n')", "os.write(1, b'd\\xff')"]
        box.run_value(code("import os, sys\ndef run(value):\n    " + "\n    ".join(lines)), None, LOG)
        assert caplog.messages == ["code: a [2Jb", "code: c", "code: d\ufffd"]

    def test_the_log_takes_only_so_much(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        box.run_value(code("def run(value):\n    for n in range(3000):\n        print(n, 'x' * 3000)"), None, LOG)
        assert len(caplog.messages) == 1001
        assert caplog.messages[-1] == "code: … 5000 more lines are left out"
        assert max(map(len, caplog.messages)) < 2100


class TestLife:
    """Nothing is left behind."""

    def test_code_dies_with_the_process_that_started_it(self, tmp_path: Path) -> None:
        driver = subprocess.Popen(
            [sys.executable, DRIVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={"TMPDIR": str(tmp_path)},
            cwd="/",
        )
        assert driver.stdin
        source = "def run(value):\n    libc.prctl(1, 0, 0, 0, 0)\n    while True:\n        pass\n"
        driver.stdin.write(json.dumps([job(source, seconds=600.0)]).encode())
        driver.stdin.close()
        boxes: list[int] = []
        try:
            wait_for(lambda: boxes.extend(children_of(driver.pid)) or boxes)
            wait_for(lambda: seconds_computed(boxes[0]) > 0.2)
        finally:
            driver.kill()
            driver.wait()
        wait_for(lambda: not Path(f"/proc/{boxes[0]}").exists())

    def test_no_folder_stays(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        box.run_value(code("def run(value):\n    return 1"), None, LOG)
        with pytest.raises(box.CodeError):
            box.run_value(code("def run(value):\n    raise ValueError"), None, LOG)
        assert list(tmp_path.iterdir()) == []


class TestAvailable:
    """What the box is made of can be told."""

    def test_names_each_wall_and_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert box.available() == [box.Wall(name) for name in walls.WALLS]
        monkeypatch.setattr(walls, "WALLS", MADE_OF["landlock"])
        assert [wall.name for wall in box.available() if not wall.missing] == ["landlock", "system calls"]
        monkeypatch.setattr(walls, "WALLS", ())
        assert box.available() == []


def code(source: str, params: dict[str, Any] | None = None) -> box.Code:
    """Return code with plenty of time and memory."""
    return box.Code(source, "run", params or {}, seconds=60, memory=GIGABYTE)


def wait_for(happened: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def children_of(process: int) -> list[int]:
    """Return the ids of a process's children."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def seconds_computed(process: int) -> float:
    """Return how long a process has computed."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11]) / os.sysconf("SC_CLK_TCK")
