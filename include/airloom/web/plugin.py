"""What Airflow loads of us in every process: the listeners, and for the API server a web application.

Imports nothing that costs: schedulers, triggerers and workers load this module too.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airloom.dags import listeners

log = logging.getLogger(__name__)

PREFIX = "/airloom"

VIEWS: list[dict[str, Any]] = [
    {
        "name": "Airloom",
        "href": f"{PREFIX}/",
        "url_route": "airloom",
        "destination": "nav",
        "nav_top_level": True,
        "icon": f"{PREFIX}/icon.svg",
        "icon_dark_mode": f"{PREFIX}/icon-dark.svg",
    },
    {
        "name": "Pipeline",
        "href": f"{PREFIX}/tab/pipelines/{{DAG_ID}}",
        "url_route": "airloom_pipeline",
        "destination": "dag",
    },
    {
        "name": "Nodes",
        "href": f"{PREFIX}/tab/pipelines/{{DAG_ID}}/runs/{{RUN_ID}}",
        "url_route": "airloom_run",
        "destination": "dag_run",
    },
]
"""What Airflow shows of the pages: an entry of its navigation, and tabs beside those of a DAG and of a DAG run."""


class AirloomPlugin(AirflowPlugin):
    """Register Airloom with Airflow."""

    name = "airloom"
    listeners = [listeners]

    @functools.cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return what Airflow shows of the pages; nothing where they are not served."""
        return list(VIEWS) if self.fastapi_apps else []

    @functools.cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the web application; only the API server asks for it, so only there it is imported.

        There is none where no store is configured, as in a stock folder of DAGs, and none where a setting is wrong: an
        error here would keep Airflow's API server from starting.
        """
        from airloom.spec.configuration import configuration
        from airloom.spec.error import ConfigurationError
        from airloom.store.store import Store
        from airloom.web.app import make_app

        try:
            url = configuration().database_url
            if url is None:
                return []
            return [{"app": make_app(Store(url.get_secret_value())), "url_prefix": PREFIX, "name": "Airloom"}]
        except ConfigurationError as error:
            log.error("Airloom's API is not served: %s", error)
            return []
