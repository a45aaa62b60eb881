"""Functions on text."""

from __future__ import annotations

from sqlglot import exp

from airloom.engine.spark.casts import to_text
from airloom.engine.spark.comparisons import group_of
from airloom.engine.spark.pattern import java_pattern, java_replacement
from airloom.engine.spark.types import name_of
from airloom.engine.spark.words import call, number, refused, text


def texts(node: exp.Expr) -> exp.Expr:
    for part in [part for part in (node.this, node.expression, *node.expressions) if isinstance(part, exp.Expr)]:
        if part.type is not None and group_of(part.type) not in ("text", "") and not isinstance(part, exp.Null):
            kind = part.type
            made = exp.Cast(this=part.copy(), to=exp.DataType.build("VARCHAR", dialect="duckdb"))
            made.this.type = kind
            part.replace(to_text(made))
    return node


def length(node: exp.Expr) -> exp.Expr:
    if group_of(node.this.type) not in ("text", ""):
        raise refused(f"length of {name_of(node.this.type)}", "array_length is that of a list")
    return node


def _pattern(node: exp.Expr, name: str = "expression") -> exp.Expr:
    given = node.args[name]
    if not given.is_string:
        raise refused("a regular expression from a column", "write it in quotes")
    return text(java_pattern(given.name))


def matches(node: exp.Expr) -> exp.Expr:
    if node.args.get("flag"):
        raise refused("regexp_matches with options", "write (?i) and its like into the pattern")
    return exp.RegexpLike(this=node.this, expression=_pattern(node))


def matches_whole(node: exp.Expr) -> exp.Expr:
    pattern = _pattern(node)
    return exp.RegexpLike(this=node.this, expression=text(rf"\A(?:{pattern.name})\z"))


def replaced(node: exp.Expr) -> exp.Expr:
    modifiers, by = node.args.get("modifiers"), node.args.get("replacement")
    if modifiers is None or modifiers.name != "g":
        raise refused("regexp_replace of the first match alone", "add 'g' as last argument: every match is replaced")
    if by is None or not by.is_string:
        raise refused("a replacement from a column", "write it in quotes")
    return call("regexp_replace", node.this, _pattern(node), text(java_replacement(by.name)))


def extracted(node: exp.Expr) -> exp.Expr:
    if node.args.get("parameters") or node.args.get("position"):
        raise refused("regexp_extract with options", "write (?i) and its like into the pattern")
    group = node.args.get("group")
    return call("regexp_extract", node.this, _pattern(node), group or number(0))


def cut(node: exp.Expr) -> exp.Expr:
    start = node.args.get("start")
    fixed = start is not None and start.is_number and start.name != "0"
    counted = start is not None and not any(
        part.find_ancestor(exp.Length) is None for part in start.find_all(exp.Column)
    )
    if not fixed and (start is None or start.name == "0" or not counted):
        raise refused("substring from a place that is not a number, or 0", "the first character is 1")
    return node


def side(node: exp.Expr) -> exp.Expr:
    if not node.expression.is_int or int(node.expression.name) < 0:
        raise refused(f"{node.key} with such a length", "write a number")
    return node


def split(node: exp.Expr) -> exp.Expr:
    by, place = node.args.get("delimiter"), node.args.get("part_index")
    if by is None or place is None or not by.is_string or not by.name or not place.is_int or place.name == "0":
        raise refused("split_part with such arguments", "write the separator and the number of the part")
    return node
