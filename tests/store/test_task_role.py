"""The role of tasks tries everything that there is in its store, and gets what is listed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from tests.conftest import Databases

from airloom.store.lookup import plain
from airloom.store.migrate import ensure_task_role, migrate
from airloom.store.store import Store

READS = {"versions", "node_files", "pipelines", "problems", "revision"}
SAYS = {"airloom_run_started(text,text)", "airloom_run_ended(text,text,text)"}
ASKS = {"airloom_run_reuse(text,text)"}
MODES = (
    "access share", "row share", "row exclusive", "share update exclusive", "share", "share row exclusive", "exclusive",
    "access exclusive",
)  # fmt: skip
OF_TABLES = (
    "insert into {} default values", "delete from {}", "truncate {}", "alter table {} add mine int", "drop table {}",
    "alter table {} owner to current_user", "alter table {} disable trigger all", "alter table {} rename to mine",
    "comment on table {} is ''", "create index on {} ((1))",
    "create trigger mine before insert on {} for each row execute function suppress_redundant_updates_trigger()",
    "create rule mine as on insert to {} do instead nothing", "create policy mine on {}", "cluster {}",
    "alter table {} enable row level security", "create statistics mine (ndistinct) on ctid, xmin from {}",
    "create table mine (like {})", "copy {} from stdin", "copy {} to '/tmp/mine'", "refresh materialized view {}",
)  # fmt: skip
OF_SEQUENCES = ("select nextval('{}')", "select setval('{}', 1)", "select * from {}", "alter sequence {} restart")
OF_THE_SERVER = """
create schema mine
create extension dblink
create extension file_fdw
create language plperl
create foreign data wrapper mine
create server mine foreign data wrapper postgres_fdw
create tablespace mine location '/tmp'
create publication mine for all tables
create event trigger mine on ddl_command_start execute function suppress_redundant_updates_trigger()
create subscription mine connection '' publication p
create cast (text as int) with inout
create database mine
create role mine
alter role current_user superuser
alter role current_user createrole
drop owned by postgres
alter role current_user connection limit -1
grant pg_read_all_data to current_user
set role postgres
set session authorization postgres
reassign owned by postgres to current_user
alter system set fsync = off
alter database {database} set fsync = off
alter schema public rename to mine
alter default privileges for role postgres grant select on tables to public
checkpoint
alter trigger outbox_wake on outbox rename to mine
load 'plperl'
copy (select 1) to program 'id'
copy (select 1) to '/tmp/mine'
select pg_read_file('/etc/passwd')
select pg_read_binary_file('/etc/passwd')
select pg_ls_dir('/')
select pg_ls_waldir()
select pg_stat_file('/etc/passwd')
select lo_import('/etc/passwd')
select lo_export(1, '/tmp/mine')
select pg_reload_conf()
select pg_rotate_logfile()
select pg_switch_wal()
select pg_create_restore_point('mine')
select pg_stat_reset()
select pg_promote()
select pg_wal_replay_pause()
select pg_create_physical_replication_slot('mine')
select rolpassword from pg_authid
select * from pg_subscription
select umoptions from pg_user_mapping
select * from pg_file_settings
select * from pg_hba_file_rules
select * from pg_statistic
select * from pg_largeobject
select pg_terminate_backend({owner})
select pg_cancel_backend({owner})
select pg_log_backend_memory_contexts({owner})
create function public.mine() returns int language sql as 'select 1'
create type public.mine as enum ('a')
create view public.mine as select 1
create table public.mine (a int)
create sequence public.mine
create operator public.=== (leftarg = int, rightarg = int, function = int4eq)
do language plpgsql $$ begin create table public.mine (a int); end $$
do language plpython3u 'x'
create or replace function airloom_run_started(dag_id text, run_id text) returns void language sql as ''
alter function airloom_run_started(text, text) security invoker
drop function airloom_run_started(text, text)
set session_replication_role = replica
set log_statement = 'none'
set temp_file_limit = -1
""".strip().splitlines()
ALONE = ("alter system", "create database", "create subscription", "create tablespace", "cluster")
"""Statements that no transaction may hold."""
# A statement that needs what is not there is refused for that.
ABSENT = (
    psycopg.errors.UndefinedObject, psycopg.errors.UndefinedFile, psycopg.errors.FeatureNotSupported,
    psycopg.errors.WrongObjectType,
)  # fmt: skip


@dataclass
class Everything:
    """What there is in a store, as its owner sees it, and the number of the owner's backend."""

    tables: list[str] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    backend: int = 0
    large_object: int = 0


