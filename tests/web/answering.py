"""A worker that answers what the API asks, in threads of the test's process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from airloom.store.store import Store
from airloom.worker.handlers import handlers
from airloom.worker.worker import lanes_of, work

LANES = ("answers", "previews")


@contextlib.contextmanager
def answering(store: Store) -> Iterator[None]:
    """Let a worker answer meanwhile."""
    table = {kind: handler for kind, handler in handlers().items() if handler.lane in LANES}
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=(lanes_of(store, table, stopping), stopping))
    thread.start()
    try:
        while not store.outbox.workers():
            assert thread.is_alive()
            time.sleep(0.01)
        yield
    finally:
        stopping.set()
        thread.join()
