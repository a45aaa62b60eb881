"""Airflow in this process: its models, the bundle that serves pipelines, and its pools.

The modules beside this one that talk with Airflow's own database (`parsing`, `runs`, `connections`) are for processes
that Airflow lets into it (the worker, the command line, the API server); never for tasks. Airflow's models take seconds
to import, so every function imports what it needs; a process with several threads calls `load` before it starts them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from airloom.spec.error import ConfigurationError

BUNDLE_CLASS = "airloom.dags.bundle.PipelineBundle"


def load() -> None:
    """Import all of Airflow that this module uses, and join its models to each other.

    Two threads that do either at the same time wait for each other for ever: one holds a lock of Python's imports and
    wants SQLAlchemy's, the other holds that.
    """
    import airflow.api.common.trigger_dag
    import airflow.models
    import airflow.sdk.definitions.connection
    import airflow.secrets.environment_variables
    import airflow.utils.types
    from sqlalchemy.orm import configure_mappers

    airflow.models.import_all_models()  # type: ignore[no-untyped-call]
    configure_mappers()


def bundle_name() -> str:
    """Return the name under which Airflow knows our bundle; raise ConfigurationError where it knows none."""
    from airflow.configuration import conf

    bundles = json.loads(conf.get("dag_processor", "dag_bundle_config_list", fallback="") or "[]")
    for bundle in bundles:
        if bundle["classpath"] == BUNDLE_CLASS:
            return str(bundle["name"])
    raise ConfigurationError(
        "Airflow is not configured to serve pipelines",
        field="dag_bundle_config_list",
        hint=f"add a bundle with the class {BUNDLE_CLASS} to [dag_processor] dag_bundle_config_list",
    )


def has_bundle() -> bool:
    """Tell whether Airflow is configured to serve the pipelines of the store."""
    try:
        bundle_name()
    except ConfigurationError:
        return False
    return True


def pools() -> list[str]:
    """Return the names of Airflow's pools."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        return sorted(session.scalars(select(Pool.pool)))


def wait_until(done: Callable[[], bool], timeout: float, every: float) -> bool:
    """Ask `done` each `every` seconds until it says so; return False after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
