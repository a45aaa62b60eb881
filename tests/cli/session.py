"""Run several command lines in one process that has an Airflow of its own: importing Airflow takes seconds.

Reads a list of command lines from standard input, makes Airflow's tables in the database that the environment names,
and prints the code, output and complaint of each. Run as a file; no test.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from airloom.cli import main


def answer(arguments: list[str]) -> dict[str, object]:
    """Return the code that a command line ends with, and what it prints."""
    sys.argv = ["airloom", *arguments]
    out, complaint = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaint):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return {"code": code, "out": out.getvalue(), "complaint": complaint.getvalue()}


if __name__ == "__main__":
    from airflow.utils.db import initdb

    with contextlib.redirect_stdout(sys.stderr):
        initdb()
    print(json.dumps([answer(arguments) for arguments in json.load(sys.stdin)]))
