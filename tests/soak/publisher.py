"""Publish the documents that come line by line, each until it is published, and answer with its version's number.

A process of its own, with the environment of an installation: what Airflow's modules read at their import is then
that installation's.
"""

from __future__ import annotations

import json
import sys
import time

from sqlalchemy.exc import OperationalError

from airloom.dags.actor import administrator
from airloom.dags.publishing import publish
from airloom.spec.configuration import configuration
from airloom.spec.error import TransientError
from airloom.store.store import Store


def main() -> None:
    """Serve until the input ends."""
    url = configuration().database_url
    assert url is not None
    store = Store(url.get_secret_value())
    for line in sys.stdin:
        document = json.loads(line)
        while True:
            try:
                published = publish(store, document, actor=administrator("busy"))
                break
            except (TransientError, OperationalError):
                time.sleep(1)
        assert published.version is not None, published.problems
        print(published.version.number, flush=True)


if __name__ == "__main__":
    main()
