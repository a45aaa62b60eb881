"""SQL that users write: a condition, a formula or a whole query becomes a syntax tree that the policy allows.

The values of `{{ … }}` come captured (`spec.expression.capture`) and enter the tree as typed literals, never as text.
DuckDB gets the tree rendered anew: neither the user's text nor its comments. Imports sqlglot at once.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from sqlglot import ErrorLevel, Token, TokenType, exp
from sqlglot.dialects import DuckDB
from sqlglot.errors import ParseError, TokenError, UnsupportedError

from airloom.engine.duck_tree import SyntaxFault, difference, syntax_fault
from airloom.engine.policy import Policy, check_size, too_deep, too_large
from airloom.engine.sql_error import SqlFieldError, SqlSyntaxError
from airloom.engine.sql_names import Columns
from airloom.engine.sql_value import literal
from airloom.spec.expression import PLACEHOLDER, Declared

__all__ = [
    "SqlFieldError", "SqlSyntaxError", "check_syntax", "null_comparisons", "parse_condition",
    "parse_formula", "parse_query", "readings",
]  # fmt: skip

# Its warnings quote the user's SQL; what matters of them is raised as an error.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

MAX_TEXT = 100_000
LOOKED_THROUGH = 1_000
"""Characters of a text that cannot be read in which a slip is looked for."""
NEAR = 40
"""Characters around a fault in which a value may be its cause."""
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
    r"^(select\s+)?where\b": "leave out WHERE: the condition stands alone",
    r"^select\s+select\b": "write the expression alone, without SELECT",
    r"`": 'a column of more than letters and digits stands in double quotes: "order date"',
    r"[‘’‚“”„]": "text stands in straight single quotes: 'paid'",
    r"=<": "write <=",
    r"=>": "write >=",
    r"\?.*:": "write CASE WHEN amount > 3 THEN 1 ELSE 0 END",
    r"\d,\d": "a number has a point and no comma: 1000.5",
    r"\bif\b.*\bthen\b": "write CASE WHEN amount > 3 THEN 1 ELSE 0 END",
    r"\binterval\s+[\w\"][^(')]*\b(second|minute|hour|day|week|month|year)": "write interval (n) day, in brackets",
}


class _Parser(DuckDB.Parser):  # type: ignore[misc] # mypy sees no class in an attribute
    """Read a call as it is written: sqlglot's own functions leave out arguments, and say some functions as others."""

    # COLUMNS is refused by its class; sqlglot writes IGNORE NULLS for the classes of the others alone.
    FUNCTIONS: ClassVar[dict[str, Any]] = {
        name: DuckDB.Parser.FUNCTIONS[name]
        for name in ("COLUMNS", "FIRST_VALUE", "LAG", "LAST_VALUE", "LEAD", "NTH_VALUE")
    }
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        name: DuckDB.Parser.FUNCTION_PARSERS[name] for name in ("CAST", "EXTRACT", "SUBSTRING", "TRIM", "TRY_CAST")
    }
    NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        name: parse for name, parse in DuckDB.Parser.NO_PAREN_FUNCTION_PARSERS.items() if name not in ("IF", "@")
    }

    def _parse_interval_span(self, this: exp.Expr, parse_function_unit: bool = True) -> exp.Interval:
        if this.is_string and exp.INTERVAL_STRING_RE.findall(this.name):
            return exp.Interval(this=this)
        span: exp.Interval = super()._parse_interval_span(this, parse_function_unit)
        return span


class _Dialect(DuckDB):  # type: ignore[misc] # as above
    """DuckDB's SQL, kept as it is written."""

    Parser = _Parser
    # sqlglot would count from 0 in the tree, but for some types only.
    INDEX_OFFSET = 0

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        return path


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


@functools.lru_cache(maxsize=1_000)
def readings(text: str, *, query: bool = False) -> tuple[str, str]:
    """Return a user's SQL as a SELECT with a name for each value, and what sqlglot makes of it.

    The first has as many characters as the text. Raises SqlFieldError.
    """
    written = _named(text, query=query)
    tree = _one_statement(written)
    _quote_columns(tree)
    return written, _rendered(tree)


