"""Airflow as an installation runs it: the settings that pipelines rely on, and those of this machine."""

from __future__ import annotations

import configparser
import io
import json
import os
import sys
from pathlib import Path

from airloom.dags.deployment import BUNDLES, variable
from airloom.local.databases import databases
from airloom.local.installation import DEFAULT_HOST, Installation

# What pipelines rely on, wherever Airflow runs.
PLATFORM = {
    "core.auth_manager": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
    # The problems of a file are told to whoever wrote it; the rest of the trace is ours.
    "core.dagbag_import_error_traceback_depth": "1",
    "core.load_examples": "False",
    "core.dags_are_paused_at_creation": "False",
    # A second publish within 30 seconds would otherwise leave the old graph under the new version.
    "core.min_serialized_dag_update_interval": "0",
    "core.dag_discovery_safe_mode": "False",
    # Each of the API server's 40 threads may hold a connection and wait for a second; with the 15 of Airflow's default
    # many clients wait for one another until the pool gives up, and the whole server stands still meanwhile.
    "database.sql_alchemy_max_overflow": "80",
    "dag_processor.dag_bundle_config_list": json.dumps(BUNDLES),
    "dag_processor.bundle_refresh_check_interval": "1",
    "dag_processor.min_file_process_interval": "21600",
    "dag_processor.print_stats_interval": "0",
    "workers.min_heartbeat_interval": "1",
    # The longer pauses between them outlast a minute in which Airflow's database is away; the usual five fail the task.
    "workers.execution_api_retries": "10",
    "logging.colored_console_log": "False",
}


def configuration_file() -> str:
    """Return an `airflow.cfg` with what pipelines rely on; addresses and secrets are left to the environment."""
    from airloom.dags.executor import IMPORTED_BY_TASKS

    celery = {
        # A worker's processes inherit in memory what each task would else import anew.
        "celery.extra_celery_config": json.dumps({"imports": IMPORTED_BY_TASKS}),
        # Seconds after which Redis gives a running task to a second worker. Airflow notices a lost worker by itself.
        "celery_broker_transport_options.visibility_timeout": str(7 * 86400),
    }
    parser = configparser.ConfigParser(interpolation=None)
    for name, value in {**PLATFORM, **celery}.items():
        section, _, option = name.partition(".")
        if not parser.has_section(section):
            parser.add_section(section)
        parser.set(section, option, value)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def hostname() -> str:
    """Return the name under which Airflow's parts find each other: all run on this machine."""
    return DEFAULT_HOST


def environment(installation: Installation) -> dict[str, str]:
    """Return the whole environment of an installation's processes.

    It is this process's, without what belongs to another installation; of Airloom's and Airflow's variables those win
    that the user set.
    """
    state = installation.state
    where = databases(installation)
    home = installation.home
    settings = {
        **PLATFORM,
        "core.executor": "airloom.dags.executor.LocalExecutor",
        "core.parallelism": "4",
        "core.dags_folder": str(installation.root / "dags"),
        "core.plugins_folder": str(installation.root / "plugins"),
        "core.execution_api_server_url": f"http://{DEFAULT_HOST}:{state.port}/execution/",
        "core.fernet_key": state.fernet_key,
        "core.hostname_callable": "airloom.local.airflow.hostname",
        "database.sql_alchemy_conn": where.airflow,
        "dag_processor.dag_bundle_storage_path": str(home / "bundles"),
        "api.host": state.host,
        "api.port": str(state.port),
        "api.base_url": installation.address,
        "api.workers": "1",
        "api.secret_key": state.secret_key,
        "api_auth.jwt_secret": state.jwt_secret,
        "logging.base_log_folder": str(installation.logs / "tasks"),
        "logging.dag_processor_child_process_log_directory": str(installation.logs / "parsing"),
        "logging.worker_log_server_port": str(installation.log_port),
        "logging.trigger_log_server_port": str(installation.log_port),
    }
    variables = {
        **{variable(name): value for name, value in settings.items()},
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRLOOM_ROOT": str(installation.root),
        "AIRLOOM_HOME": str(home),
        "AIRLOOM_DATABASE_URL": where.store,
        # A proxy must not stand between the parts of one machine.
        "NO_PROXY": _without_proxy(),
        "no_proxy": _without_proxy(),
        # A process title must not overwrite the environment: left processes are known by it.
        "SPT_NOENV": "1",
        "PYTHONUNBUFFERED": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    if state.task_database_url:
        variables["AIRLOOM_TASK_DATABASE_URL"] = state.task_database_url
    given = {name: value for name, value in installation.given.items() if value}
    # The address that the user gave may lack the driver; the state's form of it has it.
    given.pop("AIRLOOM_DATABASE_URL", None)
    rest = {name: value for name, value in os.environ.items() if not name.startswith(("AIRLOOM_", "AIRFLOW"))}
    return {**rest, **variables, **given}


def _without_proxy() -> str:
    present = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    names = [name.strip() for name in present.split(",") if name.strip()]
    return ",".join(dict.fromkeys([*names, DEFAULT_HOST, "localhost"]))
