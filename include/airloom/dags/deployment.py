"""How Airflow is set up here: its settings, where its secrets come from, which of its parts are alive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from airloom.dags.platform import BUNDLE_CLASS

BUNDLES = [{"name": "airloom", "classpath": BUNDLE_CLASS, "kwargs": {"refresh_interval": 2}}]
"""What serves pipelines to Airflow, in its own setting's words."""


@dataclass(frozen=True)
class Setting:
    """Hold a setting of Airflow as this process sees it; `source` is `default` where nobody set it."""

    value: str | None = field(repr=False)
    source: str


def variable(setting: str) -> str:
    """Return the variable of one of Airflow's settings, such as `core.executor`."""
    return f"AIRFLOW__{setting.replace('.', '__')}".upper()


def settings(names: Iterable[str]) -> dict[str, Setting]:
    """Return Airflow's settings by name, such as `core.executor`; the value of an unknown one is None."""
    from airflow.configuration import conf

    known = conf.as_dict(display_source=True, display_sensitive=False)
    settings = {}
    for name in names:
        section, _, option = name.partition(".")
        value = conf.get(section, option, fallback=None)
        option_and_source = known.get(section, {}).get(option)
        settings[name] = Setting(
            None if value is None else str(value),
            option_and_source[1] if isinstance(option_and_source, tuple) else "default",
        )
    return settings


def heartbeats() -> dict[str, datetime | None]:
    """Return when each part of Airflow last showed that it is alive, None for one that never did."""
    from airflow.jobs.job import Job
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    parts = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
    with create_session(scoped=False) as session:
        return {
            part: session.scalar(select(func.max(Job.latest_heartbeat)).where(Job.job_type == job))
            for part, job in parts.items()
        }
