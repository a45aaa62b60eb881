"""Relations: the inputs of a table node, which know their columns, and the few helpers to build queries with.

Nothing here takes SQL as plain text: a column is `rows["name"]`, a value `literal(v)`, a function `function("sum", x)`.
Text of users goes through `Relation.condition` and `Relation.formula`, which parse and check it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airloom.spec.error import ConfigurationError
from airloom.spec.problem import suggestion

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.expressions import Select as Query

    from airloom.spec.document import EngineName
else:

    class Query:
        """A query as a tree of sqlglot: what a table node returns. `Relation.select` and its neighbours make one."""

    class _Lazy:
        # sqlglot takes 0.4 s to import: naming it in a signature must not load it.
        def __getattr__(self, name):
            import sqlglot.expressions

            return getattr(sqlglot.expressions, name)

    exp = _Lazy()
    """sqlglot's expressions, such as `exp.EQ(this=…, expression=…)`, for what the functions here do not build."""

__all__ = [
    "NUMBER", "ColumnError", "Columns", "ColumnsUnknown", "Inner", "Query", "Relation", "cast", "column", "exp",
    "family", "function", "identifier", "keep_inner_apart", "literal", "name_as", "nested", "not_null", "ordered",
    "over", "read", "try_cast", "try_read",
]  # fmt: skip

Columns = Mapping[str, str]
"""The columns of a table in their order: column name → DuckDB type."""

NUMERIC = re.compile(r"^(U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL(\(\d+,\d+\))?|BIGNUM)$")
MOMENT = re.compile(r"^(DATE|TIMESTAMP(_S|_MS|_NS)?)$")


def family(kind: str) -> str:
    """Return the family of a DuckDB type: values of one family can be compared and stand in one column."""
    if kind.endswith("]"):
        return family(kind[: kind.rindex("[")]) + "[]"
    if NUMERIC.match(kind):
        return "number"
    if MOMENT.match(kind):
        return "moment"
    if kind.startswith("ENUM("):
        return "VARCHAR"
    if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"):
        return "TIMESTAMPTZ"
    return kind.partition("(")[0]


class ColumnsUnknown(Exception):
    """Raise when a node asks for columns that are known only in a run; its output is unknown then, not wrong."""


class ColumnError(ConfigurationError):
    """Raise when a column that a field names is not there."""

    code = "column.unknown"

    def __init__(
        self, column: str, hint: str | None = None, field: str | None = None, table: str | None = None
    ) -> None:
        place = f"the {table} table has" if table else "there is"
        super().__init__(f"{place} no column {column!r}", field=field, hint=hint)
        self.column = column
        self.table = table

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.column, self.hint, self.field, self.table)


