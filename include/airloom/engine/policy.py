"""What users' SQL may hold: listed syntax, functions and types, known columns and tables, bounded size.

Everything that is not listed is refused, with what to write instead. The list is no limit on resources: what passes
still runs in a process that can be killed, without access to files. Imports sqlglot at once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from airloom.engine.instead import instead_of
from airloom.engine.sql_error import SqlFieldError, at_word, rendered, shown
from airloom.engine.sql_names import (
    PLAIN_NAME,
    VIRTUAL_COLUMNS,
    Columns,
    no_column,
    qualified_column,
    query_name_faults,
    unknown_column,
    unknown_columns,
)
from airloom.spec.expression import PLACEHOLDER
from airloom.spec.problem import SYNONYMS, suggestion

MAX_NODES = 5_000
MAX_DEPTH = 300
MOST_FAULTS = 20
"""Faults of one text that are told one by one."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


AGGREGATES = "aggregates"
WINDOWS = "windows"
ROWS = "rows"

FUNCTIONS: dict[str, tuple[str, ...]] = {
    "numbers": _words(
        """abs acos asin atan atan2 cbrt ceil ceiling cos degrees exp floor fmod greatest least isfinite isinf isnan
        ln log log10 log2 mod pi pow power radians round sign sin sqrt tan trunc bit_count xor"""
    ),
    "text": _words(
        """ascii char_length character_length chr concat concat_ws contains ends_with instr jaro_winkler_similarity
        lcase left len length levenshtein lower ltrim md5 position regexp_extract regexp_full_match regexp_matches
        regexp_replace replace reverse right rtrim sha256 split_part starts_with str_split string_split
        string_to_array strip_accents strpos substr substring translate trim ucase upper"""
    ),
    "dates and times": _words(
        """date_add date_diff date_part date_sub date_trunc datediff datetrunc day dayname dayofweek dayofyear epoch
        epoch_ms epoch_us hour isodow last_day make_date make_time make_timestamp minute month monthname quarter second
        strftime strptime time_bucket to_days to_hours to_minutes to_months to_seconds to_timestamp to_years
        try_strptime week weekday year"""
    ),
    "values and conditions": _words("coalesce hash if ifnull nullif typeof"),
    "lists, structs and JSON": _words(
        """array_contains array_distinct array_has array_length array_sort array_to_string element_at json_array_length
        json_extract json_extract_path json_extract_path_text json_extract_string json_keys json_type json_valid
        list_contains list_distinct list_has list_sort list_sum list_value struct_extract to_json"""
    ),
    AGGREGATES: _words(
        """any_value approx_count_distinct approx_quantile arg_max arg_min array_agg avg bool_and bool_or corr count
        count_if first last list listagg max max_by median min min_by mode quantile_cont
        quantile_disc stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance"""
    ),
    WINDOWS: _words(
        "cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number"
    ),
    ROWS: _words("unnest"),
}
"""The functions that users' SQL may call, by kind; `rows` are for whole queries only."""

TYPES = _words(
    """BOOLEAN TINYINT SMALLINT INT BIGINT INT128 UTINYINT USMALLINT UINT UBIGINT FLOAT DOUBLE DECIMAL VARCHAR TEXT
    DATE TIME TIMESTAMP TIMESTAMPTZ TIMESTAMPNTZ TIMESTAMP_NS INTERVAL UUID JSON BLOB VARBINARY LIST ARRAY STRUCT MAP"""
)
"""The types that a cast may name, as sqlglot calls them."""

_NUMBER = re.compile(r"\s*[-+]?[\d.]+\s*")

