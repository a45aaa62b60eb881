from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from airloom.cli.output import Exit, print_error
from airloom.spec.error import AirloomError, ConfigurationError, DataError, SystemFault, TransientError

AIRLOOM = str(Path(sys.executable).with_name("airloom"))


def test_the_command_line_begins_without_what_is_heavy() -> None:
    code = (
        "import sys, airloom.cli;"
        "print(sorted(set(sys.modules) & {'airflow', 'duckdb', 'sqlglot', 'sqlalchemy', 'pyarrow', 'psycopg'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("wrong"), Exit.FAILED),
        (DataError("wrong"), Exit.FAILED),
        (SystemFault("broken"), Exit.SYSTEM),
        (TransientError("away"), Exit.SYSTEM),
    ],
)
def test_the_exit_code_says_whether_the_user_or_the_system_has_to_act(error: AirloomError, code: Exit) -> None:
    assert print_error(error) == code


def test_an_error_shows_its_place_and_what_to_do_literally(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(DataError("no column [red]", node="paid", field="where", hint="take [amount]"))
    assert capsys.readouterr().err == "Error node 'paid' field 'where': no column [red]\n  take [amount]\n"


def test_down_without_an_installation_ends_with_its_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [AIRLOOM, "down"], env={"AIRLOOM_HOME": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == Exit.FAILED
    assert "Start one: airloom up" in done.stderr


def test_an_unknown_option_is_a_usage_error() -> None:
    done = subprocess.run([AIRLOOM, "up", "--prot", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == Exit.USAGE


def test_the_tests_end_with_one_line_for_both_stages(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import os, pytest\n"
        "def test_good(): assert 'AIRFLOW_HOME' not in os.environ\n"
        "def test_bad(): assert False\n"
        "@pytest.mark.integration\n"
        "def test_whole(): pass\n"
        "@pytest.mark.soak\n"
        "def test_long(): assert False\n"
    )
    done = subprocess.run(
        [AIRLOOM, "test", str(tmp_path), "-p", "no:cacheprovider"],
        env={"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": "/x", "AIRLOOM_ROOT": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"==== 1 failed, 2 passed in \d+\.\d\ds ====", done.stdout.splitlines()[-1])