class Inner(str):
    """A name that a node gives to a column on the way: never equal to a user's, though both are written alike.

    Each starts with `airloom_`; `keep_inner_apart` writes it in another way where a table has such a column.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inner) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((Inner, str(self)))

    def __str__(self) -> str:
        return "".join(self)


NUMBER = Inner("airloom_number")


def keep_inner_apart(queries: Iterable[Query], columns: Iterable[str]) -> None:
    """Write the inner names of queries in another way where a column that these read is called the same."""
    taken = {name.lower() for name in columns}
    if not any(name.startswith("airloom_") for name in taken):
        return
    for query in queries:
        for node in query.find_all(exp.Identifier):
            # Queries share parts: one that is written anew already stays as it is.
            while isinstance(node.this, Inner) and node.this.lower() in taken:
                node.set("this", Inner(f"{node.this!s}_"))


class Relation:
    """An input table: the name to select from, its columns where they are known, and the engine that holds it."""

    def __init__(
        self,
        name: str,
        columns: Columns | None = None,
        *,
        alias: str | None = None,
        distinct: Callable[[str, int], list[Any]] | None = None,
        engine: EngineName = "duckdb",
    ) -> None:
        self.name = name
        self.engine = engine
        self.alias = alias
        self._columns = columns
        self._distinct = distinct

    @property
    def known(self) -> bool:
        """Tell whether the columns are known."""
        return self._columns is not None

    @property
    def columns(self) -> Columns:
        """Return the columns with their types; raise ColumnsUnknown where only a run can tell."""
        if self._columns is None:
            raise ColumnsUnknown(self.name)
        return self._columns

    def resolve(self, name: str, field: str | None = None) -> str:
        """Return a column's name as the table writes it (case is ignored); raise ColumnError where it is not there.

        `field` is the path of the config field that names the column, for the error.
        """
        if self._columns is None or name in self._columns:
            return name
        for column in self._columns:
            if column.lower() == name.lower():
                return column
        hint = suggestion(name, self._columns) or f"columns here: {', '.join(list(self._columns)[:20])}"
        raise ColumnError(name, hint, field, self.alias)

    def __getitem__(self, name: str) -> exp.Column:
        """Return a column by name, whatever its case; raise ColumnError, with what it may be, where there is none."""
        return column(self.resolve(name), self.alias)

    def type_of(self, name: str) -> str:
        """Return the DuckDB type of a column."""
        return self.columns[self.resolve(name)]

    def all(self, names: Iterable[str]) -> list[exp.Column]:
        """Return the named columns."""
        return [self[name] for name in names]

    def except_for(self, names: Iterable[str]) -> list[exp.Column]:
        """Return all columns but the named ones."""
        left_out = {self.resolve(name) for name in names}
        return [self[name] for name in self.columns if name not in left_out]

    def numeric(self) -> list[str]:
        """Return the names of the columns that hold numbers."""
        return [name for name, kind in self.columns.items() if NUMERIC.match(kind)]

    def distinct(self, name: str, limit: int) -> list[Any]:
        """Return the values that a column has, but null, in order, at most `limit`; raise ColumnsUnknown before a run.

        It reads the table: for nodes whose columns depend on the data.
        """
        if self._distinct is None:
            raise ColumnsUnknown(self.name)
        return self._distinct(self.resolve(name), limit)

    def aliased(self, alias: str) -> Relation:
        """Return the same relation under an alias, for joins: its columns are qualified by it."""
        return Relation(self.name, self._columns, alias=alias, distinct=self._distinct, engine=self.engine)

    def table(self) -> exp.Table:
        """Return the relation as a table to select from."""
        alias = exp.TableAlias(this=identifier(self.alias)) if self.alias else None
        return exp.Table(this=identifier(self.name), alias=alias)

    def condition(self, text: str) -> exp.Expr:
        """Parse a user's condition over this relation; raise ConfigurationError where it is not allowed or wrong."""
        from airloom.engine.sql_field import parse_condition

        return parse_condition(text, getattr(text, "values", ()), self._columns)

    def formula(self, text: str, *, aggregates: bool = False) -> exp.Expr:
        """Parse a user's formula over this relation; with `aggregates`, functions over groups are allowed."""
        from airloom.engine.sql_field import parse_formula

        return parse_formula(text, getattr(text, "values", ()), self._columns, aggregates=aggregates)

    def select(self, /, *expressions: Any, **named: Any) -> Query:
        """Return `SELECT expressions FROM this`; without any, all columns."""
        chosen = list(_flat(expressions)) + [name_as(value, name) for name, value in named.items()]
        return exp.Select(expressions=chosen or [exp.Star()]).from_(self.table(), copy=False)

    def where(self, condition: exp.Expr) -> Query:
        """Return the rows for which the condition is true."""
        return self.select().where(condition, copy=False)

    def replace(self, columns: Mapping[str, exp.Expr]) -> Query:
        """Return all columns, with the given ones put in place of those of the same name or added at the end."""
        new = {self.resolve(name) if self._has(name) else name: value for name, value in columns.items()}
        kept = [name_as(new.pop(name), name) if name in new else self[name] for name in self.columns]
        return self.select(kept, **new)

    def first(self, by: Sequence[str], order: Sequence[str] = (), *, descending: bool = False) -> Query:
        """Return one row for each key: the first by `order`, ties broken by all columns, so that any order of the
        rows gives the same one."""
        rest = [self[name] for name in self.columns]
        places = [ordered(self[name], descending=descending) for name in order] + [ordered(value) for value in rest]
        number = over(function("row_number"), self.all(by), places)
        inner = self.select(rest, **{NUMBER: number})
        outer = Relation("numbered", self._columns)
        return nested(inner, "numbered", [outer[name] for name in self.columns]).where(
            exp.EQ(this=column(NUMBER), expression=literal(1)), copy=False
        )

    def _has(self, name: str) -> bool:
        return any(column.lower() == name.lower() for column in self.columns)


def identifier(name: str) -> exp.Identifier:
    """Return a quoted identifier."""
    return exp.Identifier(this=name, quoted=True)


