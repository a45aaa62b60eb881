"""Values in users' SQL: a value is a literal of the tree, whatever it holds, and never changes the query."""

from __future__ import annotations

import datetime
import decimal
import math

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from tests.engine.sql_tools import COLUMNS, orders, reading

from airloom.engine.sql_field import SqlFieldError, parse_condition, parse_formula, parse_query
from airloom.engine.sql_value import literal
from airloom.spec.expression import Declared, ExpressionError, capture, capture_declared

UTC = datetime.UTC

HOSTILE = [
    "x' or 1=1 --",
    "x'; drop table orders; --",
    "' union select * from secret --",
    "'' or ''=''",
    "\\' or 1=1 --",
    "\\",
    "\\\\",
    "'",
    "''",
    "'''",
    '"',
    '""',
    "$$",
    "$$ or 1=1 $$",
    "$tag$x$tag$",
    "e'\\n'",
    "{{ 7*7 }}",
    "{% raw %}",
    "{# x #}",
    "airloom_ph_0_",
    "' || airloom_ph_1_ || '",
    "%s",
    "%(x)s",
    "?",
    "$1",
    ":x",
    "--",
    "/*",
    "*/",
    "/* x */",
    ";",
    "\n",
    "\r\n",
    "\t",
    "a\u2028b",
    "\u2019 or 1=1 --",
    "\uff07 or 1=1 --",
    "\u02bc",
    "\u00a0",
    "\u202e",
    "\ufeff",
    "\x01\x1a\x1b",
    "😀",
    "İ",
    "NULL",
    "true",
    "1",
    "2024-01-01",
    "read_text('/etc/passwd')",
    "(select 1)",
    "CAST('x' AS VARCHAR)",
    "",
    " ",
    "x" * 10_000,
    "'" * 1_000,
]

VALUES = [
    *(0, 1, -1, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63), 2**100, -(2**127)),
    *(0.0, -0.0, 1.5, -1e300, 5e-324, 0.1, math.inf, -math.inf),
    *(True, False),
    *(decimal.Decimal("1.10"), decimal.Decimal("-0.001"), decimal.Decimal("1E+5"), decimal.Decimal("0")),
    *(datetime.date(2024, 2, 29), datetime.date(1, 1, 1), datetime.date(9999, 12, 31)),
    datetime.datetime(2024, 1, 2, 3, 4, 5, 678901),  # noqa: DTZ001
    datetime.time(23, 59, 59, 999999),
    *(["a", "b"], [1, 2], [], ["x' or 1=1 --"], [1.5, 2.5], [[1], [2, 3]]),
]

PLACES = [
    ("condition", "region = {{ params.v }}", "region = $1"),
    ("condition", "coalesce(region, 'none') <> {{ params.v }} or n > 1", "coalesce(region, 'none') <> $1 or n > 1"),
    ("condition", "region like {{ params.v }} || '%'", "region like $1 || '%'"),
    ("formula", "concat(s, {{ params.v }}, region)", "concat(s, $1, region)"),
    ("formula", "case when s = {{ params.v }} then 1 else 2 end", "case when s = $1 then 1 else 2 end"),
    ("formula", "[{{ params.v }}, s]", "[$1, s]"),
    ("query", "select n, {{ params.v }} as v from orders where region = {{ params.v }}", ""),
    ("query", "with q as (select n, {{ params.v }} as v from orders) select max(v) from q", ""),
]


@pytest.fixture(scope="module")
def database():
    connection = orders()
    yield connection
    connection.close()


def parsed(kind, text, value):
    """Return the query over orders that a field of this kind becomes."""
    captured, values = capture(text, {"params": {"v": value}})
    if kind == "condition":
        return f"SELECT n FROM orders WHERE {parse_condition(captured, values, COLUMNS).sql('duckdb')}"
    if kind == "formula":
        return f"SELECT n, {parse_formula(captured, values, COLUMNS).sql('duckdb')} AS v FROM orders"
    return parse_query(captured, values, {"orders": COLUMNS}).sql("duckdb")


