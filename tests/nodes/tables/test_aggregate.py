from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, get_args

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from airloom.engine.relation import ColumnError, ColumnsUnknown, Relation
from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.tables._reducers import Op
from airloom.nodes.tables.aggregate import Aggregate
from airloom.nodes.testing import Answer, Rows, run_table

TYPES = {"g": "VARCHAR", "n": "INTEGER", "t": "INTEGER", "s": "VARCHAR"}
ROW = st.tuples(
    st.sampled_from(["x", "y", None]),
    st.none() | st.integers(-4, 4),
    st.none() | st.integers(0, 2),
    st.none() | st.sampled_from(["a", "b", "ä"]),
)
ROWS = st.lists(ROW, max_size=14)
Group = list[tuple[Any, ...]]


def aggregate(rows: Any, /, *by: str, **measures: Any) -> Answer:
    return run_table(Aggregate.model_validate({"by": by, "measures": measures}), rows=rows)["rows"]


def numbers(group: Group) -> list[int]:
    return [n for _, n, _, _ in group if n is not None]


def by_time(group: Group) -> list[tuple[int, int]]:
    return sorted((t, n) for _, n, t, _ in group if n is not None and t is not None)


def without_time(group: Group) -> list[int]:
    return sorted(n for _, n, t, _ in group if n is not None and t is None)


def quantile(share: float) -> Callable[[Group], float | None]:
    def of(group: Group) -> float | None:
        values = sorted(numbers(group))
        if not values:
            return None
        place = share * (len(values) - 1)
        low = int(place)
        high = min(low + 1, len(values) - 1)
        return values[low] + (values[high] - values[low]) * (place - low)

    return of


def spread(function: Callable[[list[int]], float]) -> Callable[[Group], float | None]:
    return lambda group: function(numbers(group)) if len(numbers(group)) > 1 else None


def least(group: Group) -> int | None:
    return by_time(group)[0][1] if by_time(group) else None


def greatest(group: Group) -> int | None:
    return by_time(group)[-1][1] if by_time(group) else None


def mode(group: Group) -> int | None:
    counts = Counter(numbers(group))
    return min((-count, value) for value, count in counts.items())[1] if counts else None


DEFINITIONS: dict[str, tuple[dict[str, Any], Callable[[Group], Any]]] = {
    "count": ({"column": "n"}, lambda group: len(numbers(group))),
    "count_distinct": ({"column": "n"}, lambda group: len(set(numbers(group)))),
    # Exact for so few values; an estimate for many.
    "count_distinct_approximate": ({"column": "n"}, lambda group: len(set(numbers(group)))),
    "sum": ({"column": "n"}, lambda group: sum(numbers(group)) if numbers(group) else None),
    "avg": ({"column": "n"}, lambda group: statistics.fmean(numbers(group)) if numbers(group) else None),
    "min": ({"column": "n"}, lambda group: min(numbers(group), default=None)),
    "max": ({"column": "n"}, lambda group: max(numbers(group), default=None)),
    "any": ({"column": "n"}, lambda group: min(numbers(group), default=None)),
    "median": ({"column": "n"}, quantile(0.5)),
    "p90": ({"column": "n"}, quantile(0.9)),
    "p95": ({"column": "n"}, quantile(0.95)),
    "p99": ({"column": "n"}, quantile(0.99)),
    "quantile": ({"column": "n", "value": 0.25}, quantile(0.25)),
    "stddev": ({"column": "n"}, spread(statistics.stdev)),
    "variance": ({"column": "n"}, spread(statistics.variance)),
    "argmin": ({"column": "n", "by": "t"}, least),
    "first": ({"column": "n", "by": "t"}, least),
    "earliest": ({"column": "n", "by": "t"}, least),
    "argmax": ({"column": "n", "by": "t"}, greatest),
    "last": ({"column": "n", "by": "t"}, greatest),
    "latest": ({"column": "n", "by": "t"}, greatest),
    "mode": ({"column": "n"}, mode),
    "tuple": ({"column": "n", "by": "t"}, lambda group: [n for _, n in by_time(group)] + without_time(group)),
    "sorted_tuple": ({"column": "n"}, lambda group: sorted(numbers(group))),
}


def test_every_reducer_has_a_definition_here() -> None:
    assert {*DEFINITIONS, "unique"} == set(get_args(Op))