def column(name: str, table: str | None = None) -> exp.Column:
    """Return a column by its exact name; `rows["name"]` of a relation also finds it whatever its case."""
    return exp.Column(this=identifier(name), table=identifier(table) if table else None)


def literal(value: Any) -> exp.Expr:
    """Return a value as an SQL literal: text, number, boolean, date, time, or None for null."""
    return exp.convert(value)


def function(name: str, *arguments: Any) -> exp.Expr:
    """Return a call of a DuckDB function; plain values among the arguments become literals."""
    import sqlglot.expressions

    values = [a if isinstance(a, sqlglot.expressions.Expression) else literal(a) for a in arguments]
    return sqlglot.expressions.func(name, *values, dialect="duckdb")


def name_as(expression: exp.Expr, name: str) -> exp.Alias:
    """Return `expression AS "name"`: the expression as a column of the result."""
    return exp.Alias(this=expression, alias=identifier(name))


def cast(expression: exp.Expr, kind: str) -> exp.Expr:
    """Return `CAST(expression AS kind)`, where `kind` is a DuckDB type; a value that does not fit ends the query."""
    return exp.Cast(this=expression, to=exp.DataType.build(kind, dialect="duckdb"))


def try_cast(expression: exp.Expr, kind: str) -> exp.Expr:
    """Return `TRY_CAST(expression AS kind)`: null for what does not fit."""
    return exp.TryCast(this=expression, to=exp.DataType.build(kind, dialect="duckdb"), safe=True)


def try_read(expression: exp.Expr, given: str, kind: str, engine: EngineName = "duckdb") -> exp.Expr:
    """Return a value of the type `given` as `kind`: null for a text that is none of it, or of which a part would drop.

    Texts are read as those of files (`text_values`), and so are JSON and lists of both; other values are cast.
    """
    from airloom.engine.text_values import TextForm, read_value

    text = read_value(_VALUE, given, kind, TextForm(portable=engine != "duckdb"))
    return _filled(text, expression) if text else try_cast(expression, kind)


def read(expression: exp.Expr, given: str, kind: str, name: str, engine: EngineName = "duckdb") -> exp.Expr:
    """Return what `try_read` does, but end the run at a value that does not fit; the message says `name` and value."""
    from airloom.engine.text_values import TextForm, must_read_value

    text = must_read_value(_VALUE, given, kind, name, TextForm(portable=engine != "duckdb"))
    return _filled(text, expression) if text else cast(expression, kind)


_VALUE = "airloom_value"


def _filled(text: str, expression: exp.Expr) -> exp.Expr:
    """Return the tree of an SQL text with the expression in the place of its value."""
    return _parsed(text).transform(
        lambda node: expression.copy() if isinstance(node, exp.Column) and node.name == _VALUE else node
    )


@functools.lru_cache(maxsize=1_000)
def _parsed(text: str) -> exp.Expr:
    return exp.maybe_parse(text, dialect="duckdb")


def not_null(expression: exp.Expr) -> exp.Expr:
    """Return `expression IS NOT NULL`."""
    return exp.Not(this=exp.Is(this=expression, expression=exp.Null()))


def ordered(expression: exp.Expr, *, descending: bool = False, nulls_first: bool = False) -> exp.Ordered:
    """Return an ORDER BY item; nulls come last unless asked otherwise, on every engine."""
    return exp.Ordered(this=expression, desc=descending, nulls_first=nulls_first)


def over(expression: exp.Expr, by: Sequence[exp.Expr] = (), order: Sequence[exp.Expr] = ()) -> exp.Window:
    """Return `expression OVER (PARTITION BY by ORDER BY order)`, a window function in its default frame."""
    return exp.Window(
        this=expression,
        partition_by=list(by) or None,
        order=exp.Order(expressions=list(order)) if order else None,
    )


def nested(query: exp.Query, alias: str, expressions: Sequence[exp.Expr] = ()) -> Query:
    """Return `SELECT expressions FROM (query) AS alias`; without expressions, all columns."""
    subquery = exp.Subquery(this=query, alias=exp.TableAlias(this=identifier(alias)))
    return exp.Select(expressions=list(expressions) or [exp.Star()]).from_(subquery, copy=False)


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        elif isinstance(value, str):
            raise TypeError('plain text is not SQL here: write rows["column"], literal(value) or function(name, …)')
        else:
            yield value