def null_comparisons(text: str, *, query: bool = False) -> list[SqlFieldError]:
    """Return the comparisons with NULL in a text that can be read: none of them is ever true."""
    found = []
    for node in _one_statement(_named(text, query=query)).find_all(exp.EQ, exp.NEQ):
        if isinstance(node.expression, exp.Null) != isinstance(node.this, exp.Null):
            value = node.this if isinstance(node.expression, exp.Null) else node.expression
            shown = value.sql(dialect=_DUCKDB, comments=False)
            sign, instead = ("=", "is null") if isinstance(node, exp.EQ) else ("<>", "is not null")
            fault = SqlFieldError(f"{shown} {sign} null is never true", hint=f"write {shown} {instead}")
            fault.word = value.name or None
            found.append(fault)
    return found


def check_syntax(
    text: str, columns: Iterable[str] | None, read: Callable[[Sequence[str]], Sequence[str]], *, query: bool = False
) -> None:
    """Raise SqlFieldError for what DuckDB's own parser refuses, or reads in another way than sqlglot.

    `columns` are those that the text may name, None where they are unknown; `read` returns DuckDB's readings of texts.
    """
    start = 0 if query else len("select ")
    try:
        written, rendered = readings(text, query=query)
    except SqlSyntaxError as error:
        written = _named(text, query=query)
        fault = syntax_fault(written, *read([written]))
        if fault is None:
            raise
        unreadable = _unreadable(text, fault, start)
        at_end = fault.start is not None and not re.search(r"\w\W|\W\w|\s", text[fault.start - start :].strip())
        if at_end and "Unexpected" not in error.message:
            # DuckDB names the last word where something is missing behind it; sqlglot tells what.
            where = _shown_place(text, (fault.start or 0) - start)
            unreadable.message = f"{error.message.partition(', at ')[0]}, {where}"
        if unreadable.hint is None and not _PLACEHOLDER.search(text):
            unreadable.hint = error.hint
        raise unreadable from None
    reading, ours = read([written, rendered])
    if syntax_fault(written, reading) is None and difference(written, reading, ours) is None:
        return
    # A column may be called by a word of SQL, such as desc.
    written, quotes = _with_quoted_columns(written, columns)
    (reading,) = read([written])

    fault = syntax_fault(written, reading)
    if fault is not None:
        raise _unreadable(text, fault, start, quotes)
    differing = difference(written, reading, ours)
    if differing is not None:
        at = _place(differing, start, quotes)
        plus = text[at : at + 1] == "+"
        hint = "leave out this +" if plus else "put brackets around its parts, or write it in another way"
        raise SqlFieldError(f"this can be read as SQL in two ways, {_shown_place(text, at)}", hint=hint)


def _named(text: str, *, query: bool) -> str:
    """Return the SELECT of a text with a name in place of each value, of the same length."""
    written = _PLACEHOLDER.sub(lambda found: f"(p{found[1]}".ljust(len(found[0]) - 1, "_") + ")", text)
    return written if query else "select " + written


def _unreadable(text: str, fault: SyntaxFault, start: int, quotes: Sequence[int] = ()) -> SqlSyntaxError:
    """Return the error for a text that DuckDB's parser cannot read on; as `_place` for what comes before and within."""
    message = fault.message
    if fault.start is not None:
        place = _place(fault.start, start, quotes)
        token = re.match(r"[\w.]+|'[^']*'|\"[^\"]*\"|\S", text[place:])
        near = _PLACEHOLDER.sub("{{ … }}", token[0] if token else text[place : place + 1])
        closed = not message.startswith("unterminated")
        what = f"{near!r} does not fit" if closed else "a quote or a comment is not closed"
        message = f"{what}, {_shown_place(text, place)}"
    near_fault = text if fault.start is None else text[max(0, place - NEAR) : place + NEAR]
    hint = _hint(text) if _PLACEHOLDER.search(near_fault) or not _PLACEHOLDER.search(text) else None
    error = SqlSyntaxError(f"this cannot be read as SQL: {message}", hint=hint)
    if fault.start is not None:
        error.word, error.line = near, text.count("\n", 0, place)
    return error


def _place(character: int, start: int, quotes: Sequence[int]) -> int:
    """Return the place in a user's text of a character of the SELECT that was made of it.

    The SELECT has `start` characters before the text, and quotes added at some places.
    """
    return character - sum(quote < character for quote in quotes) - start


