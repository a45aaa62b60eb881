"""Expressions: values with their types, text, names, and a sandbox that gives nothing else away."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.spec.error import ConfigurationError, TransientError
from airloom.spec.expression import (
    Declared,
    Exposed,
    ExpressionError,
    View,
    capture,
    capture_declared,
    check_expression,
    check_sql_expressions,
    references,
    render,
    texts,
)

WHEN = datetime.datetime(2024, 3, 1, 12, 30, tzinfo=datetime.UTC)


def table(name):
    fetched = {"rows": 10, "columns": ["a", "b"], "first": lambda count: [{"a": index} for index in range(count)]}
    return View(fetched, fetched.__getitem__)


NAMES = {
    "params": {
        "region": "EU",
        "code": "007",
        "items": ["a", "b"],
        "values": 5,
        "n": 3,
        "half": 0.5,
        "yes": True,
        "nothing": None,
        "day": datetime.date(2024, 2, 29),
        "price": decimal.Decimal("1.50"),
        "nested": {"keys": [1, {"get": 2}], "_id": 7},
        "brace": "{{ 7*7 }}",
    },
    "nodes": View(["orders", "paid"], table),
    "trigger": {"body": {"user": "ann"}},
    "run": {"id": "r1", "logical_date": WHEN, "attempt": 1},
    "loop": {"item": "x", "index": 0},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{ params.region }}", "EU"),
        ("{{params.n}}", 3),
        ("  {{ params.n }}\n", 3),
        ("{{ params.half }}", 0.5),
        ("{{ params.yes }}", True),
        ("{{ params.nothing }}", None),
        ("{{ params.code }}", "007"),
        ("{{ params.day }}", datetime.date(2024, 2, 29)),
        ("{{ run.logical_date }}", WHEN),
        ("{{ params.price }}", decimal.Decimal("1.50")),
        ("{{ params.items }}", ["a", "b"]),
        ("{{ params.values }}", 5),
        ("{{ params.nested }}", {"keys": [1, {"get": 2}], "_id": 7}),
        ("{{ params.nested.keys[1].get }}", 2),
        ("{{ params['region'] }}", "EU"),
        ("{{ params.nested['_id'] }}", 7),
        ("{{ params.items[-1] }}", "b"),
        ("{{ params.region[:1] }}", "E"),
        ("{{ nodes.orders.rows }}", 10),
        ("{{ nodes.orders.rows > 5 and params.yes }}", True),
        ("{{ nodes.orders.first(2) }}", [{"a": 0}, {"a": 1}]),
        ("{{ nodes.orders.first(3) | map(attribute='a') | list }}", [0, 1, 2]),
        ("{{ nodes.orders.first(3) | map(attribute='a') }}", [0, 1, 2]),
        ("{{ nodes.orders.first(3) | selectattr('a', 'gt', 0) | sum(attribute='a') }}", 3),
        ("{{ loop.item }}", "x"),
        ("{{ trigger.body.user | upper }}", "ANN"),
        ("{{ params.n + 1 }}", 4),
        ("{{ params.n ** 2 // 2 % 3 }}", 1),
        ("{{ -params.n / 2 }}", -1.5),
        ("{{ 'a' ~ params.n ~ params.nothing ~ params.yes ~ params.day }}", "a3nulltrue2024-02-29"),
        ("{{ 'x' * 3 }}", "xxx"),
        ("{{ [1] * 2 + [params.n] }}", [1, 1, 3]),
        ("{{ {'a': params.n, 'b': [params.nothing]} }}", {"a": 3, "b": [None]}),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ 'yes' if params.n > 2 else 'no' }}", "yes"),
        ("{{ params.missing | default('none') }}", "none"),
        ("{{ params.missing is defined }}", False),
        ("{{ 'missing' in params }}", False),
        ("{{ params.items | join('-') }}", "a-b"),
        ("{{ params.region.lower().replace('e', 'a') }}", "au"),
        ("{{ '-'.join(params.items) }}", "a-b"),
        ("{{ 'a,b'.split(',') }}", ["a", "b"]),
        ("{{ params.day.strftime('%d.%m.%Y') }}", "29.02.2024"),
        ("{{ run.logical_date.date() | shift(days=-1) }}", datetime.date(2024, 2, 29)),
        ("{{ (run.logical_date | shift(hours=1)).hour }}", 13),
        ("{{ (run.logical_date | shift(days=2) - run.logical_date).days }}", 2),
        ("{{ params.nested | tojson }}", '{"keys": [1, {"get": 2}], "_id": 7}'),
        ("{{ params.n | string }}", "3"),
        ("{{ '42' | int + 1 }}", 43),
        ("{{ 2.567 | round(1) }}", 2.6),
        ("{{ params | dictsort | first | first }}", "brace"),
        ("{{ params.nested | items | list }}", [["keys", [1, {"get": 2}]], ["_id", 7]]),
        ("{{ params.brace }}", "{{ 7*7 }}"),
        ("{{ '}}' }}", "}}"),
        ("a {{ params.region }} b {{ params.n }}", "a EU b 3"),
        ("{{ params.region }}{{ params.n }}", "EU3"),
        ("{{ params.items }}!", '["a", "b"]!'),
        ("{{ params.nested }}!", '{"keys": [1, {"get": 2}], "_id": 7}!'),
        ("{{ params.nothing }}/{{ params.yes }}/{{ params.half }}/{{ params.price }}", "null/true/0.5/1.50"),
        ("{{ params.day }}/{{ run.logical_date }}", "2024-02-29/2024-03-01T12:30:00+00:00"),
        ("{% for item in params.items %}{{ loop.index }}={{ item }};{% endfor %}", "1=a;2=b;"),
        ("{% for key, value in params.nested | items %}{{ key }} {% endfor %}", "keys _id "),
        ("{% if params.n > 2 %}many{% else %}few{% endif %}", "many"),
        ("{% set double = params.n * 2 %}{{ double }}.", "6."),
        ("{% raw %}{{ name }} {# x #}{% endraw %}", "{{ name }} {# x #}"),
        ("line\n{{ params.n }}\n", "line\n3\n"),
        ('{"a": {"b": 1}} and }} and { and %}', '{"a": {"b": 1}} and }} and { and %}'),
    ],
)
def test_renders(text, expected):
    rendered = render(text, NAMES)
    assert rendered == expected
    assert type(rendered) is type(expected)
    assert check_expression(text) == []


def test_walks_a_configuration_and_leaves_keys_and_raw_fields():
    config = {
        "a": "{{ params.n }}",
        "{{ params.n }}": [1, None, {"b/c": "{{ params.region }}"}],
        "code": "{{ not rendered",
        "more": {"code": "{% neither"},
    }
    rendered = render(config, NAMES, raw={"/code", "/more/code"})
    assert rendered == {
        "a": 3,
        "{{ params.n }}": [1, None, {"b/c": "EU"}],
        "code": "{{ not rendered",
        "more": {"code": "{% neither"},
    }
    assert render(config, NAMES, raw=lambda at: at.endswith("/code")) == rendered
    assert list(texts(config, raw={"/code", "/more/code"})) == [
        ("/a", "{{ params.n }}"),
        ("/{{ params.n }}/2/b~1c", "{{ params.region }}"),
    ]
    assert config["a"] == "{{ params.n }}"


def test_an_error_names_its_field():
    with pytest.raises(ExpressionError) as caught:
        render({"to": [{"a/b": "{{ params.regoin }}"}]}, NAMES, "/nodes/2/config")
    assert caught.value.field == "/nodes/2/config/to/0/a~1b"
    assert "did you mean 'region'?" in caught.value.message
    assert isinstance(caught.value, ConfigurationError)


def test_only_what_is_used_is_fetched():
    asked = []

    def fetch(name):
        asked.append(name)
        return table(name)

    names = NAMES | {"nodes": View(["orders", "paid", "lost"], fetch)}
    render({"a": "{{ params.n }}", "b": "plain"}, names)
    assert asked == []
    render({"a": "{{ nodes.paid.rows }}", "b": "{{ nodes.paid.columns }} {{ nodes.paid.rows }}"}, names)
    assert asked == ["paid"]


def test_a_name_without_a_value_in_this_run_is_undefined():
    names = {"nodes": View(["a", "b"], {"b": 1}.__getitem__)}
    with pytest.raises(ExpressionError, match="'a' has no value in this run"):
        render("{{ nodes.a }}", names)
    assert render("{{ nodes.a | default(nodes.b) }}", names) == 1

    def fetch(name):
        raise KeyError(f"nodes.{name} did not fire in this run")

    with pytest.raises(ExpressionError, match=r"^field '/x': nodes.a did not fire in this run$"):
        render({"x": "{{ nodes.a }}"}, {"nodes": View(["a"], fetch)})
    assert render("{{ 'a' in nodes }}", names) is True


def test_a_fault_while_fetching_is_that_fault():
    def fetch(name):
        raise TransientError("storage is away")

    with pytest.raises(TransientError):
        render("{{ nodes.a.rows }}", {"nodes": View(["a"], fetch)})


UNDEFINED = [
    "{{ params.missing }}",
    "{{ params.missing.more }}",
    "{{ params.missing }} in text",
    "{{ [params.missing] }}",
    "{{ {'a': params.missing} }}",
    "{{ params.missing ~ 'a' }}",
    "{{ params.missing + 1 }}",
    "{{ params.missing == 1 }}",
    "{{ params.missing | upper }}",
    "{{ params.missing | join }}",
    "{{ params.missing | list }}",
    "{{ 1 if params.missing else 2 }}",
    "{{ 1 if false }}",
    "{{ params.items[9] }}",
    "{{ params.region.nothing }}",
    "{{ nodes.lost.rows }}",
    "{{ nodes.orders.lost }}",
    "{{ nodes.orders.first }}",
    "{{ nodes.orders }}",
    "{{ params.items | map(attribute='x') | list }}",
    "{{ params.n() }}",
    "{{ params() }}",
]


@pytest.mark.parametrize("text", UNDEFINED)
def test_undefined_is_an_error(text):
    with pytest.raises(ExpressionError):
        render(text, NAMES)


FAILING = [
    ("{{ 1 / 0 }}", "division by zero"),
    ("{{ params.n + 'a' }}", "unsupported operand"),
    ("{{ params.region + 1 }}", ""),
    ("{{ params.region < 1 }}", "not supported"),
    ("{{ params.items | sum }}", "sum adds numbers"),
    ("{{ params.region | shift(days=1) }}", "shift moves a date"),
    ("{{ params.day | shift(days=99999999) }}", ""),
]


@pytest.mark.parametrize(("text", "expected"), FAILING)
def test_what_cannot_be_worked_out_says_why(text, expected):
    with pytest.raises(ExpressionError) as caught:
        render(text, NAMES)
    assert expected in caught.value.message


# Expressions that reach for classes, for Airflow's context, for Connections, for the environment, for the process.
REACHING = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ''['__cla' ~ 'ss__'] }}",
    "{{ [].__class__.__base__ }}",
    "{{ params.__class__ }}",
    "{{ params.__init__.__globals__ }}",
    "{{ nodes.__class__ }}",
    "{{ nodes._fetch }}",
    "{{ nodes._names }}",
    "{{ nodes['_fetch'] }}",
    "{{ nodes.orders._fetch.__globals__ }}",
    "{{ nodes.orders.first.__globals__ }}",
    "{{ nodes.orders.first.__code__ }}",
    "{{ nodes.orders.first['__globals__'] }}",
    "{{ nodes.orders.first.__closure__ }}",
    "{{ params.get }}",
    "{{ params.pop('region') }}",
    "{{ params.update({'region': 1}) }}",
    "{{ params.items.append(1) }}",
    "{{ params.items.__class__ }}",
    "{{ params.day.__reduce__() }}",
    "{{ params.day.fromtimestamp }}",
    "{{ run.logical_date.tzinfo }}",
    "{{ run.logical_date.now() }}",
    "{{ params.region.format(params) }}",
    "{{ '{0.__class__}'.format(params) }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(nodes) }}",
    "{{ '{a.__class__}'.format_map({'a': params}) }}",
    "{{ '%s' % params }}",
    "{{ '%(a)s' % {'a': params.__class__} }}",
    "{{ params | attr('__class__') }}",
    "{{ params | map('attr', '__class__') | list }}",
    "{{ [params] | map(attribute='__class__') | list }}",
    "{{ [params] | map(attribute='__class__.__mro__') | list }}",
    "{{ [params] | groupby('__class__') }}",
    "{{ ['', 'a'] | sort(attribute='__class__') }}",
    "{{ [''] | sum(attribute='__class__') }}",
    "{{ [''] | join('', '__class__') }}",
    "{{ [''] | selectattr('__class__') | list }}",
    "{{ [''] | unique(attribute='__class__') | list }}",
    "{{ ['', 'a'] | min(attribute='__class__') }}",
    "{{ params | xmlattr }}",
    "{{ params | pprint }}",
    "{{ params.region.encode() }}",
    "{{ params.region.translate({}) }}",
    "{{ params.n.to_bytes(9) }}",
    "{{ params.n.real }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ joiner }}",
    "{{ namespace() }}",
    "{{ dict }}",
    "{{ range.__class__ }}",
    "{{ loop.__class__ }}",
    "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for x in [1] %}{{ loop._iterator }}{% endfor %}",
    "{% for x in [1] %}{{ loop.cycle.__globals__ }}{% endfor %}",
    "{{ ().__class__ }}",
    "{{ (1).__class__ }}",
    "{{ none.__class__ }}",
    "{{ params.missing.__class__ }}",
    "{{ params.missing._undefined_exception }}",
    "{{ context }}",
    "{{ environment }}",
    "{{ request }}",
    "{{ config }}",
    "{{ conn.warehouse.password }}",
    "{{ var.value.secret }}",
    "{{ var.json.secret }}",
    "{{ ti.xcom_pull('x') }}",
    "{{ task_instance }}",
    "{{ dag.dag_id }}",
    "{{ dag_run.conf }}",
    "{{ macros.os }}",
    "{{ macros.datetime.now() }}",
    "{{ ds }}",
    "{{ logical_date }}",
    "{{ task.render_template }}",
    "{{ os.environ }}",
    "{{ open('/etc/passwd') }}",
    "{{ __import__('os') }}",
    "{{ eval('1') }}",
    "{{ getattr(params, '__class__') }}",
    "{{ environ }}",
    "{{ params.region | eval }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{% from 'os' import environ %}",
    "{% extends 'base' %}",
    "{% block x %}{% endblock %}",
    "{% macro f() %}{{ caller() }}{% endmacro %}{{ f.__globals__ }}",
    "{% call f() %}{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
    "{% with a = 1 %}{{ a }}{% endwith %}",
    "{% do params.update({}) %}",
    "{% autoescape true %}x{% endautoescape %}",
    "{% set params = {} %}x",
    "{% set params.region = 1 %}x",
    "{% set x %}{{ params }}{% endset %}",
    "{% debug %}",
]


@pytest.mark.parametrize("text", REACHING)
def test_nothing_else_can_be_reached(text, monkeypatch):
    monkeypatch.setenv("AIRLOOM_TEST_SECRET", "canary-5d41402a")
    with pytest.raises(ExpressionError) as caught:
        render(text, NAMES)
    assert "canary" not in str(caught.value)
    assert os.environ["AIRLOOM_TEST_SECRET"] == "canary-5d41402a"
    assert NAMES["params"]["region"] == "EU"
    assert NAMES["params"]["items"] == ["a", "b"]


# Each would take gigabytes or hours without the bounds.
COSTLY = [
    "{{ 'x' * 10**9 }}",
    "{{ 10**9 * 'x' }}",
    "{{ [0] * 10**9 }}",
    "{{ ['x' * 1000000] * 1000 | join }}",
    "{{ (['x' * 1000000] * 1000) | join }}",
    "{{ 9 ** (9 ** 9) }}",
    "{{ (9 ** 99999) ** 99999 }}",
    "{{ range(10**9) }}",
    "{{ range(10**9) | list }}",
    "{{ 1 | round(-1000000000) }}",
    "{{ 1.5 | round(1000000000, 'ceil') }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ 'x'.center(1000000000) }}",
    "{{ 'x'.zfill(1000000000) }}",
    "{{ '\t'.expandtabs(1000000000) }}",
    "{{ 'x' | center(1000000000) }}",
    "{{ 'x' | indent(1000000000) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ [1] | batch(1000000000, 'x') | list }}",
    "{{ [1] | slice(1000000000) | list }}",
    "{{ ('a' * 10000).replace('a', 'b' * 10000) }}",
    "{{ ('a' * 10000) | replace('a', 'b' * 10000) }}",
    "{{ ('a' * 10000) | replace('', 'b' * 10000) }}",
    "{{ ('a' * 1000000) | list | join('x' * 1000) }}",
    "{{ ('x' * 100000).join(range(1000) | map('string')) }}",
    "{{ range(100000) | map('replace', '', 'x' * 100000) | list }}",
    "{{ range(100000) | map('default', 'x') | join('y' * 10000) }}",
    "{{ [range(100000) | list] * 1000 }}",
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "{% for a in range(100000) %}{{ 'x' * 10000 }}{% endfor %}",
    "{% for a in range(100000) %}" + "x" * 10_000 + "{% endfor %}",
    "{% for a in range(100000) if a | string | length > 9 %}{% endfor %}" * 50,
    "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}",
    "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
    "{% set x = [1] %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
    "{% set x = [1, 1] %}" + "{% set x = [x, x] %}" * 40 + "{{ x == x }}",
    "{% set x = [1, 1] %}" + "{% set x = {'a': x, 'b': x} %}" * 40 + "{{ x }}",
    "{% set x = (1, 1) %}" + "{% set x = (x, x) %}" * 40 + "{{ x | tojson }}",
    "{% set x = 3 %}" + "{% set x = x * x %}" * 40 + "{{ x > 1 }}",
    "{{ " + "(" * 30_000 + "1" + ")" * 30_000 + " }}",
    "{{ " + "[" * 200 + "1" + "]" * 200 + " }}",
    "{{ " + "not " * 30_000 + "1 }}",
    "{{ " + "-" * 30_000 + "1 }}",
    "{{ " + " + ".join(["1"] * 30_000) + " }}",
    "{{ params" + ".a" * 30_000 + " }}",
    "{{ params" + "|upper" * 30_000 + " }}",
    "{{ " + "9" * 10_000 + " }}",
    "{% if 1 %}" * 2_000 + "{% endif %}" * 2_000,
    "{{ params.region }}" + "x" * 2_000_000,
]


@pytest.mark.parametrize("text", COSTLY, ids=lambda text: text[:50])
@pytest.mark.timeout(60)
def test_size_and_work_are_bounded(text):
    with pytest.raises(ExpressionError):
        render(text, NAMES)


def test_the_bounds_are_those_of_all_fields_together():
    with pytest.raises(ExpressionError, match="too many steps"):
        render(["{{ 'x' * 900000 }}"] * 20, NAMES)


def test_a_large_value_passes_through_at_no_cost():
    value = [{"a": index} for index in range(200_000)]
    assert render(["{{ params.v }}"] * 5, {"params": {"v": value}})[4] == value


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("{{ prams.x }}", "unknown_name", "did you mean 'params'?"),
        ("{{ name }}", "unknown_name", "{% raw %}"),
        ("{% for x in y %}{{ x }}{% endfor %}", "unknown_name", "'y'"),
        ("{{ params.x", "syntax", "{% raw %}"),
        ("{{ }}", "syntax", "cannot be read"),
        ('{{ "x": 1 }}', "syntax", "{% raw %}"),
        ("a\nb {{ params.x + }}", "syntax", "line 2"),
        ("100{% off", "syntax", "{% raw %}"),
        ("{% if params.x %}", "syntax", "cannot be read"),
        ("hello {# a comment #}", "comment", "would vanish"),
        ("{{ params.x | upcase }}", "unknown_filter", "'upcase'"),
        ("{{ params.x | uper }}", "unknown_filter", "did you mean 'upper'?"),
        ("{{ params.x is oddd }}", "unknown_test", "did you mean 'odd'?"),
        ("{% include 'x' %}", "statement", "include"),
        ("{% for x in params.l recursive %}{% endfor %}", "statement", "recursive"),
        ("{% set nodes = 1 %}", "name", "given name"),
        ("{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "syntax", "nested too deeply"),
    ],
)
def test_faults_are_found_before_a_run(text, code, expected):
    problems = check_expression(text)
    assert f"expression.{code}" in [problem.code for problem in problems]
    assert any(expected in str(problem) for problem in problems)
    with pytest.raises(ExpressionError):
        render(text, NAMES)


def test_all_faults_are_named_together():
    problems = check_expression("{{ a }} {{ b | nothing }}")
    assert [problem.code for problem in problems] == [
        "expression.unknown_name",
        "expression.unknown_filter",
        "expression.unknown_name",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", set()),
        ("{{ params.region }}", {("params", "region")}),
        ("{{ nodes.orders.rows }} {{ params['a b'] }}", {("nodes", "orders", "rows"), ("params", "a b")}),
        ("{{ nodes.a.value.x[0].y }}", {("nodes", "a", "value", "x")}),
        ("{{ nodes[params.which].rows }}", {("nodes",), ("params", "which")}),
        ("{{ nodes.a.first(params.n) | map('int') }}", {("nodes", "a", "first"), ("params", "n")}),
        ("{{ params.x if run.attempt > 1 else loop.item }}", {("params", "x"), ("run", "attempt"), ("loop", "item")}),
        ("{% for x in loop.list %}{{ loop.index }}{{ x.y }}{% endfor %}", {("loop", "list")}),
        ("{{ {'a': trigger.body.x}['a'] }}", {("trigger", "body", "x")}),
        ("{% raw %}{{ params.x }}{% endraw %}", set()),
        ("where x = {{ params.x }} and y in {{ nodes.a.value }}", {("params", "x"), ("nodes", "a", "value")}),
        ("{{ broken", set()),
        ("{{ " + "(" * 500 + "params.x" + ")" * 500 + " }}", set()),
    ],
)
def test_references_are_found(text, expected):
    assert references(text) == expected


@pytest.mark.parametrize(
    ("text", "expected", "values"),
    [
        ("n = 1", "n = 1", []),
        ("n = {{ params.n }}", "n =  airloom_ph_0_ ", [3]),
        (
            "a={{params.region}}and b in {{ params.items }}",
            "a= airloom_ph_0_ and b in  airloom_ph_1_ ",
            ["EU", ["a", "b"]],
        ),
        ("{{ params.brace }}", " airloom_ph_0_ ", ["{{ 7*7 }}"]),
        ("d > {{ run.logical_date | shift(days=-1) }}", "d >  airloom_ph_0_ ", [WHEN - datetime.timedelta(days=1)]),
        ("n = {{ params.n }}\n", "n =  airloom_ph_0_ \n", [3]),
        ("{'a': {'b': 1}}", "{'a': {'b': 1}}", []),
    ],
)
def test_sql_gets_placeholders_and_values(text, expected, values):
    assert capture(text, NAMES) == (expected, values)


@pytest.mark.parametrize(
    "text",
    [
        "{% if params.n %}n = 1{% endif %}",
        "n = 1 {# comment #}",
        "{% raw %}n{% endraw %} = {{ params.n }}",
        "airloom_ph_0_ = {{ params.n }}",
        "AIRLOOM_PH_0_ = 1",
        "n = {{ params.missing }}",
        "n = {{ [params.missing] }}",
        "n = {{ ''.__class__ }}",
        "n = {{ conn.x }}",
        "n = {{ nodes.orders.first }}",
        "n = {{ params.n ",
    ],
)
def test_sql_takes_expressions_only(text):
    with pytest.raises(ExpressionError) as caught:
        capture(text, NAMES, "/config/where")
    assert caught.value.field == "/config/where"


def test_sql_problems_are_found_before_a_run():
    assert check_sql_expressions("n = {{ params.n }}") == []
    assert [problem.code for problem in check_sql_expressions("{% if x %}")] == ["expression.statement"]
    assert [problem.code for problem in check_sql_expressions("Airloom_PH_1_")] == ["expression.reserved"]
    assert [problem.code for problem in check_sql_expressions("n = {{ nod.x }}")] == ["expression.unknown_name"]


def test_before_a_run_a_value_is_its_declared_type():
    types = {("params", "n"): "INTEGER", ("params", "l"): "VARCHAR[]", ("params", "open"): None}
    text = "{{ params.n }} {{ params.l }} {{ params.open }} {{ params.n + 1 }} {{ params.l[0] }} {{ nodes.a.value }}"
    captured, values = capture_declared(text, types)
    assert captured.split() == [f"airloom_ph_{index}_" for index in range(6)]
    assert values == [Declared("INTEGER"), Declared("VARCHAR[]"), *[Declared()] * 4]


@given(st.text())
def test_a_value_is_never_read_as_an_expression(value):
    assert render("{{ params.v }}", {"params": {"v": value}}) == value
    assert render("<{{ params.v }}>", {"params": {"v": value}}) == f"<{value}>"


@given(st.text())
def test_any_text_is_rendered_or_refused_in_words(text):
    if check_expression(text):
        with pytest.raises(ExpressionError):
            render(text, NAMES)
    else:
        with contextlib.suppress(ExpressionError):
            render(text, NAMES)


class Port(Exposed):
    exposed = frozenset({"rows", "first"})

    def __init__(self):
        self.counted = 0
        self.connection = "secret"

    @property
    def rows(self):
        self.counted += 1
        return 10

    def first(self, number):
        return [{"a": index} for index in range(number)]

    def __repr__(self):
        return "a table"


def test_an_object_gives_what_it_exposes_and_no_more():
    port = Port()
    names = {"nodes": {"orders": {"rows": port}}}
    assert render("{{ nodes.orders.rows.rows }}", names) == 10
    assert port.counted == 1
    assert render("{{ nodes.orders.rows.first(2) | map(attribute='a') | list }}", names) == [0, 1]
    assert render("{{ nodes.orders.rows }}", names) is port
    for attribute in ("connection", "counted", "exposed", "__class__", "__dict__", "_x", "first.__globals__"):
        with pytest.raises(ExpressionError):
            render(f"{{{{ nodes.orders.rows.{attribute} }}}}", names)
    for text in ("{{ nodes.orders.rows }}!", "{{ nodes.orders.rows | tojson }}", "{{ 'a' ~ nodes.orders.rows }}"):
        with pytest.raises(ExpressionError, match="use one of first, rows"):
            render(text, names)


def test_a_view_shows_no_values():
    view = View(["password"], lambda name: "secret")
    assert repr(view) == "View(password)"
    assert "secret" not in repr(view)
    with pytest.raises(KeyError):
        view["other"]


def test_importing_expressions_imports_no_jinja():
    script = (
        "import sys, airloom.spec.expression, airloom.spec.params; print({'jinja2', 'jsonschema'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"


def test_an_if_without_else_says_what_it_lacks() -> None:
    for text in ("{{ 1 if params.on }}", "a{{ 1 if params.on }}", "{{ [1 if params.on] }}"):
        with pytest.raises(ExpressionError, match="it has no `else`: write `else none`"):
            render(text, {"params": {"on": False}})


def test_a_text_that_sets_values_itself_is_as_it_was() -> None:
    text = "{% set values = [1, 2] %}{{ values | sum }}"
    assert check_expression(text) == []
    assert references(text) == set()
    assert render(text, {"values": {"a": 1}}) == "3"
    assert references("{{ values.a }}") == {("values", "a")}
