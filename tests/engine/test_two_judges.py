"""Two judges of users' SQL: what DuckDB's own parser refuses is refused, and what both take means the same."""

from __future__ import annotations

import contextlib
import re

import duckdb
import pytest
from tests.engine.sql_mutants import FORMULAS, QUERIES, Court, mutants
from tests.engine.sql_tools import COLUMNS

from airloom.engine import duck, duck_tree
from airloom.engine.policy import FUNCTIONS, ROWS, WINDOWS
from airloom.engine.sql_field import SqlFieldError, check_syntax, parse_condition

PARSER = duck.connect(threads=1)


@pytest.fixture(scope="module")
def court():
    with contextlib.closing(Court()) as found:
        yield found


def check(text, columns=COLUMNS, *, query=False):
    """Let DuckDB judge a text."""
    check_syntax(text, columns, lambda selects: duck_tree.read(PARSER, selects), query=query)


@pytest.mark.parametrize(("texts", "query"), [(FORMULAS, False), (QUERIES, True)], ids=["formulas", "queries"])
@pytest.mark.parametrize("seed", range(5))
def test_a_mutated_text_is_refused_at_its_character_or_means_the_same(court, texts, query, seed):
    for text in mutants(f"{seed}", texts, 60):
        verdict = court.judge(text, query=query)
        assert not verdict.fault, (text, verdict)


@pytest.mark.parametrize(("texts", "query"), [(FORMULAS, False), (QUERIES, True)], ids=["formulas", "queries"])
def test_correct_texts_are_read_in_one_way(texts, query):
    for text in texts:
        check(text, query=query)


@pytest.mark.parametrize("kind", [kind for kind in FUNCTIONS if kind != ROWS])
def test_no_function_loses_an_argument(court, kind):
    over = " over (order by n)" if kind == WINDOWS else ""
    for name in FUNCTIONS[kind]:
        for count in range(8):
            text = f"{name}({', '.join(['n', 's', 'd', 'x', 'l', 'b', 't'][:count])}){over}"
            with contextlib.suppress(SqlFieldError):
                assert court.taken(text, query=False).replace('"', "").lower() == f"select {text} from orders"


@pytest.mark.parametrize(
    "text",
    [
        "log2()",
        "log10()",
        "chr(n, x)",
        "date_diff('day', d, d, 3)",
        "json_keys(j, 2)",
        "round(x, 1, 2)",
        "sha256(s, 1)",
    ],
)
def test_a_wrong_number_of_arguments_is_left_for_duckdb_to_see(court, text):
    sql = court.taken(text, query=False)
    with pytest.raises(duckdb.BinderException, match="No function matches"):
        court.execute(sql)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s in ('paid' 'open')", "\"'open'\" does not fit, at character 14"),
        ("round(, 1)", "',' does not fit, at character 7"),
        ("regexp_matches(s, , 'i')", "',' does not fit, at character 19"),
        ("dec 1.5", "'1.5' does not fit, at character 5"),
        ("x between 1 9", "'9' does not fit, at character 13"),
        ("s = 'é' or s in ('paid' 'open')", "\"'open'\" does not fit, at character 25"),
        ("d + interval n day > d", "'day' does not fit, at character 16"),
        ("(n > 1) )", "')' does not fit, at character 9"),
        ("(s,)", "in two ways, at character 1"),
        ("n = + n", "in two ways, at character 5"),
        ("n > 1 and (s, ) = (s, )", "in two ways, at character 11"),
    ],
)
def test_what_duckdb_refuses_or_reads_otherwise_is_refused_at_its_character(text, place):
    with pytest.raises(SqlFieldError, match=re.escape(place)):
        check(text)
    with pytest.raises(SqlFieldError, match=re.escape(place.partition(" at ")[0])):
        check(f"select {text} as v from orders", query=True)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("case when b end", "Expected END after CASE, at character 13"),
        ("(n > 1", "Expecting ), at character 6"),
        ("n >", "something is missing, at character 3"),
        ("s = 'x", "a quote or a comment is not closed, at character 5"),
    ],
)
def test_what_is_missing_at_the_end_is_told(text, place):
    with pytest.raises(SqlFieldError, match=re.escape(place)):
        check(text)


def test_a_length_of_time_has_a_unit():
    with pytest.raises(SqlFieldError, match=r"INTERVAL '?7'? has no unit"):
        parse_condition("d + interval 7 > d", (), COLUMNS)


def test_a_place_behind_a_value_is_told_by_what_stands_before_it():
    with pytest.raises(
        SqlFieldError, match=re.escape("\"'open'\" does not fit, after \"s > {{ … }} and s in ('paid'\"")
    ):
        check("s > airloom_ph_0_ and s in ('paid' 'open')")


@pytest.mark.parametrize(
    "text", ["s in airloom_ph_0_", "s in (airloom_ph_0_, 'x')", "d + interval airloom_ph_0_ day > d"]
)
def test_a_value_stands_where_a_value_may_stand(text):
    check(text)


@pytest.mark.parametrize("name", ["desc", "user", "default", "ümlaut"])
def test_a_column_called_by_a_word_of_sql_stays_one(name):
    columns = {name: "INTEGER"}
    check(f"{name} > 1", columns)
    assert parse_condition(f"{name} > 1", (), columns).sql("duckdb") == f'"{name}" > 1'


def test_other_names_of_types_are_those_of_duckdb():
    known = dict(PARSER.execute("SELECT lower(type_name), lower(logical_type) FROM duckdb_types()").fetchall())
    assert duck_tree.TYPES.items() <= known.items()
