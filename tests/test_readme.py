"""What the README tells a newcomer to type."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
AIRLOOM = str(Path(sys.executable).with_name("airloom"))


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """Return the first pipeline of the README as a file."""
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "heavy_penguins.yaml"
    path.write_text(block)
    return path


def airloom(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "AIRLOOM_ROOT": str(ROOT), "COLUMNS": "120"}
    return subprocess.run([AIRLOOM, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_the_first_pipeline_is_right(document: Path) -> None:
    done = airloom("validate", str(document))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_first_pipeline_gives_rows(document: Path) -> None:
    done = airloom("try", str(document))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Gentoo" in done.stdout


def test_every_command_that_is_named_exists() -> None:
    commands = set(re.findall(r"\./airloom ([a-z]+)", README))
    assert {"up", "down", "validate", "try"} <= commands
    known = airloom("--help").stdout
    assert [name for name in sorted(commands) if not re.search(rf"│ {name} ", known)] == []
