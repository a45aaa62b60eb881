"""The mistakes that people make in a pipeline that was right: each gives one problem, at its place, that helps."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.checks.test_check import FACTS, Json, edges_of, node

from airloom.checks.check import check

Change = Callable[[Json], object]
DATA = "tests/conformance/data"
PIPELINE: Json = {
    "id": "daily",
    "params": {
        "least": {"type": "integer", "default": 3},
        "since": {"type": "string", "format": "date", "default": "2026-01-01"},
        "label": {"type": "string", "default": "x"},
    },
    "schedule": {"cron": "0 2 * * *", "timezone": "Europe/Berlin"},
    "settings": {"retries": 1, "retry_delay": "10s"},
    "nodes": [
        node("orders", "csv_read", path=f"{DATA}/orders.csv"),
        node("customers", "csv_read", path=f"{DATA}/customers.csv"),
        node("kept", "filter", where="amount > {{ params.least }} and day >= {{ params.since }}"),
        node("typed", "cast", columns={"customer": "BIGINT"}),
        node("named", "join", on=[["customer", "id"]], how="left", suffixes=["", "_customer"]),
        node("made", "derive", columns={"gross": "amount * 1.19", "month": "month(day)"}),
        node("total", "aggregate", by=["name", "month"], measures={"sum": {"op": "sum", "column": "gross"}}),
        node("ranked", "sort", by=["name", {"column": "sum", "descending": True}]),
        node("save", "csv_write", path="output/total.csv"),
        node("noted", "set", value={"rows": "{{ nodes.total.rows.rows }}", "label": "{{ params.label }}"}),
        node("weeks", "window", time="day", window={"type": "tumbling", "duration": "7d"}, measures={
            "n": {"op": "count"},
        }),
        node("route", "switch", fallback=True, rules=[{"id": "some", "field": "rows", "operator": "gt", "value": 0}]),
        node("store", "postgres_write", connection="warehouse", table="weeks"),
        node("asked", "sql", inputs=["orders", "customers"], sql=(
            "SELECT c.name, count(*) AS n FROM orders o JOIN customers c ON o.customer = c.id GROUP BY c.name"
        )),
        node("keep", "json_write", path="output/asked.json"),
    ],
    "edges": edges_of(
        "orders>kept kept>typed typed>named.left customers>named.right named>made made>total total>ranked ranked>save "
        "total>noted kept>weeks weeks>route route.some>store orders>asked.orders customers>asked.customers asked>keep"
    ),
}  # fmt: skip


def entry(identifier: str, **fields: Any) -> Change:
    """Set fields of a node."""
    return lambda document: _node(document, identifier).update(fields)


def config(identifier: str, **fields: Any) -> Change:
    """Set fields of a node's config."""
    return lambda document: _node(document, identifier)["config"].update(fields)


def query(sql: str) -> Change:
    return config("asked", sql=sql)


def where(condition: str) -> Change:
    return config("kept", where=condition)


def formula(text: str) -> Change:
    """Put another formula into a node that makes columns."""
    return config("made", columns={"gross": text, "month": "month(day)"})


def measure(**fields: Any) -> Change:
    return config("total", measures={"sum": fields})


def param(name: str, **schema: Any) -> Change:
    return lambda document: document["params"].update({name: schema})


def part(name: str, **fields: Any) -> Change:
    """Set fields of the document's schedule or settings."""
    return lambda document: document[name].update(fields)


def added(new: Json, edges: str = "") -> Change:
    def change(document: Json) -> None:
        document["nodes"].append(new)
        document["edges"] += edges_of(edges)

    return change


def edge(old: str, new: str) -> Change:
    """Replace an edge by others, or by none."""

    def change(document: Json) -> None:
        place = document["edges"].index(edges_of(old)[0])
        document["edges"][place : place + 1] = edges_of(new)

    return change


def both(*changes: Change) -> Change:
    def change(document: Json) -> None:
        for one in changes:
            one(document)

    return change


def without(identifier: str, field: str) -> Change:
    return lambda document: _node(document, identifier)["config"].pop(field)


def _node(document: Json, identifier: str) -> Json:
    found: Json = next(one for one in document["nodes"] if one["id"] == identifier)
    return found