_VALUE_SYNTAX = frozenset(
    {
        *(exp.Column, exp.Identifier, exp.Literal, exp.RawString, exp.Null, exp.Boolean, exp.Paren, exp.Tuple, exp.Var),
        *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
        *(exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.Between, exp.In, exp.Like, exp.ILike, exp.Escape, exp.DPipe),
        *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg),
        *(exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseNot),
        *(exp.Case, exp.If, exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.ColumnDef),
        *(exp.Interval, exp.IntervalSpan, exp.Extract, exp.AtTimeZone),
        *(exp.Array, exp.Bracket, exp.Slice, exp.Struct, exp.PropertyEQ, exp.JSONExtract, exp.JSONExtractScalar),
        *(exp.JSONPath, exp.JSONPathRoot, exp.JSONPathKey, exp.JSONPathSubscript),
    }
)
_AGGREGATE_SYNTAX = frozenset(
    {
        *(exp.Window, exp.WindowSpec, exp.Order, exp.Ordered, exp.Filter, exp.Where, exp.WithinGroup),
        *(exp.IgnoreNulls, exp.RespectNulls, exp.Distinct, exp.Star),
    }
)
_QUERY_SYNTAX = frozenset(
    {
        *(exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery, exp.With, exp.CTE, exp.Exists),
        *(exp.From, exp.Table, exp.TableAlias, exp.Alias, exp.Join, exp.Values, exp.Unnest),
        *(exp.Group, exp.Having, exp.Qualify, exp.Limit, exp.Offset),
    }
)
_ROOTS = (exp.Select, exp.Union, exp.Except, exp.Intersect)

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)

_ADVICE: dict[type[exp.Expr], tuple[str, str]] = {
    exp.Alias: ("a name (AS …)", "the name stands in the field beside this one"),
    exp.Anonymous: ("this function", "see the list of functions in the documentation"),
    exp.ArrayOverlaps: ("&&", "write and between conditions"),
    exp.ByteString: ("an escape string (e'…')", "write chr(10) for a line break, joined with ||"),
    exp.Columns: ("COLUMNS(…)", "name each column"),
    exp.Comprehension: ("a list comprehension", "unnest the list in a sql node"),
    exp.Distinct: ("DISTINCT", "use SELECT DISTINCT in the sql node"),
    exp.Dot: ("a part or a method after a dot", "write a['part'] for a field, upper(a) for a function"),
    exp.IgnoreNulls: ("an aggregate", "use the aggregate node"),
    exp.Lambda: ("a lambda", "unnest the list in a sql node"),
    exp.Pivot: ("PIVOT", "write sum(CASE WHEN kind = 'a' THEN value END) AS a for each value"),
    exp.Placeholder: ("a bound parameter", "write {{ params.name }}"),
    exp.PositionalColumn: ("a column by number", "write its name"),
    exp.Select: ("a query", "use the sql node, or join the other table first"),
    exp.Subquery: ("a query", "use the sql node, or join the other table first"),
    exp.Exists: ("a query", "use the join node with how: semi"),
    exp.Star: ("*", "name the columns"),
    exp.TableSample: ("a sample", "write hash(key) % 10 = 0, which takes the same tenth of the rows each time"),
    exp.Window: ("a window (OVER …)", "use the formula of a node that allows windows, or the sql node"),
}
_ADVICE_ONLY = frozenset({exp.ArrayOverlaps, exp.Columns, exp.Exists})


