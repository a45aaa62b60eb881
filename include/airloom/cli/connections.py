"""The Connections of `try`: from a file, the variables `AIRFLOW_CONN_*`, or the Airflow of an installation."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airloom.spec.error import ConfigurationError
from airloom.spec.problem import suggestion

FIELDS = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")
AIRFLOW_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
FORM = "name: URI, or name: {conn_type: …, host: …, login: …, password: …, schema: …, port: …, extra: …}"


def connections_of(given: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return what finds a Connection by name.

    It looks among the given ones (URI or fields by name), then in the environment, then in Airflow's database, where
    the environment names one.
    """

    def connection(name: str) -> Any:
        from airloom.dags import platform
        from airloom.runtime.trial import no_connections

        value = given.get(name, os.environ.get(f"AIRFLOW_CONN_{name.upper()}"))
        if value is not None:
            return platform.read_connection(name, json.dumps(value) if isinstance(value, dict) else value)
        return _installed(name) if AIRFLOW_DATABASE in os.environ else no_connections(name)

    return connection


def read_connections(path: Path) -> dict[str, Any]:
    """Return the Connections of a JSON or YAML file by name; raise ConfigurationError where it has another form."""
    from airloom.spec.text import read_text

    try:
        data, problems = read_text(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    if problems:
        raise ConfigurationError(f"{path}: {problems[0].message}", hint=problems[0].hint)
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path} holds no Connections by name", hint=FORM)
    for name, value in data.items():
        if isinstance(value, dict):
            for unknown in value.keys() - set(FIELDS):
                raise ConfigurationError(
                    f"{path}: the Connection {name!r} has no field {unknown!r}",
                    hint=suggestion(unknown, FIELDS) or f"fields: {', '.join(FIELDS)}",
                )
        elif not isinstance(value, str):
            raise ConfigurationError(f"{path}: the Connection {name!r} is neither a URI nor an object", hint=FORM)
    return data


def _installed(name: str) -> Any:
    from sqlalchemy.exc import OperationalError

    from airloom.dags import platform

    try:
        return platform.connection(name)
    except OperationalError:
        raise ConfigurationError(
            f"the Connection {name!r} is out of reach: Airflow's database does not answer",
            hint=f"start the installation with airloom up, set AIRFLOW_CONN_{name.upper()}, or give --connections FILE",
        ) from None
