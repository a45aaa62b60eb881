"""What several tests of users' SQL need: a table, and DuckDB's own reading of a text."""

from __future__ import annotations

import json

import duckdb

COLUMNS = {
    "n": "INTEGER",
    "x": "DOUBLE",
    "s": "VARCHAR",
    "region": "VARCHAR",
    "d": "DATE",
    "t": "TIMESTAMP",
    "tz": "TIMESTAMPTZ",
    "b": "BOOLEAN",
    "l": "INTEGER[]",
    "words": "VARCHAR[]",
    "j": "JSON",
    "st": "STRUCT(a INTEGER)",
    "user": "VARCHAR",
    "order date": "DATE",
}

ROWS = """
(1, 1.5, 'Ab c', 'EU', DATE '2024-01-31', TIMESTAMP '2024-01-31 10:11:12.5', TIMESTAMPTZ '2024-01-31 10:00:00+02',
 true, [3, 1, 2], ['a', 'b'], '{"a": {"b": [1, 2]}, "c": "x"}', {'a': 1}, 'ann', DATE '2024-02-01'),
(2, -0.5, 'xx''y"z', 'US', DATE '2023-12-31', TIMESTAMP '2023-12-31 23:59:59', TIMESTAMPTZ '2023-12-31 23:00:00+00',
 false, [], [], '[]', {'a': 2}, 'bob', DATE '2024-02-02'),
(3, 'nan', '', 'x'' or 1=1 --', DATE '1969-07-20', TIMESTAMP '1969-07-20 20:17:40', NULL,
 NULL, NULL, ['x'' or 1=1 --'], NULL, NULL, 'eve', NULL),
(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
"""

# What DuckDB's parser makes of syntax: no user calls these by name.
BUILT_IN = {"list_value", "struct_pack", "row", "timezone", "count_star"}
BUILT_IN |= {f"to_{unit}" for unit in ("days", "hours", "minutes", "months", "seconds", "years", "weeks", "quarters")}


def orders() -> duckdb.DuckDBPyConnection:
    """Return a database with the table orders, time zone UTC."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    connection.execute(f"CREATE TABLE orders ({columns})")
    connection.execute(f"INSERT INTO orders VALUES {ROWS}")
    return connection


def rows(connection, sql, values=None):
    """Return the rows as text in a fixed order, so that NaN equals NaN."""
    names = [row[0] for row in connection.execute(f"DESCRIBE {sql}", values).fetchall()]
    as_text = ", ".join(f"CAST(c{index} AS VARCHAR)" for index in range(len(names)))
    aliases = ", ".join(f"c{index}" for index in range(len(names)))
    return sorted(map(repr, connection.execute(f"SELECT {as_text} FROM ({sql}) q({aliases})", values).fetchall()))


def reading(sql):
    """Return the functions, the tables and the table functions that DuckDB's own parser finds in a query.

    None where it cannot be parsed.
    """
    [(text,)] = duckdb.connect().execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    answer = json.loads(text)
    if answer["error"]:
        assert answer["error_type"] == "parser", answer
        return None
    functions, tables, table_functions = set(), set(), set()

    def walk(part):
        if isinstance(part, list):
            for item in part:
                walk(item)
        elif isinstance(part, dict):
            if "function_name" in part and not part.get("is_operator"):
                assert (part.get("schema"), part.get("catalog")) in (("", ""), (None, None)), part
                functions.add(part["function_name"])
            if part.get("type") == "BASE_TABLE":
                assert (part["schema_name"], part["catalog_name"]) == ("", ""), part
                tables.add(part["table_name"])
            if part.get("type") == "TABLE_FUNCTION":
                table_functions.add(part["function"]["function_name"])
            for item in part.values():
                walk(item)

    walk(answer["statements"])
    return functions, tables, table_functions