@dataclass(frozen=True)
class Policy:
    """Say what one SQL text may hold beyond plain values.

    `columns` are the columns that stand for themselves, None where they are unknown; `tables` makes a text a whole
    query over these tables.
    """

    columns: Columns | None = None
    aggregates: bool = False
    tables: Mapping[str, Columns | None] | None = None

    @property
    def syntax(self) -> frozenset[type[exp.Expr]]:
        """Return the classes of syntax that are listed."""
        if self.tables is not None:
            return _VALUE_SYNTAX | _AGGREGATE_SYNTAX | _QUERY_SYNTAX
        return _VALUE_SYNTAX | _AGGREGATE_SYNTAX if self.aggregates else _VALUE_SYNTAX

    @property
    def functions(self) -> frozenset[str]:
        """Return the functions that are listed."""
        left_out = set() if self.tables is not None else {ROWS} if self.aggregates else {AGGREGATES, WINDOWS, ROWS}
        return frozenset(name for kind, names in FUNCTIONS.items() if kind not in left_out for name in names)

    def check_syntax(self, tree: exp.Expr) -> None:
        """Raise SqlFieldError for the first syntax, function or type that is not listed."""
        for fault, _ in self._syntax_faults(tree):
            raise fault

    def check_names(self, tree: exp.Expr) -> None:
        """Raise SqlFieldError for the first column or table that a tree may not name."""
        for fault in self._name_faults(tree):
            raise fault

    def faults(self, tree: exp.Expr) -> list[SqlFieldError]:
        """Return what a tree may not hold, each once, up to MOST_FAULTS; nothing is said of the inside of refused
        syntax, which the tree loses."""
        found: dict[str, SqlFieldError] = {}
        for fault in self._all_faults(tree):
            found.setdefault(fault.message, fault)
            if len(found) == MOST_FAULTS:
                break
        return list(found.values())

    def _all_faults(self, tree: exp.Expr) -> Iterator[SqlFieldError]:
        for column in list(tree.find_all(exp.Column)):
            if column.name.lower().startswith(PLACEHOLDER) and column.parent is not None:
                column.replace(exp.null())
        refused = list(itertools.islice(self._syntax_faults(tree), MOST_FAULTS))
        for fault, node in refused:
            yield fault
            if node.parent is None:
                return
            if not isinstance(node, (exp.Func, exp.DataType)):
                node.replace(exp.null())
            elif isinstance(node.parent, exp.Table):
                node.replace(exp.to_identifier(next(iter(self.tables or ()), None)))
        names = list(itertools.islice(self._name_faults(tree), MOST_FAULTS))
        yield from names
        if self.tables is not None and (refused or names):
            yield from unknown_columns(tree, self.tables)

    def _syntax_faults(self, tree: exp.Expr) -> Iterator[tuple[SqlFieldError, exp.Expr]]:
        if self.tables is not None and not isinstance(tree, _ROOTS):
            yield SqlFieldError(f"a query starts with SELECT or WITH, not with {shown(tree)}"), tree
            return
        syntax, functions = self.syntax, self.functions
        refused: set[int] = set()
        for node in tree.walk(prune=lambda node: id(node) in refused):
            kind = type(node)
            if isinstance(node, exp.Func) and kind not in syntax and kind not in _ADVICE_ONLY:
                fault = _function_fault(node, functions)
            elif kind not in syntax:
                fault = _refused(node)
                # What stands between && and its like is plain SQL again.
                refused.update([] if kind in _ADVICE_ONLY else [id(node)])
            elif isinstance(node, exp.DataType):
                fault = _type_fault(node)
            else:
                fault = _form_fault(node)
            if fault is not None:
                yield fault, node

    def _name_faults(self, tree: exp.Expr) -> Iterator[SqlFieldError]:
        if self.tables is not None:
            yield from query_name_faults(tree, self.tables)
            return
        for column in tree.find_all(exp.Column):
            fault = self._column_fault(column)
            if fault is not None:
                yield fault

    def _column_fault(self, column: exp.Column) -> SqlFieldError | None:
        if column.args.get("table"):
            return qualified_column(column, self.columns)
        if self.columns is None:
            return no_column(column.name) if column.name.lower() in VIRTUAL_COLUMNS else None
        if column.name.lower() not in {name.lower() for name in self.columns}:
            return unknown_column(column, self.columns)
        return None


def _form_fault(node: exp.Expr) -> SqlFieldError | None:
    """Return what is wrong with a part whose class is listed, but not in this form."""
    if isinstance(node, exp.Var) and not PLAIN_NAME.fullmatch(node.name):
        return SqlFieldError(f"{node.name!r} is not possible here")
    if isinstance(node, exp.DPipe) and any(map(_is_condition, (node.this, node.expression))):
        return SqlFieldError("|| joins texts, not conditions", hint="write or between conditions")
    if isinstance(node, _COMPARISONS) and isinstance(node.this, _COMPARISONS):
        return _chained(node)
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Literal):
        return SqlFieldError("IS is for NULL, TRUE and FALSE", hint="compare a value with = or <>")
    if isinstance(node, exp.Interval) and _NUMBER.fullmatch(node.name) and not node.args.get("unit"):
        return SqlFieldError(f"{shown(node)} has no unit", hint=f"write interval {node.name} day, or another unit")
    if isinstance(node, exp.With) and node.args.get("recursive"):
        return SqlFieldError("a recursive query is not possible", hint="write one part for each level")
    return None


