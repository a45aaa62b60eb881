"""worker: the background process of an installation."""

from __future__ import annotations

import logging
import signal
import threading

import typer

from airloom.cli.here import load_airflow, open_store

app = typer.Typer()


@app.command()
def worker() -> None:
    """Synchronise the drop folder, keep what runs did, clean up; run as many copies as you like."""
    from airloom.spec.configuration import configuration
    from airloom.worker.worker import jobs_of, work

    load_airflow()
    # After Airflow, which sets up logging for itself.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    # Whoever stops a process sends SIGTERM; Ctrl-C and it mean the same here.
    # In the background a shell hands on that SIGINT is ignored; it ends the worker all the same.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    stopping = threading.Event()
    with open_store() as store:
        work(jobs_of(store, configuration(), stopping), stopping)
