"""The rules of docs/tables.md, each held by the test of its name."""

from __future__ import annotations

import math
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.nodes.tables.tools import answer, in_any_order, refusal, rows_of

from airloom.engine.constants import check_constants
from airloom.engine.relation import Relation
from airloom.engine.shapes import QueryError, Shapes
from airloom.engine.sql_field import parse_query
from airloom.nodes.catalog import catalog
from airloom.nodes.sdk import Table
from airloom.nodes.tables.aggregate import Aggregate
from airloom.nodes.tables.calculation import Arithmetic, Compare, Logic
from airloom.nodes.tables.clean import Clean
from airloom.nodes.tables.columns import Cast, Derive, Rename, Select
from airloom.nodes.tables.concat import Concat
from airloom.nodes.tables.dates import DateDifference, ParseDates
from airloom.nodes.tables.filter import Filter
from airloom.nodes.tables.join import Join
from airloom.nodes.tables.lookup import Lookup
from airloom.nodes.tables.map_schema import MapSchema
from airloom.nodes.tables.nested import JsonSelect
from airloom.nodes.tables.nulls import FillNulls, RemoveNulls
from airloom.nodes.tables.order import Sort
from airloom.nodes.tables.pivot import Pivot
from airloom.nodes.tables.selection import Deduplicate, Sample
from airloom.nodes.tables.split_rows import SplitRows
from airloom.nodes.tables.text import StringOperations
from airloom.nodes.tables.update_rows import UpdateRows
from airloom.nodes.tables.validate_rows import ValidateRows
from airloom.nodes.testing import Rows, run_table

