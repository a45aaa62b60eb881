"""Run several command lines in one process that has an Airflow of its own: importing Airflow takes seconds.

Reads a list of command lines from standard input, makes Airflow's tables in the database that the environment names,
keeps a Connection `stored` to that database in it, and prints the code, output and complaint of each command. Run as a
file; no test.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
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
    from airflow.models.connection import Connection
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    address = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("postgresql+psycopg", "postgres")
    with contextlib.redirect_stdout(sys.stderr):
        initdb()
    with create_session() as session:
        session.add(Connection(conn_id="stored", uri=address))
    print(json.dumps([answer(arguments) for arguments in json.load(sys.stdin)]))