def bound(kind, text):
    """Return the same query for a value that the driver binds."""
    text = text.replace("{{ params.v }}", "$1")
    if kind == "condition":
        return f"SELECT n FROM orders WHERE {text}"
    return f"SELECT n, {text} AS v FROM orders" if kind == "formula" else text


def shape(sql):
    """Return the tree of a query with its literals blanked."""
    tree = duckdb_tree(sql)
    for node in list(tree.find_all(exp.Literal)):
        node.replace(exp.Literal.string("") if node.is_string else exp.Literal.number(0))
    return tree.sql("duckdb")


def duckdb_tree(sql):
    import sqlglot

    return sqlglot.parse_one(sql, dialect="duckdb")


def answer(database, sql, values=None):
    return sorted(map(repr, database.execute(sql, values).fetchall()))


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
@pytest.mark.parametrize(("kind", "text", "_"), PLACES, ids=lambda part: part[:30])
def test_a_value_gives_the_rows_that_the_driver_gives(database, kind, text, _, value):
    sql = parsed(kind, text, value)
    assert answer(database, sql) == answer(database, bound(kind, text), [value])
    assert shape(sql) == shape(parsed(kind, text, "plain"))
    assert reading(sql) == reading(parsed(kind, text, "plain"))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_a_typed_value_is_what_the_driver_binds(database, value):
    sql = f"SELECT {literal(value).sql('duckdb')} AS v"
    assert repr(database.execute(sql).fetchall()) == repr([(value,)]) or database.execute(
        f"SELECT ({literal(value).sql('duckdb')}) IS NOT DISTINCT FROM $1", [value]
    ).fetchall() == [(True,)]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", "VARCHAR"),
        (3, "INTEGER"),
        (2**40, "BIGINT"),
        (2**70, "HUGEINT"),
        (1.0, "DOUBLE"),
        (math.nan, "DOUBLE"),
        (True, "BOOLEAN"),
        (decimal.Decimal("1.50"), "DECIMAL(3,2)"),
        (decimal.Decimal("NaN"), "DOUBLE"),
        (datetime.date(2024, 1, 1), "DATE"),
        (datetime.datetime(2024, 1, 1), "TIMESTAMP"),  # noqa: DTZ001 - one without a zone is meant
        (datetime.datetime(2024, 1, 1, tzinfo=UTC), "TIMESTAMP WITH TIME ZONE"),
        (["x"], "VARCHAR[]"),
        ([[1]], "INTEGER[][]"),
        (None, '"NULL"'),
    ],
)
def test_a_value_has_its_type(value, kind):
    assert duckdb.connect().execute(f"SELECT typeof({literal(value).sql('duckdb')})").fetchall() == [(kind,)]


def test_an_instant_is_the_same_instant(database):
    value = datetime.datetime(2024, 1, 31, 10, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    assert database.sql(f"SELECT n FROM orders WHERE tz = {literal(value).sql('duckdb')}").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": 1}, "type dict"),
        ({1, 2}, "type set"),
        (b"x", "type bytes"),
        (object(), "type object"),
        (2**200, "whole number this large"),
        (decimal.Decimal("1." + "1" * 50), "38 digits"),
        ("a\0b", "zero byte"),
        ("\ud800", "surrogate"),
        (datetime.timedelta(days=1), "type timedelta"),
        ([{"a": 1}], "type dict"),
    ],
)
def test_other_values_are_refused(value, expected):
    with pytest.raises(SqlFieldError) as caught:
        literal(value)
    assert expected in caught.value.message


