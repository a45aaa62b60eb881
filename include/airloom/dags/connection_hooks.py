"""Hooks of the types of Connection that `airloom.dags.provider` declares: Airflow wants a class for each.

They do nothing. A node reads the fields of its Connection itself, by `Context.connection`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook


def __getattr__(name: str) -> Any:
    """Return the hook of one type of Connection."""
    from airloom.dags.provider import provider_info

    for kind in provider_info()["connection-types"]:
        if kind["hook-class-name"] == f"{__name__}.{name}":
            facts = {
                "conn_type": kind["connection-type"],
                "conn_name_attr": "connection_id",
                "default_conn_name": f"{name}_default",
                "hook_name": kind["hook-name"],
            }
            return type(name, (BaseHook,), facts)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
