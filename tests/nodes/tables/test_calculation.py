from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nodes.tables.tools import answer, fault, refusal, rows_of

from airloom.engine.relation import ColumnsUnknown, Relation
from airloom.nodes.tables.calculation import Arithmetic, Compare, Logic
from airloom.nodes.testing import Rows

WHOLE = st.none() | st.integers(-9, 9)
EXACT = st.none() | st.integers(-99, 99).map(lambda n: Decimal(n) / 10)
DOUBLE = st.none() | st.sampled_from([-7.5, -2.0, -0.1, 0.0, 0.1, 0.3, 1.0, 3.5, 12.0])
OPERATORS = ["+", "-", "*", "/", "//", "%", "**"]


def calculated(kind: str, pairs: list[tuple[Any, Any]], operator: str, **config: Any) -> list[Any]:
    given_config = {"left": "a", "operator": operator, "right": "b", "name": "x", **config}
    found = answer(Arithmetic, given_config, rows=Rows({"a": kind, "b": kind}, pairs))
    return [row[-1] for row in found.values]


def definition(operator: str, a: Any, b: Any) -> Any:
    """Return what Python says; null where it says nothing."""
    if a is None or b is None:
        return None
    if operator in ("/", "//", "%") and b == 0:
        return None
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return float(a) / float(b)
        case "//":
            return math.floor(a / b) if isinstance(a, Decimal) else a // b
        case "%":
            # Of decimals Python's sign is that of the left side; here it is always that of the right.
            return a - b * math.floor(a / b) if isinstance(a, Decimal) else a % b
        case _:
            if (a == 0 and b < 0) or (a < 0 and b != int(b)):
                return None
            return float(a) ** float(b)


def same(found: Any, wanted: Any) -> bool:
    if found is None or wanted is None:
        return found is None and wanted is None
    return math.isclose(found, wanted, rel_tol=1e-12, abs_tol=1e-9)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(("kind", "values"), [("INTEGER", WHOLE), ("DECIMAL(9,1)", EXACT), ("DOUBLE", DOUBLE)])
def test_arithmetic_is_pythons(kind: str, values: Any, operator: str) -> None:
    @settings(max_examples=8)
    @given(st.lists(st.tuples(values, values), min_size=40, max_size=80))
    def holds(pairs: list[tuple[Any, Any]]) -> None:
        for (a, b), found in zip(pairs, calculated(kind, pairs, operator), strict=True):
            assert same(found, definition(operator, a, b)), (a, operator, b, found)

    holds()


@pytest.mark.parametrize(
    ("kinds", "operator", "wanted"),
    [
        (("TINYINT", "TINYINT"), "+", "BIGINT"),
        (("INTEGER", "BIGINT"), "*", "BIGINT"),
        (("INTEGER", "INTEGER"), "/", "DOUBLE"),
        (("INTEGER", "INTEGER"), "//", "BIGINT"),
        (("INTEGER", "INTEGER"), "%", "BIGINT"),
        (("INTEGER", "INTEGER"), "**", "DOUBLE"),
        (("DECIMAL(9,2)", "DECIMAL(9,2)"), "+", "DECIMAL(10,2)"),
        (("DECIMAL(9,2)", "DECIMAL(9,2)"), "*", "DECIMAL(18,4)"),
        (("DECIMAL(9,2)", "DECIMAL(9,2)"), "/", "DOUBLE"),
        (("DECIMAL(9,2)", "DECIMAL(9,2)"), "//", "DECIMAL(38,0)"),
        (("DECIMAL(9,2)", "DOUBLE"), "+", "DOUBLE"),
        (("FLOAT", "FLOAT"), "+", "DOUBLE"),
        (("UBIGINT", "UBIGINT"), "+", "DECIMAL(21,0)"),
    ],
)
def test_the_type_of_the_result_is_certain(kinds: tuple[str, str], operator: str, wanted: str) -> None:
    config = {"left": "a", "operator": operator, "right": "b", "name": "x"}
    assert answer(Arithmetic, config, rows=Rows(dict(zip("ab", kinds, strict=True)))).columns["x"] == wanted


def test_whole_numbers_grow_to_64_bits_and_fail_beyond() -> None:
    assert calculated("TINYINT", [(127, 127)], "*") == [127 * 127]
    with pytest.raises(duckdb.OutOfRangeException, match="Overflow"):
        calculated("BIGINT", [(2**62, 2)], "*")
    least, most = -(2**63), 2**63 - 1
    pairs = [(2**62 + 1, 2), (-(2**62) - 1, 2), (least, 3), (most, least), (most, -3), (least, most)]
    assert calculated("BIGINT", pairs, "//") == [a // b for a, b in pairs]
    assert calculated("BIGINT", pairs, "%") == [a % b for a, b in pairs]


def test_a_number_in_the_config_beside_a_column() -> None:
    def with_value(kind: str, there: Any, operator: str, value: Any) -> tuple[Any, str]:
        config = {"left": "a", "operator": operator, "value": value, "name": "x"}
        found = answer(Arithmetic, config, rows=Rows({"a": kind}, [(there,)]))
        return found.values[0][-1], found.columns["x"]

    assert with_value("INTEGER", 7, "*", 2) == (14, "BIGINT")
    assert with_value("INTEGER", 7, "*", 1.5) == (10.5, "DOUBLE")
    assert with_value("DECIMAL(9,2)", Decimal("1.10"), "+", 0.1) == (Decimal("1.20"), "DECIMAL(10,2)")
    assert with_value("INTEGER", 7, "/", 0) == (None, "DOUBLE")


def test_round_and_abs() -> None:
    def of(kind: str, there: Any, **config: Any) -> Any:
        return answer(
            Arithmetic, {"left": "a", "name": "a", **config}, rows=Rows({"a": kind}, [(there,), (None,)])
        ).values

    assert of("DOUBLE", -2.5, operator="round") == [(-3.0,), (None,)]
    assert of("DOUBLE", 2.345, operator="round", value=1) == [(2.3,), (None,)]
    assert of("INTEGER", 1250, operator="round", value=-2) == [(1300,), (None,)]
    assert of("DECIMAL(9,3)", Decimal("-1.255"), operator="round", value=2) == [(Decimal("-1.26"),), (None,)]
    assert of("INTEGER", -5, operator="abs") == [(5,), (None,)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"operator": "+"}, "+ needs a second number: right (a column) or value"),
        ({"operator": "+", "right": "b", "value": 1}, "+ needs a second number"),
        ({"operator": "abs", "right": "b"}, "abs takes one number"),
        ({"operator": "round", "value": 1.5}, "round takes the digits behind the point as value"),
        ({"operator": "^", "right": "b"}, "Input should be '+'"),
        ({"operator": "+", "right": "b", "name": ""}, "at least 1 character"),
    ],
)
def test_a_wrong_calculation_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    assert message in fault(Arithmetic, {"left": "a", "name": "x", **config})