LISTS = [
    ("n in {{ params.v }}", [1, 2], [1, 2]),
    ("n in ({{ params.v }})", [1, 2], [1, 2]),
    ("n not in {{ params.v }}", [1, 2], [3]),
    ("n in {{ params.v }}", [], []),
    ("n not in {{ params.v }}", [], [1, 2, 3, None]),
    ("n in (1, {{ params.v }}, 3)", [2], [1, 2, 3]),
    ("n in ({{ params.v }})", 2, [2]),
    ("region in {{ params.v }}", ["x' or 1=1 --", "US"], [2, 3]),
    ("region in {{ params.v }}", [None, "US"], [2]),
    ("n in {{ params.v }}", None, []),
    ("list_contains({{ params.v }}, n)", [1, 3], [1, 3]),
    ("list_contains(words, {{ params.v }})", "a", [1]),
    ("{{ params.v }} in (region, s)", "US", [2]),
    ("n in {{ params.v | map('int') | list }}", ["1", "2"], [1, 2]),
]


@pytest.mark.parametrize(("text", "value", "expected"), LISTS)
def test_a_list_is_the_values_of_in(database, text, value, expected):
    sql = parsed("condition", text, value)
    found = [row[0] for row in database.execute(sql).fetchall()]
    assert sorted(found, key=str) == sorted(expected, key=str)


PLACED = [
    "{{ params.v }} = region",
    "region={{params.v}}",
    "region = {{- params.v -}}",
    "lower({{ params.v }}) = lower(region)",
    "({{ params.v }}) = region",
    "region between {{ params.v }} and {{ params.v }}",
    "cast({{ params.v }} as varchar) = region",
    "{{ params.v }}::varchar = region",
    "case when region = {{ params.v }} then true else false end",
    "region = {{ params.v | upper }}",
    "region = {{ params['v'] }}",
    "region in (s, {{ params.v }})",
    "region = coalesce({{ params.v }}, 'x')",
    "j->>{{ params.v }} is null and region = {{ params.v }}",
    "region = {{ params.v }} and {{ params.v }} is not null",
    "region ilike {{ params.v }}",
    "not region <> {{ params.v }}",
    "-- comment\nregion = {{ params.v }}",
    "region = {{ params.v }} -- comment",
    "regexp_matches(region, {{ params.v }})",
]


@pytest.mark.parametrize("text", PLACED)
def test_a_value_can_stand_where_a_value_stands(database, text):
    assert database.execute(parsed("condition", text, "EU")).fetchall() == [(1,)]


NUMBERS = [
    ("query", "select n from orders order by n limit {{ params.v }}", 2, 2),
    ("query", "select n from orders order by n limit 2 offset {{ params.v }}", 1, 2),
    ("query", "select ntile({{ params.v }}) over (order by n) from orders", 2, 4),
    ("query", "select lag(n, {{ params.v }}) over (order by n) from orders", 1, 4),
    (
        "query",
        "select sum(n) over (order by n rows between {{ params.v }} preceding and current row) from orders",
        1,
        4,
    ),
    ("query", "select quantile_cont(n, {{ params.v }}) from orders", 0.5, 1),
    ("condition", "t > timestamp '2024-02-01' - interval {{ params.v }} day", 3, 1),
    ("condition", "t > timestamp '2024-02-01' - interval ({{ params.v }}) day", 3, 1),
    ("condition", "round(x, {{ params.v }}) = 1.5", 1, 1),
    ("condition", "l[{{ params.v }}] = 3", 1, 1),
    ("condition", "l[{{ params.v }} + 1] = 1", 1, 1),
    ("condition", "l[{{ params.v }}:2] = [3, 1]", 1, 1),
    ("condition", "l[1:{{ params.v }}] = [3, 1]", 2, 1),
    ("condition", "l[l[{{ params.v }}]] = 3", 2, 1),
    ("condition", "{{ params.v }}[1] = 'E' and n = 1", "EU", 1),
    ("condition", "{{ params.v }}[2] = 6 and n = 1", [5, 6], 1),
    ("condition", "left(s, {{ params.v }}) = 'A'", 1, 1),
    ("condition", "n = 2 - {{ params.v }}", -1, 1),
    ("condition", "n + {{ params.v }} = 0", -2, 1),
    ("condition", "x * {{ params.v }} > 2", 1.5, 2),
    ("condition", "d >= {{ params.v }}", datetime.date(2024, 1, 1), 1),
]