def _shown_place(text: str, start: int) -> str:
    before = text[:start]
    if "\n" in text:
        before = before.rpartition("\n")[2]
    if _PLACEHOLDER.search(before) or "\n" in text:
        if not before.strip():
            return "at the start of the line"
        return f"after {_PLACEHOLDER.sub('{{ … }}', before)[-30:].strip()!r}"
    return f"at character {start + 1}"


def _with_quoted_columns(written: str, columns: Iterable[str] | None) -> tuple[str, list[int]]:
    """Return the text with quotes around every unquoted column, and the places of these quotes."""
    known = None if columns is None else {name.lower() for name in columns}
    ends: list[int] = []
    for column in _one_statement(written).find_all(exp.Column):
        for part in column.parts:
            start, end = part.meta.get("start"), part.meta.get("end")
            if start is None or end is None or written[start : end + 1] != part.name:
                continue
            if not part.args.get("quoted") and (known is None or part.name.lower() in known):
                ends += [start, end + 1]
    ends.sort()
    pieces = [written[start:end] for start, end in zip([0, *ends], [*ends, None], strict=True)]
    return '"'.join(pieces), [end + index for index, end in enumerate(ends)]


def _quote_columns(tree: exp.Expr) -> None:
    """Quote the columns of a tree: unquoted, one named user or current_date would be a function."""
    for column in tree.find_all(exp.Column):
        for part in column.parts:
            if isinstance(part, exp.Identifier):
                part.set("quoted", True)


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
    check_size(tree)
    try:
        return _filled_and_checked(tree, values, policy)
    except RecursionError:
        raise too_deep() from None
    except SqlFieldError as error:
        # Most texts are right: what else is wrong is asked only where something is.
        error.find_others = functools.partial(_others, error.message, tree, policy)
        raise


def _others(message: str, tree: exp.Expr, policy: Policy) -> list[SqlFieldError]:
    try:
        return [fault for fault in policy.faults(tree.copy()) if fault.message != message]
    except RecursionError:
        return []


def _filled_and_checked(tree: exp.Expr, values: Sequence[Any], policy: Policy) -> exp.Expr:
    policy.check_syntax(tree)
    for node in tree.walk():
        node.comments = None
    # A few values of a list stand for all: each is a literal of the same form.
    few = [value[:3] if isinstance(value, list | tuple) else value for value in values]
    filled = _filled(tree, few)
    if values:
        # Without values it is a text that `check_syntax` has compared: DuckDB reads in it what was judged.
        _check_rendering(filled, policy)
    tree = _filled(tree, values) if any(isinstance(value, list | tuple) for value in values) else filled
    policy.check_names(tree)
    _quote_columns(tree)
    return tree


def _check_rendering(tree: exp.Expr, policy: Policy) -> None:
    """Judge what DuckDB will read, too: with its values, a text is another one than that which was checked."""
    text = _rendered(tree)
    if policy.tables is None:
        text = "select " + text
    again = _one_statement(text, longest=None, deepest=2 * MAX_NESTING)
    policy.check_syntax(again if policy.tables is not None else again.expressions[0].pop())


def _rendered(tree: exp.Expr) -> str:
    try:
        return tree.sql(dialect=_DUCKDB, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise SqlFieldError(str(error)) from None


def _one_statement(text: str, *, longest: int | None = MAX_TEXT, deepest: int = MAX_NESTING) -> exp.Expr:
    if longest is not None and len(text) > longest:
        values = re.search(r"\bin\s*\(", text, re.IGNORECASE)
        hint = "join a table of the values instead" if values else "split it over several columns or nodes"
        raise SqlFieldError(f"SQL has at most {longest:,} characters", hint=hint)
    try:
        dialect = _Dialect()
        tokens = dialect.tokenize(text)
        if len(tokens) > MAX_TOKENS:
            raise too_large()
        _check_nesting(tokens, deepest)
        statements = dialect.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text)
    except TokenError:
        raise SqlSyntaxError(
            "this cannot be read as SQL: a quote or a comment is not closed",
            hint=_hint(text) or "an apostrophe within text is written twice: 'it''s'",
        ) from None
    except ParseError as error:
        raise SqlSyntaxError(_parse_message(error), hint=_hint(text)) from None
    except RecursionError:
        raise too_deep() from None
    except (AttributeError, TypeError, ValueError):
        # sqlglot fails so on some texts that are wrong, such as {'a': 1, :}.
        raise SqlSyntaxError("this cannot be read as SQL", hint=_hint(text)) from None
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