def test_text_is_no_number() -> None:
    config = {"left": "a", "operator": "+", "right": "b", "name": "x"}
    table = Rows({"a": "INTEGER", "b": "VARCHAR"})
    assert refusal(Arithmetic, config, rows=table) == (
        "a number is needed here; 'b' is VARCHAR", "right", "cast the column to a number first",
    )  # fmt: skip


@given(st.lists(st.tuples(WHOLE, WHOLE), max_size=9), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
def test_compare_is_pythons_and_null_beside_null(pairs: list[tuple[Any, Any]], operator: str) -> None:
    config = {"left": "a", "operator": operator, "right": "b", "name": "x"}
    found = answer(Compare, config, rows=Rows({"a": "INTEGER", "b": "BIGINT"}, pairs))
    assert found.columns["x"] == "BOOLEAN"
    for a, b, x in found.values:
        assert x is (None if a is None or b is None else eval(f"a {operator} b"))


def test_compare_takes_a_value_of_the_columns_type() -> None:
    table = Rows({"d": "DATE", "s": "VARCHAR", "n": "INTEGER"}, [("2026-01-31", "7", 0)])
    assert rows_of(Compare, {"left": "d", "operator": "<", "value": "2026-02-01", "name": "x"}, rows=table)[0]["x"]
    assert rows_of(Compare, {"left": "s", "operator": "equals", "value": 7, "name": "x"}, rows=table)[0]["x"]
    assert rows_of(Compare, {"left": "n", "value": 0, "name": "x"}, rows=table)[0]["x"]
    assert refusal(Compare, {"left": "d", "value": "soon", "name": "x"}, rows=table)[1] == "value"
    message, field, _ = refusal(Compare, {"left": "d", "right": "s", "name": "x"}, rows=table)
    assert (message, field) == ("'d' is DATE, 's' is VARCHAR", "right")
    for config in ({}, {"right": "s", "value": 1}):
        assert "right (a column) or value" in fault(Compare, {"left": "d", "name": "x", **config})


TRUTHS = [True, False, None]


def truth(operator: str, a: bool | None, b: bool | None) -> bool | None:
    if operator == "not":
        return None if a is None else not a
    if operator == "and":
        return False if a is False or b is False else None if None in (a, b) else True
    if operator == "or":
        return True if a is True or b is True else None if None in (a, b) else False
    return None if a is None or b is None else a != b


@pytest.mark.parametrize("operator", ["and", "or", "xor", "not", "&", "|", "^", "~"])
def test_logic_knows_null(operator: str) -> None:
    name = {"&": "and", "|": "or", "^": "xor", "~": "not"}.get(operator, operator)
    right = {} if name == "not" else {"right": "b"}
    pairs = [(a, b) for a in TRUTHS for b in TRUTHS]
    config = {"left": "a", "operator": operator, "name": "x", **right}
    found = answer(Logic, config, rows=Rows({"a": "BOOLEAN", "b": "BOOLEAN"}, pairs))
    assert [row[-1] for row in found.values] == [truth(name, a, b) for a, b in pairs]


def test_logic_takes_truth_values_alone() -> None:
    config = {"left": "a", "operator": "and", "right": "b", "name": "x"}
    message, field, hint = refusal(Logic, config, rows=Rows({"a": "BOOLEAN", "b": "INTEGER"}))
    assert (message, field) == ("a column of true and false is needed here; 'b' is INTEGER", "right")
    assert hint == "make one with compare"
    assert "and needs a second column" in fault(Logic, {"left": "a", "operator": "and", "name": "x"})
    assert "not takes one column" in fault(Logic, {"left": "a", "operator": "not", "right": "b", "name": "x"})


def test_a_result_replaces_a_column_in_its_place_whatever_its_case() -> None:
    rows = [{"a": 1, "b": 2}]
    assert rows_of(Arithmetic, {"left": "a", "operator": "+", "value": 1, "name": "A"}, rows=rows) == [{"a": 2, "b": 2}]
    assert rows_of(Compare, {"left": "b", "value": 2, "name": "b"}, rows=rows) == [{"a": 1, "b": True}]


def test_unknown_columns_stay_unknown() -> None:
    for node in (
        Arithmetic(left="a", operator="abs", name="x"),
        Compare(left="a", value=1, name="x"),
        Logic(left="a", operator="not", name="x"),
    ):
        with pytest.raises(ColumnsUnknown):
            node.query(Relation("a.rows"))
