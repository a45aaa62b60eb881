"""What commands print, and the codes that they end with."""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import date, datetime
from enum import IntEnum
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from airloom.spec.error import AirloomError

COMMAND = "AIRLOOM_COMMAND"
"""What the launcher was called as, such as ./airloom: advice names commands as they can be typed here."""
NAMED = re.compile(r"(?<![\w./-])airloom(?= [a-z])")


class _Console(Console):
    """Write the command `airloom` as it was called."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print objects, as Rich does."""
        called = os.environ.get(COMMAND)
        if called:
            objects = tuple(NAMED.sub(called, one) if isinstance(one, str) else one for one in objects)
        super().print(*objects, **options)


console = _Console(highlight=False, soft_wrap=True)
if not console.is_terminal and "COLUMNS" not in os.environ:
    # A file or a pipe has no width that lines would have to be folded at.
    console.width = 1000
complaints = _Console(stderr=True, highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """Say how a command ended; scripts may rely on these codes."""

    OK = 0
    FAILED = 1  # a pipeline has problems, a run failed, a setting is wrong
    USAGE = 2  # the command line itself is wrong
    SYSTEM = 3  # the machine or a service failed: the same command may work later


def print_json(value: Any) -> None:
    """Print one JSON value to standard output, for scripts: `--json`; times as ISO 8601."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=_as_text) + "\n")


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def print_error(error: AirloomError) -> Exit:
    """Print what went wrong and what to do, to standard error; return the code to end with."""
    place = "".join(f" {name} {value!r}" for name, value in (("node", error.node), ("field", error.field)) if value)
    complaints.print(f"[red]Error{escape(place)}:[/red] {escape(error.message)}")
    if error.hint:
        complaints.print(f"  {escape(error.hint)}")
    return Exit.FAILED if error.failure in ("configuration", "data") else Exit.SYSTEM


def print_table(columns: list[str], rows: list[list[str]], *, head: bool = True) -> None:
    """Print rows of text under the names of their columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=head)
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def shown_time(moment: datetime | None) -> str:
    """Return a time for people, in the time zone of this machine; empty for none."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"
