"""What the pages show in blocks, and how what a command prints is compared with it."""

from __future__ import annotations

import re
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(path: Path) -> list[tuple[str, str]]:
    """Return language and text of the blocks of a page."""
    return BLOCK.findall(path.read_text())


def compare(printed: list[str], shown: str) -> None:
    """Compare lines with those of a page, on which … stands for lines left out before it; rows may change places."""
    wanted = [settled(line) for line in shown.splitlines()]
    lines = [settled(line) for line in printed]
    if wanted[0] == "…":
        wanted = wanted[1:]
        lines = lines[len(lines) - len(wanted) :]
    assert sorted(lines) == sorted(wanted)


def settled(line: str) -> str:
    """Return a line without its seconds and the spaces at its end."""
    return re.sub(r" [0-9.]+s$", " 0s", line.rstrip())
