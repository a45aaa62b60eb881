"""Spark gives what DuckDB gives: for each function of users' SQL, for every node; and says no to all else."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from tests.engine.spark_rows import ABSENT, Twins, twins
from tests.nodes.cases import COLUMNS as SAME_COLUMNS
from tests.nodes.cases import CONFIGS, MORE

from airloom.engine.policy import FUNCTIONS
from airloom.engine.relation import Relation
from airloom.engine.shapes import QueryError, Shapes
from airloom.engine.spark.pattern import java_pattern, java_replacement
from airloom.engine.spark.query import to_spark
from airloom.engine.spark.support import COLUMNS, FIGURES, PLACES, SYNTAX, VALUES
from airloom.engine.spark.types import SparkUnsupported
from airloom.engine.sql_field import SqlFieldError, parse_formula
from airloom.nodes.calling import queries_of
from airloom.nodes.catalog import catalog
from airloom.nodes.sdk import Example, Table, ports_of
from airloom.nodes.testing import typed

needs_spark = pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))

ROWS = """VALUES
    (1, 1, 0.5, 1.25, 'Ada', '01.02.2024', '7', DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789',
     TIMESTAMPTZ '2024-02-29 12:34:56+00', true, [1, 2]),
    (-7, -70, -2.5, -1.25, ' aä b ', '1.2.2024', ' 8 ', DATE '1969-12-31', TIMESTAMP '1969-12-31 23:59:59.999999',
     TIMESTAMPTZ '1970-01-01 00:30:00+01', false, []),
    (0, 5, 2.675, 0, '', '2024-2-3 4:05', '2.5', DATE '2024-01-31', TIMESTAMP '2024-12-31 00:00',
     TIMESTAMPTZ '2024-01-31 23:00:00-05', NULL, [NULL, 3]),
    (12, 4611686018, 1234.5, 99.99, E'Älter\\nb$', '3 Feb 2024', '-3.5', DATE '2023-01-01',
     TIMESTAMP '2023-01-01 00:00:01', TIMESTAMPTZ '2023-01-01 00:00:00+00', true, NULL),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, 20, 3.5, 3.33, 'a', '240203', 'abc', DATE '2024-12-30', TIMESTAMP '2024-12-30 10:00',
     TIMESTAMPTZ '2024-12-30 10:00:00+00', false, [2]),
    (45, 45, 0.125, -0.01, 'ab_c [x', '31.02.2024', '1e3', DATE '2000-02-29', TIMESTAMP '2000-02-29 23:00',
     TIMESTAMPTZ '2000-02-29 23:00:00+00', true, [9, 9]),
    (-2147483640, 7, 123456.75, 7.5, E'a\\tb\\rb', '3 Feb 2024 ', 'true', DATE '1582-10-10',
     TIMESTAMP '1582-10-10 10:00', TIMESTAMPTZ '1582-10-10 10:00:00+00', true, [2, NULL])"""
FORMS = [form for forms in (*VALUES.values(), *PLACES.values(), SYNTAX) for form in forms]
GROUPED = [form for forms in FIGURES.values() for form in forms]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    with twins(tmp_path_factory.mktemp("spark")) as found:
        found.add("r", COLUMNS, ROWS)
        yield found


# Without Spark: what is refused


def test_what_is_not_tried_is_refused() -> None:
    """A function of users' SQL stands in the lists of what is equal, or is refused in all of its forms."""
    tried = {*VALUES, *FIGURES, *PLACES}
    listed = {name for names in FUNCTIONS.values() for name in names}
    assert tried - {"epoch_us", "make_timestamp", "try_strptime"} <= listed
    passed = []
    with Shapes() as shapes:
        shapes.add("r", COLUMNS)
        for name in sorted(listed - tried):
            for arguments in [
                (),
                *product("sxdtl"),
                *product("sxdt", repeat=2),
                ("s", "'%Y'"),
                ("'day'", "t"),
                ("i", "i"),
            ]:
                text = f"{name}({', '.join(arguments)})"
                try:
                    formula = parse_formula(text, columns=COLUMNS, aggregates=True)
                    bound = shapes.describe(Relation("r", COLUMNS).select(formula))[0]
                    to_spark(bound, {"r": COLUMNS})
                except (SqlFieldError, QueryError, SparkUnsupported):
                    continue
                passed.append(text)
    assert passed == []


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("hash(s) % 10", "hash"),
        ("strftime(t, '%Y')", "strftime"),
        ("x::VARCHAR", "DOUBLE to"),
        ("s::FLOAT", "to REAL|to FLOAT"),
        ("s = 5", "comparison"),
        ("x // 2", "//"),
        ("i / (b / x)", "quotient"),
        ("x % b", "rest"),
        ("t - t", "interval"),
        ("t AT TIME ZONE 'Europe/Berlin'", "time zone"),
        (r"regexp_replace(s, 'a', 'b')", "first match"),
        ("regexp_matches(s, p)", "from a column"),
        (r"regexp_matches(s, '\Ga')", "regular expression"),
        ("s LIKE p", "LIKE"),
        ("substring(s, i)", "substring"),
        ("row_number() OVER ()", "order"),
        ("sum(i) OVER (ORDER BY x RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)", "range"),
        ("list(i)", "no order"),
        ("arg_min(i, x)", "tie"),
        ("i::UTINYINT", "UTINYINT"),
        ("struct_extract({'a': i}, 'a') + l[1]", "not possible"),
    ],
)
def test_a_refusal_says_what_and_what_to_do(formula: str, says: str) -> None:
    tree = parse_formula(formula, columns=COLUMNS, aggregates=True)
    with pytest.raises(SparkUnsupported) as raised:
        to_spark(Relation("r", COLUMNS).select(tree).sql("duckdb"), {"r": COLUMNS})
    assert re.search(says, raised.value.message)
    assert not re.search(r"at 0x|exp\.|Exception", str(raised.value))