# A place that starts with / is one in the document, any other one in the node.
MISTAKES: dict[str, tuple[Change, str, str | None, str, str, str]] = {
    # Columns
    "a column of a condition": (
        where("amout > 3"), "sql", "kept", "config/where", "no column 'amout'", "'amount'",
    ),
    "a column of a measure": (
        measure(op="sum", column="grosss"), "column.unknown", "total", "config/measures/sum/column",
        "no column 'grosss'", "'gross'",
    ),
    "a column of a group": (
        config("total", by=["nmae"]), "column.unknown", "total", "config/by/0", "no column 'nmae'", "'name'",
    ),
    "a column of a cast": (
        config("typed", columns={"custmer": "BIGINT"}), "column.unknown", "typed", "config/columns/custmer",
        "no column 'custmer'", "'customer'",
    ),
    "a column of a sort": (
        config("ranked", by=["nam"]), "column.unknown", "ranked", "config/by/0", "no column 'nam'", "'name'",
    ),
    "a column of an order": (
        added(node("once", "deduplicate", keys=["id"], keep="first", order=["dai"]), "orders>once"),
        "column.unknown", "once", "config/order/0", "no column 'dai'", "'day'",
    ),
    "a key of the left table": (
        config("named", on=[["custom", "id"]]), "column.unknown", "named", "config/on/0",
        "the left table has no column 'custom'", "'customer'",
    ),
    "a key of the right table": (
        config("named", on=[["customer", "idd"]]), "column.unknown", "named", "config/on/0",
        "the right table has no column 'idd'", "'id'",
    ),
    "two columns of one name": (
        entry("typed", type="rename", config={"mapping": {"note": "day"}}), "configuration", "typed",
        "config/mapping/note", "two columns would be called 'day'", "another name",
    ),
    "a column twice": (
        entry("typed", type="select", config={"columns": ["customer", "day", "amount", "customer"]}),
        "config.invalid", "typed", "config/columns", "'customer' stands here twice", "",
    ),
    "the same names on both sides of a join": (
        config("named", suffixes=["", ""]), "configuration", "named", "config/suffixes",
        "two columns would be called 'id'", "other suffixes",
    ),
    "a column and its direction in one text": (
        config("ranked", by=["name desc"]), "column.unknown", "ranked", "config/by/0", "no column 'name desc'",
        'write {"column": "name", "descending": true}',
    ),
    "a column of a selection": (
        entry("typed", type="select", config={"columns": ["customer", "day", "amount", "stat"]}), "column.unknown",
        "typed", "config/columns/3", "no column 'stat'", "'status'",
    ),
    "a column of a window": (
        config("weeks", time="dy"), "column.unknown", "weeks", "config/time", "no column 'dy'", "'day'",
    ),
    "a column to fill": (
        added(node("full", "fill_nulls", strategy="constant", columns=["amout"], value=0), "orders>full"),
        "column.unknown", "full", "config/columns/0", "no column 'amout'", "'amount'",
    ),
    "a key that only the left table has": (
        config("named", on=["customer"]), "column.unknown", "named", "config/on/0",
        "the right table has no column 'customer'", "id, name, country",
    ),
    "a key of three columns": (
        config("named", on=[["customer", "id", "id"]]), "config.invalid", "named", "config/on/0",
        "a key is a name that both tables have, or [left, right]", "",
    ),
    "a join without a key": (
        config("named", on=[]), "config.invalid", "named", "config", "a join of sort left needs `on`", "",
    ),
    # Types
    "the sum of a text": (
        measure(op="sum", column="note"), "configuration", "total", "config/measures/sum/column",
        "sum needs numbers; 'note' is VARCHAR", "cast the column to a number",
    ),
    "the average of a text": (
        measure(op="avg", column="name"), "configuration", "total", "config/measures/sum/column",
        "avg needs numbers; 'name' is VARCHAR", "cast the column to a number",
    ),
    "the median of a text": (
        measure(op="median", column="name"), "configuration", "total", "config/measures/sum/column",
        "median needs numbers; 'name' is VARCHAR", "cast the column to a number",
    ),
    "a join of a number with a text": (
        config("named", on=[["customer", "name"]]), "configuration", "named", "config/on/0",
        "'customer' on the left is BIGINT, 'name' on the right VARCHAR", "cast one of them",
    ),
    "a join of a day with a number": (
        added(node("near", "asof_join", left_time="day", right_time="id"), "orders>near.left customers>near.right"),
        "configuration", "near", "config/right_time", "'day' on the left is DATE, 'id' on the right BIGINT",
        "cast one of them",
    ),
    "tables of different types as one": (
        both(added(node("other", "derive", columns={"day": "amount"}), "orders>other"),
             added(node("all", "concat"), "orders>all other>all")),
        "configuration", "all", "config", "the column 'day' is DATE in one table and DOUBLE in another",
        "cast one of them",
    ),
    "a text and a number": (
        where("status > 3"), "query.invalid", "kept", "config/where", "VARCHAR cannot be compared with",
        "cast(name AS DOUBLE)",
    ),
    "a text and a day": (
        where("note > {{ params.since }}"), "query.invalid", "kept", "config/where",
        "VARCHAR cannot be compared with DATE", "cast(name AS DATE)",
    ),
    "a day without quotes": (
        where("day > 2026-01-01"), "query.invalid", "kept", "config/where", "DATE cannot be compared with",
        "in single quotes: '2026-01-31'",
    ),
    "a number for a day": (
        where("day = 20260101"), "query.invalid", "kept", "config/where", "DATE cannot be compared with INTEGER",
        "in single quotes: '2026-01-31'",
    ),
    "a number among days": (
        where("day IN ('2026-01-01', 20260102)"), "query.invalid", "kept", "config/where",
        "DATE cannot be compared with INTEGER", "in single quotes: '2026-01-31'",
    ),
    "columns of types that nothing makes equal": (
        query("SELECT o.id FROM orders o JOIN customers c ON o.day = c.id"), "query.invalid", "asked", "config/sql",
        "DATE cannot be compared with BIGINT", "",
    ),
    "the sum of a text in a query": (
        query("SELECT sum(note) AS s FROM orders"), "query.invalid", "asked", "config/sql", "sum does not take VARCHAR",
        "cast(name AS DOUBLE)",
    ),
    "a number as text": (
        formula("upper(amount)"), "query.invalid", "made", "config/columns/gross", "upper does not take DOUBLE",
        "cast(name AS VARCHAR)",
    ),
    "a number that looks like a text": (
        where("id LIKE '1%'"), "query.invalid", "kept", "config/where", "LIKE does not take BIGINT and a text",
        "cast(name AS VARCHAR)",
    ),
    "the year of a text": (
        formula("year(note)"), "query.invalid", "made", "config/columns/gross", "year does not take VARCHAR",
        "cast(name AS DATE)",
    ),
    "days added to a time": (
        formula("cast(day AS TIMESTAMP) + 7"), "query.invalid", "made", "config/columns/gross",
        "+ does not take TIMESTAMP and a whole number", "interval 7 day",
    ),
    "a text parameter and a number": (
        where("amount > {{ params.label }}"), "query.invalid", "kept", "config/where",
        "DOUBLE cannot be compared with VARCHAR", "cast",
    ),
    "arithmetic with a text": (
        formula("amount * note"), "query.invalid", "made", "config/columns/gross",
        "* does not take DOUBLE and VARCHAR", "cast",
    ),
    "a type that is none": (
        config("typed", columns={"customer": "NUMBER"}), "config.invalid", "typed", "config/columns/customer",
        "'NUMBER' is not a column type", "write DOUBLE",
    ),
    "windows over a text": (
        config("weeks", time="status"), "configuration", "weeks", "config/time",
        "times are dates, timestamps or numbers; 'status' is VARCHAR", "cast the column",
    ),
    "windows of days over numbers": (
        config("weeks", time="id"), "configuration", "weeks", "config/window/duration", "the times are numbers",
        "write 300 rather than 5m",
    ),
    "a part of what is not JSON": (
        added(node("part", "json_select", column="day", path="year"), "orders>part"), "configuration", "part",
        "config/path", "'day' is DATE where 'year' is looked for", "only JSON, text that holds JSON, structs",
    ),
    "a list that is none": (
        added(node("items", "flatten", column="amount"), "orders>items"), "configuration", "items", "config/column",
        "'amount' is DOUBLE: neither a list nor a struct", "",
    ),
    "a type of another system": (
        config("typed", columns={"note": "STRING"}), "config.invalid", "typed", "config/columns/note",
        "'STRING' is not a column type", "write VARCHAR",
    ),
    "a number of too many digits": (
        config("typed", columns={"customer": "DECIMAL(50,2)"}), "config.invalid", "typed", "config/columns/customer",
        "a DECIMAL has 1 to 38 digits, not 50", "",
    ),
    "days between a day and a text": (
        added(node("age", "date_difference", start="day", end="note", unit="days", name="age"), "orders>age"),
        "configuration", "age", "config/end", "a date or a time is needed here; 'note' is VARCHAR", "parse_dates",
    ),
    "a number tidied as text": (
        added(node("tidy", "normalize_text", columns=["amount"], operations=["trim"]), "orders>tidy"),
        "configuration", "tidy", "config/columns/0", "text is needed here; 'amount' is DOUBLE", "VARCHAR",
    ),
    "a word for missing numbers": (
        added(node("full", "fill_nulls", strategy="constant", columns=["amount"], value="none"), "orders>full"),
        "configuration", "full", "config/value", "the column is DOUBLE, and 'none' is not a number", "cast",
    ),
    "the mean for missing texts": (
        added(node("full", "fill_nulls", strategy="mean", columns=["note"]), "orders>full"),
        "configuration", "full", "config/columns/0", "a number is needed here; 'note' is VARCHAR", "cast",
    ),
    "a day as a number": (
        config("typed", columns={"customer": "BIGINT", "day": "DOUBLE"}), "configuration", "typed",
        "config/columns/day", "'day' is DATE, which cannot be cast to DOUBLE", "epoch(name)",
    ),
    "a number as a day": (
        entry("typed", type="map_schema", config={"drop_unmapped": False, "columns": {
            "paid": {"column": "amount", "type": "DATE"}, "amount": {"default": 1.5},
        }}), "configuration", "typed", "config/columns/paid/type", "'amount' is DOUBLE, which cannot be cast to DATE",
        "to_timestamp(name)",
    ),
    "a day as a number in a formula": (
        formula("amount + cast(day AS BIGINT)"), "query.invalid", "made", "config/columns/gross",
        "DATE cannot be cast to BIGINT", "epoch(name)",
    ),
    "a text as a condition": (
        where("status"), "query.invalid", "kept", "config/where", "a condition is true or false; this is VARCHAR",
        "compare it",
    ),
    "a number as a condition": (
        added(node("parts", "split_rows", conditions=[{"name": "some", "where": "amount"}]), "orders>parts"),
        "query.invalid", "parts", "config/conditions/0/where", "a condition is true or false; this is DOUBLE",
        "compare it",
    ),
    "a number as a rule": (
        added(node("valid", "validate_rows", rules=[{"where": "amount > 0"}, {"where": "id % 2"}]), "orders>valid"),
        "query.invalid", "valid", "config/rules/1/where", "a condition is true or false; this is BIGINT", "compare it",
    ),
    "a day that is none": (
        where("amount > 3 and day > '2026-13-01'"), "query.invalid", "kept", "config/where",
        "'2026-13-01' is not a DATE, which day is", "a date such as '2026-01-31'",
    ),
    "a day that is none in a cast": (
        where("day > DATE '2026-02-30'"), "query.invalid", "kept", "config/where", "'2026-02-30' is not a DATE",
        "a date such as '2026-01-31'",
    ),
    "a text and a number that are equal": (
        where("id = status"), "query.invalid", "kept", "config/where", "BIGINT cannot be compared with VARCHAR",
        "cast(name AS BIGINT)",
    ),
    "a text and a day that are equal": (
        where("status IN (day)"), "query.invalid", "kept", "config/where", "VARCHAR cannot be compared with DATE",
        "cast(name AS DATE)",
    ),
    "more values than SQL takes": (
        where(f"id IN ({', '.join(map(str, range(30_000)))})"), "sql", "kept", "config/where", "at most",
        "join a table of the values",
    ),
    "a function that sounds like none": (
        formula("version()"), "sql", "made", "config/columns/gross", "the function version(…) is not allowed",
        "documentation",
    ),
    "a time of a day for a day": (
        where("day = '2026-01-31 18:45'"), "query.invalid", "kept", "config/where",
        "'2026-01-31 18:45' is not a DATE, which day is", "a date such as '2026-01-31'",
    ),
    "a zone that SQL would drop": (
        where("cast(day AS TIMESTAMP) = '2026-01-31 10:00:00+05:00'"), "query.invalid", "kept", "config/where",
        "'2026-01-31 10:00:00+05:00' has a zone, which a TIMESTAMP has not", "in UTC: '2026-01-31 05:00:00'",
    ),
    "a zone that a cast would drop": (
        where("day < TIMESTAMP '2026-01-31 10:00 Europe/Berlin'"), "query.invalid", "kept", "config/where",
        "has a zone, which a TIMESTAMP has not", "in UTC: '2026-01-31 09:00:00'",
    ),
    "a number with an underscore": (
        where("amount > '1_000.5'"), "query.invalid", "kept", "config/where", "'1_000.5' is not a DOUBLE",
        "write a number, without quotes",
    ),
    "a whole number beside a FLOAT": (
        where("customer = cast(amount AS FLOAT)"), "query.invalid", "kept", "config/where",
        "BIGINT is compared with FLOAT as FLOAT", "to DOUBLE",
    ),
    "whole numbers and decimals in one column": (
        query("SELECT id AS n FROM orders UNION ALL SELECT amount FROM orders"), "query.invalid", "asked", "config/sql",
        "'n' is BIGINT and stands in one column with DOUBLE", "cast it to DOUBLE",
    ),
    "a word for a missing number": (
        where("customer <> 'NA'"), "query.invalid", "kept", "config/where", "'NA' is not a BIGINT, which customer is",
        "write customer is null",
    ),
    "a text among numbers": (
        where("customer IN ('1', 'two')"), "query.invalid", "kept", "config/where",
        "'two' is not a BIGINT, which customer is", "write a number, without quotes",
    ),
    "a text between days": (
        where("day BETWEEN '2026-01-01' AND 'today'"), "query.invalid", "kept", "config/where",
        "'today' is not a DATE, which day is", "a date such as '2026-01-31'",
    ),
    "a text for a number in a formula": (
        formula("CASE WHEN id = 'first' THEN 0 ELSE amount END"), "query.invalid", "made", "config/columns/gross",
        "'first' is not a BIGINT, which id is", "write a number, without quotes",
    ),
    "a text for a number in a join": (
        query("SELECT c.name, o.id FROM orders o JOIN customers c ON o.customer = c.id AND o.amount > 'high'"),
        "query.invalid", "asked", "config/sql", "'high' is not a DOUBLE, which o.amount is",
        "write a number, without quotes",
    ),
    "a text for a sum": (
        query("SELECT customer FROM orders GROUP BY customer HAVING sum(amount) > 'high'"),
        "query.invalid", "asked", "config/sql", "'high' is not a DOUBLE", "write a number, without quotes",
    ),
    "a time zone of a formula that is none": (
        where("cast(day AS TIMESTAMP) AT TIME ZONE 'Europe/Berln' > cast(day AS TIMESTAMPTZ)"), "query.invalid",
        "kept", "config/where", "no time zone 'Europe/Berln'", "'Europe/Berlin'",
    ),
    "a day under a number": (
        query("SELECT id, day FROM orders UNION ALL SELECT id, id AS again FROM customers"), "query.invalid", "asked",
        "config/sql", "'again' is BIGINT and stands under a column that is DATE", "cast one of them",
    ),
    # SQL
    "a name of two tables": (
        query("SELECT id FROM orders o JOIN customers c ON o.customer = c.id"), "query.invalid", "asked", "config/sql",
        "Ambiguous reference to column name \"id\" (use: 'o.id' or 'c.id')", "",
    ),
    "a table from elsewhere": (
        query("SELECT * FROM orders WHERE customer IN (SELECT id FROM clients)"), "sql", "asked", "config/sql",
        "no table 'clients'", "orders, customers",
    ),
    "a column beside a count": (
        query("SELECT name, count(*) FROM customers"), "query.invalid", "asked", "config/sql",
        "'name' is neither grouped nor aggregated", "add name to GROUP BY",
    ),
    "two statements": (
        query("SELECT * FROM orders; SELECT * FROM customers"), "sql", "asked", "config/sql",
        "one statement is needed", "leave out the semicolon",
    ),
    "a statement that is not a query": (
        query("DELETE FROM orders"), "sql", "asked", "config/sql", "a query starts with SELECT or WITH", "",
    ),
    "a file as a table": (
        query("SELECT * FROM 'x.csv'"), "sql", "asked", "config/sql", "no table 'x.csv'", "orders, customers",
    ),
    "a file read by a query": (
        query("SELECT * FROM read_csv('x.csv')"), "sql", "asked", "config/sql", "read_csv(…) is not allowed",
        "csv_read",
    ),
    "the clock": (
        where("day >= now()"), "sql", "kept", "config/where", "now(…) is not allowed", "{{ run.logical_date }}",
    ),
    "an aggregate in a condition": (
        where("amount > avg(amount)"), "sql", "kept", "config/where", "avg(…) is an aggregate", "aggregate node",
    ),
    "a query in a condition": (
        where("amount > (select avg(amount) from orders)"), "sql", "kept", "config/where", "a query is not possible",
        "sql node",
    ),
    "a quote that is not closed": (
        where("status = 'paid"), "sql", "kept", "config/where", "a quote or a comment is not closed",
        "written twice: 'it''s'",
    ),
    "text in double quotes": (
        where('status = "paid"'), "sql", "kept", "config/where", "no column 'paid'", "in single quotes: 'paid'",
    ),
    "text in double quotes in a query": (
        query('SELECT * FROM orders WHERE status = "paid"'), "query.invalid", "asked", "config/sql",
        "no column 'paid'", "in single quotes: 'paid'",
    ),
    "a column in double quotes": (
        where("\"stauts\" = 'paid'"), "sql", "kept", "config/where", "no column 'stauts'", "'status'",
    ),
    "a column of a query": (
        query("SELECT idd FROM orders"), "query.invalid", "asked", "config/sql", "no column 'idd'", "'id'",
    ),
    "a column of one table of a query": (
        query("SELECT o.dai FROM orders o"), "query.invalid", "asked", "config/sql", "no column 'dai'", "'day'",
    ),
    "the name of a table that is none": (
        query("SELECT x.id FROM orders o"), "sql", "asked", "config/sql", "there is no table 'x'",
        "tables of this query: o, orders",
    ),
    "the name of a table before a column": (
        where("orders.amount > 3"), "sql", "kept", "config/where", "'orders.amount' is not a column here",
        "no table's name before them here: write amount",
    ),
    "two signs for and": (
        where("amount > 3 && day > '2026-01-01'"), "sql", "kept", "config/where", "&& is not possible",
        "write and between conditions",
    ),
    "two bars for or": (
        where("amount > 3 || day > '2026-01-01'"), "sql", "kept", "config/where", "|| joins texts",
        "write or between conditions",
    ),
    "two bars for or, with brackets": (
        where("(amount > 3) || (status = 'paid')"), "sql", "kept", "config/where", "|| joins texts",
        "write or between conditions",
    ),
    "two comparisons in a row": (
        where("3 < amount < 5"), "sql", "kept", "config/where", "two comparisons in a row",
        "write 3 < amount and amount < 5",
    ),
    "a function of another system": (
        formula("to_char(day, 'YYYY')"), "sql", "made", "config/columns/gross", "to_char(…) is not allowed",
        "write strftime(",
    ),
    "a type as a function": (
        formula("int(amount)"), "sql", "made", "config/columns/gross", "int(…) is not allowed",
        "write cast(… AS BIGINT)",
    ),
    "an aggregate of another name": (
        where("amount > mean(amount)"), "sql", "kept", "config/where", "mean(…) is an aggregate", "aggregate node",
    ),
    "a value behind IS": (
        where("status IS NOT 'paid'"), "sql", "kept", "config/where", "IS is for NULL, TRUE and FALSE", "= or <>",
    ),
    "a text without quotes": (
        where("status = paid"), "sql", "kept", "config/where", "no column 'paid'", "in single quotes: 'paid'",
    ),
    "a comma left out of a list": (
        where("status in ('paid' 'open')"), "sql", "kept", "config/where", "'open'\" does not fit, at character 19", "",
    ),
    "a comma too many": (
        formula("round(, 1)"), "sql", "made", "config/columns/gross", "',' does not fit, at character 7", "",
    ),
    "a length of time without a unit": (
        where("day + interval 7 > '2026-01-01'"), "sql", "kept", "config/where", "no unit", "interval 7 day",
    ),
    "an equals sign too early": (
        where("amount =< 3"), "sql", "kept", "config/where", "cannot be read as SQL", "write <=",
    ),
    "a column in backticks": (
        where("`amount` > 3"), "sql", "kept", "config/where", "cannot be read as SQL", "in double quotes",
    ),
    "quotes of a word processor": (
        where("status = ‘paid’"), "sql", "kept", "config/where", "no column '‘paid’'", "straight single quotes: 'paid'",
    ),
    "a comma in a number": (
        where("amount > 1,000"), "sql", "kept", "config/where", "one expression is needed", "a point and no comma",
    ),
    "a question mark for a case": (
        formula("amount > 3 ? 1 : 0"), "sql", "made", "config/columns/gross", "cannot be read as SQL", "CASE WHEN",
    ),
    "SELECT before a formula": (
        formula("SELECT amount"), "sql", "made", "config/columns/gross", "cannot be read as SQL", "without SELECT",
    ),
    "a bad regular expression": (
        where("regexp_matches(status, '(paid')"), "query.invalid", "kept", "config/where",
        "the regular expression is wrong: missing ): (paid", "write \\ before",
    ),
    "one value as a list": (
        where("status in {{ params.label }}"), "sql", "kept", "config/where", "IN needs a list", "with =",
    ),
    "a function that is none": (
        formula("rnd(amount)"), "sql", "made", "config/columns/gross", "rnd(…) is not allowed", "'round'",
    ),
    "a name within a formula": (
        formula("amount AS x"), "sql", "made", "config/columns/gross", "a name (AS …) is not possible",
        "the field beside",
    ),
    "two columns of a result of one name": (
        query("SELECT o.id, c.id FROM orders o JOIN customers c ON o.customer = c.id"), "query.invalid", "asked",
        "config/sql", "two columns of the result are called 'id'", "another name",
    ),
    "tables of different width as one": (
        query("SELECT id, day FROM orders UNION ALL SELECT id FROM customers"), "query.invalid", "asked",
        "config/sql", "same number of result columns", "",
    ),
    "a whole query as a condition": (
        where("WHERE amount > 3"), "sql", "kept", "config/where", "one expression is needed", "leave out WHERE",
    ),
    "no condition": (
        where(""), "config.invalid", "kept", "config/where", "1 or more characters", "",
    ),
    "a bracket that is not closed": (
        where("(amount > 3"), "sql", "kept", "config/where", "cannot be read as SQL: Expecting )", "",
    ),
    "half a condition": (
        where("amount > 3 and"), "sql", "kept", "config/where", "something is missing, at character 12", "",
    ),
    "chance": (
        formula("random()"), "sql", "made", "config/columns/gross", "random(…) is not allowed", "hash(key)",
    ),
    "the environment": (
        formula("getenv('HOME')"), "sql", "made", "config/columns/gross", "getenv(…) is not allowed",
        "the documentation lists",
    ),
    # Expressions
    "a parameter that is none": (
        where("amount > {{ params.leats }}"), "expression.unknown_param", "kept", "config/where",
        "no parameter 'leats'", "'least'",
    ),
    "a name that is none": (
        config("noted", value="{{ parms.label }}"), "expression.unknown_name", "noted", "config/value",
        "no name 'parms'", "'params'",
    ),
    "a filter that is none": (
        config("noted", value="{{ params.label | uper }}"), "expression.unknown_filter", "noted", "config/value",
        "no filter 'uper'", "'upper'",
    ),
    "braces that are not closed": (
        config("noted", value="{{ params.label "), "expression.syntax", "noted", "config/value",
        "a {{ is not closed", "raw",
    ),
    "a node in an expression that is none": (
        config("save", path="output/{{ nodes.customer.rows.rows }}.csv"), "expression.unknown_node", "save",
        "config/path", "names node 'customer'", "'customers'",
    ),
    "a node that comes later": (
        formula("amount * {{ nodes.total.rows.rows }}"), "expression.not_upstream", "made", "config/columns/gross",
        "reads 'total', which comes after 'made'", "nodes before it",
    ),
    "a Jinja statement in SQL": (
        where("{% if params.least %} amount > 3 {% endif %}"), "expression.statement", "kept", "config/where",
        "only {{ … }} is possible in SQL", "CASE WHEN",
    ),
    "an expression within quotes": (
        where("status = '{{ params.label }}'"), "sql", "kept", "config/where", "stands within quotes",
        "without quotes",
    ),
    "a port in an expression that is none": (
        config("noted", value="{{ nodes.total.row.rows }}"), "expression.unknown_port", "noted", "config/value",
        "'total' has no output 'row'", "'rows'",
    ),
    "a column of a table in an expression": (
        config("noted", value="{{ nodes.total.rows.name }}"), "expression.unknown_field", "noted", "config/value",
        "the table 'total.rows' has no 'name'", "write nodes.total.rows.first(1)[0].name",
    ),
    "a fact of a table with a slip": (
        config("noted", value="{{ nodes.total.rows.row }}"), "expression.unknown_field", "noted", "config/value",
        "the table 'total.rows' has no 'row'", "'rows'",
    ),
    "a fact of the run that is none": (
        config("noted", value="{{ run.strted_at }}"), "expression.unknown_name", "noted", "config/value",
        "run has no 'strted_at'", "'started_at'",
    ),
    "a test that is none": (
        config("noted", value="{{ params.label is strng }}"), "expression.unknown_test", "noted", "config/value",
        "no test 'strng'", "'string'",
    ),
    "a loop's name outside a loop": (
        config("noted", value="{{ loop.index }}"), "expression.no_loop", "noted", "config/value",
        "only in the body of a loop", "",
    ),
    "a parameter in a comment of SQL": (
        where("amount > 3 -- and {{ params.least }}"), "sql", "kept", "config/where", "within quotes or a comment",
        "",
    ),
    # Nodes and their fields
    "a node type that is none": (
        entry("typed", type="casts"), "node.unknown_type", "typed", "type", "no node type 'casts'", "'cast'",
    ),
    "a node type of another name": (
        entry("total", type="group by"), "node.unknown_type", "total", "type", "no node type 'group by'",
        "'aggregate'",
    ),
    "a node type the other way round": (
        entry("orders", type="read_csv"), "node.unknown_type", "orders", "type", "no node type 'read_csv'",
        "'csv_read'",
    ),
    "a version that is none": (
        entry("save", version=7), "node.unknown_type", "save", "version", "no version 7", "1",
    ),
    "a field that is none": (
        config("orders", seperator=";"), "config.unknown_field", "orders", "config/seperator",
        "no field 'seperator'", "delimiter",
    ),
    "a field left out": (
        without("orders", "path"), "config.missing", "orders", "config/path", "'path' is needed", "",
    ),
    "a word for yes or no": (
        config("orders", header="maybe"), "config.invalid", "orders", "config/header", "true or false is needed", "",
    ),
    "less than no rows": (
        added(node("few", "limit", rows=-1), "kept>few"), "config.invalid", "few", "config/rows",
        "a number of at least 0", "",
    ),
    "less than no lines": (
        config("orders", skip_rows=-1), "config.invalid", "orders", "config/skip_rows", "a number of at least 0", "",
    ),
    "less than no retries": (
        entry("save", retries=-2), "document.invalid", "save", "retries", "a number of at least 0", "",
    ),
    "a reducer that is none": (
        measure(op="total", column="gross"), "config.invalid", "total", "config/measures/sum/op",
        "is not possible here", "",
    ),
    "a reducer of another name": (
        measure(op="mean", column="gross"), "config.invalid", "total", "config/measures/sum/op", "is not possible here",
        "did you mean 'avg'",
    ),
    "an operator of another name": (
        entry("kept", config={"conditions": [{"column": "amount", "operator": "greater", "value": 3}]}),
        "config.invalid", "kept", "config/conditions/0/operator", "is not possible here", "did you mean '>'",
    ),
    "an operator of two words": (
        entry("kept", config={"conditions": [{"column": "note", "operator": "is null"}]}),
        "config.invalid", "kept", "config/conditions/0/operator", "is not possible here", "did you mean 'is_null'",
    ),
    "an operator on values of another name": (
        config("route", rules=[{"id": "some", "field": "rows", "operator": "larger", "value": 0}]),
        "config.invalid", "route", "config/rules/0/operator", "is not possible here", "did you mean 'gt'",
    ),
    "a sort of window that is none": (
        config("weeks", window={"type": "tumblin", "duration": "7d"}), "config.invalid", "weeks",
        "config/window/type", "is not possible here", "did you mean 'tumbling'",
    ),
    "a window without its sort": (
        config("weeks", window={"duration": "7d"}), "config.missing", "weeks", "config/window/type",
        "'type' is needed", "",
    ),
    "a reducer without a column": (
        measure(op="sum"), "config.invalid", "total", "config/measures/sum", "sum needs a column", "",
    ),
    "rows to replace, without keys": (
        config("store", mode="upsert"), "config.invalid", "store", "config", "keys are needed for upsert", "",
    ),
    "rows to replace, by a column that is none": (
        added(node("kept_orders", "postgres_write", connection="warehouse", table="orders", mode="upsert",
                   keys=["id", "dey"]), "orders>kept_orders"),
        "column.unknown", "kept_orders", "config/keys/1", "no column 'dey'", "'day'",
    ),
    "keys of rows that are added": (
        config("store", keys=["day"]), "config.invalid", "store", "config", "append takes no keys", "",
    ),
    "the length of a window in words": (
        config("weeks", window={"type": "tumbling", "duration": "1 week"}), "config.invalid", "weeks",
        "config/window/duration", "a duration such as 30s, 5m, 2h or 1d", "",
    ),
    "a window of no length": (
        config("weeks", window={"type": "tumbling", "duration": "0s"}), "config.invalid", "weeks",
        "config/window/duration", "longer than nothing", "",
    ),
    "the same id twice": (
        added(node("orders", "set", value=1)), "node.duplicate_id", "orders", "/nodes/15/id",
        "two nodes are called 'orders'", "another id",
    ),
    "an id with a blank": (
        added(node("Note 1", "set", value=1)), "document.identifier", "Note 1", "/nodes/15/id",
        "an id starts with a small letter", "",
    ),
    "a node type that is none, of a node that an expression names": (
        entry("total", type="agregate"), "node.unknown_type", "total", "type", "no node type 'agregate'",
        "'aggregate'",
    ),
    "a node without a type": (
        lambda document: document["nodes"].append({"id": "lone"}), "document.missing", "lone", "type",
        "'type' is needed", "",
    ),
    "a node without an id": (
        lambda document: document["nodes"].append({"type": "set", "config": {"value": 1}}), "document.missing", None,
        "/nodes/15/id", "'id' is needed", "",
    ),
    "a field of a node that is none": (
        entry("save", timeoutt="5m"), "document.unknown_field", "save", "timeoutt", "no field 'timeoutt'",
        "'timeout'",
    ),
    "a field beside the config": (
        entry("save", path="output/x.csv"), "document.unknown_field", "save", "path",
        "'path' is a field of the config of csv_write", "config",
    ),
    "a config as a list": (
        entry("save", config=[]), "document.invalid", "save", "config", "an object is needed", "",
    ),
    "a list for names with formulas": (
        config("made", columns=["gross"]), "config.invalid", "made", "config/columns", "an object is needed",
        "Name → formula in SQL",
    ),
    "a sort of join of another name": (
        config("named", how="full"), "config.invalid", "named", "config/how", "is not possible here",
        "'outer'",
    ),
    "a sort of join that is none": (
        config("named", how="lefft"), "config.invalid", "named", "config/how", "is not possible here", "'left'",
    ),
    "a reducer with a slip": (
        measure(op="avgg", column="gross"), "config.invalid", "total", "config/measures/sum/op", "is not possible here",
        "'avg'",
    ),
    "a quantile without its part": (
        measure(op="quantile", column="gross"), "config.invalid", "total", "config/measures/sum",
        "quantile needs `value`, between 0 and 1", "",
    ),
    "a unit with a slip": (
        added(node("age", "date_difference", start="day", end="day", unit="day", name="age"), "orders>age"),
        "config.invalid", "age", "config/unit", "is not possible here", "'days'",
    ),
    "a text for a list": (
        config("total", by="name"), "config.invalid", "total", "config/by", "a list is needed", "",
    ),
    "a word for a number": (
        added(node("few", "limit", rows="ten"), "kept>few"), "config.invalid", "few", "config/rows",
        "a whole number is needed", "",
    ),
    "more than all rows": (
        added(node("some", "sample", fraction=2), "orders>some"), "config.invalid", "some", "config/fraction",
        "a number of at most 1", "",
    ),
    "no columns to make": (
        config("made", columns={}), "config.invalid", "made", "config/columns", "columns needs 1 or more entries",
        "Name → formula",
    ),
    "a third suffix": (
        config("named", suffixes=["_x", "_y", "_z"]), "config.invalid", "named", "config/suffixes",
        "suffixes takes at most 2 entries, not 3", "",
    ),
    "an encoding that is none": (
        config("orders", encoding="utf8x"), "config.invalid", "orders", "config/encoding", "no encoding 'utf8x'", "",
    ),
    "a way of writing that is none": (
        config("store", mode="overwrite"), "config.invalid", "store", "config/mode", "is not possible here",
        "did you mean 'replace'",
    ),
    "two rules of one name": (
        config("route", rules=[{"id": "some", "field": "rows", "operator": op, "value": 0} for op in ("gt", "lt")]),
        "config.invalid", "route", "config/rules", "two rules are called 'some'", "",
    ),
    "code that Python cannot read": (
        added(node("own", "python_transform", code="def transform(df)\n    return df\n"), "orders>own"),
        "config.invalid", "own", "config/code", "line 1: expected ':'", "",
    ),
    "code without its function": (
        added(node("own", "python_transform", code="def transfrm(df):\n    return df\n"), "orders>own"),
        "config.invalid", "own", "config/code", "no def transform(df)", "",
    ),
    # Edges
    "an edge from nowhere": (
        edge("orders>kept", "order>kept"), "edge.unknown_node", None, "/edges/0/from", "no node 'order'", "'orders'",
    ),
    "an output that is none": (
        edge("kept>typed", "kept.row>typed"), "edge.unknown_port", "kept", "/edges/1/from", "no output 'row'",
        "'rows'",
    ),
    "an input that is none": (
        edge("typed>named.left", "typed>named.lft"), "edge.unknown_port", "named", "/edges/2/to", "no input 'lft'",
        "'left'",
    ),
    "rows of a node that gives none": (
        added(node("few", "limit", rows=1), "save.rows>few"), "edge.unknown_port", "save", "/edges/15/from",
        "no output 'rows'", "done, error",
    ),
    "a switch without its port": (
        edge("route.some>store", "route>store"), "edge.port", "route", "/edges/11/from", "several ports",
        "some, fallback",
    ),
    "a rule that is none": (
        edge("route.some>store", "route.sme>store"), "edge.unknown_port", "route", "/edges/11/from",
        "no output 'sme'", "'some'",
    ),
    "an edge twice": (
        edge("weeks>route", "weeks>route weeks>route"), "edge.duplicate", None, "/edges/11", "there twice", "remove",
    ),
    "two edges into one input": (
        edge("orders>kept", "orders>kept customers>kept"), "edge.several", "kept", "/edges/1",
        "takes one edge, not 2", "concat",
    ),
    "half a join": (
        edge("customers>named.right", ""), "edge.missing", "named", "/nodes/4", "the input 'right' of 'named'",
        '"named.right"',
    ),
    "a node that nothing reaches": (
        edge("total>ranked", ""), "edge.missing", "ranked", "/nodes/7", "the input 'rows' of 'ranked'",
        '"ranked.rows"',
    ),
    "a circle": (
        edge("customers>named.right", "total>named.right"), "graph.cycle", "named", "/edges/3",
        "named → made → total → named", "such as the one from 'total'",
    ),
    "an edge back beside another one": (
        edge("orders>kept", "orders>kept made>kept"), "graph.cycle", "kept", "/edges/1", "kept → typed → named → made",
        "take one of these edges out",
    ),
    "nodes by name": (
        lambda document: document.update(nodes={one["id"]: one for one in document["nodes"]}), "document.type", None,
        "/nodes", "nodes is a list", 'write [{"id": "orders"',
    ),
    "edges as a text": (
        lambda document: document.update(edges="orders>kept"), "document.type", None, "/edges", "edges is a list",
        'write [{"from": "orders"',
    ),
    "an input that a query does not name": (
        config("asked", inputs=["orders"]), "edge.unknown_port", "asked", "/edges/13/to", "no input 'customers'",
        "inputs: orders; to have another one, add it to inputs",
    ),
    "an edge to itself": (
        edge("orders>kept", "kept>kept"), "graph.cycle", "kept", "/edges/0", "kept → kept",
        "take one of these edges out",
    ),
    "an edge as a text": (
        lambda document: document["edges"].append("orders>kept"), "document.invalid", None, "/edges/15",
        "an object is needed", "",
    ),
    "an order that nothing keeps": (
        both(added(node("again", "aggregate", by=["name"], measures={"n": {"op": "count"}}), "ranked>again"),
             edge("ranked>save", "again>save")),
        "order.lost", "again", "/nodes/15", "the order that 'ranked' gives is lost in 'again'",
        "sort after 'again'",
    ),
    "an input of a query without an edge": (
        edge("customers>asked.customers", ""), "edge.missing", "asked", "/nodes/13", "the input 'customers'",
        '"asked.customers"',
    ),
    "an input of a sink that is none": (
        edge("ranked>save", "ranked>save.row"), "edge.unknown_port", "save", "/edges/7/to", "no input 'row'",
        "'rows'",
    ),
    # The document around them
    "a schedule in words": (
        part("schedule", cron="every day"), "document.invalid", None, "/schedule/cron", "such as 0 2 * * *", "",
    ),
    "a schedule with seconds": (
        part("schedule", cron="0 0 2 * * *"), "document.invalid", None, "/schedule/cron",
        "five fields, none for seconds, not 6: such as 0 2 * * *", "",
    ),
    "missed times since no time": (
        part("settings", catchup=True), "schedule.start", None, "/settings/catchup", "since when", "set schedule.start",
    ),
    "two schedules": (
        part("schedule", every="1d"), "document.invalid", None, "/schedule", "either cron or every", "",
    ),
    "a time zone that is none": (
        part("schedule", timezone="Europe/Berln"), "document.invalid", None, "/schedule/timezone",
        "no such time zone", "did you mean 'Europe/Berlin'?",
    ),
    "a time limit in words": (
        entry("save", timeout="5 minutes"), "document.invalid", "save", "timeout", "30s, 5m, 1h30m, 1d or 1w", "",
    ),
    "a setting that is none": (
        part("settings", retry=2), "document.unknown_field", None, "/settings/retry", "no field 'retry'",
        "'retries'",
    ),
    "a part that is none": (
        lambda document: document.update(node=[]), "document.unknown_field", None, "/node", "no field 'node'",
        "'nodes'",
    ),
    "a default of another type": (
        param("least", type="integer", default="three"), "params.default", None, "/params/least/default",
        "'three' is not of type 'integer'", "",
    ),
    "a default that is not a date": (
        param("since", type="string", format="date", default="01.02.2026"), "params.default", None,
        "/params/since/default", "not a date such as 2024-12-31", "",
    ),
    "a schedule as a text": (
        lambda document: document.update(schedule="@daily"), "document.invalid", None, "/schedule",
        "an object is needed", "",
    ),
    "an interval of no length": (
        lambda document: document.update(schedule={"every": "0s"}), "document.invalid", None, "/schedule/every",
        "an interval is at least 1s", "",
    ),
    "a number without its unit": (
        part("settings", retry_delay=10), "document.invalid", None, "/settings/retry_delay",
        "a duration is numbers with units, the largest first", "",
    ),
    "no run at a time": (
        part("settings", max_active_runs=0), "document.invalid", None, "/settings/max_active_runs", "at least 1", "",
    ),
    "a schedule with a param that has no default": (
        param("least", type="integer"), "params.default", None, "/params/least", "needs a default of the param 'least'",
        "leave the schedule out",
    ),
    "a default that is not a choice": (
        param("label", type="string", enum=["a", "b"], default="c"), "params.default", None, "/params/label/default",
        "'c' is not one of ['a', 'b']", "",
    ),
    "an id in words": (
        lambda document: document.update(id="Daily report"), "document.identifier", None, "/id",
        "an id starts with a small letter", "",
    ),
    "no id": (
        lambda document: document.pop("id"), "document.missing", None, "/id", "'id' is needed", "",
    ),
    # What is elsewhere
    "a Connection that is none": (
        config("store", connection="warehose"), "connection.unknown", "store", "config/connection",
        "no Connection 'warehose'", "'warehouse'",
    ),
    "a Connection of another type": (
        config("store", connection="web"), "connection.type", "store", "config/connection",
        "'web' is of type 'http', not 'postgres'", "warehouse",
    ),
    "a pool that is none": (
        entry("save", pool="smal_pool"), "pool.unknown", "save", "pool", "no pool 'smal_pool'", "'small_pool'",
    ),
    "a key in the document": (
        config("noted", value={"api_key": "abc123"}), "secret.literal", "noted", "config/value/api_key",
        "a secret must not stand in a document", "Airflow Connection",
    ),
    "a password in the document": (
        config("noted", value={"password": "hunter2"}), "secret.literal", "noted", "config/value/password",
        "a secret must not stand in a document", "Airflow Connection",
    ),
    "a token in the document": (
        config("noted", value="Bearer ghp_" + 36 * "a"), "secret.literal", "noted", "config/value",
        "a secret must not stand in a document", "Airflow Connection",
    ),
    "a token for a default": (
        param("label", type="string", default="ghp_" + 36 * "a"), "secret.literal", None, "/params/label/default",
        "a secret must not stand in a document", "Airflow Connection",
    ),
    "an address with a password": (
        config("store", connection="postgresql://me:word@host/db"), "secret.literal", "store", "config/connection",
        "a secret must not stand in a document", "name the Connection here",
    ),
    "a file that is not there": (
        config("orders", path=f"{DATA}/order.csv"), "path.missing", "orders", "config/path",
        f"no file '{DATA}/order.csv'", "did you mean 'orders.csv'?",
    ),
    "a file of another format": (
        entry("orders", type="parquet_read"), "configuration", "orders", "config/path",
        "orders.csv cannot be read as parquet", "",
    ),
    "a folder that is not allowed": (
        config("save", path="/etc/x.csv"), "path.outside", "save", "config/path",
        "outside the folders that pipelines may use", "AIRLOOM_PATHS",
    ),
    "a way out of the folder": (
        config("save", path="../x.csv"), "path.outside", "save", "config/path",
        "outside the folders that pipelines may use", "AIRLOOM_PATHS",
    ),
}  # fmt: skip


def test_without_a_mistake_nothing_is_told() -> None:
    assert check(copy.deepcopy(PIPELINE), FACTS).problems == []


@pytest.mark.parametrize(("change", "code", "of", "at", "message", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gives_one_problem_that_helps(
    change: Change, code: str, of: str | None, at: str, message: str, hint: str
) -> None:
    document = copy.deepcopy(PIPELINE)
    change(document)
    problems = check(document, FACTS).problems
    assert len(problems) == 1, [str(problem) for problem in problems]
    problem = problems[0]
    place = at if at.startswith("/") else f"/nodes/{document['nodes'].index(_node(document, of or ''))}/{at}"
    assert (problem.code, problem.node, problem.pointer) == (code, of, place)
    assert message in problem.message
    assert hint in (problem.hint or "")