@given(rows=ROWS, grouped=st.booleans())
def test_every_reducer_is_what_its_definition_says(rows: Group, grouped: bool) -> None:
    measures = {op: {"op": op, **config} for op, (config, _) in DEFINITIONS.items()}
    answer = aggregate(Rows(TYPES, rows), *(["g"] if grouped else []), rows={"op": "count"}, **measures)
    groups = {row[0]: [other for other in rows if other[0] == row[0]] for row in rows} if grouped else {None: rows}
    assert len(answer.rows) == len(groups)
    for row in answer.rows:
        group = groups[row["g"]] if grouped else rows
        assert row["rows"] == len(group)
        for op, (_, definition) in DEFINITIONS.items():
            assert row[op] == (pytest.approx(definition(group)) if definition(group) is not None else None), op


@given(st.lists(st.tuples(st.none() | st.sampled_from(["a", "b", "ä"]), st.integers(0, 2)), min_size=1, max_size=9))
def test_text_has_a_least_a_greatest_a_mode_and_lists(rows: list[tuple[str | None, int]]) -> None:
    texts = [text for text, _ in rows if text is not None]
    row = aggregate(
        Rows({"s": "VARCHAR", "t": "INTEGER"}, rows),
        least={"op": "min", "column": "s"},
        greatest={"op": "max", "column": "s"},
        most={"op": "mode", "column": "s"},
        all={"op": "sorted_tuple", "column": "s"},
        last={"op": "latest", "column": "s", "by": "t"},
    ).rows[0]
    assert row["least"] == min(texts, default=None)
    assert row["greatest"] == max(texts, default=None)
    assert row["most"] == min((-texts.count(text), text) for text in texts)[1] if texts else row["most"] is None
    assert row["all"] == sorted(texts)
    assert row["last"] == max(((t, s) for s, t in rows if s is not None), default=(0, None))[1]


def test_the_sum_of_integers_is_exact() -> None:
    answer = aggregate(Rows({"n": "BIGINT"}, [(2**62,)] * 5), total={"op": "sum", "column": "n"})
    assert answer.columns == {"total": "DECIMAL(38,0)"}
    assert answer.values == [(Decimal(5 * 2**62),)]
    assert aggregate(Rows({"n": "DECIMAL(9,2)"}), s={"op": "sum", "column": "n"}).columns == {"s": "DECIMAL(38,2)"}
    assert aggregate(Rows({"n": "FLOAT"}), s={"op": "sum", "column": "n"}).columns == {"s": "DOUBLE"}


def test_figures_have_the_same_type_whatever_the_number() -> None:
    for kind in ("TINYINT", "BIGINT", "DECIMAL(9,2)", "FLOAT", "DOUBLE"):
        for op in ("avg", "median", "p90", "stddev", "variance"):
            columns = aggregate(Rows({"n": kind}), x={"op": op, "column": "n"}).columns
            assert columns == {"x": "DOUBLE"}, (kind, op)


def test_without_groups_there_is_one_row_and_with_groups_none_for_an_empty_table() -> None:
    empty = Rows(TYPES)
    total = {"op": "sum", "column": "n"}
    assert aggregate(empty, c={"op": "count"}, s=total, l={"op": "sorted_tuple", "column": "n"}).values == [
        (0, None, [])
    ]
    assert aggregate(empty, "g", s=total, m={"op": "mode", "column": "s"}).values == []


def test_null_is_a_group_and_groups_alone_are_the_distinct_keys() -> None:
    rows = [{"g": "x", "h": 1}, {"g": None, "h": 1}, {"g": "x", "h": 1}, {"g": None, "h": 2}]
    answer = aggregate(rows, "G", "h")
    assert list(answer.columns) == ["g", "h"]
    assert sorted(answer.values, key=repr) == [("x", 1), (None, 1), (None, 2)]


def test_a_measure_may_be_called_like_a_column() -> None:
    rows = [{"g": 1, "n": 10}, {"g": 1, "n": 20}]
    measures = {
        "n": {"op": "sum", "column": "n"},
        "c": {"op": "count", "column": "n"},
        "m": {"op": "max", "column": "n"},
    }
    assert aggregate(rows, "g", **measures).rows == [{"g": 1, "n": 30, "c": 2, "m": 20}]
    measures["c"] = {"op": "mode", "column": "n"}
    assert aggregate(rows, "g", **measures).rows == [{"g": 1, "n": 30, "c": 10, "m": 20}]


