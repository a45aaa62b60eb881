"""Migrations from nothing, and what the role of tasks may and may not do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.pool import NullPool
from tests.conftest import Databases

import airloom
from airloom.checks.uses import Use
from airloom.spec.error import ConfigurationError
from airloom.spec.node_file import NodeFile
from airloom.store.event import run_ended, run_started
from airloom.store.lookup import node_file, plain, published_at
from airloom.store.migrate import ensure_task_role, migrate, task_role
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

    def test_a_store_of_release_0_1_comes_to_the_new_form(self, store_of_before: str) -> None:
        with psycopg.connect(plain(store_of_before)) as connection:
            node = "insert into node_runs (dag_id, run_id, node, map_index, state, fired, outputs, statistics, attempt)"
            for index in (-1, 0, 12):
                row = f"values ('a', 'r', 'load', {index}, 'success', '[]', '{{}}', '{{}}', 1)"
                connection.execute(f"{node} {row}".encode())
        migrate(store_of_before)
        store = Store(store_of_before)
        assert [kept.index_path for kept in store.node_runs.of("a", "r")] == ["", "0", "12"]
        store.uses.record("a", 1, [Use("load", "type", "csv_write")])
        assert store.uses.who("type", "csv_write") == [("a", "load")]
        assert (store.pipeline("a").paused, store.runs.page()) == (None, [])
        store.close()

    def test_an_unreachable_database_says_so(self) -> None:
        with pytest.raises(StoreUnavailable):
            migrate("postgresql+psycopg://ann:s3cret@127.0.0.1:1/airloom")


@pytest.fixture
def owned_url(databases: Databases) -> Iterator[str]:
    """Return the URL of an empty database for its owner, a role that may make roles and is no superuser."""
    name = databases.create()
    databases.execute(f"create role {name} login createrole password 'owner'", f"alter database {name} owner to {name}")
    yield make_url(databases.url(name)).set(username=name, password="owner").render_as_string(hide_password=False)
    databases.drop(name)
    databases.execute(f"drop role if exists {name}_task", f"drop role {name}")


class TestOwner:
    def test_an_owner_makes_all_of_it_and_may_do_so_again(self, owned_url: str) -> None:
        for password in ("first", "second"):
            migrate(owned_url)
            with psycopg.connect(plain(ensure_task_role(owned_url, password))) as connection:
                assert connection.execute("select count(*) from versions").fetchone() == (0,)

    def test_who_may_make_no_roles_is_told_what_an_administrator_runs(
        self, owned_url: str, databases: Databases
    ) -> None:
        owner = make_url(owned_url).username
        databases.execute(f"alter role {owner} nocreaterole")
        migrate(owned_url)
        with pytest.raises(ConfigurationError) as caught:
            ensure_task_role(owned_url, "password")
        assert caught.value.hint == f"Let an administrator run: alter role {owner} createrole"

    def test_who_may_make_no_tables_is_told_what_an_administrator_runs(
        self, owned_url: str, databases: Databases
    ) -> None:
        owner = make_url(owned_url).username
        databases.execute(f"alter database {owner} owner to postgres")
        with pytest.raises(ConfigurationError, match="may not make the tables") as caught:
            migrate(owned_url)
        assert caught.value.hint == f"let an administrator run: alter database {owner} owner to {owner}"


@pytest.fixture
def store_of_before(database_url: str) -> str:
    """Return the SQLAlchemy URL of a store with the tables of release 0.1, and one pipeline."""
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(airloom.__file__).parent / "store" / "migrations"))
    with create_engine(database_url, poolclass=NullPool).begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0003")
        connection.execute(
            text(
                "insert into pipelines (id, revision, version, archived, source, name, tags, owner, created_by, "
                "updated_by) values ('a', 1, 1, false, 'api', 'A', '[]', 'ann', 'ann', 'ann')"
            )
        )
        connection.execute(
            text(
                "insert into versions (pipeline, number, revision, document, plan, hash, plan_hash, author, message) "
                "values ('a', 1, 1, '{\"id\": \"a\"}', '{}', '', '', 'ann', '')"
            )
        )
    return database_url


@pytest.fixture
def task_url(store: Store, store_url: str) -> str:
    store.publish({"id": "a", "nodes": []}, {"format": 1}, author="ann", source="api")
    store.drafts.save("b", {"id": "b"}, etag=None, author="ann")
    return ensure_task_role(store_url, "pass word/%@:'\"")


@pytest.fixture
def task(task_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(plain(task_url), autocommit=True) as connection:
        yield connection


class TestTaskRole:
    def test_reads_what_is_published(self, task: psycopg.Connection, task_url: str, store_url: str) -> None:
        assert task.execute("select current_user").fetchone() == (task_role(store_url),)
        assert task.execute("select value from revision").fetchone() == (1,)
        assert task.execute("select id from pipelines").fetchall() == [("a",)]
        assert published_at(task_url, "a", 1) == ({"id": "a", "nodes": []}, {"format": 1, "version": 1})

    def test_reads_files_of_node_types(self, task_url: str, store: Store) -> None:
        file = NodeFile("greet.py", "A = 1")
        store.publish({"id": "b"}, {}, author="ann", source="api", node_files=[file])
        assert node_file(task_url, file.hash) == file

    def test_serves_the_bundle(self, task_url: str, store: Store) -> None:
        bundle = Store(task_url)
        assert bundle.changes(0, bundle.revision()) == store.changes(0, store.revision())
        bundle.close()

    def test_says_that_a_run_has_begun_or_ended(self, task_url: str, store: Store) -> None:
        for _ in range(2):
            run_started(task_url, "a", "r")
            run_ended(task_url, "a", "r", "failed")
        said = [event for event in store.outbox.events() if event.kind.startswith("run_")]
        assert [(event.kind, event.key, event.payload) for event in said] == [
            ("run_started", "run a r", {"dag_id": "a", "run_id": "r", "state": "running"}),
            ("run_ended", "run a r", {"dag_id": "a", "run_id": "r", "state": "failed"}),
        ]

    def test_has_of_the_server_s_own_functions_those_that_everybody_has(self, task: psycopg.Connection) -> None:
        more = """
        select count(*) from pg_proc where pronamespace = 'pg_catalog'::regnamespace
        and has_function_privilege(oid, 'execute') and proacl is not null
        and not exists (select from aclexplode(proacl) where grantee = 0 and privilege_type = 'EXECUTE')
        """
        assert task.execute(more.encode()).fetchone() == (0,)

    def test_changes_no_setting_of_the_server(self, task: psycopg.Connection) -> None:
        query = "select name, setting from pg_settings where context not in ('user', 'internal')"
        settings = task.execute(query.encode()).fetchall()
        assert len(settings) > 100
        for name, value in settings:
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.CantChangeRuntimeParam)):
                task.execute("select set_config(%s, %s, false)", (name, value))

    def test_has_limits(self, task: psycopg.Connection, store_url: str) -> None:
        settings = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        assert [task.execute(f"show {name}".encode()).fetchone() for name in settings] == [
            ("2min",), ("10s",), ("1min",)
        ]  # fmt: skip
        limit = "select rolconnlimit from pg_roles where rolname = current_user"
        assert (task.execute(limit).fetchone() or (0,))[0] >= 20

    def test_its_advisory_locks_hold_nothing_up(self, task: psycopg.Connection, store: Store, store_url: str) -> None:
        names = ("folder", "upgrade", "ended runs", "clean-up", "migration")
        keys = [7261994, *(int.from_bytes(sha256(name.encode()).digest()[:8], signed=True) for name in names)]
        for key in keys:
            task.execute("select pg_advisory_lock(%s), pg_advisory_lock_shared(%s)", (key, key))
        for name in names:
            with store.lock(name) as held:
                assert held
        migrate(store_url)
        ensure_task_role(store_url, "another")

    @pytest.mark.parametrize(
        ("function", "arguments"),
        [
            ("airloom_run_started", ["", "r"]), ("airloom_run_started", [None, "r"]),
            ("airloom_run_started", ["a", "r" * 251]), ("airloom_run_ended", ["a", "r", "running"]),
            ("airloom_run_ended", ["a", "r", None]), ("airloom_run_ended", ["a" * 251, "r", "success"]),
        ],
    )  # fmt: skip
    def test_what_it_says_has_a_form(self, task: psycopg.Connection, function: str, arguments: list[str]) -> None:
        places = ", ".join(["%s"] * len(arguments))
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            task.execute(f"select {function}({places})".encode(), arguments)

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

    def test_two_stores_on_a_server_do_not_touch_each_other(self, task_url: str, database_url: str) -> None:
        migrate(database_url)
        other = ensure_task_role(database_url, "of the other")
        assert published_at(task_url, "a", 1) is not None
        beside = make_url(task_url).set(database=make_url(database_url).database)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            published_at(beside.render_as_string(hide_password=False), "a", 1)
        with pytest.raises(ConfigurationError, match="not that of this store's tasks"):
            ensure_task_role(database_url, "x", make_url(task_url).username)
        assert published_at(task_url, "a", 1) is not None
        assert published_at(other, "a", 1) is None

    def test_takes_nothing_from_others_of_a_shared_database(self, store_url: str) -> None:
        rights = """
        select datacl::text, nspacl::text, array(select relacl::text from pg_class order by oid), proacl::text
        from pg_database, pg_namespace, pg_proc
        where datname = current_database() and nspname = 'public' and proname = 'of_another'
        """
        with psycopg.connect(plain(store_url), autocommit=True) as connection:
            connection.execute("create function of_another() returns int language sql as 'select 1'")
            connection.execute("create table of_another (a int)")
            connection.execute("grant select on of_another to public")
            # What the owner has by default is written out with the first right that somebody is given.
            ensure_task_role(store_url, "x")
            before = connection.execute(rights.encode()).fetchone()
            ensure_task_role(store_url, "x")
            assert connection.execute(rights.encode()).fetchone() == before
            public = "select has_database_privilege('public', current_database(), 'connect, temporary')"
            assert connection.execute(public.encode()).fetchone() == (True,)
            public = "select has_function_privilege('public', 'of_another()', 'execute')"
            assert connection.execute(public.encode()).fetchone() == (True,)
            public = "select has_table_privilege('public', 'of_another', 'select')"
            assert connection.execute(public.encode()).fetchone() == (True,)

    def test_refuses_the_role_of_somebody_else(self, store_url: str, databases: Databases) -> None:
        databases.execute("create role ann_reports login password 'hers'")
        with psycopg.connect(plain(store_url)) as connection:
            connection.execute("grant select on versions to ann_reports")
        for role in ("ann_reports", "postgres"):
            with pytest.raises(ConfigurationError, match=f"the role {role} of this server"):
                ensure_task_role(store_url, "x", role)

    def test_one_of_an_earlier_release_works_on(self, store_of_before: str, databases: Databases) -> None:
        password = uuid.uuid4().hex
        databases.execute(
            "drop role if exists airloom_task", f"create role airloom_task login noinherit password '{password}'"
        )
        with psycopg.connect(plain(store_of_before)) as connection:
            connection.execute("grant select on versions to airloom_task")
            connection.execute("grant execute on function airloom_event(text, jsonb) to airloom_task")
        migrate(store_of_before)
        url = make_url(store_of_before).set(username="airloom_task", password=password)
        run_started(url.render_as_string(hide_password=False), "a", "r")
        renewed = ensure_task_role(store_of_before, password, "airloom_task")
        assert published_at(renewed, "a", 1) == ({"id": "a"}, {})
        with psycopg.connect(plain(store_of_before), autocommit=True) as connection:
            connection.execute("drop owned by airloom_task")
            connection.execute("drop role airloom_task")


def test_a_long_name_of_a_database_has_a_role_too() -> None:
    names = [task_role(f"postgresql://host/{'a' * length}") for length in (58, 59, 63)]
    assert names[0] == "a" * 58 + "_task"
    assert len(set(names)) == 3
    assert max(len(name) for name in names) <= 63
