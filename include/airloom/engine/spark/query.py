"""Queries in Spark's words: DuckDB's SQL, with its types known, said so that Spark gives the same rows.

Only what was tried to be equal passes; all else is refused, with what to write instead. Imports sqlglot at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import ErrorLevel, exp, parse_one
from sqlglot.dialects import DuckDB
from sqlglot.errors import SqlglotError, UnsupportedError
from sqlglot.optimizer.annotate_types import TypeAnnotator, annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.schema import MappingSchema

from airloom.engine.relation import Columns, identifier
from airloom.engine.spark.rules import KEPT, RULES, refuse_syntax
from airloom.engine.spark.types import SparkUnsupported, check_columns, is_kind, spark_type

__all__ = ["SparkUnsupported", "check_columns", "spark_type", "to_spark"]


def to_spark(text: str, sources: Mapping[str, Columns], views: Mapping[str, str] | None = None) -> str:
    """Return a query of DuckDB's SQL over `sources` in Spark's SQL; raise SparkUnsupported for what Spark lacks.

    `views` says what Spark calls each source; they are numbered where it is left out. Columns come in the query's
    order, in lower case, and in types that Spark finds.
    """
    for columns in sources.values():
        check_columns(columns)
    called = views or {name: f"airloom_{at}" for at, name in enumerate(sources)}
    tree = parse_one(text, dialect="duckdb")
    parts = {part.alias for part in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if table.name in sources and table.name not in parts:
            if not table.alias:
                table.set("alias", exp.TableAlias(this=identifier(table.name)))
            table.set("this", identifier(called[table.name]))
    schema = MappingSchema(dialect="duckdb")
    for name, columns in sources.items():
        schema.add_table(exp.to_table(called[name]), dict(columns), dialect="duckdb")
    refuse_syntax(tree)
    try:
        tree = qualify(
            tree, dialect="duckdb", schema=schema, validate_qualify_columns=False, identify=True, quote_identifiers=True
        )
        if any(scope.is_correlated_subquery for scope in traverse_scope(tree)):
            raise SparkUnsupported("a subquery that names a column from outside is not possible on Spark", hint="join")
        tree = annotate_types(tree, schema=schema, dialect="duckdb", expression_metadata=TYPES)
        return _said(tree).sql("spark", unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise SparkUnsupported(f"Spark lacks what this query needs: {error}") from None
    except SqlglotError as error:
        raise SparkUnsupported(
            f"this query cannot be said in Spark's words: {str(error).partition(chr(10))[0]}"
        ) from None


def _said(tree: exp.Expr) -> exp.Expr:
    """Return the tree with each part, from the leaves on, in the form that means the same to Spark."""
    for node in reversed(list(tree.walk())):
        kind = type(node)
        rule = RULES.get(node.name.lower() if kind is exp.Anonymous else kind)
        if rule is None:
            if kind not in KEPT:
                raise SparkUnsupported(f"{_shown(node)} is not possible on Spark", hint="leave settings.engine out")
            continue
        # Taken down first: what a rule returns may hold the piece itself.
        parent, key, index = node.parent, node.arg_key, node.index
        new = rule(node)
        if new is node:
            continue
        new.type = node.type
        if parent is None:
            tree = new
        else:
            parent.set(key or "this", new, index)
    return tree


def _shown(node: exp.Expr) -> str:
    if isinstance(node, exp.Func):
        return node.sql("duckdb").partition("(")[0].lower() + "(…)"
    return node.key.upper()


def _typed(name: str) -> dict[str, Any]:
    return {"returns": exp.DataType.build(name, dialect="duckdb")}


def _like(arg: str) -> dict[str, Any]:
    def annotate(annotator: TypeAnnotator, node: exp.Expr) -> exp.Expr:
        found = node.args.get(arg)
        annotator._set_type(node, found.type if isinstance(found, exp.Expr) else None)
        return node

    return {"annotator": annotate}


def _sum(annotator: TypeAnnotator, node: exp.Expr) -> exp.Expr:
    kind = node.this.type
    if is_kind(kind, "whole"):
        kind = exp.DataType.build("DECIMAL(38,0)", dialect="duckdb")
    annotator._set_type(node, kind)
    return node


def _difference(annotator: TypeAnnotator, node: exp.Expr) -> exp.Expr:
    left, right = node.this.type, node.expression.type
    days = is_kind(left, "day") and is_kind(right, "day")
    if days:
        annotator._set_type(node, exp.DataType.build("BIGINT", dialect="duckdb"))
    elif is_kind(left, "day") and isinstance(node.expression, exp.Interval):
        annotator._set_type(node, exp.DataType.build("TIMESTAMP", dialect="duckdb"))
    else:
        annotator._annotate_binary(node)  # type: ignore[type-var]
    return node


def _called(annotator: TypeAnnotator, node: exp.Expr) -> exp.Expr:
    kinds = {"epoch_us": "BIGINT", "date_part": "BIGINT", "try_strptime": "TIMESTAMP", "error": "NULL"}
    kind = kinds.get(node.name.lower())
    if node.name.lower() == "array_extract" and is_kind(node.expressions[0].type, "list"):
        annotator._set_type(node, node.expressions[0].type.expressions[0])
    else:
        annotator._set_type(node, exp.DataType.build(kind, dialect="duckdb") if kind else exp.DType.UNKNOWN)
    return node


def _field(annotator: TypeAnnotator, node: exp.Expr) -> exp.Expr:
    kind = node.this.type
    fields = {part.name.lower(): part.args.get("kind") for part in (kind.expressions if kind else ())}
    annotator._set_type(node, fields.get(node.expression.name.lower(), exp.DType.UNKNOWN))
    return node


TYPES = {
    **DuckDB.EXPRESSION_METADATA,
    **dict.fromkeys((exp.Div, exp.Avg, exp.Median, exp.TimeToUnix, exp.Ceil, exp.Floor), _typed("DOUBLE")),
    **dict.fromkeys((exp.CountIf, exp.UnixMicros, exp.UnixMillis), _typed("BIGINT")),
    **dict.fromkeys((exp.Left, exp.Right, exp.Reverse), _typed("VARCHAR")),
    **dict.fromkeys((exp.Round, exp.ArgMin, exp.ArgMax, exp.Ceil, exp.Floor), _like("this")),
    exp.Sum: {"annotator": _sum},
    exp.Sub: {"annotator": _difference},
    exp.Add: {"annotator": _difference},
    exp.Anonymous: {"annotator": _called},
    exp.StructExtract: {"annotator": _field},
}
"""What sqlglot knows of the types of DuckDB's functions, with what DuckDB 2 says where they differ."""
