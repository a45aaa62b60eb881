"""A closed DuckDB: exactly the given files, exactly the given folder, no setting changed."""

from __future__ import annotations

import duckdb
import pytest

from airloom.engine.duck import connect, describe


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "inner").mkdir()
    for name in ("given.csv", "other.csv", "it's.csv", "inner/given.csv"):
        (tmp_path / name).write_text("x,y\n1,2\n")
    duckdb.connect().execute(f"COPY (SELECT 1 AS x) TO '{tmp_path}/given.parquet'")
    duckdb.connect().execute(f"COPY (SELECT 1 AS x) TO '{tmp_path}/other.parquet'")
    return tmp_path


@pytest.fixture
def closed(folder):
    connection = connect(
        memory_limit="200MB",
        threads=2,
        temp_directory=str(folder / "spill"),
        read=[f"{folder}/given.csv", f"{folder}/given.parquet", f"{folder}/it's.csv"],
        write=[f"{folder}/out"],
    )
    connection.execute("CREATE TABLE inside AS SELECT 1 AS x")
    yield connection
    connection.close()


ALLOWED = [
    "SELECT x FROM '{folder}/given.csv'",
    "SELECT x FROM read_csv('{folder}/given.csv')",
    "SELECT x FROM '{folder}/given.parquet'",
    "SELECT x FROM '{folder}/it''s.csv'",
    "COPY inside TO '{folder}/out/a.parquet'",
    "COPY inside TO '{folder}/out/a.csv'",
    "SELECT current_setting('TimeZone')",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_reaches_what_is_given(closed, folder, sql):
    assert closed.execute(sql.format(folder=folder)).fetchall() in ([(1,)], [("UTC",)])


REFUSED = [
    "SELECT * FROM '{folder}/other.csv'",
    "SELECT * FROM '{folder}/other.parquet'",
    "SELECT * FROM '{folder}/*.csv'",
    "SELECT * FROM '{folder}/given.*'",
    "SELECT * FROM '{folder}/given.csv/../other.csv'",
    "SELECT * FROM '{folder}/out/../other.csv'",
    "SELECT * FROM '{folder}/inner/given.csv'",
    "SELECT * FROM read_csv(['{folder}/given.csv', '{folder}/other.csv'])",
    "SELECT * FROM read_parquet('{folder}/other.parquet')",
    "SELECT * FROM parquet_metadata('{folder}/other.parquet')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('{folder}/other.csv')",
    "SELECT * FROM read_json('{folder}/other.csv')",
    "SELECT * FROM sniff_csv('{folder}/other.csv')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM 'https://example.com/x.csv'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "COPY inside TO '{folder}/stolen.csv'",
    "COPY inside TO '{folder}/given.csv'",
    "COPY inside TO '{folder}/out/../stolen.csv'",
    "COPY inside TO '{folder}/outside.csv'",
    "COPY inside FROM '{folder}/other.csv'",
    "EXPORT DATABASE '{folder}/stolen'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{folder}/stolen.db' AS stolen",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "CREATE SECRET s (TYPE s3)",
    "CREATE PERSISTENT SECRET s (TYPE http)",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET allowed_paths = ['/etc/passwd']",
    "SET allowed_directories = ['/etc']",
    "SET memory_limit = '100GB'",
    "SET threads = 64",
    "SET temp_directory = '/tmp'",
    "SET TimeZone = 'Europe/Berlin'",
    "SET python_enable_replacements = true",
    "RESET memory_limit",
    "PRAGMA enable_profiling",
    "SELECT * FROM python_table",
    "SELECT getenv('PATH')",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_reaches_nothing_else(closed, folder, sql):
    python_table = closed.sql("SELECT 1 AS x").to_arrow_table()
    assert python_table.num_rows == 1
    with pytest.raises(duckdb.Error):
        closed.execute(sql.format(folder=folder)).fetchall()
    assert not list(folder.glob("stolen*"))


SORT = "SELECT count(*) FROM (SELECT range AS a, hash(range) AS b FROM range(4_000_000) ORDER BY b)"


def test_spills_to_its_folder_and_only_there(folder):
    with connect(memory_limit="40MB", threads=1, temp_directory=str(folder / "spill")) as spilling:
        assert spilling.execute(SORT).fetchall() == [(4_000_000,)]
    with connect(memory_limit="40MB", threads=1) as other, pytest.raises(duckdb.OutOfMemoryException):
        other.execute(SORT).fetchall()


def test_takes_arrow_tables_that_are_registered(closed):
    closed.register("given", closed.sql("SELECT 7 AS x").to_arrow_table())
    assert closed.execute("SELECT x FROM given").fetchall() == [(7,)]


def test_keeps_the_order_of_rows(closed):
    closed.execute("CREATE TABLE many AS SELECT range AS a FROM range(300_000)")
    values = closed.sql("SELECT a FROM many WHERE a % 3 = 0").to_arrow_table()["a"].to_pylist()
    assert values == sorted(values)


def test_describes_without_running(closed):
    assert describe(closed, "SELECT x AS a, 'b' AS \"Name of b\", [1.5] AS c FROM inside") == {
        "a": "INTEGER",
        "Name of b": "VARCHAR",
        "c": "DECIMAL(2,1)[]",
    }
    assert describe(closed, "WITH q AS (SELECT 1 AS x) SELECT * FROM q UNION ALL SELECT 2") == {"x": "INTEGER"}
    assert describe(closed, "SELECT error('never called') AS x FROM inside") == {"x": '"NULL"'}
    with pytest.raises(duckdb.BinderException):
        describe(closed, "SELECT missing FROM inside")
