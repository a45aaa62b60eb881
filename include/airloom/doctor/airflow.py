"""Is Airflow set up as pipelines need it?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airloom.dags import deployment, platform
from airloom.dags.deployment import BUNDLES, Setting, variable
from airloom.doctor.finding import Finding, State, advice, right, wrong
from airloom.doctor.store import examine_server
from airloom.spec.error import AirloomError

AREA = "Airflow"
OURS = "airloom.dags.executor.LocalExecutor"
ALIVE = timedelta(seconds=60)
SECRETS = {
    "core.fernet_key": "passwords of Connections are kept in the clear, or can't be read elsewhere",
    "api.secret_key": "the logs of running tasks can't be read",
    "api_auth.jwt_secret": "tasks are refused by the API server",
}
BUNDLES_SETTING = "dag_processor.dag_bundle_config_list"
SORT = "dag_processor.file_parsing_sort_mode"


@dataclass(frozen=True)
class Rule:
    """Say which values of a setting fit, what to set, and what happens otherwise."""

    setting: str
    fits: Callable[[str], bool]
    value: str
    otherwise: str
    state: State = "advice"
    unless: str = ""
    """What of an Airflow's own DAGs speaks against it."""


def _at_most(limit: float) -> Callable[[str], bool]:
    return lambda value: float(value) <= limit


RULES = (
    Rule(
        "core.min_serialized_dag_update_interval", _at_most(0), "0",
        "a second publish within that time leaves the old graph under the new version", "wrong",
    ),
    Rule(SORT, "modified_time".__eq__, "modified_time", "every publish parses all pipelines again", "wrong"),
    Rule(
        "dag_processor.min_file_process_interval", lambda value: float(value) >= 3600, "21600",
        "every pipeline is parsed again and again, though it did not change",
        unless="DAG files of yours read more than themselves when they are parsed: what that says is seen as seldom",
    ),
    Rule("dag_processor.bundle_refresh_check_interval", _at_most(5), "1", "a publish is seen that much later"),
    Rule("dag_processor.print_stats_interval", _at_most(0), "0", "the log gets a line for every pipeline that often"),
    Rule(
        "core.dag_discovery_safe_mode", lambda value: value.lower() == "false", "False",
        "every publish reads the files of all pipelines",
        unless="your DAG folders hold Python files without DAGs: they would be parsed, too",
    ),
    Rule(
        "database.sql_alchemy_max_overflow", lambda value: not 0 <= int(value) < 40, "80",
        "many clients at once take all connections of the API server, which then stands still for half a minute",
    ),
    Rule("workers.min_heartbeat_interval", _at_most(2), "1", "a slot stays taken that many seconds after its task"),
    Rule(
        "workers.execution_api_retries", lambda value: int(value) >= 8, "10",
        "a task fails where Airflow's database is away for some seconds",
    ),
    Rule(
        "dag_processor.dag_bundle_storage_path", bool, "a folder of this Airflow alone",
        "every Airflow of this machine keeps its pipelines in the same temporary folder",
    ),
    Rule(
        "core.auth_manager", lambda value: "Simple" not in value,
        "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager", "roles can't be told apart",
    ),
)  # fmt: skip


def examine_airflow() -> Iterator[Finding]:
    """Examine what Airflow's configuration says; its database is not asked."""
    settings = deployment.settings([*(rule.setting for rule in RULES), *SECRETS, "core.executor"])
    yield _bundle()
    yield _executor(settings["core.executor"].value or "")
    for rule in RULES:
        yield _setting(rule, settings[rule.setting].value)
    for name, otherwise in SECRETS.items():
        yield _secret(name, settings[name], otherwise)


def examine_database(url: str) -> Iterator[Finding]:
    """Examine the database that Airflow has; the first finding says whether it answers."""
    if url.startswith("postgres"):
        yield from examine_server(AREA, url)
    elif url.startswith("sqlite"):
        text = "is SQLite, which lets one process write at a time: tasks and pages wait for each other, and may fail"
        yield advice(AREA, "database", text, f"set {variable('database.sql_alchemy_conn')} to a PostgreSQL")
    else:
        text = "is neither PostgreSQL nor SQLite: Airloom was not tried with it"
        yield advice(AREA, "database", text, f"set {variable('database.sql_alchemy_conn')} to a PostgreSQL")


def examine_parts() -> Iterator[Finding]:
    """Examine whether Airflow's parts are alive, by its database."""
    for part, beat in deployment.heartbeats().items():
        if beat is not None and datetime.now(UTC) - beat < ALIVE:
            yield right(AREA, part, "is alive")
        else:
            last = "never ran" if beat is None else f"was alive last at {beat.isoformat(timespec='seconds')}"
            yield wrong(AREA, part, last, f"start it, and look at its log: airflow {part}")


def _bundle() -> Finding:
    try:
        name = platform.bundle_name()
    except AirloomError as error:
        return wrong(AREA, "bundle", error.message, error.hint)
    (setting,) = deployment.settings([BUNDLES_SETTING]).values()
    (bundle,) = [bundle for bundle in json.loads(setting.value or "[]") if bundle["name"] == name]
    interval = bundle.get("kwargs", {}).get("refresh_interval")
    if interval is None or interval > 10:
        return advice(
            AREA, "bundle", f"{name}: a publish may be seen late", 'give it "kwargs": {"refresh_interval": 2}'
        )
    return right(AREA, "bundle", name)


def _executor(value: str) -> Finding:
    for executor in (part.strip().rpartition(":")[2] for part in value.split(",")):
        if executor.rpartition(".")[2] == "LocalExecutor" and executor != OURS:
            text = (
                f"{executor} fails tasks that wait and go on soon after, stops for good when one of its idle processes "
                "is killed, and imports for each task what ours has in memory"
            )
            return advice(AREA, "core.executor", text, f"set it to {OURS}")
    return right(AREA, "core.executor", value)


def needed_settings() -> dict[str, str | None]:
    """Return the settings of Airflow without which pipelines do not run as they should: name → value.

    The value is None where it is right already. Of the bundles those that are there stay, and ours comes beside them.
    """
    needed = [rule for rule in RULES if rule.state == "wrong"]
    settings = deployment.settings([BUNDLES_SETTING, *(rule.setting for rule in needed)])
    bundles = [*json.loads(settings[BUNDLES_SETTING].value or "[]"), *BUNDLES]
    return {
        BUNDLES_SETTING: None if platform.has_bundle() else json.dumps(bundles),
        **{rule.setting: None if _fits(rule, settings[rule.setting].value) else rule.value for rule in needed},
    }


def _fits(rule: Rule, value: str | None) -> bool:
    try:
        return value is not None and rule.fits(value)
    except ValueError:
        return False


def _setting(rule: Rule, value: str | None) -> Finding:
    if _fits(rule, value):
        return right(AREA, rule.setting, value or "")
    hint = f"set it to {rule.value}" + (f", unless {rule.unless}" if rule.unless else "")
    return Finding(AREA, rule.setting, rule.state, f"{value or 'is not set'}: {rule.otherwise}", hint)


def _secret(name: str, setting: Setting, otherwise: str) -> Finding:
    if not setting.value or setting.source == "default":
        return wrong(AREA, name, f"is not set: {otherwise}", f"set {variable(name)} to the same secret for every part")
    return right(AREA, name, "is set")
