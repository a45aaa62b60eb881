"""The wheel of this package, built and installed by the tools of the launcher."""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def uv(*arguments: str) -> None:
    """Run uv as the launcher does: the same program, the same indexes, the same cache."""
    launcher = runpy.run_path(str(ROOT / "airloom"), run_name="launcher")
    variables = {**os.environ, **launcher["settings_of_pip"]()}
    done = subprocess.run(
        [*launcher["find_uv"](), *arguments], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build(folder: Path) -> Path:
    """Build the wheel of this clone into a folder; return its path."""
    uv("build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel
