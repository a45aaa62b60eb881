"""What users' SQL may hold: listed syntax, functions and types, known columns and tables, bounded size.

Everything that is not listed is refused, with what to write instead. The list is no limit on resources: what passes
still runs in a process that can be killed, without access to files. Imports sqlglot at once.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from airloom.spec.error import ConfigurationError
from airloom.spec.problem import SYNONYMS, suggestion

MAX_NODES = 5_000
MAX_DEPTH = 300

Columns = Mapping[str, str]


class SqlFieldError(ConfigurationError):
    """Raise when a condition, a formula or a query cannot be read, or holds what is not allowed."""

    code = "sql"


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
        """ascii chr concat concat_ws contains ends_with instr jaro_winkler_similarity left len length levenshtein
        lower ltrim md5 regexp_extract regexp_full_match regexp_matches regexp_replace replace reverse right rtrim
        sha256 split_part starts_with str_split string_split strip_accents strpos substr substring translate trim
        upper"""
    ),
    "dates and times": _words(
        """date_add date_diff date_part date_sub date_trunc datediff day dayname dayofweek dayofyear epoch epoch_ms
        epoch_us hour isodow last_day make_date make_time make_timestamp minute month monthname quarter second strftime
        strptime time_bucket to_days to_hours to_minutes to_months to_seconds to_timestamp to_years try_strptime week
        weekday year"""
    ),
    "values and conditions": _words("coalesce hash if ifnull nullif typeof"),
    "lists, structs and JSON": _words(
        """array_contains array_length array_to_string element_at json_array_length json_extract json_extract_string
        json_keys json_type json_valid list_contains list_distinct list_sort list_sum list_value struct_extract
        to_json"""
    ),
    AGGREGATES: _words(
        """any_value approx_count_distinct approx_quantile arg_max arg_min array_agg avg bool_and bool_or corr count
        count_if first last list max median min mode quantile_cont quantile_disc stddev stddev_pop stddev_samp
        string_agg sum var_pop var_samp variance"""
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

_VIRTUAL_COLUMNS = frozenset({"rowid", "filename", "file_row_number", "file_index", "file_last_modified"})
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

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
    exp.Exists: ("a query", "use the join node with mode semi"),
    exp.Star: ("*", "name the columns"),
    exp.TableSample: ("a sample", "write hash(key) % 10 = 0, which takes the same tenth of the rows each time"),
    exp.Window: ("a window (OVER …)", "use the formula of a node that allows windows, or the sql node"),
}
_ADVICE_ONLY = frozenset({exp.ArrayOverlaps, exp.Columns, exp.Exists})
_INSTEAD = {
    **dict.fromkeys(("isnull", "is_null", "isna"), "write … IS NULL"),
    **dict.fromkeys(("notnull", "is_not_null", "isnotnull"), "write … IS NOT NULL"),
    **dict.fromkeys(
        ("date", "to_date", "parse_date"), "write cast(… AS DATE), or strptime(…, '%d.%m.%Y') for another form"
    ),
    **dict.fromkeys(("timestamp", "datetime", "parse_timestamp"), "write cast(… AS TIMESTAMP)"),
    "time": "write cast(… AS TIME)",
    **dict.fromkeys(("int", "integer", "to_int", "bigint"), "write cast(… AS BIGINT)"),
    **dict.fromkeys(("float", "double", "number", "to_number", "numeric"), "write cast(… AS DOUBLE)"),
    **dict.fromkeys(("str", "string", "text", "varchar", "to_string"), "write cast(… AS VARCHAR)"),
    **dict.fromkeys(("bool", "boolean"), "write cast(… AS BOOLEAN)"),
    **dict.fromkeys(("to_char", "date_format", "format_date", "format"), "write strftime(…, '%d.%m.%Y')"),
    **dict.fromkeys(("dateadd", "adddate", "add_days"), "write … + interval 1 day"),
    "strip": "write trim(…)",
}
"""What to write for functions of other systems."""
_OTHER_NAMES = {"listagg": ("string_agg",)}
_CLOCK_NAMES = frozenset(
    _words(
        "now today getdate sysdate curdate current_date current_datetime current_time current_timestamp "
        "get_current_timestamp localtime localtimestamp"
    )
)
_CHANCE_NAMES = frozenset(_words("random rand uuid gen_random_uuid uuidv4 uuidv7 setseed"))


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
        if self.tables is not None and not isinstance(tree, _ROOTS):
            raise SqlFieldError(f"a query starts with SELECT or WITH, not with {_shown(tree)}")
        syntax, functions = self.syntax, self.functions
        for node in tree.walk():
            kind = type(node)
            if isinstance(node, exp.Func) and kind not in syntax and kind not in _ADVICE_ONLY:
                _check_function(node, functions)
            elif kind not in syntax:
                raise _refused(node)
            elif isinstance(node, exp.DataType):
                _check_type(node)
            elif isinstance(node, exp.Var) and not _PLAIN_NAME.fullmatch(node.name):
                raise SqlFieldError(f"{node.name!r} is not possible here")
            elif isinstance(node, exp.DPipe) and any(map(_is_condition, (node.this, node.expression))):
                raise SqlFieldError("|| joins texts, not conditions", hint="write or between conditions")
            elif isinstance(node, _COMPARISONS) and isinstance(node.this, _COMPARISONS):
                raise _chained(node)
            elif isinstance(node, exp.Is) and isinstance(node.expression, exp.Literal):
                raise SqlFieldError("IS is for NULL, TRUE and FALSE", hint="compare a value with = or <>")
            elif isinstance(node, exp.With) and node.args.get("recursive"):
                raise SqlFieldError("a recursive query is not possible", hint="write one part for each level")

    def check_names(self, tree: exp.Expr) -> None:
        """Raise SqlFieldError for the first column or table that a tree may not name."""
        if self.tables is None:
            for column in tree.find_all(exp.Column):
                self._check_column(column)
        else:
            _check_query_names(tree, self.tables)

    def _check_column(self, column: exp.Column) -> None:
        if column.args.get("table"):
            raise _qualified(column, self.columns)
        if self.columns is None:
            if column.name.lower() in _VIRTUAL_COLUMNS:
                raise SqlFieldError(f"there is no column {column.name!r}")
            return
        if column.name.lower() not in {name.lower() for name in self.columns}:
            raise _unknown_column(column, self.columns)


def _is_condition(node: exp.Expr) -> bool:
    return isinstance(node.unnest(), (*_COMPARISONS, exp.Connector, exp.Not, exp.Is, exp.In, exp.Between))


def _chained(node: exp.Expr) -> SqlFieldError:
    middle = node.this.expression
    if isinstance(middle, exp.DPipe):
        return SqlFieldError("|| joins texts, not conditions", hint="write or between conditions")
    if isinstance(middle, exp.ArrayOverlaps):
        return _refused(middle)
    first, again = _shown(node.this), node.copy()
    again.set("this", middle.copy())
    return SqlFieldError(
        f"two comparisons in a row are not possible: {_shown(node)}", hint=f"write {first} and {_shown(again)}"
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
    return SqlFieldError(f"this SQL has more than {MAX_NODES:,} parts", hint="split it over several nodes")


def too_deep() -> SqlFieldError:
    """Return the error for SQL that is nested too deeply."""
    return SqlFieldError("this SQL is nested too deeply", hint="split it over several columns or nodes")


def _check_function(node: exp.Func, functions: frozenset[str]) -> None:
    names = {node.name.lower()} if isinstance(node, exp.Anonymous) else {name.lower() for name in node.sql_names()}
    if names & functions:
        return
    written = _written_name(node)
    names |= {name for name in (written, *_OTHER_NAMES.get(written, ())) if type(node) in _classes(name)}
    if names & functions:
        return
    # DuckDB has some functions as casts, which nobody wrote.
    shown = written if written not in ("", "cast", *functions) else min(names)
    if names.union(*(SYNONYMS.get(name, ()) for name in names)) & set(FUNCTIONS[AGGREGATES]) - functions:
        raise SqlFieldError(f"{shown}(…) is an aggregate, which is not possible here", hint="use the aggregate node")
    if names & set(FUNCTIONS[WINDOWS]):
        raise SqlFieldError(f"{shown}(…) is a window function, which is not possible here", hint="use the sql node")
    raise SqlFieldError(f"the function {shown}(…) is not allowed", hint=_instead_of(shown, {shown, *names}, functions))


def _instead_of(shown: str, names: set[str], functions: frozenset[str]) -> str:
    if names & _CLOCK_NAMES:
        return "write {{ run.started_at }}, so that a repeated run gives the same rows"
    if names & _CHANCE_NAMES:
        return "use hash(key), so that a repeated run gives the same rows"
    if shown.startswith(("read_", "parquet_", "sniff_")) or shown in ("glob", "copy"):
        return "read files with a node, such as csv_read"
    if shown in _INSTEAD:
        return _INSTEAD[shown]
    return suggestion(shown, functions) or "the documentation lists the functions that are"


def _written_name(node: exp.Func) -> str:
    """Return the name that DuckDB will see, which may be another than sqlglot's; "" where it sees no call."""
    name = _sql(node).partition("(")[0].strip().lower()
    return name if _PLAIN_NAME.fullmatch(name) else ""


