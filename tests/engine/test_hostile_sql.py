"""Hostile SQL, made by combining: nothing of it reaches a file, a setting, a secret or another table."""

from __future__ import annotations

import itertools

import pytest
from tests.engine.sql_tools import BUILT_IN, COLUMNS, ROWS, reading

from airloom.engine import duck
from airloom.engine.child import MemoryExceeded, QueryTimeout, run_in_child
from airloom.engine.policy import FUNCTIONS
from airloom.engine.sql_field import SqlFieldError, parse_formula, parse_query
from airloom.spec.error import SystemFault

LISTED = {name for names in FUNCTIONS.values() for name in names} | BUILT_IN
CANARY = "canary-5d41402a"
MEGABYTE = 2**20

# What an attacker wants, as a value…
WANTED = [
    "read_text('{file}')",
    "READ_TEXT ('{file}')",
    "\"read_text\"('{file}')",
    "read_text/**/('{file}')",
    "main.read_text('{file}')",
    "system.main.read_text('{file}')",
    "'{file}'.read_text()",
    "(select content from read_text('{file}'))",
    "(select * from '{file}')",
    '(select * from "{file}")',
    "(from '{file}')",
    "(with f as (select * from '{file}') select * from f)",
    "(select secret from other)",
    "(select current_setting('temp_directory'))",
    "current_setting('temp_directory')",
    "getenv('PATH')",
    "getvariable('secret')",
    "(select max(value) from duckdb_settings())",
    "(select max(name) from duckdb_settings)",
    "exists (select 1 from duckdb_secrets())",
    "(select sql from sqlite_master)",
    "(select table_name from information_schema.tables)",
    "nextval('numbers')",
    "list_aggregate([1], 'sum')",
    "array_apply([1], y -> getenv('PATH'))",
    "json_execute_serialized_sql('x')",
    "$$'||read_text('{file}')||'$$ || read_text('{file}')",
    "columns(*)",
    "rowid",
    "filename",
    "other.secret",
    "orders",
    "cast('other' as regclass)",
    "1) from other where (1=1",
    "1 from read_text('{file}')",
    "1; copy (select 1) to '{folder}/stolen.csv'; select 1",
    "1 union select secret from other",
    "1 -- ' \n ; drop table other",
]
# … and as a table.
WANTED_TABLES = [
    "'{file}'",
    '"{file}"',
    "read_text('{file}')",
    "read_csv('{file}')",
    "main.other",
    "memory.main.other",
    "other",
    '"other"',
    "OTHER",
    "duckdb_settings()",
    "duckdb_settings",
    "sqlite_master",
    "information_schema.tables",
    "pg_catalog.pg_class",
    "query('from other')",
    "query_table('other')",
    "glob('{folder}/*')",
    "(from other)",
    "(table other)",
    "(describe other)",
    "(summarize other)",
    "(show tables)",
    "(with other as (select 1) select * from other) q, other",
    "orders tablesample 1%",
    "generate_series(1, 2)",
]
PLACES = [
    "{wanted}",
    "(({wanted}))",
    "coalesce(s, {wanted})",
    "case when n > 1 then {wanted} else s end",
    "s || {wanted}",
    "[{wanted}]",
    "{{'a': {wanted}}}",
    "l[{wanted}]",
    "cast({wanted} as varchar)",
    "s in ({wanted})",
    "s like {wanted}",
    "/* x */ {wanted} -- x",
    "max({wanted}) over (order by {wanted})",
    "string_agg(s, {wanted})",
    "count(*) filter (where {wanted} is null)",
]
QUERY_PLACES = [
    "select {wanted} from orders",
    "select * from orders where {wanted} is not null",
    "select * from orders order by {wanted}",
    "select * from orders limit {wanted}",
    "select s from orders group by s, {wanted}",
    "with c as (select {wanted} as v) select * from c",
    "select * from (values ({wanted})) v(x)",
    "select * replace ({wanted} as s) from orders",
    "select unnest([{wanted}])",
]
TABLE_PLACES = [
    "select * from {wanted}",
    "from {wanted}",
    "select * from orders, {wanted}",
    "select * from orders join {wanted} on true",
    "select * from orders left join (select * from {wanted}) j on true",
    "select * from orders where n in (select 1 from {wanted})",
    "select (select count(*) from {wanted}) as c",
    "select n from orders union all select 1 from {wanted}",
    "with c as (select * from {wanted}) select * from c",
    "with orders as (select * from {wanted}) select * from orders",
    "with other as (select * from {wanted}) select * from other",
    "with other as (select 1) select * from (select * from {wanted}) q",
    "select * from orders where exists (with other as (select 1) select 1) and n in (select 1 from {wanted})",
]