@pytest.fixture
def owner(store: Store, store_url: str) -> Iterator[psycopg.Connection]:
    store.publish({"id": "a", "nodes": []}, {"format": 1}, author="ann", source="api")
    store.drafts.save("b", {"id": "b"}, etag=None, author="ann")
    with psycopg.connect(plain(store_url), autocommit=True) as connection:
        yield connection


@pytest.fixture
def everything(owner: psycopg.Connection) -> Everything:
    found = Everything()
    relations = "select relname, relkind from pg_class where relnamespace = 'public'::regnamespace order by 1"
    for name, kind in owner.execute(relations.encode()):
        if kind in "rvmpf":
            found.tables.append(name)
        elif kind == "S":
            found.sequences.append(name)
    functions = "select oid::regprocedure::text from pg_proc where pronamespace = 'public'::regnamespace order by 1"
    found.functions = [name for (name,) in owner.execute(functions.encode())]
    found.backend = owner.info.backend_pid
    (found.large_object,) = owner.execute("select lo_from_bytea(0, 'of the owner')").fetchone() or (0,)
    assert {"outbox", "locks", "runs", "drafts"} < set(found.tables)
    assert "outbox_id_seq" in found.sequences
    return found


@pytest.fixture
def task(owner: psycopg.Connection, store_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(plain(ensure_task_role(store_url, "word")), autocommit=True) as connection:
        yield connection


def got(task: psycopg.Connection, statement: str) -> str | None:
    """Try a statement, and take it back; return None where it is refused for want of a right, else what came."""
    try:
        if statement.startswith(ALONE):
            task.execute(statement.encode())
        else:
            with task.transaction(force_rollback=True):
                task.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege:
        return None
    except ABSENT as error:
        return f"absent: {error}"
    except psycopg.Error as error:
        return f"{type(error).__name__}: {error}"
    return "done"


def test_of_tables_it_reads_five(task: psycopg.Connection, everything: Everything) -> None:
    assert {name for name in everything.tables if got(task, f"select * from {name}") == "done"} == READS
    for name in everything.tables:
        column = f"select attname from pg_attribute where attrelid = '{name}'::regclass order by attnum desc limit 1"
        (last,) = task.execute(column.encode()).fetchone() or ("",)
        statements = [statement.format(name) for statement in OF_TABLES]
        statements += [f'update {name} set "{last}" = "{last}"', f"select * from {name} for update"]
        statements += [f"select * from {name} for key share", f'alter table {name} alter "{last}" drop not null']
        taken = {statement: come for statement in statements if (come := got(task, statement)) is not None}
        assert {statement: come for statement, come in taken.items() if not come.startswith("absent")} == {}
        # PostgreSQL only warns of a right that cannot be handed on.
        if name in READS:
            task.execute(f"grant select on {name} to public".encode())
        held = "select has_table_privilege('public', %s, 'select')"
        assert task.execute(held, (name,)).fetchone() == (False,)


def test_of_locks_of_tables_it_takes_that_of_readers(task: psycopg.Connection, everything: Everything) -> None:
    for name in everything.tables:
        taken = {mode for mode in MODES if got(task, f"lock table {name} in {mode} mode nowait") is not None}
        assert taken == ({"access share"} if name in READS else set()), name


def test_of_sequences_it_has_none(task: psycopg.Connection, everything: Everything) -> None:
    for name in everything.sequences:
        assert [got(task, statement.format(name)) for statement in OF_SEQUENCES] == [None] * len(OF_SEQUENCES)


def test_of_functions_it_calls_three(task: psycopg.Connection, everything: Everything) -> None:
    called = {}
    for name in everything.functions:
        function, _, arguments = name.removesuffix(")").partition("(")
        places = ", ".join(f"null::{kind}" for kind in arguments.split(",") if kind)
        called[name] = got(task, f"select {function}({places})")
    refused = {name for name, come in called.items() if come is None}
    assert refused == set(everything.functions) - SAYS - ASKS
    assert all("InvalidParameterValue" in str(called[name]) for name in SAYS)


def test_of_a_run_it_learns_what_that_reuses_and_no_more(task: psycopg.Connection, store: Store) -> None:
    reuse = {"run_id": "first", "parts": {"paid": "run", "orders": "reused"}}
    store.runs.begin("sales", "second", version=1, trigger="hand", actor="ann", params={"key": 1}, reuse=reuse)
    query = "select airloom_run_reuse(%s, %s)"
    assert task.execute(query, ("sales", "second")).fetchone() == (reuse,)
    assert task.execute(query, ("sales", "first")).fetchone() == (None,)


def test_of_the_server_it_has_nothing(task: psycopg.Connection, everything: Everything, store_url: str) -> None:
    names = {"owner": everything.backend, "database": make_url(store_url).database}
    taken = {}
    for statement in OF_THE_SERVER:
        made = statement.replace("{owner}", str(names["owner"])).replace("{database}", str(names["database"]))
        if (come := got(task, made)) is not None:
            taken[statement] = come
    assert {statement: come for statement, come in taken.items() if not come.startswith("absent")} == {}
    member = "select count(*) from pg_auth_members where member = current_user::regrole"
    assert task.execute(member.encode()).fetchone() == (0,)
    assert got(task, f"select lo_get({everything.large_object})") is None
    assert got(task, f"select lo_unlink({everything.large_object})") is None


def test_it_sees_no_statement_of_others(task: psycopg.Connection, owner: psycopg.Connection) -> None:
    query = "select query from pg_stat_activity where pid = %s"
    assert task.execute(query, (owner.info.backend_pid,)).fetchone() == ("<insufficient privilege>",)


def test_what_anybody_has_who_may_connect_reaches_nobody_else(
    task: psycopg.Connection, owner: psycopg.Connection
) -> None:
    """A shared database is not ours to close: what PostgreSQL gives to everybody stays, and reaches no others."""
    task.execute("create temporary table mine as select 1 as a")
    (made,) = task.execute("select lo_from_bytea(0, 'x')").fetchone() or (0,)
    task.execute("notify airloom_outbox, 'nothing of the sort'")
    task.execute("set search_path = pg_temp, public")
    # A table of its own under the name of one of the store's is not seen by the functions that act for it.
    task.execute("create temporary table outbox (kind text, key text, payload json, deduplication text)")
    task.execute("select airloom_run_started('a', 'r')")
    assert task.execute("select count(*) from pg_temp.outbox").fetchone() == (0,)
    assert ("run_started",) in owner.execute("select kind from public.outbox").fetchall()
    owner.execute(sql.SQL("select lo_unlink({})").format(made))


def test_in_other_databases_of_the_server_it_reads_nothing(
    task: psycopg.Connection, everything: Everything, databases: Databases, store_url: str, database_url: str
) -> None:
    migrate(database_url)
    other = Store(database_url)
    other.publish({"id": "theirs", "nodes": []}, {"format": 1}, author="ann", source="api")
    other.close()
    ensure_task_role(database_url, "of the other")
    user = make_url(store_url).set(username=task.info.user, password="word")
    beside = user.set(database=make_url(database_url).database).render_as_string(hide_password=False)
    with psycopg.connect(plain(beside), autocommit=True) as session:
        tried = [f"select * from {name}" for name in everything.tables]
        tried += [f"lock table {name} in access share mode" for name in everything.tables]
        tried += ["select airloom_run_started('a', 'r')", "select airloom_run_ended('a', 'r', 'failed')"]
        assert [statement for statement in tried if got(session, statement) is not None] == []
    assert not [event for event in Store(database_url).outbox.events() if event.kind.startswith("run_")]
