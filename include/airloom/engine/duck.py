"""DuckDB, closed: it reaches the given files and nothing else of the machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airloom.engine.quoting import sql_literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def connect(
    *,
    memory_limit: str = "4GB",
    threads: int = 2,
    temp_directory: str | None = None,
    read: Sequence[str] = (),
    write: Sequence[str] = (),
) -> DuckDBPyConnection:
    """Return a new in-memory database that no statement can open further.

    `read` are the files that may be read, and nothing beside them: no patterns, no folders. `write` are the folders
    that may be written. Beyond `memory_limit`, such as `4GB`, tables are spilled to `temp_directory`; without one
    they are not. Time zone UTC; row order is kept; no extension is loaded, no Python variable is read as a table.
    """
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": temp_directory or "",
            "preserve_insertion_order": True,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            # UUID and JSON stay what they are on their way through Arrow, and do not become text.
            "arrow_lossless_conversion": True,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET allowed_paths = {sql_literal(list(read))}")
    connection.execute(f"SET allowed_directories = {sql_literal(list(write))}")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def describe(connection: DuckDBPyConnection, sql: str) -> dict[str, str]:
    """Return names and types of the columns of a query, in order, without reading a row; raise DuckDB's errors.

    DuckDB works out constants even so, which users' SQL may make arbitrarily costly: call it in a child process.
    """
    rows = connection.execute(f"DESCRIBE {sql}").fetchall()
    return {row[0]: row[1] for row in rows}
