"""Params: their schemas, the values of a run, the texts of a command line, and what SQL and expressions see."""

from __future__ import annotations

import datetime

import pytest

from airloom.spec.params import as_expression_values, check_schemas, column_types, parse_given, read_params

SCHEMAS = {
    "region": {"type": "string", "default": "EU", "enum": ["EU", "US"]},
    "limit": {"type": "integer", "minimum": 1},
    "rate": {"type": "number", "default": 1},
    "since": {"type": "string", "format": "date", "default": "2024-01-01"},
    "until": {"type": ["string", "null"], "format": "date-time", "default": None},
    "at": {"type": "string", "format": "time", "default": "10:00:00"},
    "tags": {"type": "array", "items": {"type": "string"}, "default": []},
    "days": {"type": "array", "items": {"type": "string", "format": "date"}, "default": []},
    "full": {"type": "boolean", "default": False},
    "more": {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}, "default": {}},
    "anything": {"default": None},
}
UTC = datetime.UTC


def found(problems):
    return [(problem.code, problem.pointer) for problem in problems]


def test_good_schemas_have_no_problems():
    assert check_schemas(SCHEMAS) == []
    assert check_schemas({}) == []


@pytest.mark.parametrize(
    ("schema", "code", "pointer", "expected"),
    [
        ({"type": "strin"}, "params.schema", "/params/x/type", "strin"),
        ({"type": "integer", "default": "a"}, "params.default", "/params/x/default", "'a' is not of type 'integer'"),
        (
            {"type": "array", "items": {"type": "integer"}, "default": [1, "a"]},
            "params.default",
            "/params/x/default/1",
            "",
        ),
        ({"format": "date", "default": "2024-13-01"}, "params.default", "/params/x/default", "2024-12-31"),
        ({"format": "date", "default": "20240101"}, "params.default", "/params/x/default", "2024-12-31"),
        ({"format": "date-time", "default": "2024-01-01T00:00:00"}, "params.default", "/params/x/default", "23:59:00Z"),
        ({"format": "time", "default": "25:00"}, "params.default", "/params/x/default", "23:59:00"),
        ({"pattern": "("}, "params.schema", "/params/x/pattern", "regex"),
        ({"minimum": "1"}, "params.schema", "/params/x/minimum", ""),
        ({"$ref": "http://example.com/schema"}, "params.schema", "/params/x", "leads out"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "params.schema", "/params/x", "leads out"),
        ({"$ref": "#/$defs/none", "default": 1}, "params.default", "/params/x/default", ""),
        ({"$ref": "#", "default": 1}, "params.default", "/params/x/default", ""),
    ],
)
def test_a_bad_schema_is_named(schema, code, pointer, expected):
    problems = check_schemas({"x": schema})
    assert found(problems) == [(code, pointer)]
    assert expected in str(problems[0])


def test_defaults_fill_what_is_not_given():
    values, problems = read_params(SCHEMAS, {"limit": 3, "region": "US"})
    assert problems == []
    assert values == {name: schema.get("default") for name, schema in SCHEMAS.items()} | {"limit": 3, "region": "US"}


def test_a_param_without_a_default_is_needed():
    _, problems = read_params(SCHEMAS, {})
    assert found(problems) == [("params.missing", "/limit")]
    assert read_params(SCHEMAS, {"region": "US"}, defaults=False) == ({"region": "US"}, [])


def test_all_problems_are_named_together():
    values, problems = read_params(
        SCHEMAS, {"limit": "3", "regoin": "EU", "tags": [1, 2], "until": "yesterday", "full": "yes"}
    )
    assert found(problems) == [
        ("params.unknown", "/regoin"),
        ("params.invalid", "/limit"),
        ("params.invalid", "/until"),
        ("params.invalid", "/tags/0"),
        ("params.invalid", "/tags/1"),
        ("params.invalid", "/full"),
    ]
    assert problems[0].hint == "did you mean 'region'?"
    assert "limit" not in values


def test_long_values_do_not_fill_the_message():
    _, problems = read_params({"x": {"type": "integer"}}, {"x": "a" * 100_000})
    assert len(problems[0].message) <= 300


def test_texts_are_read_by_their_types():
    given = {
        "region": "7",
        "limit": "3",
        "rate": "0.5",
        "since": "2024-05-06",
        "until": "null",
        "tags": '["a", "b"]',
        "full": "TRUE",
        "more": '{"day": "2024-01-01"}',
        "anything": "[1]",
        "unknown": "1",
    }
    assert parse_given(SCHEMAS, given) == {
        "region": "7",
        "limit": 3,
        "rate": 0.5,
        "since": "2024-05-06",
        "until": None,
        "tags": ["a", "b"],
        "full": True,
        "more": {"day": "2024-01-01"},
        "anything": [1],
        "unknown": 1,
    }


def test_a_text_that_does_not_fit_stays_for_the_problem():
    values = parse_given(SCHEMAS, {"limit": "three", "full": "yes", "tags": "a,b", "rate": "true"})
    assert values == {"limit": "three", "full": "yes", "tags": "a,b", "rate": "true"}
    _, problems = read_params(SCHEMAS, values)
    assert {problem.pointer for problem in problems} == {"/limit", "/full", "/tags", "/rate"}


def test_an_enum_keeps_its_types():
    schemas = {"x": {"enum": ["1", 2, True]}}
    assert [parse_given(schemas, {"x": text})["x"] for text in ("1", "2", "true", "other")] == ["1", 2, True, "other"]


def test_expressions_see_dates_and_the_declared_numbers():
    values, _ = read_params(
        SCHEMAS,
        {
            "limit": 3.0,
            "until": "2024-01-01T10:00:00+02:00",
            "days": ["2024-01-02"],
            "more": {"day": "2024-01-03", "x": 1},
        },
    )
    seen = as_expression_values(SCHEMAS, values)
    assert seen["since"] == datetime.date(2024, 1, 1)
    assert seen["until"] == datetime.datetime(2024, 1, 1, 8, tzinfo=UTC)
    assert seen["days"] == [datetime.date(2024, 1, 2)]
    assert seen["more"] == {"day": datetime.date(2024, 1, 3), "x": 1}
    assert (seen["limit"], type(seen["limit"])) == (3, int)
    assert (seen["rate"], type(seen["rate"])) == (1.0, float)
    assert (seen["at"], seen["anything"], seen["full"]) == ("10:00:00", None, False)


def test_sql_knows_the_types_of_params():
    assert column_types(SCHEMAS) == {
        ("params", "region"): "VARCHAR",
        ("params", "limit"): "INTEGER",
        ("params", "rate"): "DOUBLE",
        ("params", "since"): "DATE",
        ("params", "until"): "TIMESTAMPTZ",
        ("params", "at"): "VARCHAR",
        ("params", "tags"): "VARCHAR[]",
        ("params", "days"): "DATE[]",
        ("params", "full"): "BOOLEAN",
        ("params", "more"): None,
        ("params", "anything"): None,
    }
