"""Comparisons: values of one sort alone, for engines disagree about what a text is beside a number."""

from __future__ import annotations

import re

from sqlglot import exp

from airloom.engine.spark.types import is_kind, name_of
from airloom.engine.spark.words import refused

ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?")


def group_of(kind: exp.DataType | None) -> str:
    if is_kind(kind, "whole", "float", "decimal"):
        return "number"
    if is_kind(kind, "day", "moment"):
        return "moment"
    return next((family for family in ("text", "truth", "list", "struct") if is_kind(kind, family)), "")


def compared(node: exp.Expr) -> exp.Expr:
    first = node.this
    others = [*node.expressions, *(node.args.get(name) for name in ("expression", "low", "high"))]
    for other in [part for part in others if isinstance(part, exp.Expr)]:
        _comparable(first, other)
    return node


def _comparable(one: exp.Expr, other: exp.Expr) -> None:
    left, right = group_of(one.type), group_of(other.type)
    if not left or not right:
        return
    for value, group in ((one, right), (other, left)):
        if group == "moment" and value.is_string and ISO.fullmatch(value.name):
            kind = (other if value is one else one).type
            value.replace(exp.Cast(this=value.copy(), to=kind.copy() if kind is not None else None))
            return
    names = {name_of(one.type), name_of(other.type)}
    if left != right or ("FLOAT" in names and len(names) > 1):
        shown = [part.type.sql("duckdb") for part in (one, other) if part.type is not None]
        raise refused(f"a comparison of {shown[0]} with {shown[1]}", "cast one of them to the type of the other")


def like(node: exp.Expr) -> exp.Expr:
    if not node.expression.is_string or "\\" in node.expression.name:
        raise refused("LIKE with such a pattern", "use contains, starts_with or regexp_matches")
    return node
