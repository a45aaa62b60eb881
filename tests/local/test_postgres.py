from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from airloom.local.guard import restart
from airloom.local.postgres import Postgres
from airloom.spec.error import SystemFault
from airloom.store.lookup import plain


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server() -> Iterator[Postgres]:
    """Return a server whose home is deep and has a space, a quote and a dollar sign in its path."""
    base = Path(tempfile.mkdtemp(prefix="airloom it's $5 "))
    base.chmod(0o755)
    home = base / ("d" * 60) / ("e" * 60)
    home.mkdir(parents=True)
    server = Postgres(home, "test", free_port(), "it's; a password")
    yield server
    server.stop()
    shutil.rmtree(base)


def connect(server: Postgres, password: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host="127.0.0.1", port=server.port, user="postgres", dbname="postgres", password=password or server.password
    )


def test_it_starts_once_keeps_its_data_and_stops(server: Postgres) -> None:
    assert server.start()
    assert not server.start()
    with connect(server) as session:
        session.execute("create table kept as select 1 as value")
    server.stop()
    assert not server.running()
    with pytest.raises(psycopg.OperationalError):
        connect(server)
    assert not server.start()
    with connect(server) as session:
        assert session.execute("select value from kept").fetchone() == (1,)


def test_it_is_postgres_18_with_vectors_in_utc(server: Postgres) -> None:
    server.start()
    with connect(server) as session:
        version, timezone, encoding = session.execute(
            "select current_setting('server_version_num')::int / 10000, current_setting('timezone'),"
            " current_setting('server_encoding')"
        ).fetchone() or (None, None, None)
        assert (version, timezone, encoding) == (18, "UTC", "UTF8")
        session.execute("create extension vector")
        assert session.execute("select '[1,2]'::vector <-> '[1,3]'::vector").fetchone() == (1.0,)


def test_it_asks_for_the_password(server: Postgres) -> None:
    server.start()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(server, "another")


def test_it_listens_on_this_machine_alone_and_leaves_its_files_to_its_account(server: Postgres) -> None:
    server.start()
    with connect(server) as session:
        assert session.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert session.execute("show unix_socket_directories").fetchone() == ("",)
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    assert (server.folder.stat().st_uid == 0) is False or os.geteuid() != 0


def test_a_start_that_was_cut_off_is_made_good(server: Postgres) -> None:
    server.start()
    server.stop()
    # As an interrupted initdb leaves it: a folder that looks begun, and no whole one.
    (server.folder / "data").rename(server.folder / "data.new")
    assert server.start()
    assert server.running()


def test_where_it_cannot_start_the_log_says_why(server: Postgres) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", server.port))
        busy.listen()
        with pytest.raises(SystemFault, match="Address already in use"):
            server.start()


def test_the_password_is_not_shown(server: Postgres) -> None:
    assert server.password not in repr(server)


def test_an_address_survives_any_password(server: Postgres) -> None:
    server.start()
    with psycopg.connect(plain(server.address("postgres"))) as session:
        assert session.execute("select 1").fetchone() == (1,)


def test_the_guard_starts_it_again_where_it_was_killed(server: Postgres) -> None:
    server.start()
    with connect(server) as session:
        session.execute("create table kept as select 1 as value")
    assert not restart(server)
    os.kill(int((server.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    end = time.monotonic() + 60
    while not restart(server):
        assert time.monotonic() < end
        time.sleep(0.1)
    with connect(server) as session:
        assert session.execute("select value from kept").fetchone() == (1,)