def test_a_column_of_a_type_that_spark_lacks_is_named() -> None:
    with pytest.raises(SparkUnsupported, match="'who' is UUID") as raised:
        to_spark('SELECT "a" FROM "r"', {"r": {"a": "INTEGER", "who": "UUID"}})
    assert "VARCHAR" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("given", "java"),
    [
        ("a.b$", r"(?d)a.b\z"),
        (r"[\s$]", "(?d)[\\t\\n\\f\\r $]"),
        ("[]a]", r"(?d)[\]a]"),
        ("[a&&[b]", r"(?d)[a\&\&\[b]"),
        ("(?i)x", "(?d)(?iu)x"),
    ],
)
def test_a_pattern_in_java_s_signs(given: str, java: str) -> None:
    assert java_pattern(given) == java


def test_a_replacement_in_java_s_signs() -> None:
    assert java_replacement(r"\1$ \\ \20") == r"$1\$ \\ $2\0"


# Both engines


@needs_spark
def test_a_small_part_is_the_same_on_both(both: Twins) -> None:
    """One form of each function, in two queries for the sake of time; the soak tests ask all, one by one."""
    both.spark.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    firsts = [forms[0] for forms in (*VALUES.values(), *PLACES.values())] + list(SYNTAX[::3])
    chosen = ", ".join(f"{form} AS f{at}" for at, form in enumerate(firsts))
    duck, spark = both.answers(f"SELECT i, {chosen} FROM r", ["r"])
    assert len(duck) == 8
    assert spark == duck
    figures = ", ".join(f"{forms[0]} AS f{at}" for at, forms in enumerate(FIGURES.values()))
    duck, spark = both.answers(f"SELECT q, {figures} FROM r GROUP BY q", ["r"])
    assert len(duck) == 3
    assert spark == duck
    both.spark.conf.unset("spark.sql.codegen.factoryMode")


@pytest.mark.soak
@needs_spark
@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_the_same_on_both(both: Twins, form: str) -> None:
    duck, spark = both.answers(f"SELECT i, {form} AS v FROM r", ["r"])
    assert spark == duck


@pytest.mark.soak
@needs_spark
@pytest.mark.parametrize("form", GROUPED)
def test_each_figure_is_the_same_on_both(both: Twins, form: str) -> None:
    queries = [f"SELECT q, {form} AS v FROM r GROUP BY q", f"SELECT {form} AS v FROM r WHERE false"]
    if "DISTINCT" not in form:
        queries.append(f"SELECT i, {form} OVER (PARTITION BY q) AS v FROM r")
    for query in queries:
        duck, spark = both.answers(query, ["r"])
        assert spark == duck


# Nodes

TABLE_NODES = [node for node in catalog().all() if issubclass(node, Table) and node.declaration.category != "own"]
EXAMPLES = [
    pytest.param(node, example, id=f"{node.declaration.type}-{example.title}")
    for node in TABLE_NODES
    for example in node.examples
]
LARGE = {name: kind for name, kind in SAME_COLUMNS.items() if kind != "JSON"}
LARGE_CASES = [
    pytest.param(name, config, id=f"{name}-{at}")
    for at, (name, config) in enumerate([*CONFIGS, *MORE])
    if config.get("column") != "j"
]


