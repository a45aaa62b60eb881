"""Migrations from nothing, and what the role of tasks may and may not do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from airloom.store.event import send_event
from airloom.store.lookup import plain, published_at
from airloom.store.migrate import ensure_task_role, migrate
from airloom.store.records import StoreUnavailable
from airloom.store.store import Store
from airloom.store.tables import Base


class TestMigrate:
    def test_makes_the_tables_of_the_models(self, database_url: str) -> None:
        migrate(database_url)
        engine = create_engine(database_url, poolclass=NullPool)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": "store_schema"})
            assert compare_metadata(context, Base.metadata) == []

    def test_twice_changes_nothing(self, database_url: str) -> None:
        migrate(database_url)
        store = Store(database_url)
        store.publish({"id": "a"}, {}, author="ann", source="api")
        migrate(database_url)
        assert store.version("a").number == 1
        store.close()

    def test_several_at_once(self, database_url: str) -> None:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(migrate, [database_url] * 4))
        engine = create_engine(database_url, poolclass=NullPool)
        assert {"revision", "versions", "store_schema"} <= set(inspect(engine).get_table_names())

    def test_an_interrupted_one_leaves_nothing(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from alembic import command

        upgrade = command.upgrade

        def interrupted(*arguments: object) -> None:
            upgrade(*arguments)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        monkeypatch.setattr(command, "upgrade", interrupted)
        with pytest.raises(KeyboardInterrupt):
            migrate(database_url)
        assert inspect(create_engine(database_url, poolclass=NullPool)).get_table_names() == []
        monkeypatch.undo()
        migrate(database_url)

    def test_an_unreachable_database_says_so(self) -> None:
        with pytest.raises(StoreUnavailable):
            migrate("postgresql+psycopg://ann:s3cret@127.0.0.1:1/airloom")


@pytest.fixture
def task_url(store: Store, store_url: str) -> str:
    store.publish({"id": "a", "nodes": []}, {"format": 1}, author="ann", source="api")
    store.save_draft("b", {"id": "b"}, etag=None, author="ann")
    return ensure_task_role(store_url, "pass word/%@:'\"")


@pytest.fixture
def task(task_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(plain(task_url), autocommit=True) as connection:
        yield connection


class TestTaskRole:
    def test_reads_what_is_published(self, task: psycopg.Connection, task_url: str) -> None:
        assert task.execute("select current_user").fetchone() == ("airloom_task",)
        assert task.execute("select value from revision").fetchone() == (1,)
        assert task.execute("select id from pipelines").fetchall() == [("a",)]
        assert published_at(task_url, "a", 1) == ({"id": "a", "nodes": []}, {"format": 1, "version": 1})

    def test_serves_the_bundle(self, task_url: str, store: Store) -> None:
        bundle = Store(task_url)
        assert bundle.changes(0, bundle.revision()) == store.changes(0, store.revision())
        bundle.close()

    def test_leaves_an_event(self, task_url: str, store: Store) -> None:
        send_event(task_url, "run_ended", {"dag_id": "a", "run_id": "r"})
        assert [(event.kind, event.payload) for event in store.outbox.events()] == [
            ("run_ended", {"dag_id": "a", "run_id": "r"})
        ]

    @pytest.mark.parametrize(
        "statement",
        [
            *(f"select * from {table}" for table in ("drafts", "files", "outbox", "node_runs", "store_schema")),
            *(f"delete from {table}" for table in ("versions", "pipelines", "revision", "problems", "outbox")),
            "update revision set value = 9",
            "insert into outbox (kind, payload) values ('x', '{}')",
            "insert into versions select * from versions",
            "select * from versions for update",
            "truncate versions",
            "create table mine (a int)",
            "create temporary table mine (a int)",
            "create schema mine",
            "create function mine() returns int language sql as 'select 1'",
            "create or replace function airloom_event(kind text, payload jsonb) returns void language sql as ''",
            "alter role airloom_task superuser",
            "create role other",
            "set role postgres",
            "copy versions to program 'id'",
            "select pg_read_file('/etc/passwd')",
            "select rolpassword from pg_authid",
            "create database other",
        ],
    )
    def test_may_nothing_else(self, task: psycopg.Connection, statement: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            task.execute(statement.encode())

    @pytest.mark.parametrize(
        ("kind", "payload"),
        [("Run Ended", "{}"), ("", "{}"), ("a" * 101, "{}"), (None, "{}"), ("a", "[1]"), ("a", None)],
    )
    def test_events_have_a_form(self, task: psycopg.Connection, kind: str | None, payload: str | None) -> None:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            task.execute("select airloom_event(%s, %s::jsonb)", (kind, payload))

    def test_events_have_a_size(self, task: psycopg.Connection) -> None:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            task.execute("select airloom_event('a', jsonb_build_object('a', repeat('x', 1000001)))")

    def test_a_new_password_replaces_the_old(self, task_url: str, store_url: str) -> None:
        renewed = ensure_task_role(store_url, "another")
        assert published_at(renewed, "a", 1) is not None
        with pytest.raises(StoreUnavailable) as caught:
            published_at(task_url, "a", 1)
        assert "pass word" not in str(caught.value)

    def test_several_at_once(self, store_url: str) -> None:
        with ThreadPoolExecutor(4) as threads:
            urls = list(threads.map(lambda _: ensure_task_role(store_url, "same"), range(4)))
        assert len(set(urls)) == 1