def _is_condition(node: exp.Expr) -> bool:
    return isinstance(node.unnest(), (*_COMPARISONS, exp.Connector, exp.Not, exp.Is, exp.In, exp.Between))


def _chained(node: exp.Expr) -> SqlFieldError:
    middle = node.this.expression
    if isinstance(middle, exp.DPipe):
        return SqlFieldError("|| joins texts, not conditions", hint="write or between conditions")
    if isinstance(middle, exp.ArrayOverlaps):
        return _refused(middle)
    first, again = shown(node.this), node.copy()
    again.set("this", middle.copy())
    return SqlFieldError(
        f"two comparisons in a row are not possible: {shown(node)}", hint=f"write {first} and {shown(again)}"
    )


def check_size(tree: exp.Expr) -> None:
    """Raise SqlFieldError where a tree has too many parts or is nested too deeply."""
    count = 0
    pending = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        count += 1
        if count > MAX_NODES:
            raise SqlFieldError(
                f"this SQL has more than {MAX_NODES:,} parts", hint="join a table of the values instead"
            )
        if depth > MAX_DEPTH:
            raise too_deep()
        # A chain of AND or OR is flat to the engine, however the tree holds it.
        pending.extend(
            (child, depth if isinstance(node, exp.Connector) and type(child) is type(node) else depth + 1)
            for child in node.iter_expressions()
        )


def too_large() -> SqlFieldError:
    """Return the error for SQL of too many parts."""
    return SqlFieldError(f"this SQL has more than {MAX_NODES:,} parts", hint="join a table of the values instead")


def too_deep() -> SqlFieldError:
    """Return the error for SQL that is nested too deeply."""
    return SqlFieldError("this SQL is nested too deeply", hint="split it over several columns or nodes")


def _function_fault(node: exp.Func, functions: frozenset[str]) -> SqlFieldError | None:
    if isinstance(node, exp.Anonymous):
        names = {node.name.lower()}
    else:
        # What the parser makes of syntax, such as a ** b: the names that DuckDB has for it.
        names = {name.lower() for name in node.sql_names()} | {_written_name(node)}
    if names & functions:
        return None
    shown = min(names - {""})
    if names.union(*(SYNONYMS.get(name, ()) for name in names)) & set(FUNCTIONS[AGGREGATES]) - functions:
        fault = SqlFieldError(f"{shown}(…) is an aggregate, which is not possible here", hint="use the aggregate node")
    elif names & set(FUNCTIONS[WINDOWS]):
        fault = SqlFieldError(f"{shown}(…) is a window function, which is not possible here", hint="use the sql node")
    else:
        fault = SqlFieldError(f"the function {shown}(…) is not allowed", hint=instead_of(shown, names, functions))
    return at_word(fault, shown)


def _written_name(node: exp.Func) -> str:
    """Return the name that DuckDB will see, which may be another than sqlglot's; "" where it sees no call."""
    name = rendered(node).partition("(")[0].strip().lower()
    return name if PLAIN_NAME.fullmatch(name) else ""


def _type_fault(node: exp.DataType) -> SqlFieldError | None:
    name = node.this.name if hasattr(node.this, "name") else str(node.this)
    if name.upper() in TYPES:
        return None
    shown = rendered(node)
    return at_word(SqlFieldError(f"the type {shown} is not allowed", hint=suggestion(shown, TYPES)), shown)


def _refused(node: exp.Expr) -> SqlFieldError:
    for kind, (what, instead) in _ADVICE.items():
        if isinstance(node, kind):
            return SqlFieldError(f"{what} is not possible here: {shown(node)}", hint=instead)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).lower()
    return SqlFieldError(f"this is not possible here ({words}): {shown(node)}")


def function_table() -> str:
    """Return the listed functions as a Markdown table, as the documentation shows them."""
    lines = [f"| {kind} | {', '.join(f'`{name}`' for name in sorted(names))} |" for kind, names in FUNCTIONS.items()]
    return "\n".join(["| kind | functions |", "|---|---|", *lines])
