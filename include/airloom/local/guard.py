"""Start the embedded PostgreSQL anew when it ends, as the process manager does with every other part.

The server stays outside of the process manager: it is there before the other parts, and goes after them.
"""

from __future__ import annotations

import logging
import time

from airloom.local.databases import embedded_server
from airloom.local.installation import Installation
from airloom.local.postgres import Postgres
from airloom.spec.error import SystemFault

log = logging.getLogger(__name__)
EVERY = 3.0
"""Seconds between two looks."""


def main() -> None:
    """Watch the server of the installation that the environment names, until this process is ended."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    server = embedded_server(Installation.existing())
    log.info("The guard of PostgreSQL runs")
    while True:
        time.sleep(EVERY)
        restart(server)


def restart(server: Postgres) -> bool:
    """Start the server where it does not run; return whether it was started."""
    if server.running():
        return False
    log.error("PostgreSQL has ended, and is started anew")
    try:
        server.start()
    except SystemFault as fault:
        # Sessions of the one that ended may still hold its memory.
        log.error("%s", fault)
        return False
    log.info("PostgreSQL runs again")
    return True


if __name__ == "__main__":
    main()
