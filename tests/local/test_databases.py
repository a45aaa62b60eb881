from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy.engine import make_url

from airloom.local.databases import databases as databases_of
from airloom.local.databases import make_databases
from airloom.local.installation import Installation
from airloom.spec.error import ConfigurationError
from airloom.store.lookup import plain

if TYPE_CHECKING:
    from tests.conftest import Databases


@pytest.fixture
def beside(databases: Databases, database_url: str) -> Iterator[str]:
    """Return the URL of a database whose neighbours are dropped after the test."""
    yield database_url
    for name in ("airflow", "warehouse"):
        databases.execute(f"drop database if exists {make_url(database_url).database}_{name} with (force)")


def installation(tmp_path: Path, url: str, **given: str) -> Installation:
    return Installation.open(
        variables={
            "AIRLOOM_ROOT": str(tmp_path),
            "AIRLOOM_HOME": str(tmp_path / "home"),
            "AIRLOOM_DATABASE_URL": url,
            **given,
        }
    )


def test_on_a_server_of_the_users_own_the_databases_stand_beside_the_store(tmp_path: Path, beside: str) -> None:
    opened = installation(tmp_path, beside)
    make_databases(opened)
    make_databases(opened)
    where = databases_of(opened)
    for url, expected in ((where.airflow, "_airflow"), (where.store, ""), (where.warehouse, "_warehouse")):
        with psycopg.connect(plain(url)) as session:
            assert session.info.dbname == f"{make_url(beside).database}{expected}"


def test_an_address_without_a_driver_gets_the_one_that_is_installed(tmp_path: Path) -> None:
    where = databases_of(installation(tmp_path, "postgresql://me:p%40ss@db:5433/store"))
    assert where.store == "postgresql+psycopg://me:p%40ss@db:5433/store"
    assert where.airflow == "postgresql+psycopg://me:p%40ss@db:5433/store_airflow"


def test_a_database_of_airflow_that_the_user_names_is_used(tmp_path: Path) -> None:
    own = "postgresql+psycopg2://air@elsewhere/flow"
    opened = installation(tmp_path, "postgresql://me@db/store", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=own)
    assert databases_of(opened).airflow == own


@pytest.mark.parametrize("url", ["mysql://me:hidden@db/store", "not an address: hidden", "postgresql://me:hidden@db"])
def test_another_address_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="AIRLOOM_DATABASE_URL is not an address") as raised:
        databases_of(installation(tmp_path, url))
    assert "hidden" not in str(raised.value)


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"store on 127\.0\.0\.1:1 can't be reached") as raised:
        make_databases(installation(tmp_path, "postgresql://me:hidden@127.0.0.1:1/store"))
    assert "hidden" not in str(raised.value)


def test_a_role_that_may_not_create_databases_is_told_what_an_administrator_has_to_do(
    tmp_path: Path, databases: Databases, beside: str
) -> None:
    name = make_url(beside).database
    databases.execute(f"create role {name} login password 'x'")
    limited = make_url(beside).set(username=name, password="x").render_as_string(hide_password=False)
    try:
        with pytest.raises(ConfigurationError, match=f"may not create the database {name}_airflow") as raised:
            make_databases(installation(tmp_path, limited))
    finally:
        databases.execute(f"drop role {name}")
    assert raised.value.hint == f"Let an administrator run: create database {name}_airflow owner {name}"