def test_odd_names() -> None:
    rows = [{'a "b"': 1, "ß ☃": "x"}, {'a "b"': 2, "ß ☃": "x"}]
    answer = aggregate(rows, "SS ☃".replace("SS", "ß"), **{"it's/1": {"op": "mode", "column": 'A "B"'}})
    assert answer.rows == [{"ß ☃": "x", "it's/1": 1}]


def test_unique_is_the_value_that_all_share() -> None:
    rows = [{"g": 1, "s": "a"}, {"g": 1, "s": "a"}, {"g": 1, "s": None}, {"g": 2, "s": None}]
    answer = aggregate(rows, "g", s={"op": "unique", "column": "s"})
    assert sorted(answer.values) == [(1, "a"), (2, None)]


def test_unique_fails_where_values_differ_and_names_the_measure() -> None:
    with pytest.raises(duckdb.Error, match="the_city: a group has several values where one is expected"):
        aggregate([{"s": "a"}, {"s": "b"}], the_city={"op": "unique", "column": "s"})


@pytest.mark.parametrize("op", ["sum", "avg", "stddev", "variance", "median", "p90"])
@pytest.mark.parametrize("kind", ["VARCHAR", "DATE", "BOOLEAN", "INTEGER[]"])
def test_figures_of_what_is_no_number_are_refused(op: str, kind: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        aggregate(Rows({"x": kind}), revenue={"op": op, "column": "x"})
    assert caught.value.message == f"{op} needs numbers; 'x' is {kind}"
    assert caught.value.field == "measures/revenue/column"
    assert caught.value.hint == "cast the column to a number first, or count it"


def test_missing_columns_are_named_with_their_place() -> None:
    with pytest.raises(ColumnError) as caught:
        aggregate([{"amount": 1}], **{"a/b": {"op": "sum", "column": "amout"}})
    assert (caught.value.field, caught.value.hint) == ("measures/a~1b/column", "did you mean 'amount'?")
    with pytest.raises(ColumnError) as caught:
        aggregate([{"amount": 1}], x={"op": "argmin", "column": "amount", "by": "day"})
    assert caught.value.field == "measures/x/by"
    with pytest.raises(ColumnError, match="there is no column 'dya'"):
        aggregate([{"day": 1}], "dya")


def test_what_depends_on_a_type_is_unknown_without_columns() -> None:
    unknown = Relation("source.rows")
    with pytest.raises(ColumnsUnknown):
        Aggregate.model_validate({"measures": {"x": {"op": "sum", "column": "n"}}}).query(unknown)
    counted = Aggregate.model_validate({"by": ["g"], "measures": {"x": {"op": "count"}}}).query(unknown)
    assert counted.sql("duckdb") == 'SELECT "g" AS "g", COUNT(*) AS "x" FROM "source.rows" GROUP BY "g"'


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "give columns to group by, measures, or both"),
        ({"by": ["a", "A"]}, "two columns would be called 'A'"),
        ({"by": ["a"], "measures": {"A": {"op": "count"}}}, "two columns would be called 'A'"),
        ({"measures": {"x": {"op": "sum"}}}, "sum needs a column"),
        ({"measures": {"x": {"op": "latest", "column": "a"}}}, "latest needs `by`"),
        ({"measures": {"x": {"op": "sum", "column": "a", "by": "b"}}}, "sum takes no `by`"),
        ({"measures": {"x": {"op": "quantile", "column": "a"}}}, "quantile needs `value`"),
        ({"measures": {"x": {"op": "p90", "column": "a", "value": 0.9}}}, "p90 takes no `value`"),
        ({"measures": {"x": {"op": "quantile", "column": "a", "value": 95}}}, "less than or equal to 1"),
        ({"measures": {"x": {"op": "average", "column": "a"}}}, "Input should be 'count'"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Aggregate.model_validate(config)


def test_no_query_holds_what_spark_lacks() -> None:
    measures = {op: {"op": op, **config} for op, (config, _) in DEFINITIONS.items()}
    node = Aggregate.model_validate({"by": ["g"], "measures": measures})
    text = node.query(Relation("source.rows", TYPES)).sql("spark")
    assert "QUALIFY" not in text
    assert "MODE(" not in text
    assert "COLLECT_LIST" in text
