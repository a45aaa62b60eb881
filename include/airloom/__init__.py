"""Pipelines written as JSON, compiled into Apache Airflow DAGs."""

__version__ = "0.1.0"