@functools.cache
def _classes(function: str) -> frozenset[type[exp.Expr]]:
    """Return the classes that sqlglot may read a call of a function as."""
    found: set[type[exp.Expr]] = set()
    if not function:
        return frozenset()
    for arguments in ("", "a", "a, b", "a, b, c"):
        with contextlib.suppress(ParseError):
            found.add(type(sqlglot.parse_one(f"{function}({arguments})", dialect="duckdb")))
    return frozenset(found)


def _check_type(node: exp.DataType) -> None:
    name = node.this.name if hasattr(node.this, "name") else str(node.this)
    if name.upper() not in TYPES:
        shown = _sql(node)
        raise SqlFieldError(f"the type {shown} is not allowed", hint=suggestion(shown, TYPES))


def _check_query_names(tree: exp.Expr, tables: Mapping[str, Columns | None]) -> None:
    """Check tables, names of CTEs and columns of a query; which columns exist is for DuckDB to say."""
    for cte in tree.find_all(exp.CTE):
        if not _PLAIN_NAME.fullmatch(cte.alias):
            # A quoted name such as "a.csv" could make a file look like a table of the query.
            raise SqlFieldError(f"{cte.alias!r} cannot name a part of a query", hint="use letters, digits and _")
    known_tables = {name.lower(): columns for name, columns in tables.items()}
    for table in tree.find_all(exp.Table):
        _check_table(table, known_tables)
    relations = {table.name.lower() for table in tree.find_all(exp.Table)}
    relations |= {alias.name.lower() for alias in tree.find_all(exp.TableAlias)}
    columns = {name.lower() for listed in tables.values() for name in (listed or ())}
    columns |= {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
    columns |= {
        name.name.lower() for alias in tree.find_all(exp.TableAlias) for name in alias.args.get("columns") or ()
    }
    for column in tree.find_all(exp.Column):
        name = column.name.lower()
        table_name = column.args.get("table")
        if column.args.get("db"):
            raise _qualified(column)
        if table_name is not None and table_name.name.lower() not in relations:
            raise _qualified(column, relations=relations)
        if name in _VIRTUAL_COLUMNS - columns:
            raise SqlFieldError(f"there is no column {column.name!r}")
        if table_name is None and name in relations - columns:
            raise SqlFieldError(
                f"{column.name!r} is a table, not a column", hint=f"name its columns, as in {column.name}.column"
            )


def _check_table(table: exp.Table, tables: Mapping[str, Columns | None]) -> None:
    if not isinstance(table.this, exp.Identifier):
        raise SqlFieldError(f"{_shown(table.this)} is no table", hint=_known_tables(tables))
    if table.args.get("db") or table.args.get("catalog"):
        raise SqlFieldError(f"{_shown(table)} is no input of this node", hint=_known_tables(tables))
    name = table.name.lower()
    if name not in tables and name not in _visible_ctes(table):
        hint = suggestion(table.name, tables) or _known_tables(tables)
        raise SqlFieldError(f"there is no table {table.name!r}", hint=hint)


def _visible_ctes(table: exp.Table) -> set[str]:
    """Return the names that WITH clauses give at the place of a table: a CTE sees those before it, not itself."""
    names: set[str] = set()
    inner: exp.Expr = table
    outer = table.parent
    while outer is not None:
        if isinstance(outer, exp.With):
            names |= {cte.alias.lower() for cte in _before(outer.expressions, inner)}
        else:
            with_clause = outer.args.get("with_")
            if isinstance(with_clause, exp.With) and with_clause is not inner:
                names |= {cte.alias.lower() for cte in with_clause.expressions}
        inner, outer = outer, outer.parent
    return names


def _before(ctes: Iterable[exp.Expr], last: exp.Expr) -> Iterator[exp.Expr]:
    for cte in ctes:
        if cte is last:
            return
        yield cte


def _known_tables(tables: Iterable[str]) -> str:
    return f"tables of this query: {', '.join(tables)}" if tables else "this query has no table"


def _qualified(column: exp.Column, columns: Columns | None = None, relations: Iterable[str] = ()) -> SqlFieldError:
    shown = _sql(column)
    parts = [part.name for part in column.parts]
    fields = "".join(f"['{part}']" for part in parts[1:])
    if relations:
        hint = f"tables of this query: {', '.join(sorted(relations))}"
    elif columns is not None and parts[0].lower() not in {name.lower() for name in columns}:
        found = next((name for name in columns if name.lower() == parts[-1].lower()), parts[-1])
        hint = f"columns have no table's name before them here: write {found}"
    else:
        hint = f"for a field of a struct write {parts[0]}{fields}"
    return SqlFieldError(f"{shown!r} is no column here", hint=hint)


def _unknown_column(column: exp.Column, columns: Columns) -> SqlFieldError:
    hint = suggestion(column.name, columns)
    if column.name.startswith(("‘", "’", "‚", "“", "”", "„")):
        hint = "text stands in straight single quotes: 'paid'"
    elif column.this.args.get("quoted"):
        hint = f"text stands in single quotes: '{column.name}'" + (f"; for a column, {hint}" if hint else "")
    if hint is None:
        hint = f"columns: {', '.join(list(columns)[:20])}{', …' if len(columns) > 20 else ''}"
    return SqlFieldError(f"there is no column {column.name!r}", hint=hint)


def _refused(node: exp.Expr) -> SqlFieldError:
    for kind, (what, instead) in _ADVICE.items():
        if isinstance(node, kind):
            return SqlFieldError(f"{what} is not possible here: {_shown(node)}", hint=instead)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).lower()
    return SqlFieldError(f"this is not possible here ({words}): {_shown(node)}")


def _shown(node: object) -> str:
    text = _sql(node) if isinstance(node, exp.Expr) else str(node)
    return text if len(text) <= 60 else text[:59] + "…"


def _sql(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb", comments=False, unsupported_level=sqlglot.ErrorLevel.IGNORE)


def function_table() -> str:
    """Return the listed functions as a Markdown table, as the documentation shows them."""
    lines = [f"| {kind} | {', '.join(f'`{name}`' for name in sorted(names))} |" for kind, names in FUNCTIONS.items()]
    return "\n".join(["| kind | functions |", "|---|---|", *lines])
