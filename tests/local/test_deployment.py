"""A deployment's secrets are judged before its databases are made; made twice, they are as made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet
from tests.conftest import Databases

from airloom.local.deployment import SECRETS, check
from airloom.spec.error import ConfigurationError
from airloom.store.lookup import plain

ROOT = Path(__file__).parents[2]


def make_env(target: Path) -> subprocess.CompletedProcess[str]:
    """Run docker/make-env."""
    return subprocess.run([ROOT / "docker" / "make-env", target], capture_output=True, text=True, check=False)


def values_of(file: Path) -> dict[str, str]:
    """Return the variables of an env file."""
    lines = (line.partition("=") for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """Return the secrets that docker/make-env writes."""
    assert make_env(tmp_path / "env").returncode == 0
    return values_of(tmp_path / "env")


def test_made_secrets_are_good_and_for_their_owner_alone(tmp_path: Path) -> None:
    make_env(tmp_path / "env")
    made = values_of(tmp_path / "env")
    check(made)
    assert set(made) == set(SECRETS)
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600
    Fernet(made["FERNET_KEY"])


def test_secrets_in_use_are_never_written_over(tmp_path: Path) -> None:
    make_env(tmp_path / "env")
    before = (tmp_path / "env").read_text()
    assert make_env(tmp_path / "env").returncode != 0
    assert (tmp_path / "env").read_text() == before


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("POSTGRES_PASSWORD", "", "is missing"),
        ("ADMIN_PASSWORD", "hunter2", "is shorter than 16 characters"),
        ("JWT_SECRET", "aB3dE6gH9jK2mN5pQ8", "is shorter than 32 characters"),
        ("REDIS_PASSWORD", "abababababababababab", "is too easy to guess"),
        ("REDIS_PASSWORD", "with@sign/and:colon#1234", "holds other characters"),
        ("FERNET_KEY", "aB3dE6gH9jK2mN5pQ8aB3dE6gH9jK2mN5pQ8", "is not a Fernet key"),
    ],
)
def test_a_bad_secret_is_named_and_not_shown(secrets: dict[str, str], name: str, value: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check({**secrets, name: value})
    assert f"{name} {fault}" in str(caught.value)
    assert str(caught.value).count("\n") == 1
    assert not value or value not in str(caught.value)


def test_all_bad_secrets_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check({})
    assert all(f"{name} is missing" in str(caught.value) for name in SECRETS)


def test_a_secret_serves_one_purpose(secrets: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="WAREHOUSE_DATABASE_PASSWORD is the same as POSTGRES_PASSWORD"):
        check({**secrets, "WAREHOUSE_DATABASE_PASSWORD": secrets["POSTGRES_PASSWORD"]})


@pytest.mark.integration
def test_databases_are_made_once_and_passwords_follow_the_variables(
    databases: Databases, secrets: dict[str, str]
) -> None:
    def url(role: str, database: str, password: str) -> str:
        return databases.server.address(database, role, password)

    def variables(password: str) -> dict[str, str]:
        return {
            "ADMINISTRATOR_DATABASE_URL": databases.url("postgres"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url("deployed_airflow", "deployed_airflow", password),
            "AIRLOOM_DATABASE_URL": url("deployed_store", "deployed_store", password),
            "AIRLOOM_TASK_DATABASE_URL": url("deployed_store_task", "deployed_store", password),
            "WAREHOUSE_DATABASE_URL": url("deployed_warehouse", "deployed_warehouse", password),
            "AIRFLOW__CORE__FERNET_KEY": secrets["FERNET_KEY"],
            "ADMIN_PASSWORD": secrets["ADMIN_PASSWORD"],
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }

    for password in ("the-first-password", "the-second-password"):
        given = variables(password)
        done = subprocess.run(  # each in a process of its own, for Airflow reads its settings once
            [sys.executable, "-m", "airloom.local.deployment", "prepare"],
            env={"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": "/tmp/airloom-no-airflow-home", **given},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert password not in done.stdout + done.stderr
        for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRLOOM_DATABASE_URL", "WAREHOUSE_DATABASE_URL"):
            with psycopg.connect(plain(given[name])) as connection:
                assert connection.execute(
                    "select current_user = pg_get_userbyid(datdba) from pg_database where datname = current_database()"
                ).fetchone() == (True,)
        with psycopg.connect(plain(given["AIRLOOM_TASK_DATABASE_URL"])) as connection:
            assert connection.execute("select count(*) from versions").fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("create temporary table mine (a int)")
        with psycopg.connect(plain(given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])) as connection:
            users = connection.execute("select username from ab_user").fetchall()
            connections = connection.execute("select conn_id from connection").fetchall()
        assert (users, connections) == ([("admin",)], [("warehouse",)])
