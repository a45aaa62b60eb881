"""Serve the API in a process of its own: `python -m tests.web.server PORT`, over the store of the environment."""

import os
import sys

import uvicorn
from airflow.api_fastapi.app import init_auth_manager

from airloom.store.store import Store
from airloom.web.app import make_app

if __name__ == "__main__":
    init_auth_manager()
    # It waits for open answers for ever.
    uvicorn.run(
        make_app(Store(os.environ["AIRLOOM_DATABASE_URL"])), port=int(sys.argv[1]), timeout_graceful_shutdown=None
    )
