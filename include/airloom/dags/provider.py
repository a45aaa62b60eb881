"""What Airflow is told of this package: the types of Connection that nodes ask for and that no provider brings.

Airflow offers them in its form for Connections. The entry point `apache_airflow_provider` names `provider_info`.
"""

from __future__ import annotations

import logging
import re
from importlib.metadata import entry_points
from typing import Any

log = logging.getLogger(__name__)

GROUP = "apache_airflow_provider"
NAMES = {"http": "HTTP"}
"""Types that are always offered: own nodes often ask for them, as the docs show."""
ASKED_FOR = re.compile(r"""ConnectionId\[\s*["']([A-Za-z][A-Za-z0-9_-]*)["']\s*\]""")


def provider_info() -> dict[str, Any]:
    """Return the facts of this package in the form of an Airflow provider."""
    return {
        "package-name": "airloom",
        "name": "Airloom",
        "description": "Pipelines written as JSON, compiled into Apache Airflow DAGs",
        "connection-types": [
            {
                "connection-type": kind,
                "hook-name": NAMES.get(kind, kind),
                "hook-class-name": f"airloom.dags.connection_hooks.{kind.replace('-', '_')}",
            }
            for kind in sorted({*NAMES, *asked_for()} - _provided())
        ],
    }


def asked_for() -> set[str]:
    """Return the types of Connection that the files of own node types name; none where a setting is wrong.

    An error here would keep Airflow from every provider, and so all its parts from starting.
    """
    from airloom.spec.configuration import configuration
    from airloom.spec.error import ConfigurationError

    types: set[str] = set()
    try:
        folder = configuration().nodes_folder
    except ConfigurationError as error:
        log.error("The types of Connection of own nodes are not offered: %s", error)
        return types
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else ():
        types.update(ASKED_FOR.findall(path.read_text(encoding="utf-8", errors="replace")))
    return types


def _provided() -> set[str]:
    """Return the types that installed providers bring."""
    types = {"generic"}
    for entry in entry_points(group=GROUP):
        if entry.dist is None or entry.dist.name == "airloom":
            continue
        facts = entry.load()()
        types.update(str(one.get("connection-type")) for one in facts.get("connection-types") or ())
    return types
