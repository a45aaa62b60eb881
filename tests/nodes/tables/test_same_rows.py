"""The same rows and types come out whatever the order and the chunks of the input, fused or over files."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlglot import ErrorLevel
from tests.nodes.cases import COLUMNS, CONFIGS, MORE

from airloom.engine.quoting import quoted
from airloom.engine.reading import with_tables
from airloom.engine.relation import Relation, exp
from airloom.engine.shapes import Shapes
from airloom.nodes.calling import queries_of
from airloom.nodes.catalog import catalog
from airloom.nodes.sdk import Table, ports_of

ROWS = 9_000
TABLES = {"src": 1, "other": 7}
"""Nulls and ties in every column; `other` has some of the keys, several times."""

ELSEWHERE = {"error": "raise_error", "hash": "xxhash64", "try_strptime": "try_to_timestamp"}
"""The functions of these queries that Spark has under another name."""

every_config = pytest.mark.parametrize(
    ("name", "config"), [pytest.param(*case, id=f"{case[0]}-{at}") for at, case in enumerate([*CONFIGS, *MORE])]
)


@pytest.fixture(scope="module")
def data() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(config={"threads": 4})
    connection.execute("SET TimeZone = 'UTC'")
    kinds = ", ".join(f"{quoted(column)} {kind}" for column, kind in COLUMNS.items())
    for name, step in TABLES.items():
        connection.execute(f"CREATE TABLE {name} ({kinds})")
        connection.execute(
            f"""INSERT INTO {name} SELECT
                i * {step} % 4000, 'k' || nullif(i % 40, 7), nullif(i % 6, 5), nullif(i * 7919 % 11, 0),
                nullif(i * 31 % 17, 3) / 4, nullif(i % 13, 2) / 4, nullif('a-' || (i % 19) || '- Ä!', 'a-4- Ä!'),
                TIMESTAMP '2020-02-29 12:00' + INTERVAL 1 HOUR * (i % 50000),
                CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN [] ELSE [i % 3, NULL] END,
                CASE i % 4 WHEN 0 THEN NULL ELSE '{{"a": [1, ' || (i % 9) || ']}}' END, i % 3 = 0
            FROM range({ROWS // step}) r(i)"""
        )
        connection.execute(f'CREATE TABLE {name}_turned AS SELECT * FROM {name} ORDER BY hash(id, n, "at"), id')
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def partitions(data: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return how to read each table from many small files, whose groups of rows are smaller still."""
    found = {}
    for name in TABLES:
        folder = tmp_path_factory.mktemp(name)
        for part in range(7):
            rows = f"SELECT * FROM {name} WHERE hash(id, n, x) % 7 = {part}"
            data.execute(f"COPY ({rows}) TO '{folder}/{(part * 3) % 7}.parquet' (FORMAT parquet, ROW_GROUP_SIZE 100)")
        found[name] = f"read_parquet('{folder}/*.parquet')"
    return found


def relations(node: Table, data: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    def distinct(column: str, limit: int) -> list[Any]:
        query = f"SELECT DISTINCT {column} FROM src WHERE {column} IS NOT NULL ORDER BY {column} LIMIT {limit}"
        return [row[0] for row in data.execute(query).fetchall()]

    names = [port.name for port in ports_of(type(node), node).inputs]
    return {
        port: Relation(f"{table}.rows", COLUMNS, distinct=distinct) for port, table in zip(names, TABLES, strict=False)
    }


def texts(name: str, config: Mapping[str, Any], data: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the queries of a node by port, with their columns cast into types that last."""
    node: Any = catalog().get(name).model_validate(config)
    inputs = relations(node, data)
    with Shapes() as shapes:
        for relation in inputs.values():
            shapes.add(relation.name, COLUMNS)
        return {port: shapes.describe(query)[0] for port, query in queries_of(node, inputs).items()}


def over(text: str, sources: Mapping[str, str]) -> str:
    tables = {f"{table}.rows": f"SELECT * FROM {source}" for table, source in sources.items()}
    return with_tables(tables, f"SELECT * FROM ({text})")


def rounded(text: str, data: duckdb.DuckDBPyConnection) -> str:
    """Return a query whose floats are rounded: the last digits of a deviation depend on the order of the rows."""
    bound = data.sql(text)
    columns = [
        f"round({quoted(name)}, 9) AS {quoted(name)}" if kind == "DOUBLE" else quoted(name)
        for name, kind in zip(bound.columns, map(str, bound.types), strict=True)
    ]
    return f"SELECT {', '.join(columns)} FROM ({text})"


def difference(one: str, other: str) -> str:
    return f"SELECT count(*) FROM (({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one}))"


@every_config
def test_rows_are_the_same_whatever_their_order(
    name: str, config: dict[str, Any], data: duckdb.DuckDBPyConnection
) -> None:
    for text in texts(name, config, data).values():
        straight = rounded(over(text, {table: table for table in TABLES}), data)
        turned = rounded(over(text, {table: f"{table}_turned" for table in TABLES}), data)
        assert data.execute(difference(straight, turned)).fetchall() == [(0,)]
        assert data.execute(f"SELECT count(*) > 0 FROM ({straight})").fetchall() == [(True,)]


@every_config
def test_rows_and_types_are_the_same_from_a_file(
    name: str, config: dict[str, Any], data: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for port, text in texts(name, config, data).items():
        query = over(text, {table: table for table in TABLES})
        path = tmp_path / f"{port}.parquet"
        data.execute(f"COPY (SELECT * FROM ({query})) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
        read = f"SELECT * FROM read_parquet('{path}')"
        bound = [data.sql(sql) for sql in (query, read)]
        assert bound[0].columns == bound[1].columns
        assert bound[0].types == bound[1].types
        assert data.execute(difference(rounded(query, data), rounded(read, data))).fetchall() == [(0,)]


@every_config
def test_rows_are_the_same_from_many_files(
    name: str, config: dict[str, Any], data: duckdb.DuckDBPyConnection, partitions: dict[str, str]
) -> None:
    for text in texts(name, config, data).values():
        whole = rounded(over(text, {table: table for table in TABLES}), data)
        parted = rounded(over(text, partitions), data)
        assert data.execute(difference(whole, parted)).fetchall() == [(0,)]


@functools.cache
def every_query() -> list[tuple[str, Any]]:
    found = []
    for name, config in CONFIGS:
        node: Any = catalog().get(name).model_validate(config)
        names = [port.name for port in ports_of(type(node), node).inputs]
        inputs = {port: Relation(f"{port}.rows", COLUMNS, distinct=lambda *_: [1, 2]) for port in names}
        found += [(name, query) for query in queries_of(node, inputs).values()]
    return found


def test_queries_can_be_said_in_sparks_words() -> None:
    for name, query in every_query():
        query.sql("spark", unsupported_level=ErrorLevel.RAISE)
        called = {call.name.lower() for call in query.find_all(exp.Anonymous)}
        assert called <= set(ELSEWHERE), (name, called)
        assert not list(query.find_all(exp.Qualify, exp.Pivot)), name
        assert not [join for join in query.find_all(exp.Join) if join.method], name


def test_every_row_changing_node_of_the_folder_is_here() -> None:
    others = {"select", "rename", "derive", "cast", "sort", "limit", "concat", "split_rows", "aggregate", "sql"}
    others |= {"parse_dates"}
    tables = [node.declaration for node in catalog().all() if issubclass(node, Table)]
    here = {declaration.type for declaration in tables if declaration.category == "tables"}
    assert {name for name, _ in CONFIGS} == here - others