@pytest.mark.parametrize(("kind", "text", "value", "count"), NUMBERS)
def test_a_number_can_stand_where_duckdb_takes_one(database, kind, text, value, count):
    assert len(database.execute(parsed(kind, text, value)).fetchall()) == count


MISPLACED = [
    "region = '{{ params.v }}'",
    "region = 'a{{ params.v }}b'",
    "region = $${{ params.v }}$$",
    "region = $t${{ params.v }}$t$",
    "region = e'{{ params.v }}'",
    '"{{ params.v }}" = region',
    "region = 'x' -- {{ params.v }}",
    "region = 'x' /* {{ params.v }} */",
    "{{ params.v }}(region) = 'x'",
    "cast(region as {{ params.v }}) = 'x'",
    "region::{{ params.v }} = 'x'",
    "region = {{ params.v }} {{ params.v }}",
    "region {{ params.v }} 'x'",
    "region = {{ params.v }}'x'",
    "region = 'x'{{ params.v }}",
    "st.{{ params.v }} = 1",
    "{{ params.v }}.region = 1",
    "x{{ params.v }} = 1",
    "{{ params.v }}x = 1",
    "extract({{ params.v }} from t) = 1",
    "t - interval 3 {{ params.v }} > t",
    "t - interval '{{ params.v }} day' > t",
    "n as {{ params.v }}",
    "region collate {{ params.v }} = 'x'",
    "j->'$.{{ params.v }}' = 'x'",
    "n = 1; {{ params.v }}",
    "{{ params.v }} from orders",
    "#{{ params.v }} = 1",
    "${{ params.v }} = 1",
    "n = {{ params.v }} = ",
]


@pytest.mark.parametrize("text", MISPLACED)
def test_a_value_within_quotes_or_for_a_name_is_refused(text):
    captured, values = capture(text, {"params": {"v": "EU"}})
    with pytest.raises(SqlFieldError):
        parse_condition(captured, values, COLUMNS)


def test_a_quoted_value_is_refused_with_the_way_to_write_it():
    captured, values = capture("region = '{{ params.v }}'", {"params": {"v": "EU"}})
    with pytest.raises(SqlFieldError) as caught:
        parse_condition(captured, values, COLUMNS)
    assert caught.value.hint == "write region = {{ params.region }}, without quotes"


@pytest.mark.parametrize(
    "text",
    [
        "select * from {{ params.v }}",
        "select * from orders {{ params.v }}",
        "select * from orders order by n {{ params.v }}",
        "select n as {{ params.v }} from orders",
        "select orders.{{ params.v }} from orders",
        "with {{ params.v }} as (select 1) select 1",
        "select * exclude ({{ params.v }}) from orders",
        "select * from orders join orders o using ({{ params.v }})",
        "select n from orders group by cube ({{ params.v }})",
    ],
)
def test_a_value_names_nothing_in_a_query(text):
    captured, values = capture(text, {"params": {"v": "orders"}})
    with pytest.raises(SqlFieldError):
        parse_query(captured, values, {"orders": COLUMNS})


def test_a_placeholder_of_no_value_is_refused():
    with pytest.raises(SqlFieldError):
        parse_condition("region = airloom_ph_0_", [], None)
    with pytest.raises(SqlFieldError):
        parse_condition("region = airloom_ph_1_", ["x"], None)
    with pytest.raises(ExpressionError):
        capture("region = airloom_ph_0_ or s = {{ params.v }}", {"params": {"v": "x"}})