def compare(both: Twins, node: Any, relations: dict[str, Any], names: list[str]) -> None:
    """Ask both engines for each output of a node; what is refused has to be declared."""
    for query in queries_of(node, relations).values():
        try:
            duck, spark = both.answers(query.sql("duckdb"), names, written=True)
        except SparkUnsupported:
            assert type(node).declaration.without_spark, "a refusal that the node does not tell of"
            return
        assert not type(node).declaration.without_spark.startswith("everything")
        assert spark == duck


@pytest.mark.soak
@needs_spark
@pytest.mark.parametrize(("node", "example"), EXAMPLES)
def test_each_example_of_a_node_is_the_same_on_both(both: Twins, node: type[Table], example: Example) -> None:
    names: list[str] = []

    def relation(name: str, rows: Any) -> Any:
        if rows and not isinstance(rows[0], dict):
            return [relation(f"{name}{at}", table) for at, table in enumerate(rows)]
        table = typed(rows)
        both.add(f"{name}.rows", dict(table.columns), list(table.values))
        names.append(f"{name}.rows")
        return Relation(f"{name}.rows", dict(table.columns), engine="spark")

    if node.declaration.order == "uses":
        pytest.skip("it runs in DuckDB, which reads files in their order; a test of pipelines has it")
    made = node.model_validate(example.config)
    compare(both, made, {port: relation(port, rows) for port, rows in example.inputs.items()}, names)


@pytest.mark.soak
@needs_spark
@pytest.mark.parametrize(("name", "config"), LARGE_CASES)
def test_each_node_is_the_same_on_both_over_many_rows(both: Twins, name: str, config: dict[str, Any]) -> None:
    made: Any = catalog().get(name).model_validate(config)
    relations: dict[str, Any] = {}
    names = []
    for port, step in zip(ports_of(type(made), made).inputs, (1, 7), strict=False):
        table = f"many{step}.rows"
        if table not in both.columns:
            both.add(table, LARGE, many_rows(step))
        relation = Relation(table, LARGE, distinct=lambda *_: [0, 1, 2, 3, 4], engine="spark")
        relations[port.name] = [relation, relation] if port.many else relation
        names.append(table)
    compare(both, made, relations, names)


@pytest.mark.soak
@needs_spark
def test_texts_are_read_alike(both: Twins) -> None:
    """Casts and formats over thousands of texts that look like numbers, words of truth, days and times."""
    chance = random.Random(7)
    signs = [
        "",
        " ",
        "+",
        "-",
        ".",
        "0",
        "1",
        "12",
        "999",
        "e5",
        "E-2",
        "5",
        "\t",
        "true",
        "no",
        "inf",
        "nan",
        "f",
        "d",
        "\n",
    ]
    numbers = ["".join(chance.choices(signs, k=chance.randint(0, 5))) for _ in range(4_000)]
    parts = ["2024", "24", "1", "02", "29", "31", "12", "00", "-", ".", "/", " ", ":", "jan", "March", "T", "x", "5"]
    moments = ["".join(chance.choices(parts, k=chance.randint(1, 9))) for _ in range(4_000)]
    moments += [f"{chance.randint(0, 40)}.{chance.randint(0, 14)}.{chance.randint(1, 10_000)}" for _ in range(1_000)]
    both.add("texts", {"n": "VARCHAR", "m": "VARCHAR"}, list(zip(numbers, moments, strict=False)))
    kinds = ("TINYINT", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL(9,2)", "DECIMAL(38,10)", "BOOLEAN")
    formats = ("%d.%m.%Y", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y%m%d", "%d %b %Y", "%B %d %y", "%H:%M %d/%m/%Y")
    chosen = [f"TRY_CAST(n AS {kind}) AS n{at}" for at, kind in enumerate(kinds)]
    chosen += [f"try_strptime(m, '{form}') AS m{at}" for at, form in enumerate(formats)]
    duck, spark = both.answers(f"SELECT n, m, {', '.join(chosen)} FROM texts", ["texts"])
    assert [pair for pair in zip(spark, duck, strict=True) if pair[0] != pair[1]] == []


def many_rows(step: int) -> str:
    return f"""SELECT i * {step} % 400, 'k' || nullif(i % 40, 7), nullif(i % 6, 5), nullif(i * 7919 % 11, 0),
        nullif(i * 31 % 17, 3) / 4, nullif(i % 13, 2) / 4, nullif('a-' || (i % 19) || '- Ä!', 'a-4- Ä!'),
        TIMESTAMP '2020-02-29 12:00' + INTERVAL 1 HOUR * (i % 50000),
        CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN [] ELSE [i % 3, NULL] END, i % 3 = 0
        FROM range({2_000 // step}) r(i)"""
