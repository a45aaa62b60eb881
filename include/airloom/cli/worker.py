"""worker: the background process of an installation."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading

import typer

from airloom.spec.error import ConfigurationError

app = typer.Typer()


@app.command()
def worker() -> None:
    """Synchronise the drop folder, keep what runs did, clean up; run as many copies as you like."""
    from airloom.spec.configuration import configuration
    from airloom.store.store import Store
    from airloom.worker.worker import jobs_of, work

    settings = configuration()
    if settings.database_url is None:
        raise ConfigurationError(
            "no store is configured",
            field="AIRLOOM_DATABASE_URL",
            hint="set it to the SQLAlchemy URL of a PostgreSQL database; `airloom up` does so by itself",
        )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    # Whoever stops a process sends SIGTERM; Ctrl-C and it mean the same here.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stopping = threading.Event()
    with contextlib.closing(Store(settings.database_url.get_secret_value())) as store:
        work(jobs_of(store, settings, stopping), stopping)