def test_many_values_have_a_limit():
    captured, values = capture("n in {{ params.v }}", {"params": {"v": list(range(10_000))}})
    assert len(parse_condition(captured, values, COLUMNS).expressions) == 10_000
    with pytest.raises(SqlFieldError, match="10,000 values"):
        parse_condition(captured, [list(range(10_001))], COLUMNS)


DECLARED = [
    ("region = {{ params.text }}", True),
    ("region in {{ params.texts }}", True),
    ("n in ({{ params.number }}, {{ params.whole }})", True),
    ("n > {{ params.whole }}", True),
    ("round(x, {{ params.whole }}) = 1", True),
    ("d >= {{ params.day }}", True),
    ("tz >= {{ params.instant }}", True),
    ("tz >= {{ run.logical_date }}", True),
    ("b = {{ params.flag }}", True),
    ("n > {{ params.whole + 1 }}", True),
    ("n > {{ nodes.count.value }}", True),
    ("n in {{ nodes.count.value }}", True),
    ("n = {{ params.texts[0] }}", True),
    ("n > {{ params.texts }}", False),
    ("n > {{ params.day }}", False),
    ("isnan({{ params.day }})", False),
    ("d > {{ params.whole }}", False),
]
TYPES = {
    ("params", "text"): "VARCHAR",
    ("params", "texts"): "VARCHAR[]",
    ("params", "whole"): "INTEGER",
    ("params", "number"): "DOUBLE",
    ("params", "day"): "DATE",
    ("params", "instant"): "TIMESTAMPTZ",
    ("params", "flag"): "BOOLEAN",
    ("run", "logical_date"): "TIMESTAMPTZ",
}
SAMPLES = {
    "text": "EU",
    "texts": ["1"],
    "whole": 1,
    "number": 1.5,
    "day": datetime.date(2024, 1, 1),
    "instant": datetime.datetime(2024, 1, 1, tzinfo=UTC),
    "flag": True,
}


@pytest.mark.parametrize(("text", "binds"), DECLARED)
def test_types_are_judged_before_a_run_as_at_the_run(database, text, binds):
    names = {
        "params": SAMPLES,
        "run": {"logical_date": SAMPLES["instant"]},
        "nodes": {"count": {"value": [1] if " in " in text else 1}},
    }
    outcomes = []
    for captured, values in (capture_declared(text, TYPES), capture(text, names)):
        condition = parse_condition(captured, values, COLUMNS).sql("duckdb")
        try:
            database.execute(f"DESCRIBE SELECT n FROM orders WHERE {condition}")
            outcomes.append(True)
        except duckdb.BinderException:
            outcomes.append(False)
    assert outcomes == [binds, binds]


def test_a_text_where_in_needs_a_list_is_refused_before_a_run_and_at_it():
    for values in ([Declared("VARCHAR")], ["EU"]):
        with pytest.raises(SqlFieldError, match="IN needs a list"):
            parse_condition("region in airloom_ph_0_", values, COLUMNS)


SHAPED = [PLACES[0], PLACES[3], PLACES[6]]
PLAIN = [parsed(kind, text, "plain") for kind, text, _ in SHAPED]


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.sampled_from(range(len(SHAPED))))
def test_no_text_changes_the_shape_of_a_query(value, place):
    kind, text, _ = SHAPED[place]
    sql = parsed(kind, text, value)
    assert shape(sql) == shape(PLAIN[place])
    assert reading(sql) == reading(PLAIN[place])


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_duckdb_reads_every_text_as_it_was(value):
    assert duckdb.connect().execute(f"SELECT {literal(value).sql('duckdb')}").fetchall() == [(value,)]


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.integers(-(2**127), 2**127 - 1),
        st.floats(allow_nan=False),
        st.dates(),
        st.datetimes(),
        st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20),
        st.lists(st.integers(-100, 100)),
    )
)
def test_duckdb_reads_every_value_as_it_was(value):
    assert duckdb.connect().execute(f"SELECT {literal(value).sql('duckdb')}").fetchall() == [(value,)]
