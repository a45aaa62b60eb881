"""What has to be set for the processes of an Airflow that Airloom is added to."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from sqlalchemy.engine import make_url

from airloom.dags.deployment import variable
from airloom.doctor.airflow import needed_settings
from airloom.local.installation import write_private
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.error import SystemFault

ADDRESSES = ("AIRLOOM_DATABASE_URL", "AIRLOOM_TASK_DATABASE_URL")
"""Their values hold passwords."""


def variables() -> dict[str, str]:
    """Return what every process of Airflow, and the worker, needs in its environment: name → value.

    Those of Airloom are the ones that this process has, and where the project folder is. Those of Airflow are what
    pipelines need, where it differs or this process's environment says so.
    """
    known = [f"AIRLOOM_{name.upper()}" for name in Configuration.model_fields]
    chosen = {name: os.environ[name] for name in known if os.environ.get(name)}
    # Relative to a folder that each process has of its own, otherwise.
    chosen["AIRLOOM_ROOT"] = str(configuration().root.absolute())
    for name, value in needed_settings().items():
        wanted = value or os.environ.get(variable(name))
        if wanted is not None:
            chosen[variable(name)] = wanted
    return chosen


def shown(variables: dict[str, str]) -> str:
    """Return variables as lines of a shell, without passwords."""
    return _lines(
        {
            name: make_url(value).render_as_string(hide_password=True) if name in ADDRESSES else value
            for name, value in variables.items()
        }
    )


def write(variables: dict[str, str], path: Path) -> None:
    """Write variables with their passwords to a file that only its owner can read.

    A shell, systemd (`EnvironmentFile`) and Compose (`env_file`) read it. Raises SystemFault where it can't be written.
    """
    try:
        write_private(path, _lines(variables))
    except OSError as error:
        raise SystemFault(f"{path} can't be written: {error.strerror}", hint="name another file") from error


def _lines(variables: dict[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
