"""Names in users' SQL: tables and columns that are not there, and what is there in their place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from sqlglot import exp

from airloom.engine.sql_error import SqlFieldError, at_word, rendered, shown
from airloom.spec.expression import PLACEHOLDER
from airloom.spec.problem import suggestion

Columns = Mapping[str, str]

VIRTUAL_COLUMNS = frozenset({"rowid", "filename", "file_row_number", "file_index", "file_last_modified"})
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def query_name_faults(tree: exp.Expr, tables: Mapping[str, Columns | None]) -> Iterator[SqlFieldError]:
    """Yield tables, names of CTEs and columns that a query may not have; which columns exist is for DuckDB to say."""
    for cte in tree.find_all(exp.CTE):
        if not PLAIN_NAME.fullmatch(cte.alias):
            # A quoted name such as "a.csv" could make a file look like a table of the query.
            yield SqlFieldError(f"{cte.alias!r} cannot name a part of a query", hint="use letters, digits and _")
    known_tables = {name.lower(): columns for name, columns in tables.items()}
    for table in tree.find_all(exp.Table):
        fault = _table_fault(table, known_tables)
        if fault is not None:
            yield fault
    relations = {table.name.lower() for table in tree.find_all(exp.Table)}
    relations |= {alias.name.lower() for alias in tree.find_all(exp.TableAlias)}
    columns = _names_of_columns(tree, tables)
    for column in tree.find_all(exp.Column):
        name = column.name.lower()
        table_name = column.args.get("table")
        if column.args.get("db"):
            yield qualified_column(column)
        elif table_name is not None and table_name.name.lower() not in relations:
            yield qualified_column(column, relations=relations)
        elif name in VIRTUAL_COLUMNS - columns:
            yield no_column(column.name)
        elif table_name is None and name in relations - columns:
            hint = f"name its columns, as in {column.name}.column"
            yield at_word(SqlFieldError(f"{column.name!r} is a table, not a column", hint=hint), column.name)


def _names_of_columns(tree: exp.Expr, tables: Mapping[str, Columns | None]) -> set[str]:
    """Return what the columns of the tables of a query, and of its parts, are called."""
    columns = {name.lower() for listed in tables.values() for name in (listed or ())}
    columns |= {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
    return columns | {
        name.name.lower() for alias in tree.find_all(exp.TableAlias) for name in alias.args.get("columns") or ()
    }


def unknown_columns(tree: exp.Expr, tables: Mapping[str, Columns | None]) -> Iterator[SqlFieldError]:
    """Yield the columns of a query whose names are nowhere, as far as the text alone tells which there are.

    DuckDB says it of one column at a time, and of none as long as something else is wrong.
    """
    makes_names = (exp.Unnest, exp.Values, exp.Struct, exp.Bracket, exp.Map)
    if any(columns is None for columns in tables.values()) or tree.find(*makes_names):
        return
    known = _names_of_columns(tree, tables)
    for column in tree.find_all(exp.Column):
        name = column.name.lower()
        if name not in known and PLAIN_NAME.fullmatch(name) and not name.startswith(PLACEHOLDER):
            fault = no_column(column.name)
            fault.hint = suggestion(name, known)
            yield fault


def _table_fault(table: exp.Table, tables: Mapping[str, Columns | None]) -> SqlFieldError | None:
    if not isinstance(table.this, exp.Identifier):
        return SqlFieldError(f"{shown(table.this)} is not a table", hint=_known_tables(tables))
    if table.args.get("db") or table.args.get("catalog"):
        return SqlFieldError(f"{shown(table)} is not an input of this node", hint=_known_tables(tables))
    name = table.name.lower()
    if name in tables or name in _visible_ctes(table):
        return None
    hint = suggestion(table.name, tables) or _known_tables(tables)
    return at_word(SqlFieldError(f"there is no table {table.name!r}", hint=hint), table.name)


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


def qualified_column(
    column: exp.Column, columns: Columns | None = None, relations: Iterable[str] = ()
) -> SqlFieldError:
    """Return the error for a column with a name before it that is not the name of a table here."""
    parts = [part.name for part in column.parts]
    fields = "".join(f"['{part}']" for part in parts[1:])
    if relations:
        near = suggestion(parts[0], relations)
        hint = near or f"tables of this query: {', '.join(sorted(relations))}"
        return at_word(SqlFieldError(f"there is no table {parts[0]!r}", hint=hint), parts[0])
    if columns is not None and parts[0].lower() not in {name.lower() for name in columns}:
        found = next((name for name in columns if name.lower() == parts[-1].lower()), parts[-1])
        hint = f"columns have no table's name before them here: write {found}"
    else:
        hint = f"for a field of a struct write {parts[0]}{fields}"
    return at_word(SqlFieldError(f"{rendered(column)!r} is not a column here", hint=hint), parts[0])


def _stands_for_text(column: exp.Column, columns: Columns) -> bool:
    """Tell whether a column that is not there is compared with one that is: then a text was meant."""
    place = column.parent
    if not isinstance(place, (exp.EQ, exp.NEQ, exp.In)) or place.this is column:
        return False
    known = place.this.name if isinstance(place.this, exp.Column) else ""
    return known.lower() in {name.lower() for name, kind in columns.items() if kind == "VARCHAR"}


def unknown_column(column: exp.Column, columns: Columns) -> SqlFieldError:
    """Return the error for a column that is not among those of a table, with what was probably meant."""
    hint = suggestion(column.name, columns)
    if column.name.startswith(("‘", "’", "‚", "“", "”", "„")):
        hint = "text stands in straight single quotes: 'paid'"
    elif column.this.args.get("quoted") or _stands_for_text(column, columns):
        hint = f"text stands in single quotes: '{column.name}'" + (f"; for a column, {hint}" if hint else "")
    if hint is None:
        hint = f"columns: {', '.join(list(columns)[:20])}{', …' if len(columns) > 20 else ''}"
    fault = no_column(column.name)
    fault.hint = hint
    return fault


def no_column(name: str) -> SqlFieldError:
    """Return the error for a name that no column has."""
    return at_word(SqlFieldError(f"there is no column {name!r}"), name)
