"""The same rows and types come out whatever the order and the chunks of the input, fused or over files."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlglot import ErrorLevel

from airloom.engine.reading import quoted, with_tables
from airloom.engine.relation import Relation, exp
from airloom.engine.shapes import Shapes
from airloom.nodes.calling import queries_of
from airloom.nodes.catalog import catalog
from airloom.nodes.sdk import Table, ports_of

COLUMNS = {"id": "INTEGER", "k": "VARCHAR", "t": "INTEGER", "n": "INTEGER", "x": "DOUBLE", "d": "DECIMAL(9,2)",
           "s": "VARCHAR", "at": "TIMESTAMP", "l": "INTEGER[]", "j": "JSON", "b": "BOOLEAN"}  # fmt: skip
ROWS = 9_000
TABLES = {"src": 1, "other": 7}
"""Nulls and ties in every column; `other` has some of the keys, several times."""

CONFIGS: list[tuple[str, dict[str, Any]]] = [
    ("filter", {"conditions": [{"column": "s", "operator": "contains", "value": "1"}, {"column": "n", "value": 2}]}),
    ("arithmetic", {"left": "x", "operator": "//", "right": "n", "name": "y"}),
    ("arithmetic", {"left": "d", "operator": "%", "right": "n", "name": "y"}),
    ("arithmetic", {"left": "n", "operator": "**", "right": "t", "name": "y"}),
    ("compare", {"left": "n", "operator": "<", "right": "x", "name": "y"}),
    ("logic", {"left": "b", "operator": "xor", "right": "b", "name": "y"}),
    ("map_values", {"column": "t", "mapping": {"1": 0.5, "2": None}, "default": 7, "type": "DECIMAL(5,2)"}),
    ("split_column", {"column": "s", "separator": "-", "names": ["p", "q"], "max_splits": 1}),
    ("string_operations", {"column": "s", "operations": [{"op": "pad", "width": 9}, {"op": "upper"}]}),
    ("normalize_text", {"columns": ["s"], "operations": ["remove_special", "uppercase"]}),
    ("date_parts", {"column": "at", "parts": ["week", "iso_year", "weekday", "date"]}),
    ("date_difference", {"start": "at", "value": "2026-01-31", "unit": "months", "name": "y"}),
    ("sample", {"rows": 500}),
    ("sample", {"fraction": 0.1}),
    ("deduplicate", {"keys": ["k"], "order": ["t"]}),
    ("deduplicate", {"keys": ["k", "t"], "keep": "last", "ignore_case": True}),
    ("remove_nulls", {}),
    ("fill_nulls", {"strategy": "median", "by": ["k"]}),
    ("fill_nulls", {"strategy": "mode", "columns": ["n", "s"], "by": ["t"]}),
    ("fill_nulls", {"strategy": "forward", "columns": ["n"], "by": ["k"], "order": ["t"]}),
    ("fill_nulls", {"strategy": "backward", "columns": ["n"], "order": ["t"]}),
    ("clean", {"empty_to_null": True}),
    ("lookup", {"on": ["id"], "columns": ["n", "at"], "prefix": "o_", "several": "first"}),
    ("update_rows", {"keys": ["k"], "order": ["t"]}),
    ("join", {"on": ["id"], "how": "outer"}),
    ("map_schema", {"columns": {"a": {"column": "n", "type": "VARCHAR"}, "c": {"column": "x", "default": 0}}}),
    ("pivot", {"index": ["k"], "column": "t", "value": "n", "op": "last", "by": "id", "values": [0, 1]}),
    ("pivot", {"index": ["k"], "column": "t", "value": "n"}),
    ("unpivot", {"keys": ["id"], "values": ["n", "x", "d"]}),
    ("json_select", {"column": "j", "path": "a[1]", "type": "BIGINT", "name": "y"}),
    ("flatten", {"column": "l", "keep_empty": True}),
    ("validate_rows", {"rules": [{"columns": ["id", "t"], "must": "unique"}, {"where": "n < 9"}]}),
]  # fmt: skip
ELSEWHERE = {"error": "raise_error", "hash": "xxhash64", "try_strptime": "try_to_timestamp"}
"""The functions of these queries that Spark has under another name."""

every_config = pytest.mark.parametrize(
    ("name", "config"), [pytest.param(*case, id=f"{case[0]}-{at}") for at, case in enumerate(CONFIGS)]
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
    return with_tables({f"{table}.rows": f"SELECT * FROM {source}" for table, source in sources.items()}, text)


def difference(one: str, other: str) -> str:
    return f"SELECT count(*) FROM (({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one}))"


@every_config
def test_rows_are_the_same_whatever_their_order(
    name: str, config: dict[str, Any], data: duckdb.DuckDBPyConnection
) -> None:
    for text in texts(name, config, data).values():
        straight = f"SELECT * FROM ({over(text, {table: table for table in TABLES})})"
        turned = f"SELECT * FROM ({over(text, {table: f'{table}_turned' for table in TABLES})})"
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
        assert data.execute(difference(f"SELECT * FROM ({query})", read)).fetchall() == [(0,)]


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