PAGE = Path(__file__).parents[3] / "docs" / "tables.md"
RULES = dict(re.findall(r"^\| (?!about|-)(.+?) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
N = Rows({"n": "INTEGER"}, [(1,), (None,), (5,)])


def values(node: type[Table], config: dict[str, Any], **inputs: Any) -> list[Any]:
    return answer(node, config, **inputs).values


def column(node: type[Table], config: dict[str, Any], **inputs: Any) -> list[Any]:
    return [row[-1] for row in values(node, config, **inputs)]


def calculated(operator: str, left: Any, right: Any, kind: str = "INTEGER") -> Any:
    table = Rows({"a": kind, "b": kind}, [(left, right)])
    return column(Arithmetic, {"left": "a", "operator": operator, "right": "b", "name": "x"}, rows=table)[0]


def test_every_rule_has_a_test_and_every_test_a_rule() -> None:
    tests = {name for name in globals() if name.startswith("test_") and not name.startswith("test_every_rule")}
    assert {"test_" + about.lower().replace(" ", "_") for about in RULES} == tests


def test_null_in_a_condition() -> None:
    assert values(Filter, {"where": "n > 1"}, rows=N) == [(5,)]
    assert values(Filter, {"conditions": [{"column": "n", "operator": "!=", "value": 5}]}, rows=N) == [(1,)]
    assert values(Filter, {"conditions": [{"column": "n", "operator": "is_null"}]}, rows=N) == [(None,)]
    split = SplitRows.model_validate({"conditions": [{"name": "a", "where": "n > 1"}, {"name": "b", "where": "TRUE"}]})
    assert run_table(split, rows=N)["b"].values == [(1,), (None,)]


def test_null_in_a_calculation() -> None:
    assert [calculated(operator, 1, None) for operator in ("+", "-", "*", "/", "//", "%", "**")] == [None] * 7
    assert column(Compare, {"left": "n", "value": 1, "name": "x"}, rows=N) == [True, None, False]
    table = Rows({"a": "BOOLEAN", "b": "BOOLEAN"}, [(False, None), (True, None)])
    assert column(Logic, {"left": "a", "operator": "and", "right": "b", "name": "x"}, rows=table) == [False, None]
    assert column(Logic, {"left": "a", "operator": "or", "right": "b", "name": "x"}, rows=table) == [None, True]
    dates = Rows({"a": "DATE", "b": "DATE"}, [("2026-01-01", None)])
    assert column(DateDifference, {"start": "a", "end": "b", "name": "x"}, rows=dates) == [None]


def test_null_as_a_key() -> None:
    left, right = Rows({"n": "INTEGER"}, [(None,)]), Rows({"n": "INTEGER", "x": "INTEGER"}, [(None, 7)])
    assert values(Join, {"on": ["n"]}, left=left, right=right) == []
    assert values(Lookup, {"on": ["n"]}, rows=left, table=right) == [(None, None)]
    assert values(UpdateRows, {"keys": ["n"]}, rows=left, updates=left) == [(None,), (None,)]


def test_null_as_a_group() -> None:
    table = Rows({"g": "INTEGER", "k": "VARCHAR", "n": "INTEGER"}, [(None, "a", 1), (None, "a", None)])
    assert values(Aggregate, {"by": ["g"], "measures": {"n": {"op": "count"}}}, rows=table) == [(None, 2)]
    assert len(values(Deduplicate, {"keys": ["g"]}, rows=table)) == 1
    pivot = {"index": ["g"], "column": "k", "value": "n", "values": ["a"]}
    assert values(Pivot, pivot, rows=table) == [(None, 1)]
    fill = {"columns": ["n"], "strategy": "mode", "by": ["g"]}
    assert column(FillNulls, fill, rows=table) == [1, 1]


def test_null_in_a_figure() -> None:
    measures = {"sum": {"op": "sum", "column": "n"}, "count": {"op": "count", "column": "n"}}
    assert values(Aggregate, {"measures": measures}, rows=N) == [(6, 2)]
    assert values(Aggregate, {"measures": measures}, rows=Rows({"n": "INTEGER"}, [(None,)])) == [(None, 0)]


def test_null_in_a_rule() -> None:
    rules = [
        {"columns": "n", "must": must, "value": value} for must, value in ((">", 0), ("unique", None), ("in", [1]))
    ]
    node = ValidateRows.model_validate({"rules": rules})
    assert (None,) in run_table(node, rows=N)["rows"].values
    node = ValidateRows.model_validate({"rules": [{"columns": "n", "must": "not_null"}]})
    assert [row[0] for row in run_table(node, rows=N)["rejects"].values] == [None]


def test_null_in_an_order() -> None:
    for descending, wanted in ((False, [1, 5, None]), (True, [5, 1, None])):
        assert column(Sort, {"by": [{"column": "n", "descending": descending}]}, rows=N) == wanted


def test_null_in_text() -> None:
    table = Rows({"a": "VARCHAR", "b": "VARCHAR"}, [("x", None), (None, "y"), (None, None)])
    concat = {"column": "a", "operations": [{"op": "concat", "columns": ["b"], "separator": "-"}], "name": "x"}
    assert column(StringOperations, concat, rows=table) == ["x", "y", None]
    upper = {"column": "a", "operations": [{"op": "upper"}], "name": "x"}
    assert column(StringOperations, upper, rows=table) == ["X", None, None]


def test_null_in_json() -> None:
    table = Rows({"j": "JSON"}, [('{"a": null}',)])
    assert column(JsonSelect, {"column": "j", "path": "a"}, rows=table) == [None]


def test_empty_text() -> None:
    table = Rows({"s": "VARCHAR"}, [("",)])
    assert values(RemoveNulls, {}, rows=table) == [("",)]
    assert values(Clean, {"empty_to_null": True}, rows=table) == [(None,)]


def test_nan() -> None:
    table = Rows({"x": "DOUBLE"}, [(math.nan,), (math.inf,), (None,)])
    assert len(values(RemoveNulls, {}, rows=table)) == 2
    assert column(Compare, {"left": "x", "right": "x", "name": "y"}, rows=table) == [True, True, None]
    assert math.isnan(column(Sort, {"by": [{"column": "x", "descending": True}]}, rows=table)[0])


def test_equal_rows() -> None:
    table = Rows({"n": "INTEGER"}, [(1,), (1,)])
    assert len(run_table(Concat(), tables=[table, table])["rows"].values) == 4
    assert values(Aggregate, {"measures": {"n": {"op": "count"}}}, rows=table) == [(2,)]
    assert values(Deduplicate, {}, rows=table) == [(1,)]


TWICE, ONCE = [{"k": 1, "n": 1}, {"k": 1, "n": 2}], [{"k": 1, "m": 3}]


def test_several_rows_for_a_key_of_a_join() -> None:
    twice = [{"k": 1, "m": 3}, {"k": 1, "m": 4}]
    assert len(values(Join, {"on": ["k"]}, left=TWICE, right=twice)) == 4
    assert len(values(Join, {"on": ["k"], "many_to_many": "fail"}, left=TWICE, right=ONCE)) == 2
    with pytest.raises(duckdb.Error, match="k = 1"):
        values(Join, {"on": ["k"], "many_to_many": "fail"}, left=TWICE, right=twice)


def test_several_rows_for_a_key_of_a_lookup() -> None:
    with pytest.raises(duckdb.Error, match="k = 1"):
        values(Lookup, {"on": ["k"]}, rows=ONCE, table=TWICE)
    assert values(Lookup, {"on": ["k"], "several": "first"}, rows=ONCE, table=TWICE) == [(1, 3, 1)]


def test_several_updates_for_a_key() -> None:
    with pytest.raises(duckdb.Error, match="k = 1"):
        values(UpdateRows, {"keys": ["k"]}, rows=TWICE, updates=TWICE)
    assert values(UpdateRows, {"keys": ["k"], "order": ["n"]}, rows=TWICE, updates=TWICE) == [(1, 2)]


def test_overflow_of_whole_numbers() -> None:
    assert calculated("+", 127, 127, "TINYINT") == 254
    with pytest.raises(duckdb.OutOfRangeException):
        calculated("+", 2**63 - 1, 1, "BIGINT")
    table = Rows({"n": "BIGINT"}, [(2**63 - 1,)] * 2)
    assert values(Aggregate, {"measures": {"s": {"op": "sum", "column": "n"}}}, rows=table) == [(2**64 - 2,)]
    with pytest.raises(duckdb.ConversionException):
        values(Cast, {"columns": {"n": "TINYINT"}}, rows=table)


def test_overflow_of_doubles() -> None:
    assert calculated("*", 1e300, 1e300, "DOUBLE") == math.inf
    assert calculated("**", 10, 400, "DOUBLE") == math.inf


def test_division_by_zero() -> None:
    for kind in ("INTEGER", "DECIMAL(9,2)", "DOUBLE"):
        assert [calculated(operator, 7, 0, kind) for operator in ("/", "//", "%")] == [None] * 3
        assert calculated("**", 0, -1, kind) is None
    assert calculated("**", -8, 0.5, "DOUBLE") is None
    zero = Rows({"n": "INTEGER"}, [(0,)])
    assert column(Derive, {"columns": {"x": "1 / n"}}, rows=zero) == [math.inf]
    assert math.isnan(column(Derive, {"columns": {"x": "0 / n"}}, rows=zero)[0])
    assert column(Derive, {"columns": {"x": "1 / nullif(n, 0)"}}, rows=zero) == [None]
    with pytest.raises(duckdb.Error, match="ivision by zero"):
        column(Derive, {"columns": {"x": "1 // n"}}, rows=zero)


def test_whole_division() -> None:
    pairs = [(7, 2), (-7, 2), (7, -2), (-7, -2)]
    for kind in ("INTEGER", "DECIMAL(9,2)", "DOUBLE"):
        assert [calculated("//", *pair, kind) for pair in pairs] == [3, -4, -4, 3]
        assert [calculated("%", *pair, kind) for pair in pairs] == [1, 1, -1, -1]
    minus = Rows({"n": "INTEGER"}, [(-7,)])
    assert values(Derive, {"columns": {"n": "n // 2", "rest": "n % 2"}}, rows=minus) == [(-3, -1)]


def test_decimals() -> None:
    tenth = Decimal("0.10")
    assert calculated("+", tenth, Decimal("0.20"), "DECIMAL(9,2)") == Decimal("0.30")
    assert calculated("*", tenth, tenth, "DECIMAL(9,2)") == Decimal("0.01")
    table = Rows({"a": "DECIMAL(9,2)"}, [(tenth,), (Decimal("0.25"),), (None,)])
    plus = {"left": "a", "operator": "+", "value": 0.2, "name": "x"}
    assert column(Arithmetic, plus, rows=table)[0] == Decimal("0.30")
    assert column(Compare, {"left": "a", "value": 0.1, "name": "x"}, rows=table)[0] is True
    assert isinstance(calculated("/", tenth, tenth, "DECIMAL(9,2)"), float)
    assert column(FillNulls, {"strategy": "mean"}, rows=table)[2] == Decimal("0.18")


def test_decimals_beside_doubles() -> None:
    table = Rows({"a": "DECIMAL(9,2)", "b": "DOUBLE"}, [("0.10", 0.2)])
    assert column(Arithmetic, {"left": "a", "operator": "+", "right": "b", "name": "x"}, rows=table) == [0.1 + 0.2]


def test_exact_numbers_beside_floats() -> None:
    large = 2**53 + 1
    tables = {"left": Rows({"k": "BIGINT"}, [(large,)]), "right": Rows({"k": "DOUBLE"}, [(float(2**53),)])}
    assert column(Join, {"on": ["k"]}, **tables) == []
    for node, config, inputs in (
        (Join, {"on": ["k"], "how": "outer"}, tables),
        (Concat, {}, {"tables": list(tables.values())}),
        (UpdateRows, {"keys": ["k"]}, {"rows": tables["left"], "updates": tables["right"]}),
    ):
        with pytest.raises(duckdb.Error, match=f"lose digits of {large}"):
            values(node, config, **inputs)
    with Shapes() as shapes:
        shapes.add("t", {"k": "BIGINT", "x": "DOUBLE"})
        with pytest.raises(QueryError, match="'k' is BIGINT and stands in one column with DOUBLE"):
            check_constants(parse_query("SELECT k FROM t UNION ALL SELECT x FROM t", (), {"t": None}), shapes)


def test_rounding() -> None:
    table = Rows({"x": "DOUBLE"}, [(2.5,), (-2.5,), (0.5,)])
    assert column(Arithmetic, {"left": "x", "operator": "round", "name": "x"}, rows=table) == [3, -3, 1]
    assert column(Cast, {"columns": {"x": "INTEGER"}}, rows=Rows({"x": "DECIMAL(3,1)"}, [("2.5",), ("-2.5",)])) == [
        3,
        -3,
    ]


def test_case_of_names() -> None:
    assert rows_of(Select, {"columns": ["ID"]}, rows=[{"Id": 1, "b": 2}]) == [{"Id": 1}]
    assert refusal(Rename, {"mapping": {"b": "ID"}}, rows=[{"Id": 1, "b": 2}])[0] == "two columns would be called 'ID'"
    with Shapes() as shapes, pytest.raises(QueryError):
        shapes.add("a.rows", {"a": "INTEGER", "A": "INTEGER"})


def test_case_of_text() -> None:
    table = Rows({"s": "VARCHAR"}, [("a",), ("A",)])
    assert values(Filter, {"conditions": [{"column": "s", "value": "a"}]}, rows=table) == [("a",)]
    assert len(values(Deduplicate, {}, rows=table)) == 2
    assert len(values(Deduplicate, {"ignore_case": True}, rows=table)) == 1


def test_order_of_rows() -> None:
    keeping = {node.declaration.type for node in catalog().all() if node.declaration.order == "keeps"}
    built_in = {name for name in keeping if catalog().get(name).__module__.startswith("airloom.nodes.tables.")}
    assert set(re.findall(r"`(\w+)`", RULES["Order of rows"])) - {"sort"} == built_in


def test_ties() -> None:
    rows = [(1, 3), (1, 1), (1, 2)]
    for order in (rows, rows[::-1]):
        table = Rows({"t": "INTEGER", "v": "INTEGER"}, order)
        assert column(Sort, {"by": ["t"]}, rows=table) == [1, 2, 3]
        assert column(Deduplicate, {"keys": ["t"], "order": ["t"]}, rows=table) == [1]
        assert column(Deduplicate, {"keys": ["t"], "order": ["t"], "keep": "last"}, rows=table) == [1]
        measure = {"v": {"op": "first", "column": "v", "by": "t"}}
        assert column(Aggregate, {"by": ["t"], "measures": measure}, rows=table) == [1]


def test_times_without_a_zone() -> None:
    table = Rows({"s": "VARCHAR"}, [("2026-01-31T10:00",), ("2026-01-31T12:00+02:00",)])
    ten = datetime.fromisoformat("2026-01-31T10:00")
    assert column(ParseDates, {"columns": ["s"]}, rows=table) == [ten, ten]
    for kind in ("TIMESTAMP", "TIMESTAMPTZ"):
        times = Rows({"t": kind}, [("2026-01-31 10:00",)])
        for value in ("2026-01-31T10:00", "2026-01-31T12:00+02:00"):
            assert len(values(Filter, {"conditions": [{"column": "t", "value": value}]}, rows=times)) == 1


def test_dates_beside_times() -> None:
    table = Rows({"d": "DATE", "t": "TIMESTAMP"}, [("2026-01-31", "2026-01-31 00:00:01")])
    assert column(Compare, {"left": "d", "operator": "<", "right": "t", "name": "x"}, rows=table) == [True]
    condition = {"column": "t", "operator": ">", "value": "2026-01-31"}
    assert len(values(Filter, {"conditions": [condition]}, rows=table)) == 1


def test_whole_units_of_time() -> None:
    table = Rows({"a": "TIMESTAMP", "b": "TIMESTAMP"}, [("2026-01-01 10:00", "2026-01-03 09:00")])
    config = {"start": "a", "end": "b", "name": "x"}
    assert column(DateDifference, config, rows=table) == [1]
    assert column(DateDifference, {"start": "b", "end": "a", "name": "x"}, rows=table) == [-1]
    for end, months in (("2026-02-01 09:59", 0), ("2026-02-01 10:00", 1)):
        table = Rows({"a": "TIMESTAMP", "b": "TIMESTAMP"}, [("2026-01-01 10:00", end)])
        assert column(DateDifference, {**config, "unit": "months"}, rows=table) == [months]


def test_values_in_a_config() -> None:
    table = Rows({"d": "DATE", "n": "TINYINT"}, [("2026-01-31", None)])
    assert len(values(Filter, {"conditions": [{"column": "d", "value": "2026-01-31"}]}, rows=table)) == 1
    assert refusal(Filter, {"conditions": [{"column": "d", "value": "soon"}]}, rows=table)[1] == "conditions/0/value"
    for value in (300, 0.5):
        config = {"strategy": "constant", "columns": ["n"], "value": value}
        assert refusal(FillNulls, config, rows=table)[0] == f"{value} does not fit a column of type TINYINT"


def test_text_as_a_value() -> None:
    texts = {
        "2026-01-02 18:45": "DATE", "10:00 PM": "TIME", "1.005": "DECIMAL(8,2)", "1.5": "BIGINT", "1e3": "BIGINT",
        "0x10": "BIGINT", "1_000": "DOUBLE", "nan": "DOUBLE", "yes": "BOOLEAN",
    }  # fmt: skip
    for text, wanted in texts.items():
        assert f"`{text}`" in RULES["Text as a value"]
        table = Rows({"s": "VARCHAR", "j": "JSON"}, [(text, f'{{"a": "{text}"}}')])
        for node, config in (
            (Cast, {"columns": {"s": wanted}}),
            (MapSchema, {"columns": {"s": {"column": "s", "type": wanted}}}),
            (JsonSelect, {"column": "j", "path": "a", "type": wanted, "name": "s"}),
        ):
            assert rows_of(node, {**config, "on_error": "null"}, rows=table)[0]["s"] is None
        rule = {"rules": [{"columns": "s", "must": "type", "value": wanted}]}
        assert values(ValidateRows, rule, rows=table) == []
    zone = Rows({"s": "VARCHAR"}, [("2026-01-31 10:00+02:00",)])
    at = datetime(2026, 1, 31, 8)  # noqa: DTZ001 the column has no zone
    assert column(Cast, {"columns": {"s": "TIMESTAMP"}}, rows=zone) == [at]
    assert column(ParseDates, {"columns": ["s"]}, rows=zone) == [at]


def test_text_in_sql() -> None:
    with Shapes() as shapes:
        shapes.add("t", {"at": "TIMESTAMP", "s": "VARCHAR"})
        for text, says in (
            ("at = '2026-01-31 10:00+02:00'", "has a zone"),
            ("at < '2026-01-31 10:00 PM'", "is not a TIMESTAMP"),
            ("at = cast('2026-01-31 10:00+02' AS TIMESTAMP)", "has a zone"),
        ):
            relation = Relation("t", shapes.columns["t"])
            with pytest.raises(QueryError, match=says):
                check_constants(relation.where(relation.condition(text)), shapes)


def test_text_that_is_not_a_value() -> None:
    table = Rows({"s": "VARCHAR", "j": "JSON"}, [("soon", '{"a": "soon"}')])
    schema = {"columns": {"s": {"column": "s", "type": "INTEGER"}}}
    for node, config in (
        (Cast, {"columns": {"s": "INTEGER"}}),
        (ParseDates, {"columns": ["s"]}),
        (JsonSelect, {"column": "j", "path": "a", "type": "INTEGER", "name": "s"}),
        (MapSchema, schema),
    ):
        with pytest.raises(duckdb.Error, match="soon"):
            values(node, config, rows=table)
        assert rows_of(node, {**config, "on_error": "null"}, rows=table)[0]["s"] is None


def test_chance() -> None:
    rows = [(at,) for at in range(100)]
    table, turned = Rows({"n": "INTEGER"}, rows), Rows({"n": "INTEGER"}, rows[::-1])
    for size in ({"rows": 10}, {"fraction": 0.3}):
        kept = in_any_order(values(Sample, size, rows=table))
        assert in_any_order(values(Sample, size, rows=turned)) == kept
        assert in_any_order(values(Sample, {**size, "seed": 1}, rows=table)) != kept


def test_tables_without_rows() -> None:
    empty = Rows({"g": "VARCHAR", "n": "INTEGER"})
    assert answer(Sort, {"by": ["n"]}, rows=empty).columns == empty.columns
    assert values(Aggregate, {"measures": {"n": {"op": "count"}}}, rows=empty) == [(0,)]
    assert values(Pivot, {"column": "g", "op": "count", "values": ["a"]}, rows=empty) == [(0,)]
    assert values(Aggregate, {"by": ["g"]}, rows=empty) == []


def test_types_of_results() -> None:
    columns = {"n": "BIGINT", "k": "VARCHAR"}
    with Shapes() as shapes:
        shapes.add("a.rows", columns)
        rows = Relation("a.rows", columns)
        total = rows.select(total=rows.formula("sum(n)", aggregates=True))
        assert shapes.describe(total)[1] == {"total": "DECIMAL(38,0)"}
        pivot = Pivot.model_validate({"column": "k", "value": "n", "values": ["a"]}).query(rows)
        assert shapes.describe(pivot)[1] == {"a": "DECIMAL(38,0)"}
