"""What Airflow loads of us in every process: the listeners. Imports nothing that costs."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from airloom.dags import listeners


class AirloomPlugin(AirflowPlugin):
    """Register the listeners with Airflow."""

    name = "airloom"
    listeners = [listeners]
