"""What each piece of DuckDB's syntax, and each function, is for Spark: the same, said in another way, or refused.

A rule gets a piece whose parts are Spark's already and that knows its type in DuckDB. Sources: what DuckDB 2.0 and
Spark 4.3 (ANSI on, session in UTC) answer to the same rows; `tests/engine/test_spark_sql.py` asks both again.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from airloom.engine.spark import numbers, texts, times
from airloom.engine.spark.casts import said_cast
from airloom.engine.spark.comparisons import compared, like
from airloom.engine.spark.types import SparkUnsupported, is_kind
from airloom.engine.spark.words import as_type, call, refused

Rule = Callable[[exp.Expr], exp.Expr]

JOINED = frozenset({"", "INNER", "OUTER", "CROSS", "SEMI", "ANTI"})


def refuse_syntax(tree: exp.Expr) -> None:
    """Raise SparkUnsupported for what only the whole query shows; to be asked before columns are qualified."""
    for select in tree.find_all(exp.Query):
        if select.args.get("limit") and not select.args.get("order"):
            raise SparkUnsupported("LIMIT without ORDER BY gives other rows on Spark", hint="add ORDER BY")
        group, distinct = select.args.get("group"), select.args.get("distinct")
        if group is not None and any(group.args.get(part) for part in ("all", "cube", "rollup", "grouping_sets")):
            raise SparkUnsupported("this form of GROUP BY is not possible on Spark", hint="name the columns")
        if isinstance(distinct, exp.Distinct) and distinct.args.get("on"):
            raise SparkUnsupported("DISTINCT ON is not possible on Spark", hint="use the deduplicate node")
    for join in tree.find_all(exp.Join):
        if join.method or join.kind not in JOINED:
            raise SparkUnsupported(f"a {join.method or join.kind} join is not possible on Spark")


# Groups and windows


def _summed(node: exp.Expr) -> exp.Expr:
    kind = node.this.type
    if is_kind(kind, "whole"):
        return call("sum", as_type(node.this, "DECIMAL(38,0)"))
    if is_kind(kind, "decimal"):
        scale = kind.expressions[1].name if kind is not None and len(kind.expressions) > 1 else "3"
        return call("sum", as_type(node.this, f"DECIMAL(38,{scale})"))
    if is_kind(kind, "float"):
        return node
    raise refused("sum of what is not a number, or DISTINCT", "cast it first")


def _mean(node: exp.Expr) -> exp.Expr:
    if not is_kind(node.this.type, "whole", "decimal", "float"):
        raise refused("avg of what is not a number, or DISTINCT", "cast it first")
    return call("avg", as_type(node.this, "DOUBLE"))


def _true_ones(node: exp.Expr) -> exp.Expr:
    # Of nulls alone DuckDB counts null, Spark 0.
    return call("sum", exp.Cast(this=node.this, to=exp.DataType.build("INT")))


def _in_doubles(name: str) -> Rule:
    def rule(node: exp.Expr) -> exp.Expr:
        if not is_kind(node.this.type, "whole", "float"):
            raise refused(f"{name} of what is neither whole nor DOUBLE", "cast it to DOUBLE first")
        return call(name, as_type(node.this, "DOUBLE"))

    return rule


def _quantile(node: exp.Expr) -> exp.Expr:
    if not is_kind(node.this.type, "whole", "float"):
        raise refused("a quantile of what is neither whole nor DOUBLE", "cast it to DOUBLE first")
    return call("percentile", as_type(node.this, "DOUBLE"), node.expression)


def _by_least(name: str) -> Rule:
    def rule(node: exp.Expr) -> exp.Expr:
        if not isinstance(node.expression, exp.Struct):
            raise refused(f"{node.key} where rows may tie", "use the aggregate node: first, last")
        return call(name, node.this, node.expression)

    return rule


def _gathered(node: exp.Expr) -> exp.Expr:
    filtered = node.parent if isinstance(node.parent, exp.Filter) else None
    there = isinstance(node.this, exp.Struct) or (
        filtered is not None and f"NOT {node.this.sql('duckdb')} IS NULL" in filtered.expression.sql("duckdb")
    )
    if not there or filtered is None or not isinstance(filtered.parent, exp.ArraySort):
        raise refused("a list of values in no order, or with nulls", "use the aggregate node: tuple, sorted_tuple")
    return call("collect_list", node.this)


def _distinct(node: exp.Expr) -> exp.Expr:
    if isinstance(node.parent, exp.Func) and (not isinstance(node.parent, exp.Count) or len(node.expressions) > 1):
        raise refused("this DISTINCT", "use SELECT DISTINCT")
    return node


def _window(node: exp.Expr) -> exp.Expr:
    inner = node.this.this if isinstance(node.this, exp.IgnoreNulls | exp.RespectNulls) else node.this
    if isinstance(inner, NEED_ORDER) and not node.args.get("order"):
        raise refused(f"{inner.key} without an order", "add ORDER BY to OVER")
    spec = node.args.get("spec")
    if spec is not None and spec.args.get("kind") == "RANGE":
        edges = {str(spec.args.get("start")), str(spec.args.get("end"))}
        if not edges <= {"UNBOUNDED", "CURRENT ROW", "None"}:
            raise refused("a window of a range of values", "use the window or interval_join node")
    return node


NEED_ORDER = (
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead, exp.FirstValue,
    exp.LastValue, exp.NthValue,
)  # fmt: skip


def _over(node: exp.Expr) -> exp.Expr:
    parent = node.parent.parent if isinstance(node.parent, exp.IgnoreNulls | exp.RespectNulls) else node.parent
    if not isinstance(parent, exp.Window):
        raise refused(f"{node.key} without OVER")
    return node


# Lists and structs


def _list_contains(node: exp.Expr) -> exp.Expr:
    # Spark does not know of a value beside a null in a list; DuckDB says no.
    there = exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.Null()))
    found = call("coalesce", call("array_contains", node.this, node.expression), exp.false())
    return exp.Case().when(there, found, copy=False)


def _item(node: exp.Expr) -> exp.Expr:
    return call("try_element_at", *node.expressions)


def _field(node: exp.Expr) -> exp.Expr:
    return exp.Dot(this=node.this, expression=exp.to_identifier(node.expression.name, quoted=True))


def _error(node: exp.Expr) -> exp.Expr:
    return call("raise_error", *node.expressions)


def _signed(node: exp.Expr) -> exp.Expr:
    return as_type(node, "TINYINT")


KEPT = frozenset(
    {
        *(exp.Select, exp.From, exp.Table, exp.TableAlias, exp.Alias, exp.Join, exp.Values, exp.Subquery, exp.With),
        *(exp.CTE, exp.Union, exp.Except, exp.Intersect, exp.Where, exp.Group, exp.Having, exp.Qualify, exp.Order),
        *(exp.Ordered, exp.Limit, exp.Offset, exp.Tuple, exp.Star, exp.Column, exp.Identifier, exp.Var, exp.Paren),
        *(exp.Literal, exp.Null, exp.Boolean, exp.And, exp.Or, exp.Not, exp.Is, exp.Case, exp.If, exp.Neg),
        *(exp.DataType, exp.DataTypeParam, exp.ColumnDef, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.Abs),
        *(exp.Pow, exp.Exp, exp.Contains, exp.StartsWith, exp.EndsWith, exp.Lower, exp.Upper, exp.Pad, exp.Replace),
        *(exp.Reverse, exp.StrPosition, exp.Trim, exp.MD5, exp.Translate, exp.Year, exp.Quarter, exp.Month),
        *(exp.WeekOfYear, exp.Day, exp.DayOfMonth, exp.DayOfYear, exp.Hour, exp.Minute, exp.Second, exp.LastDay),
        *(exp.DateFromParts, exp.Count, exp.Min, exp.Max, exp.LogicalAnd, exp.LogicalOr, exp.Filter),
        *(exp.WindowSpec, exp.IgnoreNulls, exp.RespectNulls, exp.ArraySort, exp.Transform, exp.Lambda, exp.Dot),
        *(exp.Struct, exp.PropertyEQ, exp.Array, exp.Explode),
    }
)
"""Syntax and functions that sqlglot says rightly, and that mean the same."""

RULES: dict[type[exp.Expr] | str, Rule] = {
    exp.Cast: said_cast,
    exp.TryCast: said_cast,
    exp.Add: numbers.plus,
    exp.Sub: numbers.plus,
    exp.Mul: numbers.arithmetic,
    exp.Div: numbers.divided,
    exp.IntDiv: numbers.whole_division,
    exp.Mod: numbers.rest,
    exp.Interval: numbers.interval,
    exp.Round: numbers.rounded,
    exp.Ceil: numbers.stepped,
    exp.Floor: numbers.stepped,
    exp.Sign: _signed,
    exp.Sqrt: numbers.above("0 or more", strictly=False),
    exp.Ln: numbers.above("above 0", strictly=True),
    exp.Log: numbers.above("above 0", strictly=True),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), compared),
    **dict.fromkeys((exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In), compared),
    exp.Like: like,
    exp.ILike: like,
    exp.Concat: texts.texts,
    exp.ConcatWs: texts.texts,
    exp.DPipe: texts.texts,
    exp.Length: texts.length,
    exp.RegexpLike: texts.matches,
    exp.RegexpFullMatch: texts.matches_whole,
    exp.RegexpReplace: texts.replaced,
    exp.RegexpExtract: texts.extracted,
    exp.Substring: texts.cut,
    exp.Left: texts.side,
    exp.Right: texts.side,
    exp.SplitPart: texts.split,
    exp.TimestampTrunc: times.truncated,
    exp.DateTrunc: times.truncated,
    exp.UnixToTime: times.made_time,
    exp.AtTimeZone: times.zoned,
    exp.UnixMicros: times.micros,
    "epoch_us": times.micros,
    exp.TimeToUnix: times.epoch,
    exp.DayOfWeek: times.weekday,
    exp.DayOfWeekIso: times.iso_weekday,
    exp.Extract: times.part,
    "date_part": times.named_part,
    exp.Week: times.week,
    exp.DateDiff: times.day_difference,
    exp.Sum: _summed,
    exp.Avg: _mean,
    exp.CountIf: _true_ones,
    exp.Median: _in_doubles("median"),
    **{
        made: _in_doubles(name)
        for made, name in {
            exp.Stddev: "stddev_samp", exp.StddevSamp: "stddev_samp", exp.StddevPop: "stddev_pop",
            exp.Variance: "var_samp", exp.VariancePop: "var_pop",
        }.items()
    },
    exp.PercentileCont: _quantile,
    exp.ArgMin: _by_least("min_by"),
    exp.ArgMax: _by_least("max_by"),
    exp.ArrayAgg: _gathered,
    exp.Distinct: _distinct,
    exp.Window: _window,
    **dict.fromkeys(NEED_ORDER, _over),
    exp.ArrayContains: _list_contains,
    exp.ArraySize: lambda node: call("array_size", node.this),
    "array_extract": _item,
    exp.StructExtract: _field,
    "error": _error,
    "try_strptime": times.strptime,
}  # fmt: skip
"""What is said in another way, or checked first; functions that sqlglot has no class for stand here by name."""
