"""Fixtures that every test may use: a real PostgreSQL 18, and databases on it that are fresh for each test."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from airloom.local.postgres import Postgres
from airloom.spec.configuration import configuration
from airloom.store.lookup import plain
from airloom.store.migrate import migrate
from airloom.store.store import Store

# Airflow reads its settings, and makes files there, when it is imported first.
AIRFLOW_HOME = tempfile.mkdtemp(prefix="airloom-airflow-")
os.environ.setdefault("AIRFLOW_HOME", AIRFLOW_HOME)

# No test outlives its server: what it writes need not reach the disk.
FAST = ("fsync = off", "full_page_writes = off", "synchronous_commit = off")


def pytest_unconfigure() -> None:
    """Remove what Airflow left."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _settings_of_this_test_alone() -> Iterator[None]:
    """Forget the settings that a test read, after `monkeypatch`, which comes later, has taken back the variables."""
    configuration.cache_clear()
    yield
    configuration.cache_clear()


@dataclass(frozen=True)
class Databases:
    """Make and drop databases on the server of this test process."""

    server: Postgres

    def url(self, name: str) -> str:
        """Return the SQLAlchemy URL of a database, for the superuser."""
        return self.server.address(name)

    def create(self, template: str = "template0") -> str:
        """Create a database, and return its name."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.execute(f"create database {name} template {template}")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self.execute(f"drop database {name} with (force)")

    def execute(self, *statements: str) -> None:
        """Run statements in the administrator's database, each committed alone."""
        with psycopg.connect(plain(self.url("postgres")), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Run one PostgreSQL for this test process, on a free port of 127.0.0.1."""
    home = Path(tempfile.mkdtemp(prefix="airloom-tests-"))
    # The server's account has to enter it where root runs the tests.
    home.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Postgres(home=home, identity=home.name, port=port, password=uuid.uuid4().hex)
    try:
        server.start()
        databases = Databases(server)
        databases.execute(*(f"alter system set {setting}" for setting in FAST), "select pg_reload_conf()")
        yield databases
    finally:
        server.stop()
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def postgres_url(databases: Databases) -> str:
    """Return the SQLAlchemy URL of a database that all tests of this process share."""
    return databases.url(databases.create())


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """Return the SQLAlchemy URL of an empty database of this test alone."""
    name = databases.create()
    yield databases.url(name)
    databases.drop(name)


@pytest.fixture(scope="session")
def migrated_template(databases: Databases) -> str:
    """Return the name of a database with the store's tables, to copy from."""
    name = databases.create()
    migrate(databases.url(name))
    return name


@pytest.fixture
def store_url(databases: Databases, migrated_template: str) -> Iterator[str]:
    """Return the SQLAlchemy URL of an empty store of this test alone."""
    name = databases.create(migrated_template)
    yield databases.url(name)
    databases.drop(name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Return an empty store of this test alone."""
    store = Store(store_url)
    yield store
    store.close()


@pytest.fixture(scope="session")
def airflow_database(databases: Databases) -> Iterator[str]:
    """Let this process's Airflow have a database of its own, and our bundle in its settings; return its URL."""
    from airflow import settings
    from airflow.utils.db import initdb

    url = databases.url(databases.create())
    bundles = [{"name": "airloom", "classpath": "airloom.dags.bundle.PipelineBundle", "kwargs": {}}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
        patch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
        settings.configure_vars()
        settings.reconfigure_orm()
        initdb()
        yield url
        settings.dispose_orm()
