"""SQL that users write: a condition, a formula or a whole query becomes a syntax tree that the policy allows.

The values of `{{ … }}` come captured (`spec.expression.capture`) and enter the tree as typed literals, never as text.
DuckDB gets the tree rendered anew: neither the user's text nor its comments. Imports sqlglot at once.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlglot import ErrorLevel, Token, TokenType, exp
from sqlglot.dialects import DuckDB
from sqlglot.errors import ParseError, TokenError, UnsupportedError

from airloom.engine.policy import Columns, Policy, SqlFieldError, check_size, too_deep, too_large
from airloom.spec.expression import PLACEHOLDER, Declared

__all__ = ["SqlFieldError", "literal", "parse_condition", "parse_formula", "parse_query"]

# Its warnings quote the user's SQL; what matters of them is raised as an error.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

MAX_TEXT = 100_000
LOOKED_THROUGH = 1_000
"""Characters of a text that cannot be read in which a slip is looked for."""
MAX_VALUES = 10_000
MAX_TOKENS = 20_000
MAX_NESTING = 20
# sqlglot tries what follows the name of a type twice: nested, the time doubles with each level.
MAX_NESTED_TYPES = 6

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
_PLACEHOLDER = re.compile(rf"{PLACEHOLDER}(\d+)_", re.IGNORECASE)
# What people write that is SQL elsewhere, or nowhere; looked for only in what cannot be read.
_SLIPS = {
    r"^select\s+select\b": "write the expression alone, without SELECT",
    r"`": 'a column of more than letters and digits stands in double quotes: "order date"',
    r"[‘’‚“”„]": "text stands in straight single quotes: 'paid'",
    r"=<": "write <=",
    r"=>": "write >=",
    r"\?.*:": "write CASE WHEN amount > 3 THEN 1 ELSE 0 END",
    r"\d,\d": "a number has a point and no comma: 1000.5",
    r"\bif\b.*\bthen\b": "write CASE WHEN amount > 3 THEN 1 ELSE 0 END",
}
# An instance: each use of the dialect's name makes one anew.
_DUCKDB = DuckDB()
_ADVICE = "write region = {{ params.region }}, without quotes"


def parse_condition(text: str, values: Sequence[Any] = (), columns: Columns | None = None) -> exp.Expr:
    """Return the tree of a condition over the columns of a table (name → type; None where they are unknown).

    `values` belong to the placeholders of a captured text. Raises SqlFieldError.
    """
    return _parse_expression(text, values, Policy(columns))


def parse_formula(
    text: str, values: Sequence[Any] = (), columns: Columns | None = None, *, aggregates: bool = False
) -> exp.Expr:
    """Return the tree of a formula, as `parse_condition`; with `aggregates` it may aggregate and use windows."""
    return _parse_expression(text, values, Policy(columns, aggregates=aggregates))


def parse_query(text: str, values: Sequence[Any], tables: Mapping[str, Columns | None]) -> exp.Query:
    """Return the tree of a whole query over named tables (name → columns, None where they are unknown).

    Raises SqlFieldError.
    """
    tree = _checked(_one_statement(text), values, Policy(tables=tables))
    if not isinstance(tree, exp.Query):
        raise SqlFieldError("a query starts with SELECT or WITH")
    return tree


def literal(value: Any) -> exp.Expr:
    """Return a value as a typed literal; raise SqlFieldError for what has no place in SQL.

    A whole number is an INTEGER, or the next larger type that holds it; a text is cast to VARCHAR: so that a query
    has the same types before a run, when only the declared types are known.
    """
    if isinstance(value, Declared):
        return _cast(exp.null(), value.type) if value.type else exp.null()
    if value is None:
        return exp.null()
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _cast(exp.Literal.string(repr(value)), "double")
    if isinstance(value, str):
        return _cast(exp.Literal.string(_encodable(value)), "varchar")
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, datetime):
        return _cast(exp.Literal.string(value.isoformat(" ")), "timestamptz" if value.tzinfo else "timestamp")
    if isinstance(value, date):
        return _cast(exp.Literal.string(value.isoformat()), "date")
    if isinstance(value, time) and value.tzinfo is None:
        return _cast(exp.Literal.string(value.isoformat()), "time")
    if isinstance(value, list | tuple):
        return exp.Array(expressions=[literal(item) for item in value])
    hint = "give one of its fields, or {{ value | tojson }} for its text"
    raise SqlFieldError(f"a value of type {type(value).__name__} cannot stand in SQL", hint=hint)


def _cast(value: exp.Expr, type_name: str) -> exp.Expr:
    return exp.Cast(this=value, to=_type(type_name).copy())


@functools.lru_cache(maxsize=100)
def _type(name: str) -> exp.DataType:
    return exp.DataType.build(name, dialect="duckdb")


def _integer(value: int) -> exp.Expr:
    for bits, name in ((31, "int"), (63, "bigint"), (127, "int128")):
        if -(2**bits) <= value < 2**bits:
            return _cast(exp.Literal.string(str(value)), name)
    raise SqlFieldError("a whole number this large cannot stand in SQL")


def _decimal(value: Decimal) -> exp.Expr:
    if not value.is_finite():
        return literal(float(value))
    text = format(value, "f")
    scale = len(text.partition(".")[2])
    width = max(len(text.strip("-").replace(".", "")), scale + 1)
    if width > 38:
        raise SqlFieldError("a decimal number has at most 38 digits in SQL")
    return _cast(exp.Literal.string(text), f"decimal({width}, {scale})")


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SqlFieldError("a text with half a surrogate pair cannot stand in SQL") from None
    if "\0" in text:
        raise SqlFieldError("a text with a zero byte cannot stand in SQL")
    return text


def _parse_expression(text: str, values: Sequence[Any], policy: Policy) -> exp.Expr:
    if not text.strip():
        raise SqlFieldError("this is empty: an expression is needed", hint="such as amount > 100")
    statement = _one_statement("select " + text)
    given = {name for name, part in statement.args.items() if part}
    if not isinstance(statement, exp.Select) or given != {"expressions"} or len(statement.expressions) != 1:
        hint = _hint(text) or "such as amount > 100"
        raise SqlFieldError("one expression is needed here, not a query or a list", hint=hint)
    return _checked(statement.expressions[0].pop(), values, policy)


def _checked(tree: exp.Expr, values: Sequence[Any], policy: Policy) -> exp.Expr:
    try:
        check_size(tree)
        policy.check_syntax(tree)
        for node in tree.walk():
            node.comments = None
        # A few values of a list stand for all: each is a literal of the same form.
        few = [value[:3] if isinstance(value, list | tuple) else value for value in values]
        filled = _filled(tree, few)
        _check_rendering(filled, policy)
        tree = _filled(tree, values) if any(isinstance(value, list | tuple) for value in values) else filled
        policy.check_names(tree)
        for column in tree.find_all(exp.Column):
            if isinstance(column.this, exp.Identifier):
                # Unquoted, a column named user or current_date would be a function.
                column.this.set("quoted", True)
    except RecursionError:
        raise too_deep() from None
    return tree


def _check_rendering(tree: exp.Expr, policy: Policy) -> None:
    """Judge what DuckDB will read, too: sqlglot writes some functions as others."""
    try:
        text = tree.sql(dialect=_DUCKDB, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise SqlFieldError(str(error)) from None
    if policy.tables is None:
        text = "select " + text
    again = _one_statement(text, longest=None, deepest=2 * MAX_NESTING)
    policy.check_syntax(again if policy.tables is not None else again.expressions[0].pop())


def _one_statement(text: str, *, longest: int | None = MAX_TEXT, deepest: int = MAX_NESTING) -> exp.Expr:
    if longest is not None and len(text) > longest:
        raise SqlFieldError(f"SQL has at most {longest:,} characters")
    try:
        dialect = DuckDB()
        # An index stays as it is written: sqlglot would count from 0 in the tree, but for some types only.
        dialect.INDEX_OFFSET = 0
        tokens = dialect.tokenize(text)
        if len(tokens) > MAX_TOKENS:
            raise too_large()
        _check_nesting(tokens, deepest)
        statements = dialect.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text)
    except TokenError:
        raise SqlFieldError(
            "this cannot be read as SQL: a quote or a comment is not closed",
            hint=_hint(text) or "an apostrophe within text is written twice: 'it''s'",
        ) from None
    except ParseError as error:
        raise SqlFieldError(_parse_message(error), hint=_hint(text)) from None
    except RecursionError:
        raise too_deep() from None
    found = [statement for statement in statements if statement is not None]
    if len(found) != 1 or not isinstance(found[0], exp.Expr):
        raise SqlFieldError("one statement is needed here", hint="leave out the semicolon and what follows it")
    for bracket in found[0].find_all(exp.Bracket):
        bracket.set("offset", DuckDB.INDEX_OFFSET)
    return found[0]


def _check_nesting(tokens: Sequence[Token], deepest: int) -> None:
    types = DuckDB.parser_class.TYPE_TOKENS
    levels: list[bool] = []
    for index, token in enumerate(tokens):
        if token.token_type in _OPENING:
            levels.append(any(before.token_type in types for before in tokens[max(0, index - 4) : index]))
            if len(levels) > deepest or sum(levels) > MAX_NESTED_TYPES:
                raise too_deep()
        elif token.token_type in _CLOSING and levels:
            levels.pop()


def _parse_message(error: ParseError) -> str:
    fault = error.errors[0] if error.errors else {}
    description = str(fault.get("description") or error).partition("\n")[0].strip().rstrip(".")
    if description.startswith("Required keyword"):
        description = "something is missing"
    near = _PLACEHOLDER.sub("{{ … }}", str(fault.get("highlight") or ""))
    return f"this cannot be read as SQL: {description}" + (f", at {near!r}" if near else "")


def _hint(text: str) -> str | None:
    if _PLACEHOLDER.search(text):
        return _ADVICE
    start = text[:LOOKED_THROUGH]
    return next((hint for slip, hint in _SLIPS.items() if re.search(slip, start, re.IGNORECASE | re.DOTALL)), None)


def _filled(tree: exp.Expr, values: Sequence[Any]) -> exp.Expr:
    """Return the tree with each placeholder replaced by the literal of its value; every value must find its place."""
    if sum(len(value) if isinstance(value, list | tuple) else 1 for value in values) > MAX_VALUES:
        raise SqlFieldError(f"SQL takes at most {MAX_VALUES:,} values", hint="join a table of the values instead")
    placed: set[int] = set()

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.In):
            return _filled_in(node, values, placed)
        index = _index(node)
        if index is None or index >= len(values) or isinstance(node.parent, exp.Star):
            return node
        placed.add(index)
        return literal(values[index])

    tree = tree.transform(replace)
    left = any(isinstance(node, exp.Identifier) and _PLACEHOLDER.search(node.name) for node in tree.walk())
    if left or len(placed) != len(values):
        raise SqlFieldError("a {{ … }} stands within quotes or a comment, or where no value can stand", hint=_ADVICE)
    return tree


def _filled_in(node: exp.In, values: Sequence[Any], placed: set[int]) -> exp.Expr:
    """Return `x IN …` with its lists opened up; IN an empty list is false."""
    field = node.args.get("field")
    items = [field] if field is not None else node.expressions
    if all(_index(item) is None for item in items):
        return node
    filled: list[exp.Expr] = []
    for item in items:
        index = _index(item)
        if index is None or index >= len(values):
            filled.append(item)
            continue
        placed.add(index)
        if field is not None and not _may_be_list(values[index]):
            raise SqlFieldError("IN needs a list of values", hint="compare one value with =")
        filled.extend(_literals(values[index]))
    if not filled:
        return exp.false()
    node.set("expressions", filled)
    node.set("field", None)
    return node


def _may_be_list(value: Any) -> bool:
    if isinstance(value, Declared):
        return value.type is None or value.type.endswith("[]")
    return value is None or isinstance(value, list | tuple)


def _literals(value: Any) -> list[exp.Expr]:
    if isinstance(value, Declared) and value.type and value.type.endswith("[]"):
        return [literal(Declared(value.type.removesuffix("[]")))]
    if isinstance(value, list | tuple):
        return [literal(item) for item in value]
    return [literal(value)]


def _index(node: exp.Expr | None) -> int | None:
    if not isinstance(node, exp.Column) or len(node.parts) != 1 or node.this.args.get("quoted"):
        return None
    match = _PLACEHOLDER.fullmatch(node.name)
    return int(match[1]) if match else None