def texts(folder):
    """Return every text with the parser for its field."""
    fill = {"file": f"{folder}/secret.csv", "folder": str(folder)}
    for wanted, place in itertools.product(WANTED, PLACES):
        yield formula, place.format(wanted=wanted.format(**fill))
    for wanted, place in itertools.product(WANTED, QUERY_PLACES):
        yield query, place.format(wanted=wanted.format(**fill))
    for wanted, place in itertools.product(WANTED_TABLES, TABLE_PLACES):
        yield query, place.format(wanted=wanted.format(**fill))


def formula(text):
    return f"SELECT {parse_formula(text, [], COLUMNS, aggregates=True).sql('duckdb')} AS v FROM orders"


def query(text):
    return parse_query(text, [], {"orders": COLUMNS}).sql("duckdb")


def run(sql, folder):
    """Run a query as a table step would; the database holds another table, too, which no step has."""
    connection = duck.connect(memory_limit="200MB", threads=1, temp_directory=str(folder / "spill"))
    columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    connection.execute(f"CREATE TABLE orders ({columns})")
    connection.execute(f"INSERT INTO orders VALUES {ROWS}")
    connection.execute(f"CREATE TABLE other AS SELECT '{CANARY}' AS secret")
    return repr(connection.sql(sql).limit(100).to_arrow_table().to_pylist())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secret.csv").write_text(f"secret\n{CANARY}\n")
    return tmp_path


def test_no_hostile_text_reaches_anything(folder):
    passed = []
    count = 0
    for parse, text in texts(folder):
        count += 1
        try:
            sql = parse(text)
        except SqlFieldError:
            continue
        functions, tables, table_functions = reading(sql) or (set(), set(), set())
        assert functions <= LISTED, text
        assert table_functions <= {"unnest"}, text
        names = {"orders", "c", "v", "q", "j"}
        if "with other as" not in text:
            assert tables <= names, text
        passed.append((text, sql))
    assert count > 1_000
    assert len(passed) < 120
    for text, sql in passed:
        try:
            answer = run_in_child(run, sql, folder, timeout=60, memory=400 * MEGABYTE)
        except SystemFault as error:
            # DuckDB's own refusals: a wrong type, an unknown name.
            answer = error.message
        assert CANARY not in answer, text
    assert sorted(path.name for path in folder.iterdir() if path.name != "spill") == ["secret.csv"]


COSTLY = [
    # Each replace makes the text a thousand times longer.
    "length(" + "replace(" * 5 + "'aaaaaaaaaa'" + f", 'a', '{'a' * 1000}')" * 5 + ")",
    "length(" + "concat(" * 12 + "'aaaaaaaaaa'" + ", s, s, s)" * 12 + ")",
    "regexp_replace(replace(replace(replace(s, '', 'a'), 'b', 'c'), 'd', 'e'), '(a*)*b', 'c', 'g')",
]
THOUSAND = "with a as (select unnest([1,2,3,4,5,6,7,8,9,10]) as x), b as (select a.x from a, a b, a c) select "
COSTLY_QUERIES = [
    THOUSAND + part
    for part in (
        "count(*), sum(hash(q.x)) from b q, b r, b s, b t",
        "length(string_agg('xxxxxxxxxxxxxxxxxxxxxxxxx', '')) from b q, b r, b s",
        "array_length(array_agg(q.x)) from b q, b r, b s",
        "q.x, row_number() over (order by hash(q.x, r.x, s.x)) from b q, b r, b s order by 2 desc",
    )
]


@pytest.mark.parametrize("text", COSTLY + COSTLY_QUERIES, ids=lambda text: text[:40])
def test_what_is_costly_ends_at_its_limits(folder, text):
    sql = formula(text) if text in COSTLY else query(text)
    hint = "AIRLOOM_"
    try:
        run_in_child(run, sql, folder, timeout=2, memory=400 * MEGABYTE)
    except (QueryTimeout, MemoryExceeded) as error:
        hint = error.hint
    # Whatever else it ends in is a failure of this test, and so is not ending.
    assert "AIRLOOM_" in hint
